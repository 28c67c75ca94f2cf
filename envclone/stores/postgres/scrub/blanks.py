"""Bytes of heap pages that no row shows: gaps, dead rows' bodies, and the values of dropped columns."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from envclone.forked import fork_map, processors
from envclone.stores.postgres.catalog.layout import Relation
from envclone.stores.postgres.format import varlena
from envclone.stores.postgres.format.checksum import page_checksums
from envclone.stores.postgres.format.page import Items, Pages, headers, live_mask, normal_items
from envclone.stores.postgres.format.segments import Extent, Range, extents, ranges, read
from envclone.stores.postgres.format.tuples import attributes
from envclone.stores.postgres.format.visibility import Transactions, dead

__all__ = ["Erased", "Eraser", "Heap", "erase_holes"]

_AT_ONCE = 1024
"""Pages that one process has in memory together, with several arrays of their size."""


@dataclass(slots=True)
class Erased:
    """What was done to one relation; `dropped` are the TOAST values that only dropped columns point to."""

    pages: int = 0
    written: int = 0
    bytes: int = 0
    dead: int = 0
    dropped_values: int = 0
    dropped: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Heap:
    """One heap to be erased in; of a TOAST table `toast_values` too."""

    relation: Relation
    toast_values: Collection[int] = ()


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
        yield from fork_map(lambda job: (job[0], self._erase(heaps[job[0]], job[1])), jobs, processors())

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
        items = items.only(~gone)
        if any(column.dropped for column in relation.attributes):
            _blank_dropped(pages, items, relation, done)
        if heap.toast_values:
            _blank_chunks(pages, items, np.array(sorted(heap.toast_values), dtype=np.int64))
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
            elif value.form is varlena.Form.EXTERNAL:
                done.dropped.add(varlena.pointer(data[value.start : value.end]).value)
            else:
                body[value.start : value.end] = 0
                if value.form is varlena.Form.COMPRESSED:  # zeroes are no stream: a plain value of the same size
                    header = struct.pack("<I", (value.end - slot.start) << 2)
                    body[slot.start : value.start] = np.frombuffer(header, dtype=np.uint8)


def _blank_chunks(pages: Pages, items: Items, wanted: npt.NDArray[np.int64]) -> None:
    start = items.offset + pages[items.page, items.offset + 22]
    chunk = np.zeros(len(items), dtype=np.int64)
    for shift in range(4):
        chunk |= pages[items.page, start + shift].astype(np.int64) << (8 * shift)
    for i in np.flatnonzero(np.isin(chunk, wanted)).tolist():
        page, body = int(items.page[i]), int(start[i]) + 8
        header = 1 if pages[page, body] & 1 else 4
        pages[page, body + header : int(items.offset[i] + items.length[i])] = 0
