"""The pages of vector indexes (pgvector's HNSW and IVFFlat): links and vectors, which a rule keeps, by their format.

Vectors have no value that could be read; the caller searches the pages as they are besides.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.stores.postgres.prove.indexpages import (
    bounds_of,
    claim_headers,
    items_of,
    number,
    stretches,
)

__all__ = ["vectors"]

_PAGE_OF_GRAPH, _PAGE_OF_LISTS = 0xFF90, 0xFF84
_MAGIC = {_PAGE_OF_GRAPH: 0xA953A953, _PAGE_OF_LISTS: 0x14FF1A7}
_META = {_PAGE_OF_GRAPH: 40, _PAGE_OF_LISTS: 16}
"""Bytes of the first page's contents, at most (`HnswMetaPageData`, `IvfflatMetaPageData`)."""
_ELEMENT, _NEIGHBOURS = 1, 2
_DELETED = 1
_VECTOR_OF_ELEMENT, _VECTOR_OF_ENTRY = 72, 8
_ROWS, _ROWS_OF_ELEMENT, _ADDRESS = 4, 10, 6
_NO_BLOCK = 0xFFFFFFFF


def vectors(pages: Any, owner: Any, first_block: int) -> bool:
    """Claim the pages (`src/hnsw.h`, `src/ivfflat.h`); what is not of the format is nobody's. Says whether any is."""
    size, flat = pages.shape[1], pages.reshape(-1)
    bounds = bounds_of(pages, 8)
    kind = pages[:, size - 2 :].copy().view("<u2")[:, 0]
    mine = bounds.good & ((kind == _PAGE_OF_GRAPH) | (kind == _PAGE_OF_LISTS))
    mine &= ~pages[:, size - 4 : size - 2].any(axis=1)
    if not first_block and len(pages) and mine[0]:
        magic = int(pages[0, 24:28].copy().view("<u4")[0])
        which = int(kind[0])
        mine[0] = magic == _MAGIC[which] and bounds.lower[0] <= 24 + _META[which]
    plain = mine.copy()
    plain[:1] &= first_block > 0
    page, _, start, length, bad = items_of(pages, bounds, plain, 8)
    claim_headers(owner, pages, bounds, mine & ~bad)
    graph = kind[page] == _PAGE_OF_GRAPH
    element = graph & (flat[start] == _ELEMENT) & (length > _VECTOR_OF_ELEMENT)
    _valued(flat, owner, start[element], length[element], _VECTOR_OF_ELEMENT)
    _valued(flat, owner, start[~graph], length[~graph], _VECTOR_OF_ENTRY)
    links = graph & (flat[start] == _NEIGHBOURS)
    start, length = start[links], length[links]
    count = number(flat, start + 2, 2)
    fits = _ROWS + _ADDRESS * count <= length
    fits &= _addresses(flat, start + _ROWS, np.where(fits, count, 0))
    stretches(owner, start[fits], (start + _ROWS + _ADDRESS * count)[fits])
    return bool(mine.any())


def _valued(flat: Any, owner: Any, start: Any, length: Any, at: int) -> None:
    """Claim items with a vector at a place of theirs: its own length says where it ends."""
    there = length > at + 4
    start, length = start[there], length[there]
    word = number(flat, start + at, 4)
    short = word & 1 != 0
    whole = np.where(short, word >> 1 & 0x7F, word >> 2)
    fits = (whole >= np.where(short, 1, 4)) & (at + whole <= length) & (short | (word & 3 == 0))
    if at == _VECTOR_OF_ELEMENT:
        gone = (flat[start + 2] == _DELETED) & (word == 0)  # its vector is zero, with the length of it
        fits, whole = fits | gone, np.where(gone, 0, whole)
        fits &= _addresses(flat, start + _ROWS, np.full(len(start), _ROWS_OF_ELEMENT + 1))
        fits &= number(flat, start + at - 2, 2) == 0
    stretches(owner, start[fits], (start + at + whole)[fits])


def _addresses(flat: Any, at: Any, count: Any) -> Any:
    """Whether so many addresses of rows or items are ones: no more items than a page can have, or none."""
    good = np.ones(len(at), np.bool_)
    for i in range(int(count.max(initial=0))):
        there = np.flatnonzero(count > i)
        here = at[there] + _ADDRESS * i
        item = number(flat, here + 4, 2)
        block = number(flat, here, 2) << 16 | number(flat, here + 2, 2)
        good[there] &= (item < 2048) & ((block != _NO_BLOCK) | (item == 0))
    return good
