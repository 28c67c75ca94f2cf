"""Bytes of pages that no row shows: gaps, dead rows' bodies, the values of dropped columns; gaps in indexes."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from envclone.compiled import available, frozen
from envclone.forked import fork_map, workers
from envclone.stores.postgres.catalog.layout import Relation
from envclone.stores.postgres.format import deform, varlena
from envclone.stores.postgres.format.checksum import page_checksums
from envclone.stores.postgres.format.page import HEADER, Headers, Items, Pages, headers, live_mask, normal_items
from envclone.stores.postgres.format.segments import Extent, Range, extents, read
from envclone.stores.postgres.format.tuples import attributes
from envclone.stores.postgres.format.visibility import Transactions, dead
from envclone.stores.postgres.sharing import put

__all__ = ["Erased", "Eraser", "Heap", "distinct", "erase_holes", "erased"]

_PRUNE_XID = slice(20, 24)
"""`pd_prune_xid` of a page's header: from which transaction on a reader tries to prune (`storage/bufpage.h`)."""
_VALUE_ID = 8
"""Where a pointer to TOAST has the value's id (`varatt_external` in `varatt.h`)."""
_AT_ONCE = 1024
"""Pages that one process has in memory together, with several arrays of their size."""
_GIN_DATA, _GIN_DELETED, _GIN_META = 1 << 0, 1 << 2, 1 << 3
Bounds = npt.NDArray[np.uint16]


@dataclass(slots=True)
class Erased:
    """What was done to one relation; `referenced` are the TOAST values that the columns of its live rows point to."""

    pages: int = 0
    written: int = 0
    bytes: int = 0
    dead: int = 0
    dropped_values: int = 0
    orphaned: int = 0
    referenced: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True)
class Heap:
    """One heap to be erased in; of a TOAST table with the values that somebody refers to, ascending."""

    relation: Relation
    referenced: npt.NDArray[np.int64] | None = None


class Eraser:
    """Zeroes in pages of heaps what belongs to no live row, and what live rows keep of dropped columns.

    Of a row version that nobody sees only the header stays, so that line pointers and chains are as they were. Only
    pages that change are written, with a right checksum when the cluster has checksums, so that the others stay shared
    with the raw snapshot; those that the data directory `earlier` of an image has share its blocks.
    """

    def __init__(
        self,
        data: Path,
        *,
        page_size: int,
        segment_pages: int,
        checksums: bool,
        transactions: Transactions,
        earlier: Path | None = None,
    ) -> None:
        self._earlier = earlier
        self._data, self._page_size, self._segment_pages = data, page_size, segment_pages
        self._checksums, self._transactions = checksums, transactions

    def erase(self, heaps: Sequence[Heap]) -> Iterator[tuple[int, Erased]]:
        """What was done to parts of the heaps, by their place in `heaps`, by all processors.

        Raises UnsafeError when a page cannot be understood.
        """
        jobs = [
            (number, extent)
            for number, heap in enumerate(heaps)
            for extent in extents(
                self._data / heap.relation.path, self._page_size, segment_pages=self._segment_pages, at_once=_AT_ONCE
            )
        ]
        size = sum(extent.pages for _, extent in jobs) * self._page_size
        yield from fork_map(lambda job: (job[0], self._erase(heaps[job[0]], job[1])), jobs, workers(size))

    def _erase(self, heap: Heap, extent: Extent) -> Erased:
        done, relation = Erased(), heap.relation
        part = read(extent, self._page_size)
        items = normal_items(part.pages, relation.path)
        done.pages += len(part.pages)
        gone = dead(part.pages, items, self._transactions)
        done.dead += int(gone.sum())
        header = part.pages[items.page, items.offset + 22].astype(np.int64)
        kept = Items(items.page, items.number, items.offset, np.where(gone, header, items.length))
        chosen = _soiled(part.pages, kept, relation.path)
        chosen[items.page[gone]] = True
        live = items.only(~gone)
        if any(column.dropped for column in relation.attributes):
            chosen[live.page] = True
        orphans = live.only(np.zeros(len(live), np.bool_))
        if heap.referenced is not None:
            orphans = live.only(_orphaned(part.pages, live, heap.referenced))
            done.orphaned += len(orphans)
            chosen[orphans.page] = True
        elif relation.toast:
            done.referenced = _referenced(part.pages, live, relation)
        if chosen.any():
            self._blank(part, relation, chosen, (kept, live, orphans, items.only(gone)), done)
        return done

    def _blank(
        self,
        part: Range,
        relation: Relation,
        chosen: npt.NDArray[np.bool_],
        items: tuple[Items, Items, Items, Items],
        done: Erased,
    ) -> None:
        """Write the chosen pages as they ought to be; `items`: those kept, live ones, chunks of nobody, dead ones."""
        numbers = np.flatnonzero(chosen)
        place = np.cumsum(chosen) - 1
        kept, live, orphans, gone = (_moved(one.only(chosen[one.page]), place) for one in items)
        before = part.pages[numbers]
        pages = _blanked(before, relation, (kept, live, orphans, gone), done)
        different = pages != before
        changed = np.flatnonzero(different.any(axis=1))
        if len(changed):
            done.bytes += int(different[changed].sum())
            done.written += len(changed)
            earlier = None if self._earlier is None else self._earlier / Path(relation.path).parent
            _write(part, pages[changed], numbers[changed], self._checksums, earlier)


def erased(pages: Pages, relation: Relation, transactions: Transactions) -> Pages:
    """Pages of a table as an `Eraser` leaves them, but for their checksums; of a TOAST table's chunks it needs more."""
    items = normal_items(pages, relation.path)
    gone = dead(pages, items, transactions)
    header = pages[items.page, items.offset + 22].astype(np.int64)
    kept = Items(items.page, items.number, items.offset, np.where(gone, header, items.length))
    nobodys = items.only(np.zeros(len(items), np.bool_))
    return _blanked(pages, relation, (kept, items.only(~gone), nobodys, items.only(gone)), Erased())


def _blanked(before: Pages, relation: Relation, items: tuple[Items, Items, Items, Items], done: Erased) -> Pages:
    """Pages as they ought to be; `items`: those kept, live ones, chunks of nobody, dead ones."""
    kept, live, orphans, gone = items
    pages: Pages = before * live_mask(before, kept, relation.path)
    # a reader of a page with dead rows would prune it: move the others, and leave their old bytes behind
    pages[np.unique(gone.page), _PRUNE_XID] = 0
    if any(column.dropped for column in relation.attributes):
        _blank_dropped(pages, live, relation, done)
    _blank_chunks(pages, orphans)
    return pages


def _moved(items: Items, place: npt.NDArray[np.int64]) -> Items:
    """The items on pages that are others now."""
    return Items(place[items.page], items.number, items.offset, items.length)


def _soiled(pages: Pages, kept: Items, place: str) -> npt.NDArray[np.bool_]:
    """Which pages hold something outside of the items that are kept; all where no loops are compiled."""
    found = np.ones(len(pages), np.bool_)
    if available():
        from envclone.stores.postgres.format import holes  # late: it waits for the compiler

        head, size = headers(pages, place), pages.shape[1]
        wrong = holes.soiled(
            frozen(np.ascontiguousarray(pages).reshape(-1)), size,
            # copies: one element of a wider array counts as contiguous, and the compiler takes it for another form
            *(one.copy() for one in (head.lower, head.special, kept.page, kept.offset, kept.length)),
            np.empty(size, np.uint8), found,
        )  # fmt: skip
        assert wrong == -1  # line pointers were checked
    return found


def erase_holes(
    data: Path,
    relations: Sequence[Relation],
    *,
    page_size: int,
    segment_pages: int,
    checksums: bool,
    earlier: Path | None = None,
) -> Iterator[Erased]:
    """Zero what indexes' pages keep of entries that VACUUM took out, by all processors; other methods are left alone.

    Taking one out closes the gap, so nothing is left between items, and what was there stays between line pointers and
    items (`PageIndexMultiDelete` in `src/backend/storage/page/bufpage.c`). A deleted page of a B-tree is such a hole as
    a whole; one of GIN's list of pending entries keeps its items. Pages that hold no items, as the first one of a
    B-tree, may say nothing of where they end, and stay as they are.
    Raises UnsafeError when a page cannot be understood.
    """
    jobs = [
        (relation, extent)
        for relation in relations
        if relation.access in _HOLES
        for extent in extents(data / relation.path, page_size, segment_pages=segment_pages, at_once=_AT_ONCE)
    ]
    size = sum(extent.pages for _, extent in jobs) * page_size
    yield from fork_map(lambda job: _erase_holes(job[0], job[1], page_size, checksums, earlier), jobs, workers(size))


def _erase_holes(relation: Relation, extent: Extent, page_size: int, checksums: bool, earlier: Path | None) -> Erased:
    part = read(extent, page_size)
    head = headers(part.pages, relation.path)
    lower, upper = head.lower.astype(np.uint16), head.upper.astype(np.uint16)
    _HOLES[relation.access](part, head, lower, upper)
    where = np.arange(page_size, dtype=np.uint16)
    full = (where >= lower[:, None]) & (where < upper[:, None])
    full &= part.pages != 0
    changed = np.flatnonzero(full.any(axis=1))
    done = Erased(pages=len(part.pages), written=len(changed), bytes=int(full[changed].sum()))
    if len(changed):
        pages = part.pages[changed]
        pages[full[changed]] = 0
        _write(part, pages, changed, checksums, earlier and earlier / Path(relation.path).parent)
    return done


def _of_btree(part: Range, head: Headers, lower: Bounds, upper: Bounds) -> None:
    """Leave the first page alone (`BTP_META` in `src/include/access/nbtree.h`)."""
    flags = part.pages[:, -4:-2].copy().view("<u2")[:, 0]
    upper[flags & 0x0008 != 0] = 0


def _of_gin(part: Range, head: Headers, lower: Bounds, upper: Bounds) -> None:
    """Pages of keys alone, and of pending entries that were taken over (`src/include/access/ginblock.h`)."""
    flags = part.pages[:, -2:].copy().view("<u2")[:, 0]
    upper[flags & (_GIN_DATA | _GIN_META) != 0] = 0
    gone = flags & (_GIN_DELETED | _GIN_DATA) == _GIN_DELETED
    lower[gone], upper[gone] = HEADER, head.special[gone]


def _of_gist(part: Range, head: Headers, lower: Bounds, upper: Bounds) -> None:
    """Every page has items."""


def _of_spgist(part: Range, head: Headers, lower: Bounds, upper: Bounds) -> None:
    """Leave the first page alone."""
    upper[part.blocks == 0] = 0


_HOLES = {"btree": _of_btree, "gin": _of_gin, "gist": _of_gist, "spgist": _of_spgist}
"""Per access method: which holes of which pages are nobody's, as bounds to be changed."""


def _write(
    part: Range, pages: Pages, numbers: npt.NDArray[np.int64], checksums: bool, earlier: Path | None = None
) -> None:
    """Write pages, which are those of these numbers in the range; `earlier` is where an image has the file."""
    if checksums:
        sums = page_checksums(pages, part.blocks[numbers])
        pages[:, 8:10] = sums.astype("<u2").view(np.uint8).reshape(-1, 2)
    put(part.path, part.offset, numbers, pages, earlier)


def _blank_dropped(pages: Pages, items: Items, relation: Relation, done: Erased) -> None:
    columns = relation.attributes
    dropped = {index for index, column in enumerate(columns) if column.dropped}
    last = max(dropped)
    for page, offset, length in zip(items.page.tolist(), items.offset.tolist(), items.length.tolist(), strict=True):
        body = pages[page, offset : offset + length]
        data = body.tobytes()
        for slot in attributes(data, columns[: last + 1]):
            if slot.index not in dropped:
                continue
            done.dropped_values += 1
            value = slot.varlena
            if value is None:
                body[slot.start : slot.end] = 0
            elif value.form is not varlena.Form.EXTERNAL:  # the chunks of one that is are nobody's, and go with them
                body[value.start : value.end] = 0
                if value.form is varlena.Form.COMPRESSED:  # zeroes are not a stream: a plain value of the same size
                    header = struct.pack("<I", (value.end - slot.start) << 2)
                    body[slot.start : value.start] = np.frombuffer(header, dtype=np.uint8)


def _referenced(pages: Pages, items: Items, relation: Relation) -> npt.NDArray[np.int64]:
    """The TOAST values that these rows point to in columns that are there."""
    columns = relation.attributes
    wanted = [i for i, column in enumerate(columns) if column.length == -1 and not column.dropped]
    flat = np.ascontiguousarray(pages).reshape(-1)
    base = items.page * pages.shape[1] + items.offset
    if not wanted or not len(items):
        return np.zeros(0, np.int64)
    if any(column.length == -2 for column in columns):  # C strings, in no ordinary table: one by one
        rows = (
            flat[start : start + length].tobytes()
            for start, length in zip(base.tolist(), items.length.tolist(), strict=True)
        )
        values = [
            varlena.pointer(data[slot.varlena.start : slot.varlena.end]).value
            for data in rows
            for slot in attributes(data, columns)
            if slot.index in wanted and slot.varlena is not None and slot.varlena.form is varlena.Form.EXTERNAL
        ]
        return distinct(np.array(values, np.int64))
    found = [
        _number(flat, stored.body[outside] + _VALUE_ID)
        for stored in deform.deform(flat, base, items.length, columns, wanted).values()
        if (outside := np.flatnonzero(stored.present & (stored.form == deform.EXTERNAL))).size
    ]
    return distinct(np.concatenate(found)) if found else np.zeros(0, np.int64)


def distinct(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Each number once, ascending; by sorting, which takes a tenth of the time that numpy's own way does."""
    found = np.sort(numbers)
    new = np.ones(len(found), np.bool_)
    new[1:] = found[1:] != found[:-1]
    once: npt.NDArray[np.int64] = found[new]
    return once


def _number(flat: npt.NDArray[np.uint8], at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Four bytes each, as a number."""
    number = np.zeros(len(at), np.int64)
    for k in range(4):
        number |= flat[at + k].astype(np.int64) << (8 * k)
    return number


def _orphaned(pages: Pages, items: Items, referenced: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which chunks are of values that nobody refers to: of dropped columns, and what a crash or a rewriting left."""
    start = items.offset + pages[items.page, items.offset + 22]
    flat = np.ascontiguousarray(pages).reshape(-1)
    chunk = _number(flat, items.page * pages.shape[1] + start)
    place = np.minimum(np.searchsorted(referenced, chunk), max(0, len(referenced) - 1))
    if not len(referenced):
        return np.ones(len(items), np.bool_)
    alone: npt.NDArray[np.bool_] = referenced[place] != chunk
    return alone


def _blank_chunks(pages: Pages, items: Items) -> None:
    """Zero what chunks hold."""
    for page, offset, length in zip(items.page.tolist(), items.offset.tolist(), items.length.tolist(), strict=True):
        body = offset + int(pages[page, offset + 22]) + 8
        header = 1 if pages[page, body] & 1 else 4
        pages[page, body + header : offset + length] = 0
