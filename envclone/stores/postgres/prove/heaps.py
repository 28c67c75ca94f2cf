"""The account of heaps: users' tables by their rules, catalogs and materialized views by their values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from envclone.errors import UnsafeError
from envclone.forked import fork_map, workers
from envclone.models import APART, Accounted, Flaw, Values
from envclone.protocols import Ledger
from envclone.stores.postgres.catalog.layout import Database, Layout, Relation
from envclone.stores.postgres.format import claims, deform, varlena
from envclone.stores.postgres.format.page import Items, Pages, normal_items, owned_by_pages
from envclone.stores.postgres.format.segments import Extent, extents, read
from envclone.stores.postgres.format.toast import Chunks
from envclone.stores.postgres.format.visibility import Transactions, dead
from envclone.stores.postgres.prove.arrays import kind_of
from envclone.stores.postgres.prove.decoded import NUMBERS, READING, decoder, side_by_side
from envclone.stores.postgres.prove.owners import named, piece
from envclone.stores.postgres.prove.sources import Source, Sources
from envclone.stores.postgres.prove.twins import Job, content, gather

__all__ = ["Heaps"]

_AT_ONCE = 256
_UNITS = {"c": 1, "s": 2, "i": 4, "d": 8}
_NUMERIC_KINDS = frozenset({20, 21, 23, 1700})

_Outside = dict[tuple[int, int], tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class _Heap:
    database: Database
    relation: Relation
    owners: tuple[int, ...]


class Heaps:
    """All heaps of a cluster; `account` tells the ledger of each of their pages."""

    def __init__(
        self, directory: Path, known: Layout, transactions: Transactions, sources: Sources, ledger: Ledger
    ) -> None:
        self._directory, self._data, self._known = directory, directory / "data", known
        self._transactions, self._sources, self._ledger = transactions, sources, ledger
        self._seen: set[bytes] = set()
        self._chunks: dict[str, Chunks] = {}
        self._open = ExitStack()

    def account(self, rows: Mapping[str, int]) -> None:
        """Tables first: their pointers say whose the chunks of TOAST tables are. `rows` were compared."""
        heaps = [_Heap(d, r, self._owners(d, r)) for d, r in self._known.heaps()]
        tables = [heap for heap in heaps if heap.relation.kind != "t"]
        counted: dict[str, int] = defaultdict(int)
        outside: dict[str, list[Any]] = defaultdict(list)
        jobs = gather(self._jobs(tables), self._known.page_size, lambda number: self._read_as(tables[number]))
        for numbers, live, pointers, found in fork_map(
            lambda job: self._table(tables[job[0]], job), jobs, workers(self._size(job[1] for job in jobs))
        ):
            heap = tables[numbers[0]]
            if self._sources.compared(heap.database, heap.relation):
                counted[heap.relation.address] += live
            if len(pointers):
                for number in numbers:
                    outside[self._toast_path(tables[number])].append(pointers)
            self._ledger.take(found)
        toasts = [heap for heap in heaps if heap.relation.kind == "t"]
        self._whose = {path: _by_value(parts) for path, parts in outside.items()}
        chunks = list(self._jobs(toasts))
        for found in fork_map(
            lambda job: self._toast(toasts[job[0]], job[1]), chunks, workers(self._size(job[1] for job in chunks))
        ):
            self._ledger.take(found)
        flaws = [
            Flaw(address, f"{live} rows in its files, of which the comparison saw {rows.get(address, 0)}")
            for address, live in sorted(counted.items())
            if live != rows.get(address, 0)
        ]
        if flaws:
            self._ledger.enter(Accounted("", {}, flaws=flaws))

    def _owners(self, database: Database, relation: Relation) -> tuple[int, ...]:
        if relation.kind == "S":
            return (claims.STRUCTURE,) * 3
        return tuple(self._sources.owner(database, relation, column) for column in relation.attributes)

    def _jobs(self, heaps: Sequence[_Heap]) -> Iterator[tuple[int, Extent]]:
        for number, heap in enumerate(heaps):
            path = self._data / heap.relation.path
            for extent in extents(
                path, self._known.page_size, segment_pages=self._known.segment_pages, at_once=_AT_ONCE
            ):
                yield number, extent

    def _size(self, parts: Iterable[Extent]) -> int:
        return sum(part.pages for part in parts) * self._known.page_size

    def _read_as(self, heap: _Heap) -> Hashable | None:
        """All that an account of a heap follows from beside its pages; None in the database that the rules are of."""
        relation = heap.relation
        if self._sources.own(heap.database):
            return None
        toast = next((r for r in heap.database.relations if r.oid == relation.toast), None)
        return relation.name, relation.kind, relation.attributes, heap.owners, content(self._data, toast, self._known)

    def _toast_path(self, heap: _Heap) -> str:
        wanted = heap.relation.toast
        return next((r.path for r in heap.database.relations if r.oid == wanted), "")

    def _table(self, heap: _Heap, job: Job) -> tuple[list[int], int, Any, Any]:
        number, extent, twins = job
        relation = heap.relation
        part = read(extent, self._known.page_size)
        pages, flat = part.pages, part.pages.reshape(-1)
        owner = owned_by_pages(pages, relation.path)
        items = normal_items(pages, relation.path)
        gone = dead(pages, items, self._transactions)
        base = items.page * pages.shape[1] + items.offset
        values: list[Values] = []
        pointers = np.zeros((0, 2), np.int64)
        if relation.kind == "S":
            for start, length in zip(base.tolist(), items.length.tolist(), strict=True):
                owner[start : start + length] = claims.STRUCTURE
        elif len(items):
            lengths = np.array([column.length for column in relation.attributes], np.int64)
            units = np.array([_UNITS[column.align] for column in relation.attributes], np.int64)
            owners = np.array(heap.owners, np.uint8)
            while True:
                count = claims.claim_rows(flat, base, items.length, gone, lengths, units, owners, owner, pointers)
                if count < 0:
                    raise UnsafeError(
                        f"a row of {relation.name} runs over its end",
                        hint="check production with pg_amcheck, and take a new snapshot",
                    )
                if count <= len(pointers):
                    pointers = pointers[:count]
                    break
                pointers = np.zeros((count, 2), np.int64)
            values = list(self._values(heap, pages, items.only(~gone), extent.first_block))
        if len(pointers):
            pointers[:, 1] = np.array(heap.owners, np.int64)[pointers[:, 1]]
        made = piece(
            self._directory, extent.path, extent.offset, pages, owner,
            place=relation.name, first_block=extent.first_block, strict=True, values=values,
        )  # fmt: skip
        self._ledger.enter(made)
        for _, other in twins:
            self._ledger.enter(replace(made, path=named(self._directory, other.path), values=()))
        return [number, *(one for one, _ in twins)], int((~gone).sum()), pointers, self._ledger.found()

    def _toast(self, heap: _Heap, extent: Extent) -> Any:
        relation = heap.relation
        part = read(extent, self._known.page_size)
        pages = part.pages
        owner = owned_by_pages(pages, relation.path)
        items = normal_items(pages, relation.path)
        gone = dead(pages, items, self._transactions)
        base = items.page * pages.shape[1] + items.offset
        ids, owners = self._whose.get(relation.path, (np.zeros(0, np.int64), np.zeros(0, np.uint8)))
        if claims.claim_chunks(pages.reshape(-1), base, items.length, gone, ids, owners, owner) >= 0:
            raise UnsafeError(
                f"a chunk of {relation.name} runs over its end",
                hint="check production with pg_amcheck, and take a new snapshot",
            )
        self._ledger.enter(
            piece(
                self._directory, extent.path, extent.offset, pages, owner,
                place=relation.name, first_block=extent.first_block, strict=True,
            )
        )  # fmt: skip
        return self._ledger.found()

    def _values(self, heap: _Heap, pages: Pages, items: Items, first_block: int) -> Iterator[Values]:
        """What the values of catalogs and views say; of users' tables the comparison read them."""
        columns, relation = heap.relation.attributes, heap.relation
        if self._sources.compared(heap.database, relation) or not len(items):
            return
        wanted = [i for i, who in enumerate(heap.owners) if who % 100 in (claims.DERIVED, claims.UNDECODED)]
        if not wanted:
            return
        flat = np.ascontiguousarray(pages).reshape(-1)
        base = items.page * pages.shape[1] + items.offset
        keyed = relation.name in _KEYED
        extra = _KEYED.get(relation.name, ())
        found = deform.deform(flat, base, items.length, columns, {*wanted, *extra})
        for index in wanted:
            column, stored = columns[index], found[index]
            if stored.form.max(initial=0) == deform.FIXED and heap.owners[index] == claims.UNDECODED:
                continue  # searched where it stands
            texts: dict[tuple[Source, bool], tuple[list[str | bytes], list[str]]] = {}
            for i in np.flatnonzero(stored.present).tolist():
                body = flat[stored.body[i] : stored.end[i]].tobytes()
                form = int(stored.form[i])
                outside = form in (deform.COMPRESSED, deform.EXTERNAL)
                if heap.owners[index] == claims.UNDECODED and not outside:
                    continue
                if form == deform.COMPRESSED:
                    body = varlena.expand(body)
                elif form == deform.EXTERNAL:
                    body = self._outside(heap, body)
                source = self._source(heap, found, flat, i, keyed)
                fresh = body not in self._seen or source.addresses
                if not fresh:
                    continue
                if len(body) < _LARGE:
                    self._seen.add(body)
                if column.type == "pg_mcv_list":
                    yield from self._together(heap, found, flat, i, body)
                said, numbers = _said(column, body)
                mine = texts.setdefault((source, numbers), ([], []))
                mine[0].extend(said)
                at = f"page {first_block + int(items.page[i])} item {int(items.number[i])}"
                mine[1].extend([at] * len(said))
            place = f"{heap.database.name}: {relation.name}.{column.name}"
            for (source, numbers), (said, places) in texts.items():
                new = relation.kind == "m"
                yield Values(
                    place, said, source.addresses, source.copies, numbers, new, places, kept=source.kept and not numbers
                )

    def _together(
        self, heap: _Heap, found: Mapping[int, deform.Column], flat: Any, i: int, body: bytes
    ) -> Iterator[Values]:
        """What rows had side by side in kept columns, as extended statistics show it: they can be gone."""
        start = found[0].start[i]
        source = self._sources.of_statistics(heap.database, int(flat[start : start + 4].view("<u4")[0]))
        if not source.kept:
            return
        try:
            items = side_by_side(body)
        except READING:  # what is in it is searched by itself
            return
        texts = [APART.join(" ".join(map(_text, said)).replace(APART, " ") for said in item) for item in items]
        place = f"{heap.database.name}: {heap.relation.name}.stxdmcv of {source.addresses[0]}"
        yield Values(place, texts, source.addresses, stale=_STALE, kept=True, together=True)

    def _source(self, heap: _Heap, found: Mapping[int, deform.Column], flat: Any, i: int, keyed: bool) -> Source:
        if heap.relation.kind == "m":
            return self._sources.any
        if not keyed:
            return Source()
        first, second = (found[n] for n in _KEYED[heap.relation.name])
        oid = int(flat[first.start[i] : first.start[i] + 4].view("<u4")[0])
        if heap.relation.name == "pg_catalog.pg_statistic":
            number = int(flat[second.start[i] : second.start[i] + 2].view("<i2")[0])
            return self._sources.of_column(heap.database, oid, number)
        if heap.relation.name == "pg_catalog.pg_attribute":
            name = flat[second.start[i] : second.end[i]].tobytes().split(b"\0")[0].decode("utf-8", "replace")
            return self._sources.of_name(heap.database, oid, name)
        return self._sources.any

    def _outside(self, heap: _Heap, body: bytes) -> bytes:
        path = self._toast_path(heap)
        if path not in self._chunks:
            chunks = Chunks(
                self._data / path, self._known.page_size, self._known.segment_pages, transactions=self._transactions
            )
            self._chunks[path] = self._open.enter_context(chunks)
        return self._chunks[path].value(varlena.pointer(body))


_LARGE = 4096
_STALE = "When no row has it any more: ANALYZE there, or DROP STATISTICS, and a new snapshot."
_KEYED = {
    "pg_catalog.pg_statistic": (0, 1),
    "pg_catalog.pg_attribute": (0, 1),
    "pg_catalog.pg_statistic_ext_data": (0, 0),
}
"""Catalogs with values of users' columns, and which of their own columns say whose."""


def _said(column: Any, body: bytes) -> tuple[list[str | bytes], bool]:
    """The texts in a value, and whether they are numbers; of one that nothing can read, what it holds of text."""
    base = column.base or column.type
    read = decoder(column)
    try:
        if read is not None:
            kind = kind_of(body) if base == "anyarray" else 0
            return read(body), base in NUMBERS or kind in _NUMERIC_KINDS
    except READING:
        pass
    return [body], False


def _text(said: str | bytes) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said


def _by_value(parts: Iterable[Any]) -> tuple[Any, Any]:
    """Value ids in order, and who owns each."""
    whole = np.concatenate(list(parts))
    ids, first = np.unique(whole[:, 0], return_index=True)
    return ids, (whole[first, 1] % 100).astype(np.uint8)
