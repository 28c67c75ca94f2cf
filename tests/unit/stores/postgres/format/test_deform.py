"""Attributes of many tuples: whatever a page holds, they lie inside their tuples, or the page is refused."""

from __future__ import annotations

import random
import struct

import numpy as np

from envclone.errors import UnsafeError
from envclone.stores.postgres.format import deform
from envclone.stores.postgres.format.page import normal_items
from envclone.stores.postgres.format.tuples import Attribute, attributes

SIZE = 8192
COLUMNS = (
    Attribute("id", "int4", 4, "i"),
    Attribute("name", "text", -1, "i"),
    Attribute("seen", "timestamptz", 8, "d"),
    Attribute("note", "text", -1, "i"),
)


def _tuple(rng: random.Random) -> bytes:
    nulls = rng.random() < 0.3
    bits = rng.randrange(16) if nulls else 15
    body = b""
    for index in range(4):
        if not bits >> index & 1:
            continue
        if COLUMNS[index].length > 0:
            unit = COLUMNS[index].length
            body += bytes(-len(body) % unit) + rng.randbytes(unit)
        elif rng.random() < 0.2:
            body += bytes(-len(body) % 4) + struct.pack("<I", (4 + 200) << 2) + b"l" * 200
        elif rng.random() < 0.2:
            body += b"\x01\x12" + rng.randbytes(16)
        else:
            body += bytes(((9 << 1) | 1,)) + b"eight by"
    header = rng.randbytes(18) + struct.pack("<HHB", 4, int(nulls), 24) + bytes((bits if nulls else 0,))
    return header + body


def _page(rng: random.Random) -> bytearray:
    page, upper = bytearray(SIZE), SIZE
    count = rng.randrange(1, 20)
    for number in range(count):
        made = _tuple(rng)
        upper = (upper - len(made)) & -8
        page[upper : upper + len(made)] = made
        struct.pack_into("<I", page, 24 + 4 * number, upper | 1 << 15 | len(made) << 17)
    struct.pack_into("<HHH", page, 12, 24 + 4 * count, upper, SIZE)
    return page


def _deformed(page: bytes) -> list[tuple[int, int, int, int]]:
    """Item, attribute, start and end in the page of every value that is present."""
    flat = np.frombuffer(page, np.uint8)
    items = normal_items(flat.reshape(1, -1), "a page")
    base = items.page * SIZE + items.offset
    found = deform.deform(flat, base, items.length, COLUMNS, range(4))
    return sorted(
        (i, index, int(column.start[i]), int(column.end[i]))
        for index, column in found.items()
        for i in np.flatnonzero(column.present).tolist()
    )


def test_as_one_by_one() -> None:
    rng = random.Random(3)
    for _ in range(50):
        page = bytes(_page(rng))
        items = normal_items(np.frombuffer(page, np.uint8).reshape(1, -1), "a page")
        expected = []
        for i, (at, length) in enumerate(zip(items.offset.tolist(), items.length.tolist(), strict=True)):
            for slot in attributes(page[at : at + length], COLUMNS):
                expected.append((i, slot.index, at + slot.start, at + slot.end))
        assert _deformed(page) == sorted(expected)


def test_broken_pages_are_refused_or_read_inside_their_tuples() -> None:
    rng = random.Random(5)
    refused = read = 0
    for _ in range(4000):
        page = _page(rng)
        for _ in range(rng.randrange(1, 6)):
            at = rng.choice([rng.randrange(24), rng.randrange(24, 104), rng.randrange(SIZE - 1500, SIZE)])
            page[at] = rng.choice([0, 1, 2, 3, 255, rng.randrange(256)])
        try:
            found = _deformed(bytes(page))
        except UnsafeError:
            refused += 1
            continue
        read += 1
        items = normal_items(np.frombuffer(bytes(page), np.uint8).reshape(1, -1), "a page")
        for i, _, start, end in found:
            assert items.offset[i] <= start <= end <= items.offset[i] + items.length[i]
    assert refused > 200
    assert read > 200
