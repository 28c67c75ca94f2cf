"""Which relations are compared in the files of both clones, and what both servers say of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from envclone.compiled import available
from envclone.cow.extents import same_blocks
from envclone.stores.postgres.catalog.layout import read_heaps
from envclone.stores.postgres.catalog.tables import Leaf, Table
from envclone.stores.postgres.format.segments import segments
from envclone.stores.postgres.format.toast import Chunks
from envclone.stores.postgres.format.visibility import Transactions
from envclone.stores.postgres.prove.pages import Heap
from envclone.stores.postgres.rights.logins import Login
from envclone.stores.postgres.server import control

__all__ = ["Connect", "Pair", "Side", "count", "heaps_of", "pairs_of", "uncounted"]

Connection = psycopg.Connection[tuple[Any, ...]]
Connect = Callable[..., AbstractContextManager[Connection]]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two clones: its server, and a data directory with what that has."""

    connect: Connect
    data: Path


@dataclass(frozen=True, slots=True)
class Pair:
    """A relation in the files of production's clone and of the sanitized one."""

    leaf: Leaf
    raw: Heap
    clean: Heap

    @property
    def one_toast(self) -> bool:
        """Whether the values of both in TOAST tables are the same bytes: equal pointers point at equal values."""
        return self.raw.toast is not None and self.raw.toast is self.clean.toast

    def ranges(self, step: int) -> Iterator[tuple[int, int]]:
        """Pages, at most `step` of them, that are worked on together: each range is of one segment."""
        whole = max(self.raw.pages(), self.clean.pages())
        for segment in range(0, whole, self.raw.segment_pages):
            last = min(whole, segment + self.raw.segment_pages)
            for first in range(segment, last, step):
                yield first, min(last, first + step)


def pairs_of(tables: Sequence[tuple[Table, Table]], raw: Side, clean: Side, held: ExitStack) -> dict[int, Pair]:
    """The relations of tables, each as production and the clone have it, by their oids in production.

    Of a table all are told or none: a heap of the same columns on both sides, no rows of which lack a value on disk.
    Their TOAST tables stay open as long as `held` does. What of production's lies in the clone's own blocks is read
    there: it is the same bytes, and each copy of a file that is read lies in memory by itself.
    """
    if not tables or not available():
        return {}
    places = partial(_place, raw.data, clean.data), lambda path: clean.data
    with clean.connect(autocommit=True, login=Login.OPERATOR) as conn:
        conn.execute("CHECKPOINT")  # before anybody asks which blocks its files lie in
    with ThreadPoolExecutor(2) as pool:  # most of it is done without Python's lock
        ours, theirs = pool.map(
            lambda which: heaps_of(
                (raw, clean)[which], [leaf.oid for pair in tables for leaf in pair[which].leaves], held, places[which]
            ),
            (0, 1),
        )
    found: dict[int, Pair] = {}
    for table, other in tables:
        there = {(leaf.schema, leaf.name): leaf.oid for leaf in other.leaves}
        its = [
            Pair(leaf, _sharing(ours[leaf.oid], theirs[oid]), theirs[oid])
            for leaf in table.leaves
            if leaf.oid in ours and (oid := there.get((leaf.schema, leaf.name), 0)) in theirs
        ]
        if len(its) == len(table.leaves) and all(_readable(table, other, pair) for pair in its):
            found |= {pair.leaf.oid: pair for pair in its}
    return found


def _place(raw: Path, clean: Path, path: str) -> Path:
    """The data directory to read a relation of production's in."""
    ours, theirs = (list(segments(data / path)) for data in (raw, clean))
    same = len(ours) == len(theirs) and all(same_blocks(a, b) for a, b in zip(ours, theirs, strict=True))
    return clean if ours and same else raw


def _sharing(ours: Heap, theirs: Heap) -> Heap:
    """Production's heap with the clone's chunks for its own, where those are the same ones in the same file."""
    same = ours.toast is not None and theirs.toast is not None and ours.toast.alike(theirs.toast)
    return replace(ours, toast=theirs.toast) if same else ours


def uncounted(address: str, held: tuple[int, int], shown: tuple[int, int]) -> list[str]:
    """What is wrong when a server sees (`shown`) another number of rows than its files hold, of both sides."""
    return [
        f"{address}: {whose} server sees {its} rows, its files hold {rows}"
        for rows, its, whose in zip(held, shown, ("production's", "the clone's"), strict=True)
        if its != rows
    ]


def _readable(table: Table, other: Table, pair: Pair) -> bool:
    ours, theirs = pair.raw.relation, pair.clean.relation
    return (
        ours.access == theirs.access == "heap"
        and ours.attributes == theirs.attributes
        and pair.raw.page_size == pair.clean.page_size
        and pair.raw.segment_pages == pair.clean.segment_pages
        and not any(attribute.length == -2 for attribute in ours.attributes)
        and not any(column.missing for its in (table, other) for column in its.columns.values())
    )


def heaps_of(
    side: Side,
    oids: Sequence[int],
    held: ExitStack | None = None,
    place: Callable[[str], Path] | None = None,
) -> dict[int, Heap]:
    """Relations in a clone's files, all of which its server has written; none where it does not keep texts as UTF-8.

    Their TOAST tables are opened for as long as `held` is. `place` says in which data directory a relation's path is
    read, when that is not the side's own.
    """
    where = place or (lambda path: side.data)
    with side.connect(autocommit=True, login=Login.OPERATOR) as conn:
        if conn.info.parameter_status("server_encoding") != "UTF8":
            return {}
        conn.execute("CHECKPOINT")
        found = read_heaps(conn, oids)
        toasts = read_heaps(conn, [relation.toast for relation in found.values() if relation.toast])
    known = control.read(side.data)
    transactions = control.transactions(side.data)
    size, segment_pages = known.block_size, known.relation_segment_blocks
    return {
        oid: Heap(
            where(relation.path),
            relation,
            size,
            segment_pages,
            transactions,
            _chunks(where(path := toasts[relation.toast].path) / path, size, segment_pages, transactions, held)
            if held is not None and relation.toast in toasts
            else None,
        )
        for oid, relation in found.items()
    }


def _chunks(path: Path, page_size: int, segment_pages: int, transactions: Transactions, held: ExitStack) -> Chunks:
    return held.enter_context(Chunks(path, page_size, segment_pages, transactions=transactions))


def count(conn: Connection, leaf: Leaf) -> int:
    """How many rows of a relation a server sees."""
    row = conn.execute(sql.SQL("SELECT pg_catalog.count(*) FROM ONLY {}").format(leaf.identifier)).fetchone()
    assert row is not None
    return int(row[0])
