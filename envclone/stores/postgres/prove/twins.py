"""Pages that say the same in several databases: initdb gives each its own copy of the catalogs, and they stay so.

What is read from bytes follows from the bytes, so that one copy is decoded and searched, and counts for the others.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from hashlib import blake2b
from pathlib import Path

from envclone.stores.postgres.catalog.layout import Layout, Relation
from envclone.stores.postgres.format.segments import Extent, extents, read

__all__ = ["Job", "content", "gather"]

_CHANGED = slice(0, 10)
"""`pd_lsn` and `pd_checksum` of a page in use (`storage/bufpage.h`): structure, whatever they are."""
_UPPER = slice(14, 16)

Job = tuple[int, Extent, tuple[tuple[int, Extent], ...]]
"""A relation's number and its pages, and the others with the same pages."""


def gather(
    jobs: Iterable[tuple[int, Extent]], page_size: int, read_as: Callable[[int], Hashable | None]
) -> Sequence[Job]:
    """Jobs with those that give the same account; `read_as` says how a relation's pages are read, None for alone."""
    alone: list[Job] = []
    alike: dict[Hashable, list[tuple[int, Extent]]] = {}
    for number, extent in jobs:
        how = read_as(number)
        if how is None:
            alone.append((number, extent, ()))
        else:
            said = how, extent.offset, extent.first_block, _said([extent], page_size)
            alike.setdefault(said, []).append((number, extent))
    return alone + [(*first, tuple(others)) for first, *others in alike.values()]


def content(data: Path, relation: Relation | None, known: Layout) -> bytes:
    """A digest of all pages of a relation; b'' of none."""
    if relation is None:
        return b""
    return _said(extents(data / relation.path, known.page_size, segment_pages=known.segment_pages), known.page_size)


def _said(parts: Iterable[Extent], page_size: int) -> bytes:
    state = blake2b(digest_size=32)
    for part in parts:
        pages = read(part, page_size).pages.copy()
        pages[pages[:, _UPPER].any(axis=1), _CHANGED] = 0
        state.update(pages.tobytes())
    return state.digest()
