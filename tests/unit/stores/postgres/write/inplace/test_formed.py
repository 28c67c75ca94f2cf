"""Values of many types printed and written by loops are what the codecs make of them one by one."""

from __future__ import annotations

import contextlib
import json
import random
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from envclone.compiled import available
from envclone.packed import TextBlock, block_of
from envclone.stores.postgres.write.inplace import batches
from envclone.stores.postgres.write.inplace.codecs import Codec, codec_for

pytestmark = pytest.mark.skipif(not available(), reason="loops are not compiled here")

DRAW = random.Random(5)


def document(depth: int = 0) -> Any:
    kind = DRAW.randrange(9 if depth < 4 else 6)
    if kind > 5:
        count = DRAW.choice((0, 1, 3, 5, 40))
        if kind == 6:
            return [document(depth + 1) for _ in range(count)]
        return {DRAW.choice("abcdö") * DRAW.randrange(1, 9): document(depth + 1) for _ in range(count)}
    return (
        None,
        True,
        False,
        DRAW.randrange(-(10**7), 10**7),
        "Zoë" * DRAW.randrange(4),
        DRAW.randrange(10**6) / 1000,
    )[kind]


def decimal(whole: int, places: int) -> str:
    return f"{DRAW.randrange(-(10**whole), 10**whole)}" + (
        f".{DRAW.randrange(10**places):0{places}d}" if places else ""
    )


def moment(i: int) -> str:
    return f"{DRAW.randrange(1, 9999):04d}-0{1 + i % 9}-1{i % 9} 0{i % 10}:59:00" + ("", ".5", ".123")[i % 3]


VALUES: dict[tuple[str, int], list[str]] = {
    ("numeric", -1): [decimal(whole, places) for whole in range(1, 16) for places in range(18)],
    ("numeric", (12 << 16 | 2) + 4): [decimal(whole, 2) for whole in range(11) for _ in range(9)],
    ("inet", -1): [".".join(str(DRAW.randrange(256)) for _ in range(4)) + f"/{i % 33}" for i in range(99)],
    ("uuid", -1): [str(UUID(int=DRAW.getrandbits(128))) for _ in range(99)],
    ("timestamp", -1): [moment(i) for i in range(99)],
    ("timestamptz", 3): [moment(i) + "+00" for i in range(99)],
    ("jsonb", -1): [json.dumps(document(), ensure_ascii=False) for _ in range(400)],
}


def stored(bodies: list[bytes]) -> tuple[Any, Any, Any]:
    """Bodies one behind the other, as in a page."""
    flat = np.frombuffer(bytearray(b"".join(bodies)), np.uint8)
    stops = np.cumsum([len(body) for body in bodies], dtype=np.int64)
    return flat, stops - np.array([len(body) for body in bodies], np.int64), stops


@pytest.mark.parametrize("type_", VALUES, ids=str)
def test_values_are_printed_and_written_as_one_by_one(type_: tuple[str, int]) -> None:
    codec = codec_for(*type_, None)
    assert codec is not None
    assert codec.formed is not None
    kept = [text for text in VALUES[type_] if type_[0] != "jsonb" or text[0] in "[{"]
    bodies = [codec.encode(text, b"") for text in kept]
    texts = [codec.decode(body) for body in bodies]
    flat, starts, stops = stored(bodies)
    shown = batches.read(flat, starts, stops, codec)
    assert isinstance(shown, TextBlock)
    assert shown.texts() == texts
    out, firsts, lasts = codec.formed.write(block_of(texts), flat, starts, stops)
    assert (lasts >= 0).all()
    assert [out[a:b].tobytes() for a, b in zip(firsts, lasts, strict=True)] == bodies


def test_other_documents_of_the_same_shape() -> None:
    codec = codec_for("jsonb", -1, None)
    assert codec is not None
    assert codec.formed is not None
    old = [
        '{"a": 1, "b": ["x", {"c": "y"}], "zz": null}',
        '{"a": [1, 2]}',
        '["x"]',
        "[]",
        '{"a": "x"}',
        '{"a": "x"}',
        '"x"',
    ]
    new = [
        '{"a": 2.50, "b": ["Zoë Quimby", {"c": null}], "zz": true}',
        *('{"a": [-7, "x"]}', '[ "y" ]', "[]", '{"b": "x"}', '{"a": "x\\n"}', '"y"'),
    ]
    flat, starts, stops = stored([codec.encode(text, b"") for text in old])
    out, firsts, lasts = codec.formed.write(block_of(new), flat, starts, stops)
    assert (lasts >= 0).tolist() == [True, True, True, True, False, False, False]
    for k in range(4):
        assert out[firsts[k] : lasts[k]].tobytes() == codec.encode(new[k], b"")


@pytest.mark.parametrize(
    ("type_", "texts"),
    [
        (("numeric", -1), ["", "-", ".", "1.", ".5", "1e5", "NaN", "1.2.3", "1" * 40, "--1", " 1"]),
        (("numeric", (5 << 16 | 2) + 4), ["1.5", "1.555", "1234.00", "1"]),
        (("inet", -1), ["::1/128", "1.2.3/8", "01.2.3.4", "1.2.3.256/8", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/24x", ""]),
        (("uuid", -1), ["", "123e4567e89b12d3a456426614174000", "123e4567-e89b-12d3-a456-42661417400g", "x" * 36]),
        (
            ("timestamp", 0),
            ["infinity", "2024-02-30 00:00:00", "2024-02-02 24:00:00", "2024-02-02 00:00:00.5", "2024-02-02"],
        ),
        (("timestamptz", -1), ["2024-02-02 00:00:00", "2024-02-02 00:00:00+01", "0044-03-15 00:00:00+00 BC"]),
    ],
    ids=str,
)
def test_what_is_odd_is_left(type_: tuple[str, int], texts: list[str]) -> None:
    codec = codec_for(*type_, None)
    assert codec is not None
    assert codec.formed is not None
    _, _, lasts = codec.formed.write(block_of(texts), *stored([b"x"] * len(texts)))
    assert (lasts == -1).all()


@pytest.mark.parametrize("base", ["numeric", "inet", "jsonb"])
def test_damaged_bytes_are_never_read_behind_their_end(base: str) -> None:
    codec: Codec | None = codec_for(base, -1, None)
    assert codec is not None
    assert codec.formed is not None
    whole = codec.encode({"numeric": "1234.5", "inet": "10.1.2.3/8"}.get(base, '{"a": [1, "xyz", {"b": null}]}'), b"")
    for _ in range(3000):
        damaged = bytearray(whole[: DRAW.randrange(len(whole) + 1)])
        for _ in range(DRAW.randrange(4)):
            if damaged:
                damaged[DRAW.randrange(len(damaged))] = DRAW.randrange(256)
        flat, starts, stops = stored([bytes(damaged)])
        shown = batches._printed(flat, starts, stops, codec.formed.printed, codec.formed.room(len(damaged), 1))
        if shown is not None:
            with contextlib.suppress(UnicodeDecodeError):  # what is no UTF-8 is found when it becomes a text
                assert shown.block == codec.decode(bytes(damaged)).encode()
        codec.formed.write(block_of(['{"a": [1, "xyz", {"b": null}]}']), flat, starts, stops)
