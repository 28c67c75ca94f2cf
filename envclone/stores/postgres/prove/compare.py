"""Production's rows under the masks beside the clone's: one pass over both, in ranges, by all processors.

What a mask makes to be compared is what is handed on to be searched, so that the proof computes each mask once.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Any

import psycopg

from envclone.forked import fork_map, processors
from envclone.models import Compared, FieldKind, ProgressEvent, StorePlan
from envclone.protocols import Look, Masks, Progress
from envclone.stores.postgres.catalog import definitions, read
from envclone.stores.postgres.catalog.dependents import generated_from
from envclone.stores.postgres.catalog.read import derived_columns, written_columns
from envclone.stores.postgres.catalog.tables import LARGE_OBJECTS, Column, Leaf, Table, read_tables
from envclone.stores.postgres.prove.beside import Ways, examine
from envclone.stores.postgres.prove.pairs import Pair, Side, count, pairs_of, uncounted
from envclone.stores.postgres.prove.sides import Prover, Rows, Sides

__all__ = ["compare"]

Connection = psycopg.Connection[tuple[Any, ...]]

_RANGE = 4 * 2**20
"""Bytes of a table, TOAST included, that are worked on together."""

_ONE_IN = 64
"""Of so many ranges of a relation one is read by the servers as well as in the files. The first always is, and each in
which a column is stored in a way that this process did not ask about before."""

_READING = """
    SET enable_tidscan = on; SET max_parallel_workers_per_gather = 0; SET jit = off;
    SET default_transaction_read_only = on
"""
"""Pages are read by their numbers, in their order, whatever production's settings say."""


@dataclass(frozen=True, slots=True)
class _Job:
    """Pages `first` to `end` (None: to the last) of one relation; on both sides when rows kept their addresses.

    With a `pair` they are read in the files of both; `twice`: by the servers as well. With the first pages both servers
    are asked how many rows of the relation they see.
    """

    table: int
    leaf: Leaf
    first: int
    end: int | None
    sides: Sides
    pair: Pair | None = None
    twice: bool = False


@dataclass(slots=True)
class _Done:
    """What one job saw: rows on either side, sums of hashes (of the rows, of each field), fields that differ; how many
    rows of a relation the servers see."""

    table: int
    rows: Rows
    found: Any
    shown: tuple[int, int] = (0, 0)


def compare(
    raw: Side, clean: Side, plan: StorePlan, masks: Masks, placed: Collection[str], look: Look, progress: Progress
) -> Compared:
    """Whether each table of the clone is production's under the masks; `look` is given every value on the way.

    Rows of a `placed` table are compared one by one, at their addresses: kept columns by their bytes in the files of
    both clones or, where those cannot tell, by a hash of their binary form that the servers make; masked ones by value.
    Each server has to see as many rows as its files hold. Of other tables sums of keyed hashes are compared; the key is
    made here, and nobody who wrote the rows knew it. Columns that the server computes from masked ones are left out.
    Raises UnsafeError through the masks when one of them refuses a value, and for a page that is damaged.
    """
    comparison = _Comparison(raw, clean, plan, masks, placed, look)
    return comparison.run(progress)


class _Comparison:
    def __init__(
        self, raw: Side, clean: Side, plan: StorePlan, masks: Masks, placed: Collection[str], look: Look
    ) -> None:
        self._sides = raw, clean
        self._raw, self._clean = raw.connect, clean.connect
        self._plan, self._masks, self._placed, self._look = plan, masks, placed, look
        self._key = secrets.token_bytes(32)
        self._provers: list[Prover] = []
        self._open: dict[int, tuple[Connection, Connection]] = {}
        self._asked: dict[int, set[tuple[int, int]]] = {}
        self._stack = ExitStack()

    def run(self, progress: Progress) -> Compared:
        with ExitStack() as held:
            return self._run(progress, held)

    def _run(self, progress: Progress, held: ExitStack) -> Compared:
        problems: list[str] = []
        with self._raw(autocommit=True) as raw, self._clean(autocommit=True) as clean:
            ours, theirs = ({t.address: t for t in read_tables(conn)} for conn in (raw, clean))
            problems += [f"{a} is only in the sanitized data" for a in sorted(theirs.keys() - ours.keys())]
            problems += [f"{a} is only in the raw data" for a in sorted(ours.keys() - theirs.keys())]
            jobs: list[_Job] = []
            both = sorted(ours.keys() & theirs.keys())
            pairs = pairs_of([(ours[a], theirs[a]) for a in both if a in self._placed], *self._sides, held)
            for address in both:
                table, other = ours[address], theirs[address]
                if _form(table) != _form(other):
                    problems.append(f"{address} has other columns or partitions than production's")
                    continue
                self._provers.append(self._prover(raw, table))
                jobs += self._jobs(raw, clean, len(self._provers) - 1, table, pairs)
            objects, differ = _large_objects(raw, clean, self._plan)
            problems += differ
        seen = [Rows() for _ in self._provers]
        shown = [(0, 0)] * len(self._provers)
        apart = [job for job in jobs if not self._provers[job.table].separable]
        together = [job for job in jobs if self._provers[job.table].separable]
        done = 0
        with ExitStack() as self._stack:
            for part, workers in ((together, processors()), (apart, 1)):
                for one in fork_map(self._work, part, workers):
                    seen[one.table].add(one.rows)
                    shown[one.table] = shown[one.table][0] + one.shown[0], shown[one.table][1] + one.shown[1]
                    self._look.take(one.found)
                    done += 1
                    progress(ProgressEvent("row by row", done, len(jobs), "parts"))
        for prover, its, told in zip(self._provers, seen, shown, strict=True):
            if any(leaf.oid in pairs for leaf in prover.table.leaves):
                problems += uncounted(prover.table.address, (its.raw, its.clean), told)
        rows: dict[str, int] = dict(objects)
        for prover, its in zip(self._provers, seen, strict=True):
            rows[prover.table.address] = its.clean
            problems += prover.problems(its)
        with self._clean(autocommit=True) as clean:  # what is published: some of production's was put out of action
            for address, values in read.read_objects(clean):
                self._look.batch(address, values, values)
            self._look.batches(definitions.read_definitions(clean))
            for address, numbers, places in definitions.read_numbers(clean):
                self._look.numbers(address, numbers, places)
            roots = {leaf.oid: table for table in theirs.values() for leaf in table.leaves}
            for relation, column, text in definitions.read_missing(clean, list(roots)):
                address = roots[relation].at(column)
                rule = self._plan.rules.get(address)
                if rule is None or not rule.masked:
                    self._look.batch(address, [text], [text], ["pg_attribute.attmissingval"])
        return Compared(rows, tuple(problems))

    def _prover(self, conn: Connection, table: Table) -> Prover:
        masked = written_columns(table, self._plan)
        derived = {c.name for c in derived_columns(table, self._plan)}
        computed = derived | generated_from(conn, table, {c.name for c in masked} | derived)
        names = {c.name for c in masked} | computed
        kept = [c for c in table.columns.values() if c.name not in names and not c.virtual]
        shown = [c for c in table.columns.values() if c.name not in names and c.kind is not FieldKind.VECTOR]
        shown = [c for c in shown if not _by(self._plan, table, c)]
        keys = [table.columns[name] for name in read.primary_key(conn, table.oid) if name in table.columns]
        return Prover(
            table, masked, kept, shown, keys, self._plan, self._masks, table.address in self._placed, self._key
        )

    def _jobs(
        self, raw: Connection, clean: Connection, number: int, table: Table, pairs: Mapping[int, Pair]
    ) -> Iterator[_Job]:
        placed = table.address in self._placed
        for leaf in table.leaves:
            pair = pairs.get(leaf.oid)
            if pair is not None:
                _, step = _extent(raw, leaf)
                for first, end in list(pair.ranges(step)) or [(0, 0)]:  # of no page, too, the servers are asked
                    twice = first == 0 or not secrets.randbelow(_ONE_IN)
                    yield _Job(number, leaf, first, end, Sides.BOTH, pair, twice)
                continue
            for conn, sides in ((raw, Sides.BOTH),) if placed else ((raw, Sides.RAW), (clean, Sides.CLEAN)):
                blocks, step = _extent(conn, leaf)
                firsts = list(range(0, max(blocks, 1), step))
                for first, end in zip_longest(firsts, firsts[1:]):
                    yield _Job(number, leaf, first, end, sides)

    def _work(self, job: _Job) -> _Done:
        prover = self._provers[job.table]
        if job.pair is not None and job.end is not None:
            twice = partial(self._twice, job)
            rows = examine(prover, job.pair, job.first, job.end, self._connections, self._look, twice=twice)
            raw, clean = self._connections() if job.first == 0 else (None, None)
            shown = (count(raw, job.leaf), count(clean, job.leaf)) if raw and clean else (0, 0)
            return _Done(job.table, rows, self._look.found(), shown)
        raw, clean = self._connections()
        rows = prover.examine(raw, clean, job.leaf, job.first, job.end, job.sides, self._look)
        return _Done(job.table, rows, self._look.found())

    def _twice(self, job: _Job, ways: Ways) -> bool:
        asked = self._asked.setdefault(job.leaf.oid, set())
        new = ways - asked
        asked |= new
        return job.twice or bool(new)

    def _connections(self) -> tuple[Connection, Connection]:
        """This process's own two connections; a copy of it must not use its parent's."""
        mine = os.getpid()
        if mine not in self._open:
            raw = self._stack.enter_context(self._raw(autocommit=True))
            clean = self._stack.enter_context(self._clean(autocommit=True))
            for conn in (raw, clean):
                conn.execute(_READING)
            self._open[mine] = raw, clean
        return self._open[mine]


def _form(table: Table) -> tuple[Any, ...]:
    columns = [(c.name, c.type, c.generated, c.virtual) for c in table.columns.values()]
    return columns, [(leaf.schema, leaf.name) for leaf in table.leaves]


def _by(plan: StorePlan, table: Table, column: Column) -> bool:
    rule = plan.rules.get(table.at(column.name))
    return rule is not None and (rule.derived or bool(rule.by))


def _extent(conn: Connection, leaf: Leaf) -> tuple[int, int]:
    """How many pages a relation has, and how many of them are worked on together."""
    row = conn.execute(
        """SELECT pg_catalog.pg_relation_size(%s::pg_catalog.oid::pg_catalog.regclass),
                  pg_catalog.pg_table_size(%s::pg_catalog.oid::pg_catalog.regclass),
                  pg_catalog.current_setting('block_size')::pg_catalog.int8""",
        [leaf.oid, leaf.oid],
    ).fetchone()
    assert row is not None
    heap, whole, page = row
    blocks = -(-heap // page)
    return blocks, max(1, _RANGE * max(blocks, 1) // max(whole, page))


def _large_objects(raw: Connection, clean: Connection, plan: StorePlan) -> tuple[Mapping[str, int], list[str]]:
    """The large objects' pages, which must be production's unless a rule masks them: then there are none."""
    rule = plan.rules.get(LARGE_OBJECTS)
    count = 0
    differ = False
    kept = rule is None or not rule.masked
    for ours, theirs in zip_longest(_pages(raw) if kept else (), _pages(clean)):
        count += theirs is not None
        differ |= ours != theirs
    return ({LARGE_OBJECTS: count} if count else {}), [f"{LARGE_OBJECTS} are not production's"] * differ


def _pages(conn: Connection) -> Iterator[Sequence[Any]]:
    with conn.transaction(), conn.cursor(name="envclone_objects") as cursor:
        cursor.itersize = read.BATCH
        cursor.execute(
            """SELECT loid::pg_catalog.int8, pageno, pg_catalog.md5(data) FROM pg_catalog.pg_largeobject
               ORDER BY 1, 2"""
        )
        yield from cursor
