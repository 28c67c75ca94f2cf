"""Rows taken apart by loops stand where the reader of one tuple finds them; a damaged one is told."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from envclone.stores.postgres.format import rows
from envclone.stores.postgres.format.tuples import Attribute, attributes

COLUMNS = (
    Attribute("id", "int4", 4, "i"),
    Attribute("name", "text", -1, "i"),
    Attribute("flag", "bool", 1, "c"),
    Attribute("seen", "int8", 8, "d"),
    Attribute("note", "text", -1, "i"),
    Attribute("late", "int2", 2, "s"),
)
_UNITS = {"c": 1, "s": 2, "i": 4, "d": 8}


def _tuple(*parts: bytes, stored: int, null: tuple[int, ...] = ()) -> bytes:
    bitmap = sum(1 << i for i in range(stored) if i not in null).to_bytes(1, "little") if null else b""
    head = b"\0" * 18 + struct.pack("<HHB", stored, 1 if null else 0, 24) + bitmap.ljust(1, b"\0")
    body = b"".join(parts)
    return (head + body).ljust(-(-(len(head) + len(body)) // 8) * 8, b"\0")


SHORT, LONG = bytes(((3 + 1) << 1 | 1,)) + b"abc", struct.pack("<I", (200 + 4) << 2) + b"x" * 200
EXTERNAL = struct.pack("<BBiIII", 1, 18, 9000, 8996, 4711, 4712)
TUPLES = [
    _tuple(struct.pack("<i", 7), SHORT, b"\1", b"\0" * 7, struct.pack("<q", 9), SHORT, stored=5),
    _tuple(
        struct.pack("<i", 8), LONG, b"\0", b"\0" * 7, struct.pack("<q", 1), EXTERNAL, struct.pack("<h", 3), stored=6
    ),
    _tuple(struct.pack("<i", 9), b"\1", b"\0" * 3, struct.pack("<q", 2), stored=5, null=(1, 4)),
]


def _placed(tuples: list[bytes], lengths: list[int] | None = None) -> tuple[int, Any, Any, Any, Any]:
    flat = np.frombuffer(b"".join(tuples), np.uint8)
    sizes = [len(one) for one in tuples]
    base = np.cumsum([0, *sizes[:-1]]).astype(np.int64)
    shape = len(COLUMNS), len(tuples)
    starts, ends, forms = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.uint8)
    wrong = rows.places(
        *(flat, base, np.array(lengths or sizes, np.int64)),
        *(np.array([c.length for c in COLUMNS], np.int64), np.array([_UNITS[c.align] for c in COLUMNS], np.int64)),
        *(starts, ends, forms),
    )
    return int(wrong), flat, starts, ends, forms


def test_values_stand_where_the_reader_of_one_tuple_finds_them() -> None:
    wrong, flat, starts, ends, forms = _placed(TUPLES)
    assert wrong == -1
    base = 0
    for row, one in enumerate(TUPLES):
        slots = {slot.index: slot for slot in attributes(one, COLUMNS)}
        for index in range(len(COLUMNS)):
            if index not in slots:
                assert forms[index, row] == rows.ABSENT
                continue
            slot = slots[index]
            start = slot.varlena.start if slot.varlena else slot.start
            assert (starts[index, row] - base, ends[index, row] - base) == (start, slot.end)
        base += len(one)
    assert forms[4, 1] == rows.EXTERNAL
    block = np.zeros(300, np.uint8)
    size = rows.gather(flat, starts[1], ends[1], forms[1], block)
    assert block[: int(size)].tobytes() == b"abc\0" + b"x" * 200 + b"\0\0"
    assert rows.gather(flat, starts[1], ends[1], forms[1], block[:100]) == -1


def test_a_row_that_runs_over_its_end_is_told() -> None:
    for row, one in enumerate(TUPLES):
        for size in (10, 23, len(one) - 12):
            sizes = [len(other) for other in TUPLES]
            sizes[row] = size
            assert _placed(TUPLES, sizes)[0] == row
    damaged = bytearray(TUPLES[1])
    damaged[28:32] = struct.pack("<I", 9000 << 2)
    assert _placed([bytes(damaged)])[0] == 0


def test_one_byte_one_null_and_a_pointer_are_not_the_same() -> None:
    other = bytearray(TUPLES[0])
    other[30] ^= 1
    pairs = [(TUPLES[0], TUPLES[0]), (TUPLES[0], bytes(other)), (TUPLES[0], TUPLES[2]), (TUPLES[1], TUPLES[1])]
    for index, same in ((1, [True, False, False, True]), (4, [True, True, False, False])):
        for (mine, theirs), expected in zip(pairs, same, strict=True):
            _, a, starts, ends, forms = _placed([mine])
            _, b, other_starts, other_ends, other_forms = _placed([theirs])
            sure = np.zeros(1, np.bool_)
            found = rows.unlike(
                *(a, starts[index], ends[index], forms[index]),
                *(b, other_starts[index], other_ends[index], other_forms[index]),
                sure,
            )
            assert (bool(sure[0]), int(found)) == (expected, int(not expected))


@pytest.mark.parametrize("size", [1, 7, 8, 9, 16, 31, 32, 33, 100, 300])
def test_another_byte_is_told_wherever_it_stands(size: int) -> None:
    """Loops compare many bytes at a time: none of them is left out, neither before nor behind a whole step."""
    value = np.arange(size, dtype=np.int64).astype(np.uint8)
    # a copy for each byte that is another one, the value as it is, and one that is a byte shorter
    others = np.tile(value, (size + 2, 1))
    others[np.arange(size), np.arange(size)] ^= 1
    starts = np.arange(size + 2, dtype=np.int64) * size
    ends = starts + size
    ends[-1] -= 1
    forms = np.full(size + 2, rows.LONG, np.uint8)
    flat, zero = others.reshape(-1), np.zeros(size + 2, np.int64)
    flat.flags.writeable = value.flags.writeable = False
    sure = np.zeros(size + 2, np.bool_)
    assert rows.unlike(value, zero, zero + size, forms, flat, starts, ends, forms, sure) == size + 1
    assert np.flatnonzero(sure).tolist() == [size]
