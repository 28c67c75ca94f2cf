"""Sanitizing a store on its files: what the server must make, what the files get, what has to follow."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from envclone.models import FieldRule, ProgressEvent, RewriteReport, StorePlan
from envclone.protocols import FieldMask, Masks, Progress
from envclone.stores.postgres.catalog.dependents import Index, indexes_on
from envclone.stores.postgres.catalog.layout import Relation, read_relations
from envclone.stores.postgres.catalog.read import derived_columns, primary_key, written_columns
from envclone.stores.postgres.catalog.tables import LARGE_OBJECTS, Column, Leaf, Table, read_tables
from envclone.stores.postgres.rights.logins import Login
from envclone.stores.postgres.write import (
    indexes,
    likeness,
    sequences,
    standing,
    statistics,
    textsearch,
    triggers,
    views,
)
from envclone.stores.postgres.write import rewrite as through_sql
from envclone.stores.postgres.write.inplace import checks, missing, select, stage
from envclone.stores.postgres.write.inplace.files import LeafDone, write_files
from envclone.stores.postgres.write.inplace.leftover import write_leftover
from envclone.stores.postgres.write.inplace.work import LeafWork, Staging
from envclone.stores.postgres.write.staging import MaskedColumn

__all__ = ["METHOD", "rewrite"]

Connection = psycopg.Connection[tuple[Any, ...]]
Connect = Callable[..., AbstractContextManager[Connection]]
Stopped = Callable[[], AbstractContextManager[Path]]

METHOD = "in-place"
"""What the report and the attestation call this way of writing."""


@dataclass(slots=True)
class _LeafJob:
    """One relation on its way: what it is of, its indexes out of use, its staging tables by round."""

    table: Table
    leaf: Leaf
    chosen: select.Chosen
    made: Sequence[textsearch.Vector]
    names: set[str]
    keys: list[str]
    held: list[Index]
    standing: dict[int, standing.Witness] = field(default_factory=dict)
    staged: tuple[int, tuple[str, ...]] | None = None
    computed: tuple[int, tuple[str, ...]] | None = None
    done: list[LeafDone] = field(default_factory=list)


def rewrite(
    connect: Connect,
    stopped: Stopped,
    plan: StorePlan,
    masks: Masks,
    progress: Progress,
    earlier: Path | None = None,
) -> RewriteReport:
    """Replace every value of the plan's masked columns by its pseudonym where it stands in the files.

    While the server runs it makes the values that only it can make; then it is stopped (`stopped`), every page with
    masked values is written with all line pointers as they were, and it starts again. Columns that follow from masked
    ones are computed by it and written in a second round. Only indexes that hold a masked column are rebuilt, and of
    vector indexes those alone whose entries change.
    Tables that cannot be written so go through SQL, and rows that their page cannot hold; the report names both.
    Pages that become what an image has whose data directory is `earlier` share its blocks.
    Raises UnsafeError naming the constraint when pseudonyms break one, or what cannot be masked this way.
    """
    started = time.monotonic()
    return _Rewriting(connect, stopped, plan, masks, progress, earlier).run(started)


class _Rewriting:
    def __init__(
        self,
        connect: Connect,
        stopped: Stopped,
        plan: StorePlan,
        masks: Masks,
        progress: Progress,
        earlier: Path | None,
    ) -> None:
        self._connect = connect
        self._earlier = earlier
        self._stopped = stopped
        self._plan = plan
        self._masks = masks
        self._progress = progress
        self._rows: dict[str, int] = {}
        self._values: dict[str, int] = {}
        self._fields: dict[str, FieldMask] = {}

    def run(self, started: float) -> RewriteReport:
        plan = self._plan
        stage.make(self._connect)
        with self._operator() as conn, self._connect(autocommit=True) as worker:
            tables = read_tables(conn)
            made = {table.oid: textsearch.vectors(conn, table, plan, tables) for table in tables}
            work = [(t, columns) for t in tables if (columns := written_columns(t, plan)) or made[t.oid]]
            self._types = select.column_types(conn, tables)
            chosen = [select.choose(table, columns, plan, self._types) for table, columns in work]
            by_sql = [c for c in chosen if c.sql]
            through_sql.check(worker, plan, tables, work, by_sql={c.table.oid for c in by_sql})
            likeness.require(worker, plan, self._masks, tables)
            jobs = [job for c in chosen if not c.sql for job in self._jobs(conn, c, made[c.table.oid])]
            self._stage(conn, worker, jobs)
        if any(job.chosen.direct or job.staged for job in jobs):
            self._on_files(jobs, computed=False)
        moved = self._leftover(jobs)  # before anything is computed from their rows
        self._compute(jobs)
        for table, count in self._leftover([job for job in jobs if job.computed]).items():
            moved[table] = moved.get(table, 0) + count
        moved |= self._through_sql(by_sql, made)
        stage.drop(self._connect)
        with self._operator() as conn, self._connect(autocommit=True) as worker:
            for job in jobs:
                with through_sql.explained(job.table):
                    checks.constraints(worker, job.leaf, job.names)
                    same = [index for index in job.held if standing.holds(worker, job.standing.get(index.oid))]
                    indexes.reinstate(conn, same)
                    indexes.rebuild(conn, worker, [index for index in job.held if index not in same])
            indexes.renew_split(conn, worker)
            objects = plan.rules.get(LARGE_OBJECTS)
            if objects is not None and objects.masked:
                self._rows[LARGE_OBJECTS] = self._values[LARGE_OBJECTS] = through_sql.unlink_large_objects(conn)
            sequences.advance(worker, {c.table.oid: (*c.direct, *c.staged) for c in chosen})
            self._renew_statistics(conn, worker, chosen, made)
            found = checks.amcheck(conn, [job.leaf for job in jobs], self._progress)
            moved |= {table.address: _count(worker, table) for table in tables if _written_later(table, plan)}
        placed = sorted({table.address for table in tables} - moved.keys())
        return RewriteReport(
            METHOD,
            self._rows,
            self._values,
            time.monotonic() - started,
            placed=tuple(placed),
            moved=moved,
            pages=sum(d.pages for j in jobs for d in j.done),
            pages_written=sum(d.written for j in jobs for d in j.done),
            pages_shared=sum(d.shared for j in jobs for d in j.done),
            checks=found,
        )

    def _jobs(self, conn: Connection, chosen: select.Chosen, made: Sequence[textsearch.Vector]) -> list[_LeafJob]:
        columns = [*chosen.direct, *chosen.staged, *(v.column for v in made)]
        names = through_sql.affected_columns(conn, chosen.table, columns)
        keys = primary_key(conn, chosen.table.oid)
        return [
            _LeafJob(chosen.table, leaf, chosen, made, names, keys, indexes_on(conn, leaf.oid, names))
            for leaf in chosen.table.leaves
        ]

    def _operator(self) -> AbstractContextManager[Connection]:
        return self._connect(autocommit=True, login=Login.OPERATOR)

    def _stage(self, conn: Connection, worker: Connection, jobs: Sequence[_LeafJob]) -> None:
        for job in jobs:
            with through_sql.explained(job.table):
                job.standing = standing.witnesses(conn, worker, job.table, job.leaf, job.held, job.names, self._plan)
                indexes.retire(conn, job.held)
                if job.chosen.staged:
                    fields = [self._masked(job.table, column) for column in job.chosen.staged]
                    job.staged = stage.stage_masked(self._connect, job.table, job.leaf, fields, self._progress)
                    self._count({f.rule.address: f.rows for f in fields}, {f.rule.address: f.changed for f in fields})
                lacking = [c for c in job.chosen.direct if c.missing]
                missing.replace(conn, worker, job.table, job.leaf, lacking, self._plan, self._field)

    def _masked(self, table: Table, column: Column) -> MaskedColumn:
        return MaskedColumn(table, column, self._plan.rules[table.at(column.name)], self._masks)

    def _field(self, rule: FieldRule) -> FieldMask:
        if rule.address not in self._fields:
            self._fields[rule.address] = self._masks.field(rule)
        return self._fields[rule.address]

    def _on_files(self, jobs: Sequence[_LeafJob], *, computed: bool) -> None:
        with self._operator() as conn:
            relations = {r.oid: r for r in read_relations(conn)}
        doing = [job for job in jobs if (job.computed if computed else job.staged or job.chosen.direct)]
        works = [self._work(job, relations, computed=computed) for job in doing]
        with self._stopped() as data:
            results = write_files(data, works, self._masks_of, self._separable, self._progress, self._earlier)
        with self._operator() as conn:
            for job, work, done in zip(doing, works, results, strict=True):
                job.done.append(done)
                self._count(done.rows, done.values)
                if done.moved_chunks and work.toast is not None:
                    schema, name = work.toast.name.split(".", 1)
                    conn.execute(sql.SQL("REINDEX TABLE {}").format(sql.Identifier(schema, name)))

    def _work(self, job: _LeafJob, relations: Mapping[int, Relation], *, computed: bool) -> LeafWork:
        relation = relations[job.leaf.oid]
        waiting = job.computed if computed else job.staged
        staging = None
        if waiting is not None:
            numbers = {a.name: i for i, a in enumerate(relation.attributes) if not a.dropped}
            table = relations[waiting[0]]
            staging = Staging(table, relations.get(table.toast), tuple(numbers[name] for name in waiting[1]))
        columns = () if computed else select.direct_columns(job.chosen, relation, self._plan, self._types)
        keys = select.kept_keys(job.table, job.keys, relation, self._plan, self._types)
        part = "" if job.leaf.oid == job.table.oid else f"{job.leaf.schema}.{job.leaf.name}"
        return LeafWork(relation, relations.get(relation.toast), columns, staging, keys, part)

    def _masks_of(self, work: LeafWork) -> Mapping[str, FieldMask]:
        return {column.address: self._field(column.rule) for column in work.columns}

    def _separable(self, work: LeafWork) -> bool:
        return all(self._masks.separable(column.rule) for column in work.columns)

    def _compute(self, jobs: Sequence[_LeafJob]) -> None:
        """The second round: what the server computes from the columns that are masked now."""
        for job in jobs:
            with self._operator() as conn:
                masked = (*job.chosen.direct, *job.chosen.staged)
                expressions = select.computed(conn, job.table, job.leaf, masked, job.made)
            if expressions:
                with through_sql.explained(job.table):
                    job.computed = stage.stage_computed(self._connect, job.leaf, expressions)
        if any(job.computed for job in jobs):
            self._on_files(jobs, computed=True)

    def _leftover(self, jobs: Sequence[_LeafJob]) -> dict[str, int]:
        """Rows that their pages could not hold, by table."""
        moved: dict[str, int] = {}
        for job in jobs:
            left = job.done[-1].left if job.done else []
            if not left:
                continue
            names = job.staged[1] if job.staged else ()
            with (
                through_sql.explained(job.table),
                self._operator() as conn,
                triggers.unpublished(conn),
                triggers.silenced(conn, job.leaf),
                views.writable(conn, job.table),
            ):
                count = write_leftover(self._connect, job.table, job.leaf, self._plan, left, job.made, names)
            moved[job.table.address] = moved.get(job.table.address, 0) + count
        return moved

    def _through_sql(
        self, chosen: Sequence[select.Chosen], made: Mapping[int, Sequence[textsearch.Vector]]
    ) -> dict[str, int]:
        """Whole tables that are not written on the files; every row of them counts as moved."""
        moved: dict[str, int] = {}
        with (
            self._operator() as conn,
            triggers.unpublished(conn),
            self._connect(autocommit=True) as worker,
        ):
            for item in chosen:
                fields = [self._masked(item.table, column) for column in (*item.direct, *item.staged)]
                through_sql.rewrite_table(self._connect, conn, item.table, fields, made[item.table.oid], self._progress)
                self._count({f.rule.address: f.rows for f in fields}, {f.rule.address: f.changed for f in fields})
                moved[item.table.address] = _count(worker, item.table)
        return moved

    def _renew_statistics(
        self,
        conn: Connection,
        worker: Connection,
        chosen: Sequence[select.Chosen],
        made: Mapping[int, Sequence[textsearch.Vector]],
    ) -> None:
        names: dict[int, set[str]] = {}
        for item in chosen:
            columns = [*item.direct, *item.staged, *(v.column for v in made[item.table.oid])]
            its = through_sql.affected_columns(conn, item.table, columns)
            for oid in (item.table.oid, *(leaf.oid for leaf in item.table.leaves)):
                names[oid] = its
        self._progress(ProgressEvent("renewing the statistics of masked columns", 0))
        statistics.renew(conn, worker, names)

    def _count(self, rows: Mapping[str, int], values: Mapping[str, int]) -> None:
        for counted, into in ((rows, self._rows), (values, self._values)):
            for address, count in counted.items():
                into[address] = into.get(address, 0) + count


def _written_later(table: Table, plan: StorePlan) -> bool:
    """Whether a hook's SQL writes columns of the table, as its rules say."""
    return any(not c.generated and c.type != "tsvector" for c in derived_columns(table, plan))


def _count(conn: Connection, table: Table) -> int:
    row = conn.execute(sql.SQL("SELECT pg_catalog.count(*) FROM {}").format(table.identifier)).fetchone()
    return int(row[0]) if row else 0
