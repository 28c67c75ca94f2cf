"""The pages of B-trees: entries with their keys, lists of addresses, and what pages were before they were deleted.

What nothing here understands of a page is nobody's, and is searched as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from envclone.stores.postgres.format import claims
from envclone.stores.postgres.format.page import HEADER
from envclone.stores.postgres.format.tuples import Attribute
from envclone.stores.postgres.prove.indexpages import (
    Keys,
    bounds_of,
    claim_headers,
    disown,
    items_of,
    keys_of,
    number,
)

__all__ = ["btree"]

_SIZE, _ALTERNATIVE, _NULLS = 0x1FFF, 0x2000, 0x8000
"""In an entry's flags (`INDEX_SIZE_MASK`, `INDEX_ALT_TID_MASK`, `INDEX_NULL_MASK`)."""
_POSTING, _HEAP_ADDRESS, _COUNT = 0x2000, 0x1000, 0x0FFF
"""In the line pointer number of such an entry's address (`access/nbtree.h`)."""
_DELETED, _META = 0x0004, 0x0008
_MAGIC = 0x053162
_ADDRESS, _MOST_ITEMS = 6, 2048


def btree(
    pages: Any, owner: Any, columns: Sequence[Attribute], owners: Sequence[int], first_block: int
) -> Iterator[Keys]:
    """Claim a B-tree's pages (`src/include/access/nbtree.h`), and say where the keys of its entries are."""
    size, flat = pages.shape[1], pages.reshape(-1)
    bounds = bounds_of(pages, 16)
    flags = pages[:, size - 4 : size - 2].copy().view("<u2")[:, 0]
    meta, deleted = flags & _META != 0, flags & _DELETED != 0
    first = (np.arange(len(pages)) + first_block == 0) & (
        pages[:, HEADER : HEADER + 4].copy().view("<u4")[:, 0] == _MAGIC
    )
    plain = bounds.good & ~(meta | deleted)
    page, _, start, length, bad = items_of(pages, bounds, plain, 8)
    known = (
        (plain & ~bad) | (bounds.good & meta & first) | (bounds.good & ~meta & deleted & (bounds.lower <= HEADER + 8))
    )
    claim_headers(owner, pages, bounds, known)
    places, attributes, fits = _places(flat, start, length, len(columns))
    if not fits.all():
        disown(owner, pages.shape, page[~fits])
        chosen = ~np.isin(page, page[~fits])
        page, places, attributes = page[chosen], places[chosen], attributes[chosen]
    keys = keys_of(flat, owner, places, attributes, columns, owners)
    if keys is not None:
        yield from _told(keys, page, columns, owners, places)
        return
    for one in np.unique(page).tolist():
        its = page == one
        keys = keys_of(flat, owner, places[its], attributes[its], columns, owners)
        if keys is None:
            disown(owner, pages.shape, one)
        else:
            yield from _told(keys, page[its], columns, owners, places[its])


def _places(flat: Any, start: Any, length: Any, columns: int) -> tuple[Any, Any, Any]:
    """Places of entries as `claim_entries` takes them, how many attributes each has, and whether it is an entry."""
    place, info = number(flat, start + 4, 2), number(flat, start + 6, 2)
    whole = info & _SIZE
    alternative = info & _ALTERNATIVE != 0
    posting = alternative & (place & _POSTING != 0)
    pivot = alternative & ~posting
    block = number(flat, start, 2) << 16 | number(flat, start + 2, 2)
    tail = start + whole
    end = np.where(posting, start + block, np.where(pivot & (place & _HEAP_ADDRESS != 0), tail - _ADDRESS, tail))
    attributes = np.where(pivot, np.minimum(place & _COUNT, columns), columns)
    attributes = np.where((whole == 8) | ((info & _NULLS != 0) & (whole <= 16) & (columns == 0)), 0, attributes)
    data = start + np.where(info & _NULLS != 0, 16, 8)
    fits = (start % 8 == 0) & (whole >= 8) & (whole <= length) & (end >= data) & (end <= tail)
    lists = np.flatnonzero(posting & fits)
    fits[lists] = _lists(flat, end[lists], tail[lists], place[lists] & _COUNT)
    return np.stack((start, data, end, tail), axis=1), attributes, fits


def _lists(flat: Any, start: Any, end: Any, count: Any) -> Any:
    """Whether so many addresses of rows stand there, and nothing behind them."""
    stop = start + _ADDRESS * count
    good = (count > 0) & (stop <= end) & (end - stop < 8)
    for at in range(int(count[good].max(initial=0))):
        its = np.flatnonzero(good & (at < count))
        item = number(flat, start[its] + _ADDRESS * at + 4, 2)
        good[its] = (item > 0) & (item < _MOST_ITEMS)
    return good


def _told(keys: Any, page: Any, columns: Sequence[Attribute], owners: Sequence[int], places: Any) -> Iterator[Keys]:
    for column, attribute in enumerate(columns):
        if owners[column] != claims.STRUCTURE:
            there = np.flatnonzero(keys[:, column, 0] >= 0)
            start, end, packed = keys[there, column].T
            yield Keys(column, attribute, start, end, packed != 0, page[there], places[there, 0])
