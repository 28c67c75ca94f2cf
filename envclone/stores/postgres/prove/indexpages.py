"""Pages of indexes of any method: their bounds, their items, and who owns which stretch of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from envclone.stores.postgres.format import claims, entries
from envclone.stores.postgres.format.page import HEADER, outer
from envclone.stores.postgres.format.tuples import Attribute

__all__ = [
    "Bounds",
    "Keys",
    "bounds_of",
    "claim_headers",
    "disown",
    "items_of",
    "keys_of",
    "number",
    "stretches",
]

_UNITS = {"c": 1, "s": 2, "i": 4, "d": 8}


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys of one column of an index: where each begins and ends in the pages, whether compressed, and its page.

    `entry` tells, where it is known, keys of other columns that are of the same entry.
    """

    column: int
    attribute: Attribute
    start: Any
    end: Any
    packed: Any
    page: Any
    entry: Any = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """`pd_lower`, `pd_upper` and `pd_special` of each page, and whether they can be those of an index's page."""

    lower: Any
    upper: Any
    special: Any
    good: Any


def bounds_of(pages: Any, special: int) -> Bounds:
    """The bounds of pages with a special space of so many bytes."""
    words = pages[:, 12:18].copy().view("<u2").astype(np.int64)
    lower, upper, begins = words[:, 0], words[:, 1], words[:, 2]
    good = (lower >= HEADER) & (lower <= upper) & (upper <= begins) & (begins == pages.shape[1] - special)
    return Bounds(lower, upper, begins, good)


def claim_headers(owner: Any, pages: Any, bounds: Bounds, chosen: Any) -> None:
    """Give headers, line pointers and special spaces of the chosen pages to the format."""
    owner.reshape(pages.shape)[outer(pages.shape, bounds.lower, bounds.special, chosen)] = claims.STRUCTURE


def stretches(owner: Any, start: Any, end: Any, who: int = claims.STRUCTURE) -> None:
    """Give what is between each start and end, which lie in `owner`, to somebody; they do not overlap."""
    edges = np.zeros(owner.size + 1, np.int8)
    np.add.at(edges, start, 1)
    np.subtract.at(edges, end, 1)
    owner.reshape(-1)[np.cumsum(edges[:-1], dtype=np.int8) > 0] = who


def disown(owner: Any, shape: tuple[int, int], page: Any) -> None:
    """Take these pages from whoever they were given to: they are not what they seemed."""
    owner.reshape(shape)[np.unique(page)] = claims.NOBODY


def items_of(pages: Any, bounds: Bounds, chosen: Any, least: int) -> tuple[Any, Any, Any, Any, Any]:
    """Page, number, offset in all pages and length of each item, and the pages that have a wrong line pointer.

    Of those pages there are no items.
    """
    size = pages.shape[1]
    count = np.where(chosen, np.maximum(bounds.lower - HEADER, 0) // 4, 0)
    most = int(count.max(initial=0))
    pointers = pages[:, HEADER : HEADER + 4 * most].copy().view("<u4")
    page, index = np.nonzero((np.arange(most) < count[:, None]) & (pointers >> 17 != 0))
    pointer = pointers[page, index].astype(np.int64)
    offset, length = pointer & 0x7FFF, pointer >> 17
    wrong = (offset < bounds.upper[page]) | (offset + length > bounds.special[page]) | (length < least)
    bad = np.zeros(len(pages), np.bool_)
    bad[page[wrong]] = True
    order = np.lexsort((offset, page))
    touching = (page[order][1:] == page[order][:-1]) & (offset[order][1:] < (offset + length)[order][:-1])
    bad[page[order][1:][touching]] = True
    good = ~bad[page]
    return page[good], index[good] + 1, (page * size + offset)[good], length[good], bad


def number(flat: Any, at: Any, count: int) -> Any:
    """Little-endian numbers of so many bytes."""
    result = np.zeros(len(at), np.int64)
    for shift in range(count):
        result |= flat[at + shift].astype(np.int64) << (8 * shift)
    return result


def keys_of(
    flat: Any, owner: Any, places: Any, attributes: Any, columns: Sequence[Attribute], owners: Sequence[int]
) -> Any | None:
    """Claim entries as `entries.claim_entries` does; returns where their keys are, None when one runs over its end."""
    keys = np.zeros((len(places), len(columns), 3), np.int64)
    wrong = entries.claim_entries(
        flat,
        places,
        attributes,
        np.array([one.length for one in columns], np.int64),
        np.array([_UNITS[one.align] for one in columns], np.int64),
        np.array(owners, np.uint8),
        owner,
        keys,
    )
    return None if wrong >= 0 else keys
