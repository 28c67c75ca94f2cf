"""Arrays as they stand in a page, and arrays of them, as the planner's statistics have them of a column of arrays."""

from __future__ import annotations

import struct

import pytest

from envclone.stores.postgres.format.tuples import Attribute
from envclone.stores.postgres.prove.arrays import elements, is_array, kind_of
from envclone.stores.postgres.prove.decoded import decoder

TEXT, INT4, UUID, JSONB, TEXTS, DOMAINS = 25, 23, 2950, 3802, 1009, 16_500


def _array(kind: int, items: list[bytes], *, null: bool = False) -> bytes:
    """One dimension; the header of the value itself is left out, and places count from it. `null` is one more item."""
    count = len(items) + null
    bitmap = bytes([(1 << len(items)) - 1]) if null else b""
    start = (20 + 4 + len(bitmap) + 7) & ~7 if null else 24
    body = struct.pack("<iiIii", 1, start if null else 0, kind, count, 1) + bitmap
    body += bytes(start - 4 - len(body))
    for item in items:
        body += bytes(-(len(body) + 4) % 4) + struct.pack("<I", len(item) + 4 << 2) + item
    return body + bytes(-(len(body) + 4) % 4)


def _fixed(kind: int, items: list[bytes]) -> bytes:
    return struct.pack("<iiIii", 1, 0, kind, len(items), 1) + b"".join(items)


def _said(body: bytes) -> list[str]:
    read = decoder(Attribute("stavalues1", "anyarray", -1, "d"))
    assert read is not None
    return [one.decode() if isinstance(one, bytes) else one for one in read(body)]


TAGS = [_array(TEXT, [b"newsletter", b"contact:gregg.thomas67@mail.example"]), _array(TEXT, [b"vip"], null=True)]


@pytest.mark.parametrize("outer", [TEXTS, DOMAINS])
def test_arrays_in_statistics_are_read_element_by_element(outer: int) -> None:
    assert _said(_array(outer, TAGS)) == ["newsletter", "contact:gregg.thomas67@mail.example", "vip"]


def test_so_are_their_numbers_and_those_without_elements() -> None:
    numbers = _fixed(INT4, [struct.pack("<i", 7), struct.pack("<i", 100_000)])
    assert _said(_array(1007, [numbers, struct.pack("<iiI", 0, 0, INT4)])) == ["7", "100000"]
    assert kind_of(_array(1007, [numbers])) == INT4


def test_texts_stay_texts() -> None:
    assert _said(_array(TEXT, [b"plain", b"", b"x" * 300])) == ["plain", "", "x" * 300]
    assert kind_of(_array(TEXT, [b"plain"])) == TEXT and kind_of(b"") == 0


@pytest.mark.parametrize("body", [b"", b"Jane Doe was here, and so on", bytes(12), bytes(40), b"\xff" * 40])
def test_what_is_no_array(body: bytes) -> None:
    assert not is_array(body)


@pytest.mark.parametrize("cut", range(4, 24))  # what fills the last item up may be missing
def test_a_damaged_array_is_none(cut: int) -> None:
    assert elements(_array(TEXT, [b"newsletter", b"vip"])[:-cut]) is None
