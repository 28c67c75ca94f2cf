"""The pages of GIN and hash indexes: the keys of entries, and hashes that hold no text.

What nothing here understands of a page is nobody's, and is searched as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from envclone.stores.postgres.format import claims
from envclone.stores.postgres.format.tuples import Attribute
from envclone.stores.postgres.prove.indexpages import (
    Keys,
    bounds_of,
    claim_headers,
    disown,
    items_of,
    keys_of,
    number,
    stretches,
)

__all__ = ["gin", "hashes"]

_DATA, _LEAF, _DELETED, _META, _LIST, _FULL, _SPLIT, _COMPRESSED = (1 << n for n in range(8))
"""Flags of GIN's pages (`src/include/access/ginblock.h`)."""
_TREE = 0xFFFF
_BITMAP_PAGE, _HASH_META = 1 << 2, 1 << 3


def gin(pages: Any, owner: Any, columns: Sequence[Attribute], owners: Sequence[int]) -> Iterator[Keys]:
    """Claim GIN's pages (`access/ginblock.h`, `ginentrypage.c`), and say where the keys of its entries are."""
    size, flat = pages.shape[1], pages.reshape(-1)
    bounds = bounds_of(pages, 8)
    flags = pages[:, size - 2 :].copy().view("<u2")[:, 0]
    trees = bounds.good & (flags & (_META | _DATA) != 0) & (flags & _DELETED == 0)
    trees &= (flags & _COMPRESSED != 0) | (flags & _LEAF == 0)
    claim_headers(owner, pages, bounds, trees)  # addresses of rows up to `pd_lower`
    plain = bounds.good & (flags & (_META | _DATA | _DELETED) == 0)
    page, _, start, length, bad = items_of(pages, bounds, plain, 8)
    claim_headers(owner, pages, bounds, plain & ~bad)
    block = (number(flat, start, 2) << 16 | number(flat, start + 2, 2)) & 0x7FFFFFFF
    place, info = number(flat, start + 4, 2), number(flat, start + 6, 2)
    whole = info & 0x1FFF
    leaf = (flags[page] & _LEAF != 0) & (flags[page] & _LIST == 0)
    tail = start + whole
    end = np.where(leaf & (place != _TREE), start + block, tail)
    data = start + np.where(info & 0x8000 != 0, 16, 8)
    fits = (whole >= 8) & (whole <= length) & (end <= tail) & (data <= end)
    if not fits.all():
        disown(owner, pages.shape, page[~fits])
        chosen = ~np.isin(page, page[~fits])
        page, start, data, end, tail, info = (x[chosen] for x in (page, start, data, end, tail, info))
    if len(columns) == 1:
        yield from _keys(flat, owner, (start, data, end, tail), page, columns, owners, 0, pages.shape)
        return
    which = number(flat, np.minimum(data, len(flat) - 2), 2) - 1
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
    keys = keys_of(flat, owner, np.stack(places, axis=1), np.full(len(page), len(columns)), columns, owners)
    if keys is None:
        disown(owner, shape, page)
        return
    last = len(columns) - 1
    there = keys[:, last, 0] >= 0
    its = keys[there, last]
    yield Keys(column, columns[last], its[:, 0], its[:, 1], its[:, 2] != 0, page[there])


def hashes(pages: Any, owner: Any) -> None:
    """Claim a hash index's pages (`access/hash.h`): codes of four bytes, addresses, and maps of its own."""
    size = pages.shape[1]
    bounds = bounds_of(pages, 16)
    flags = pages[:, size - 4 : size - 2].copy().view("<u2")[:, 0]
    whole = bounds.good & (flags & (_BITMAP_PAGE | _HASH_META) != 0)
    plain = bounds.good & ~whole
    _, _, start, length, bad = items_of(pages, bounds, plain, 12)
    claim_headers(owner, pages, bounds, whole | (plain & ~bad))
    fits = length <= 16
    stretches(owner, start[fits], start[fits] + 12)
