"""Bytes of heap pages that no row shows: gaps, dead rows' bodies, and the values of dropped columns."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from envclone.forked import fork_map, workers
from envclone.stores.postgres.catalog.layout import Relation
from envclone.stores.postgres.format import deform, varlena
from envclone.stores.postgres.format.checksum import page_checksums
from envclone.stores.postgres.format.page import Items, Pages, headers, live_mask, normal_items
from envclone.stores.postgres.format.segments import Extent, Range, extents, ranges, read
from envclone.stores.postgres.format.tuples import attributes
from envclone.stores.postgres.format.visibility import Transactions, dead

__all__ = ["Erased", "Eraser", "Heap", "erase_holes"]

_PRUNE_XID = slice(20, 24)
"""`pd_prune_xid` of a page's header: from which transaction on a reader tries to prune (`storage/bufpage.h`)."""
_VALUE_ID = 8
"""Where a pointer to TOAST has the value's id (`varatt_external` in `varatt.h`)."""
_AT_ONCE = 1024
"""Pages that one process has in memory together, with several arrays of their size."""


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
    with the raw snapshot.
    """

    def __init__(
        self, data: Path, *, page_size: int, segment_pages: int, checksums: bool, transactions: Transactions
    ) -> None:
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
        pages = part.pages * live_mask(part.pages, kept, relation.path)
        # a reader of a page with dead rows would prune it: move the others, and leave their old bytes behind
        pages[np.unique(items.page[gone]), _PRUNE_XID] = 0
        items = items.only(~gone)
        if any(column.dropped for column in relation.attributes):
            _blank_dropped(pages, items, relation, done)
        if heap.referenced is not None:
            done.orphaned += _blank_chunks(pages, items, heap.referenced)
        elif relation.toast:
            done.referenced = _referenced(pages, items, relation)
        different = pages != part.pages
        changed = np.flatnonzero(different.any(axis=1))
        if len(changed):
            done.bytes += int(different[changed].sum())
            done.written += len(changed)
            _write(part, pages, changed, self._checksums)
        return done


def erase_holes(data: Path, relation: Relation, *, page_size: int, segment_pages: int, checksums: bool) -> Erased:
    """Zero what lies between line pointers and items in every page of a B-tree: entries that VACUUM took out.

    Taking one out closes the gap, so nothing is left between items (`PageIndexMultiDelete` in
    `src/backend/storage/page/bufpage.c`), and a deleted page is a hole as a whole.
    """
    done = Erased()
    for part in ranges(data / relation.path, page_size, segment_pages=segment_pages):
        head = headers(part.pages, relation.path)
        done.pages += len(part.pages)
        where = np.arange(page_size)
        pages = part.pages * ~((where >= head.lower[:, None]) & (where < head.upper[:, None]))
        changed = np.flatnonzero((pages != part.pages).any(axis=1))
        if len(changed):
            done.bytes += int((pages[changed] != part.pages[changed]).sum())
            done.written += len(changed)
            _write(part, pages, changed, checksums)
    return done


def _write(part: Range, pages: Pages, changed: npt.NDArray[np.int64], checksums: bool) -> None:
    if checksums:
        sums = page_checksums(pages[changed], part.blocks[changed])
        pages[changed, 8:10] = sums.astype("<u2").view(np.uint8).reshape(-1, 2)
    size = pages.shape[1]
    with part.path.open("r+b", buffering=0) as file:
        for run in np.split(changed, np.flatnonzero(np.diff(changed) != 1) + 1):
            file.seek(part.offset + int(run[0]) * size)
            file.write(pages[run[0] : run[-1] + 1].tobytes())


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
        return np.unique(np.array(values, np.int64))
    found = [
        _number(flat, stored.body[outside] + _VALUE_ID)
        for stored in deform.deform(flat, base, items.length, columns, wanted).values()
        if (outside := np.flatnonzero(stored.present & (stored.form == deform.EXTERNAL))).size
    ]
    return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)


def _number(flat: npt.NDArray[np.uint8], at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Four bytes each, as a number."""
    number = np.zeros(len(at), np.int64)
    for k in range(4):
        number |= flat[at + k].astype(np.int64) << (8 * k)
    return number


def _blank_chunks(pages: Pages, items: Items, referenced: npt.NDArray[np.int64]) -> int:
    """Zero the chunks of values that nobody refers to: of dropped columns, and what a crash or a rewriting left."""
    start = items.offset + pages[items.page, items.offset + 22]
    chunk = np.zeros(len(items), dtype=np.int64)
    for shift in range(4):
        chunk |= pages[items.page, start + shift].astype(np.int64) << (8 * shift)
    alone = np.flatnonzero(~np.isin(chunk, referenced))
    for i in alone.tolist():
        page, body = int(items.page[i]), int(start[i]) + 8
        header = 1 if pages[page, body] & 1 else 4
        pages[page, body + header : int(items.offset[i] + items.length[i])] = 0
    return len(alone)
