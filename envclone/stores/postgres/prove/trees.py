"""The pages of GiST indexes: their entries' keys, as the operator class stores them."""

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
)

__all__ = ["gist"]

_PAGE = 0xFF81
_LEAF, _DELETED = 1, 2
_DELETED_TO = 32
"""Where the contents of a deleted page end: a transaction id behind the header."""


def gist(pages: Any, owner: Any, columns: Sequence[Attribute], owners: Sequence[int], inner: int) -> Iterator[Keys]:
    """Claim GiST's pages (`access/gist.h`), and say where the keys of entries are; `inner` columns go on upwards."""
    size, flat = pages.shape[1], pages.reshape(-1)
    bounds = bounds_of(pages, 16)
    words = pages[:, size - 4 :].copy().view("<u2")
    flags, kind = words[:, 0], words[:, 1]
    mine = bounds.good & (kind == _PAGE) & (flags < 32)
    deleted = flags & _DELETED != 0
    mine &= ~deleted | (bounds.lower <= _DELETED_TO)
    page, _, start, length, bad = items_of(pages, bounds, mine & ~deleted, 8)
    claim_headers(owner, pages, bounds, mine & ~bad)
    leaf = flags[page] & _LEAF != 0
    for chosen, count in ((leaf, len(columns)), (~leaf, inner)):
        yield from _entries(pages, owner, (page[chosen], start[chosen], length[chosen]), columns, owners, count, flat)


def _entries(
    pages: Any,
    owner: Any,
    items: tuple[Any, Any, Any],
    columns: Sequence[Attribute],
    owners: Sequence[int],
    count: int,
    flat: Any,
) -> Iterator[Keys]:
    page, start, length = items
    info = number(flat, start + 6, 2)
    whole = info & 0x1FFF
    data = start + np.where(info & 0x8000 != 0, 16, 8)
    fits = (whole <= length) & (data <= start + whole)
    if not fits.all():
        disown(owner, pages.shape, page[~fits])
        chosen = ~np.isin(page, page[~fits])
        page, start, whole, data = (one[chosen] for one in (page, start, whole, data))
    if not len(page):
        return
    end = start + whole
    keys = keys_of(flat, owner, np.stack((start, data, end, end), axis=1), np.full(len(page), count), columns, owners)
    if keys is None:
        disown(owner, pages.shape, page)
        return
    for column, attribute in enumerate(columns[:count]):
        if owners[column] == claims.STRUCTURE:
            continue
        there = keys[:, column, 0] >= 0
        its = keys[there, column]
        yield Keys(column, attribute, its[:, 0], its[:, 1], its[:, 2] != 0, page[there])
