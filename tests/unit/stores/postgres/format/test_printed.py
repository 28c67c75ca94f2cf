"""Values of fixed length as loops print them are what the codecs, which are held against the server, make of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from envclone.stores.postgres.format import printed, rows
from envclone.stores.postgres.write.inplace.codecs import codec_for

DAY = 86_400_000_000
FIRST, LAST = -730_119, 2_921_939
"""0001-01-01 and 9999-12-31."""


def _print(kernel: Any, values: list[Any], kind: str) -> list[str] | None:
    flat = np.array(values, kind).view(np.uint8)
    size, count = len(flat) // len(values), len(values)
    flat.flags.writeable = False
    starts, forms = np.arange(count, dtype=np.int64) * size, np.zeros(count, np.uint8)
    block = np.zeros(count * printed.WIDEST, np.uint8)
    end = int(kernel(flat, starts, starts + size, forms, block))
    return None if end < 0 else block[: end - 1].tobytes().decode().split("\0")


def _decoded(base: str, values: list[Any], kind: str) -> list[str]:
    codec = codec_for(base, -1, None)
    assert codec is not None
    return [codec.decode(np.array([value], kind).tobytes()) for value in values]


def _dates(rng: random.Random) -> list[int]:
    return [FIRST, LAST, 0, -1, *(rng.randint(FIRST, LAST) for _ in range(2000))]


def _moments(rng: random.Random) -> list[int]:
    within = (0, 1, 100_000, DAY - 1, DAY - 1_000_000)
    return [day * DAY + rng.choice([*within, rng.randrange(DAY)]) for day in _dates(rng)]


def _numbers(bits: int) -> Callable[[random.Random], list[int]]:
    least, most = -(1 << bits - 1), (1 << bits - 1) - 1
    return lambda rng: [least, least + 1, -10, -1, 0, 9, 10, most, *(rng.randint(least, most) for _ in range(2000))]


@pytest.mark.parametrize(
    ("kernel", "base", "kind", "values"),
    [
        (printed.numbers, "int2", "<i2", _numbers(16)),
        (printed.numbers, "int4", "<i4", _numbers(32)),
        (printed.numbers, "int8", "<i8", _numbers(64)),
        (printed.dates, "date", "<i4", _dates),
        (printed.timestamps, "timestamp", "<i8", _moments),
        (printed.zoned, "timestamptz", "<i8", _moments),
        (printed.booleans, "bool", "u1", lambda rng: [0, 1, 1]),
        (printed.uuids, "uuid", "S16", lambda rng: [rng.randbytes(15) + b"x" for _ in range(50)]),
    ],
)
def test_loops_print_what_the_codecs_do(
    kernel: Any, base: str, kind: str, values: Callable[[random.Random], list[Any]]
) -> None:
    made = values(random.Random(1))
    assert _print(kernel, made, kind) == _decoded(base, made, kind)


@pytest.mark.parametrize("days", [FIRST - 1, LAST + 1, 2**31 - 1, -(2**31)])
def test_other_years_are_left_to_python(days: int) -> None:
    assert _print(printed.dates, [0, days], "<i4") is None
    assert _print(printed.timestamps, [0, max(-(2**63), min(days * DAY, 2**63 - 1))], "<i8") is None


def test_what_is_absent_is_empty_and_a_small_block_is_told() -> None:
    flat = np.array([7, 8], "<i4").view(np.uint8)
    flat.flags.writeable = False
    starts, forms = np.array([0, 4], np.int64), np.array([rows.ABSENT, 0], np.uint8)
    block = np.zeros(2 * printed.WIDEST, np.uint8)
    assert printed.numbers(flat, starts, starts + 4, forms, block) == 3
    assert block[:3].tobytes() == b"\x008\0"
    assert printed.numbers(flat, starts, starts + 4, forms, block[: printed.WIDEST]) == -1
