"""Indexes that are not B-trees: the keys of GIN's entries, and graphs, lists and hashes that hold no text.

What nothing here understands of a page is nobody's, and is searched as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from envclone.stores.postgres.format import claims, entries
from envclone.stores.postgres.format.page import HEADER
from envclone.stores.postgres.format.tuples import Attribute

__all__ = ["Keys", "gin", "hashes", "vectors"]

_UNITS = {"c": 1, "s": 2, "i": 4, "d": 8}
_DATA, _LEAF, _DELETED, _META, _LIST, _FULL, _SPLIT, _COMPRESSED = (1 << n for n in range(8))
"""Flags of GIN's pages (`src/include/access/ginblock.h`)."""
_TREE = 0xFFFF
_BITMAP_PAGE, _HASH_META = 1 << 2, 1 << 3
_PAGE_OF_HNSW, _PAGE_OF_LISTS = 0xFF90, 0xFF84


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys of one column of an index: where each begins and ends in the pages, whether compressed, and its page."""

    column: int
    attribute: Attribute
    start: Any
    end: Any
    packed: Any
    page: Any


@dataclass(frozen=True, slots=True)
class _Pages:
    lower: Any
    upper: Any
    special: Any
    good: Any


def _bounds(pages: Any, special: int) -> _Pages:
    words = pages[:, 12:18].copy().view("<u2").astype(np.int64)
    lower, upper, begins = words[:, 0], words[:, 1], words[:, 2]
    good = (lower >= HEADER) & (lower <= upper) & (upper <= begins) & (begins == pages.shape[1] - special)
    return _Pages(lower, upper, begins, good)


def _claim(owner: Any, pages: Any, chosen: Any, first: Any, last: Any) -> None:
    """Give stretches of the chosen pages to the format."""
    where = np.arange(pages.shape[1])
    owner.reshape(pages.shape)[chosen[:, None] & (where >= first[:, None]) & (where < last[:, None])] = claims.STRUCTURE


def _headers(owner: Any, pages: Any, bounds: _Pages, chosen: Any) -> None:
    zero, size = np.zeros(len(pages), np.int64), np.full(len(pages), pages.shape[1])
    _claim(owner, pages, chosen, zero, bounds.lower)
    _claim(owner, pages, chosen, bounds.special, size)


def _items(pages: Any, bounds: _Pages, chosen: Any, least: int) -> tuple[Any, Any, Any] | None:
    """Page, offset in all pages and length of each item; None when a line pointer is not what it must be."""
    size = pages.shape[1]
    count = np.where(chosen, np.maximum(bounds.lower - HEADER, 0) // 4, 0)
    most = int(count.max(initial=0))
    pointers = pages[:, HEADER : HEADER + 4 * most].copy().view("<u4")
    page, index = np.nonzero((np.arange(most) < count[:, None]) & (pointers >> 17 != 0))
    pointer = pointers[page, index].astype(np.int64)
    offset, length = pointer & 0x7FFF, pointer >> 17
    if ((offset < bounds.upper[page]) | (offset + length > bounds.special[page]) | (length < least)).any():
        return None
    return page, page * size + offset, length


def _number(flat: Any, at: Any, count: int) -> Any:
    result = np.zeros(len(at), np.int64)
    for shift in range(count):
        result |= flat[at + shift].astype(np.int64) << (8 * shift)
    return result


def gin(pages: Any, owner: Any, columns: Sequence[Attribute], owners: Sequence[int]) -> Iterator[Keys]:
    """Claim GIN's pages (`access/ginblock.h`, `ginentrypage.c`), and say where the keys of its entries are."""
    size, flat = pages.shape[1], pages.reshape(-1)
    bounds = _bounds(pages, 8)
    flags = pages[:, size - 2 :].copy().view("<u2")[:, 0]
    trees = bounds.good & (flags & (_META | _DATA) != 0) & (flags & _DELETED == 0)
    trees &= (flags & _COMPRESSED != 0) | (flags & _LEAF == 0)
    _headers(owner, pages, bounds, trees)  # addresses of rows up to `pd_lower`
    plain = bounds.good & (flags & (_META | _DATA | _DELETED) == 0)
    found = _items(pages, bounds, plain, 8)
    if found is None:
        return
    _headers(owner, pages, bounds, plain)
    page, start, length = found
    block = (_number(flat, start, 2) << 16 | _number(flat, start + 2, 2)) & 0x7FFFFFFF
    place, info = _number(flat, start + 4, 2), _number(flat, start + 6, 2)
    whole = info & 0x1FFF
    leaf = (flags[page] & _LEAF != 0) & (flags[page] & _LIST == 0)
    tail = start + whole
    end = np.where(leaf & (place != _TREE), start + block, tail)
    data = start + np.where(info & 0x8000 != 0, 16, 8)
    fits = (whole >= 8) & (whole <= length) & (end <= tail) & (data <= end)
    if not fits.all():
        owner.reshape(pages.shape)[np.unique(page[~fits])] = claims.NOBODY
        chosen = ~np.isin(page, page[~fits])
        page, start, data, end, tail, info = (x[chosen] for x in (page, start, data, end, tail, info))
    if len(columns) == 1:
        yield from _keys(flat, owner, (start, data, end, tail), page, columns, owners, 0, pages.shape)
        return
    which = _number(flat, np.minimum(data, len(flat) - 2), 2) - 1
    numbered = Attribute("", "int2", 2, "s", base="int2")
    for column in range(len(columns)):
        its = which == column
        places = tuple(x[its] for x in (start, data, end, tail))
        yield from _keys(
            flat, owner, places, page[its], (numbered, columns[column]), (claims.STRUCTURE, owners[column]), column,
            pages.shape,
        )  # fmt: skip


def _keys(
    flat: Any,
    owner: Any,
    places: tuple[Any, ...],
    page: Any,
    columns: Sequence[Attribute],
    owners: Sequence[int],
    column: int,
    shape: tuple[int, int],
) -> Iterator[Keys]:
    keys = np.zeros((len(page), len(columns), 3), np.int64)
    wrong = entries.claim_entries(
        flat,
        np.stack(places, axis=1),
        np.full(len(page), len(columns), np.int64),
        np.array([one.length for one in columns], np.int64),
        np.array([_UNITS[one.align] for one in columns], np.int64),
        np.array(owners, np.uint8),
        owner,
        keys,
    )
    if wrong >= 0:
        owner.reshape(shape)[np.unique(page)] = claims.NOBODY
        return
    last = len(columns) - 1
    there = keys[:, last, 0] >= 0
    its = keys[there, last]
    yield Keys(column, columns[last], its[:, 0], its[:, 1], its[:, 2] != 0, page[there])


def hashes(pages: Any, owner: Any) -> None:
    """Claim a hash index's pages (`access/hash.h`): codes of four bytes, addresses, and maps of its own."""
    size = pages.shape[1]
    bounds = _bounds(pages, 16)
    flags = pages[:, size - 4 : size - 2].copy().view("<u2")[:, 0]
    whole = bounds.good & (flags & (_BITMAP_PAGE | _HASH_META) != 0)
    plain = bounds.good & ~whole
    found = _items(pages, bounds, plain, 12)
    if found is None:
        return
    _, start, length = found
    if (length > 16).any():
        return
    _headers(owner, pages, bounds, bounds.good)
    for byte in range(12):
        owner[start + byte] = claims.STRUCTURE


def vectors(pages: Any, owner: Any) -> bool:
    """Claim the pages of a vector index (pgvector's HNSW and IVFFlat): links and vectors, which a rule keeps.

    Says whether there are any; they are searched as they are besides, for nothing holds them against the rows.
    """
    size = pages.shape[1]
    bounds = _bounds(pages, 8)
    kind = pages[:, size - 2 :].copy().view("<u2")[:, 0]
    mine = bounds.good & ((kind == _PAGE_OF_HNSW) | (kind == _PAGE_OF_LISTS))
    _headers(owner, pages, bounds, mine)
    found = _items(pages, bounds, mine, 4)
    if found is None:
        return bool(mine.any())
    _claim(owner, pages, mine, bounds.upper, bounds.special)
    return bool(mine.any())
