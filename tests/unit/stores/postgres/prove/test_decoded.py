"""Extended statistics as the server writes them: their values, and what stood side by side in a row."""

from __future__ import annotations

import struct

import pytest

from envclone.stores.postgres.prove.decoded import READING, side_by_side

TEXT, INT4 = 25, 23


def _statistics(items: list[tuple[int, int, bool]]) -> bytes:
    """Names in one column and numbers in the other, `items` as their places and whether the first is null."""
    names, numbers = [b"Wolfhard", b"Brunhilda"], [7, 9, 11]
    first = b"".join(struct.pack("<I", len(name)) + name for name in names)
    second = struct.pack("<3i", *numbers)
    head = struct.pack("<IIIh2I", 0xE1A651C2, 1, len(items), 2, TEXT, INT4)
    shapes = [(len(names), len(first), 0, -1, False), (len(numbers), len(second), 0, 4, True)]
    body = head + b"".join(struct.pack("<iiii?3x", *shape) for shape in shapes) + first + second
    return body + b"".join(struct.pack("<??ddHH", null, False, 0.5, 0.25, one, other) for one, other, null in items)


def test_columns_of_an_item_are_told_together() -> None:
    found = side_by_side(_statistics([(1, 0, False), (0, 2, True)]))
    assert found == [[[b"Brunhilda"], ["7"]], [[], ["11"]]]


@pytest.mark.parametrize("damage", ["cut", "place", "items", "magic"])
def test_statistics_that_are_damaged_are_refused(damage: str) -> None:
    whole = _statistics([(1, 0, False)])
    body = {
        "cut": whole[:-1],
        "place": _statistics([(5, 0, False)]),
        "items": whole[:8] + struct.pack("<I", 1 << 30) + whole[12:],
        "magic": b"\0" + whole[1:],
    }[damage]
    with pytest.raises(READING):
        side_by_side(body)
