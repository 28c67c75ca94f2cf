"""Whether a stopped clone's tables are whole: what amcheck looks at in heaps, done on the files, for every server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from envclone.errors import UnsafeError
from envclone.forked import fork_map, processors
from envclone.stores.postgres.catalog import layout
from envclone.stores.postgres.catalog.holders import VECTOR_TYPES
from envclone.stores.postgres.format import deform
from envclone.stores.postgres.format.checksum import page_checksums
from envclone.stores.postgres.format.page import Items, Pages, dead_pointers, normal_items
from envclone.stores.postgres.format.segments import Extent, extents, read
from envclone.stores.postgres.format.toast import Chunks
from envclone.stores.postgres.format.visibility import Transactions, dead
from envclone.stores.postgres.server import control

__all__ = ["examine"]

_AT_ONCE = 1024
_BITMAP = 23
_SHOWN = 20
_POINTER, _SIZE_BITS = 16, 0x3FFFFFFF
"""Bytes of a pointer to TOAST behind its tag, and the bits of its second word that are the stored size."""


@dataclass(frozen=True, slots=True)
class _Found:
    pages: int
    rows: int
    toasted: int
    dead: int
    problems: tuple[str, ...]


def examine(directory: Path) -> dict[str, int]:
    """Look at every page of every table of every database; returns how many pages, rows and TOAST pointers there were.

    `dead_vectors` counts row versions that nobody sees in tables with vectors: their vectors stay in the indexes, where
    no mask reaches them.

    Checksums; line pointers that are aligned, inside the page and do not overlap; tuple headers; attributes that end
    where their tuple does; TOAST pointers whose chunks are all there, in order and as long as they must be.
    The rules are those of `verify_heapam` (`contrib/amcheck/verify_heapam.c`). Raises UnsafeError with what is wrong.
    """
    data = directory / "data"
    found, known = control.read(data), layout.load(directory)
    transactions = control.transactions(data)
    totals = {"pages": 0, "rows": 0, "toast_pointers": 0, "dead_vectors": 0}
    problems: list[str] = []
    for database, relation in known.heaps():
        if relation.kind not in "rmt":
            continue
        toast = next((other for other in database.relations if other.oid == relation.toast), None)
        chunks = _whole_values(data, toast, known, transactions) if toast is not None and _toasts(relation) else None
        vectors = sum(a.type.removeprefix("_") in VECTOR_TYPES and not a.dropped for a in relation.attributes)
        examiner = _Examiner(relation, chunks, transactions, bool(found.checksums), known.page_size)
        jobs = list(extents(data / relation.path, known.page_size, segment_pages=known.segment_pages, at_once=_AT_ONCE))
        for one in fork_map(examiner.examine, jobs, processors()):
            totals["pages"] += one.pages
            totals["rows"] += one.rows
            totals["toast_pointers"] += one.toasted
            totals["dead_vectors"] += one.dead * vectors
            problems += [f"{database.name}.{relation.name}: {problem}" for problem in one.problems]
    if problems:
        raise UnsafeError(
            f"the clone's tables are damaged: {len(problems)} problems",
            problems=problems[:_SHOWN],
            hint="run pg_amcheck in production: what is damaged there is damaged here; else report this as a bug",
        )
    return totals


def _toasts(relation: layout.Relation) -> bool:
    return any(a.length == -1 and not a.dropped for a in relation.attributes)


def _whole_values(
    data: Path, toast: layout.Relation, known: layout.Layout, transactions: Transactions
) -> dict[str, npt.NDArray[np.int64]]:
    """Each TOAST value's id and total of bytes, -1 where a chunk is missing or has not the length that it must."""
    chunks = Chunks(data / toast.path, known.page_size, known.segment_pages, transactions=transactions)
    return chunks.sizes(control.read(data).toast_chunk_size)


class _Examiner:
    def __init__(
        self,
        relation: layout.Relation,
        values: dict[str, npt.NDArray[np.int64]] | None,
        transactions: Transactions,
        checksums: bool,
        page_size: int,
    ) -> None:
        self._relation = relation
        self._values = values
        self._transactions = transactions
        self._checksums = checksums
        self._page_size = page_size

    def examine(self, extent: Extent) -> _Found:
        part = read(extent, self._page_size)
        problems = list(self._sums(part.pages, part.blocks))
        items = normal_items(part.pages, self._relation.path)
        problems += self._overlaps(items, extent.first_block)
        live = items.only(~dead(part.pages, items, self._transactions))
        problems += self._headers(part.pages, live, extent.first_block)
        toasted = 0
        if not problems and len(live):
            toasted, lost = self._attributes(part.pages, live)
            problems += lost
        gone = len(items) - len(live) + dead_pointers(part.pages)
        return _Found(len(part.pages), len(live), toasted, gone, tuple(problems[:_SHOWN]))

    def _sums(self, pages: Pages, blocks: npt.NDArray[np.uint32]) -> Iterator[str]:
        if not self._checksums or not len(pages):
            return
        stored = pages[:, 8:10].copy().view("<u2")[:, 0]
        wrong = np.flatnonzero(stored != page_checksums(pages, blocks))
        for block in blocks[wrong[pages[wrong].any(axis=1)]].tolist():  # a page of zeroes has none
            yield f"page {block} has a wrong checksum"

    def _overlaps(self, items: Items, first: int) -> Iterator[str]:
        if not len(items):
            return
        for i in np.flatnonzero(items.offset % 8).tolist():
            yield f"page {first + int(items.page[i])}: item {int(items.number[i])} is not aligned"
        order = np.lexsort((items.offset, items.page))
        page, start, end = items.page[order], items.offset[order], (items.offset + items.length)[order]
        for i in np.flatnonzero((page[1:] == page[:-1]) & (start[1:] < end[:-1])).tolist():
            yield f"page {first + int(page[i])}: items overlap"

    def _headers(self, pages: Pages, items: Items, first: int) -> Iterator[str]:
        if not len(items):
            return
        natts = (
            pages[items.page, items.offset + 18].astype(np.int64)
            | pages[items.page, items.offset + 19].astype(np.int64) << 8
        ) & 0x07FF
        hoff = pages[items.page, items.offset + 22].astype(np.int64)
        nulls = pages[items.page, items.offset + 20] & 1 != 0
        least = np.where(nulls, _BITMAP + (natts + 7) // 8, _BITMAP)
        columns = len(self._relation.attributes) or 3
        wrong = (hoff % 8 != 0) | (hoff < least) | (hoff > items.length) | (natts > columns)
        for i in np.flatnonzero(wrong).tolist():
            yield f"page {first + int(items.page[i])}: item {int(items.number[i])} has a broken header"

    def _attributes(self, pages: Pages, items: Items) -> tuple[int, list[str]]:
        columns = self._relation.attributes
        if not columns or any(column.length == -2 for column in columns):
            return 0, []
        flat = np.ascontiguousarray(pages).reshape(-1)
        base = items.page * self._page_size + items.offset
        wanted = {i for i, column in enumerate(columns) if column.length == -1 and not column.dropped} | {
            len(columns) - 1
        }
        toasted, problems = 0, []
        for index, found in deform.deform(flat, base, items.length, columns, wanted).items():
            if columns[index].dropped:
                continue
            external = np.flatnonzero(found.present & (found.form == deform.EXTERNAL))
            toasted += len(external)
            lost = len(external) - int(self._stored(flat, found.body[external]).sum())
            problems += [f"a TOAST value of {columns[index].name} is not whole"] * lost
        return toasted, problems

    def _stored(self, flat: npt.NDArray[np.uint8], body: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Of pointers, by where their 16 bytes begin, whether the value is there as long as they say."""
        if self._values is None or not len(self._values["id"]):
            return np.zeros(len(body), np.bool_)
        words = flat[body[:, None] + np.arange(_POINTER)].reshape(-1).view("<u4").reshape(-1, 4).astype(np.int64)
        size, value, table = words[:, 1] & _SIZE_BITS, words[:, 2], words[:, 3]
        place = np.minimum(np.searchsorted(self._values["id"], value), len(self._values["id"]) - 1)
        there = (self._values["id"][place] == value) & (self._values["size"][place] == size)
        whole: npt.NDArray[np.bool_] = there & (table == self._relation.toast)
        return whole
