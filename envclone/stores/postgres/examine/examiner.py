"""Asks a branch's PostgreSQL what a recorded search would have given otherwise: read-only, as the role that it had."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from envclone.address import Address, written
from envclone.errors import EnvcloneError
from envclone.incidents.bundle import SqlStep, Step
from envclone.models import Asked, Condition, Endpoint, Hits, Record, Retrieval, StepResult
from envclone.stores.postgres.examine import asking
from envclone.stores.postgres.examine import statement as pieces
from envclone.stores.postgres.examine.functions import called_in, unfolded
from envclone.stores.postgres.examine.joined import separated
from envclone.stores.postgres.examine.jsonkeys import json_fields
from envclone.stores.postgres.examine.measured import distance_of, measured
from envclone.stores.postgres.examine.statement import Search, compared_of, inlined, renumbered, search_of
from envclone.stores.postgres.examine.views import opened
from envclone.stores.postgres.examine.whole import EVERY, Whole, bounded, whole_of
from envclone.stores.postgres.steps.execute import sent
from envclone.stores.postgres.steps.reading.grammar import Refused, parse
from envclone.stores.postgres.steps.runner import PostgresRunner

__all__ = ["PostgresExaminer", "examiner"]


@dataclass(frozen=True, slots=True)
class _Known:
    """What was found out about a step: the pieces of its statement, its values, and the names of its table."""

    step: SqlStep
    search: Search
    values: list[Any] | None
    table: str
    alias: str
    key: str
    path: str
    retrieval: Retrieval
    whole: Whole | None = None


class PostgresExaminer:
    """Makes other searches of a step's own statement; each runs in a session of its own, as the step does."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._runner = PostgresRunner(endpoint)
        self._local = endpoint.socket is not None
        self._readers: dict[str, str | None] = {}
        self._known: dict[str, _Known | Retrieval] = {}

    def retrieval(self, step: Step) -> Retrieval:
        """What a step searches; `why_not` says what keeps it from being asked otherwise."""
        found = self._of(step)
        return found.retrieval if isinstance(found, _Known) else found

    def parts(self, step: Step, ident: str) -> Sequence[Step]:
        """The searches by distance in a statement that puts them together, or orders them again."""
        known = self._of(step)
        if not isinstance(known, _Known) or known.whole is None:
            return ()
        made = []
        for number, arm in enumerate(known.whole.arms, 1):
            sql, used = renumbered(arm, known.values)
            name = "its search" if len(known.whole.arms) == 1 else f"search {number}"
            key = known.step.key if known.step.key and search_of(arm, known.step.key).key else None
            update = {"id": f"{step.id}/{name}", "sql": sql, "parameters": used, "key": key, "expect": None}
            made.append(known.step.model_copy(update=update))
        return tuple(made)

    def search(self, step: Step, asked: Asked) -> Hits:
        """The step's own search under other settings, with other bounds or without some conditions."""
        known = self._of(step)
        if not isinstance(known, _Known):
            return Hits(error=self.retrieval(step).why_not)
        return self._asked(known, asked)

    def _asked(self, known: _Known, asked: Asked) -> Hits:
        retrieval = known.retrieval
        values = list(known.values or ())
        given = (
            [list(asked.only)] if asked.only is not None else [[asked.excluded]] if asked.excluded is not None else []
        )
        values += given
        text = _pieces(known, asked, len(values)) if known.whole is None else known.whole.asked(
            limit=asked.limit,
            without=[one for number, one in enumerate(known.whole.conditions) if number in asked.without],
            only=len(values) if asked.only is not None and asked.excluded is None else None,
            unlimited=asked.unquantized,
            excluded=len(values) if asked.excluded is not None else None,
        )  # fmt: skip
        above = any(one.policy and number in asked.without for number, one in enumerate(retrieval.conditions))
        settings = self._settings(retrieval, asked)
        path = {"search_path": known.path} if above and known.path else {}
        if asked.place is not None:
            path["search_path"] = ", ".join([asking.quoted(Address.parse(asked.place).parts[0]), known.path])
        role = self._reader(known.table) if above else known.step.role
        result = self._run(known.step, text, values, {**settings, **path}, role=role)
        return Hits(
            ids=tuple(str(row[0]) for row in result.rows),
            scores=tuple(float(row[1]) if isinstance(row[1], int | float) else float("nan") for row in result.rows),
            error=result.error,
            seconds=result.seconds,
            command=asking.command(role, {**_said(known.step), **settings}, inlined(text, values)),
        )

    def records(self, step: Step, ids: Sequence[str]) -> Sequence[Record]:
        """Rows of the searched table with these ids, as the branch's own login sees them."""
        known = self._of(step)
        if not isinstance(known, _Known) or not ids:
            return ()
        return self._rows(known, f"({known.key})::pg_catalog.text OPERATOR(pg_catalog.=) ANY ($1)", "", [list(ids)])

    def sample(self, step: Step, most: int) -> Sequence[Record]:
        """Rows with a vector, in the order of a hash of their ids."""
        known = self._of(step)
        if not isinstance(known, _Known):
            return ()
        vector = asking.column(known.alias, known.search.vector)
        order = f"pg_catalog.hashtextextended(({known.key})::pg_catalog.text, 0)"
        return self._rows(known, f"{vector} IS NOT NULL", f"ORDER BY {order} LIMIT {int(most)}", None)

    def having(self, address: str, values: Sequence[str]) -> Sequence[Record]:
        """Rows whose column at `schema.table.column` has one of the values."""
        names = Address.parse(address).parts
        if len(names) != 3 or not values:
            return ()
        table, column = ".".join(map(asking.quoted, names[:2])), f"t.{asking.quoted(names[2])}"
        text = asking.select(
            f"{column}::pg_catalog.text, pg_catalog.to_jsonb(t)",
            f"{table} t",
            [f"{column}::pg_catalog.text OPERATOR(pg_catalog.=) ANY ($1)"],
        )
        result = self._run(None, text, [list(values)], {}, role=self._reader(table))
        return tuple(Record(str(row[0]), asking.fields(row[1])) for row in result.rows)

    def near(self, step: Step, ident: str) -> Sequence[str]:
        """The rows whose numbers are one less and one more."""
        if not re.fullmatch(r"\d{1,18}", ident):
            return ()
        beside = [str(int(ident) - 1), str(int(ident) + 1)]
        return tuple(one.id for one in self.records(step, beside))

    def namesakes(self, step: Step, ident: str) -> Sequence[str]:
        """Tables of the same name in other schemas that have the row otherwise, where a search path chose this one."""
        known = self._of(step)
        place = Address.parse(known.retrieval.place).parts if isinstance(known, _Known) else ()
        if not isinstance(known, _Known) or len(place) != 2 or not known.retrieval.key:
            return ()
        if re.search(rf"(?<![\w.]){re.escape(asking.quoted(place[0]))}\.|(?<![\w.]){re.escape(place[0])}\.",
                     known.search.tables):  # fmt: skip
            return ()  # the statement itself names the schema
        own = self._whole(known, known.table, ident)
        found = []
        for (schema,) in self._run(None, asking.NAMESAKES, list(place), {}, role=None).rows:
            table = f"{asking.quoted(str(schema))}.{asking.quoted(place[1])}"
            if self._whole(known, table, ident) not in (None, own):
                found.append(written((str(schema), place[1])))
        return tuple(found)

    def _whole(self, known: _Known, table: str, ident: str) -> Any:
        """The row of an id in a table, its columns as text; None where there is none."""
        name = _column(known.key)
        if not name:
            return None
        its = f"t.{asking.quoted(name)}::pg_catalog.text OPERATOR(pg_catalog.=) $1"
        text = asking.select("pg_catalog.to_jsonb(t)::pg_catalog.text", f"{table} t", [its], "LIMIT 1")
        rows = self._run(None, text, [ident], {}, role=self._reader(table)).rows
        return rows[0][0] if rows else None

    def look(self, step: Step, ident: str) -> str:
        """The statement for a row."""
        known = self._of(step)
        if not isinstance(known, _Known):
            return ""
        alone = f"{known.table} {asking.quoted(known.alias)}" if _own(known) else known.search.tables
        where = [
            *(() if _own(known) else known.search.joins),
            f"({known.key})::pg_catalog.text OPERATOR(pg_catalog.=) $1",
        ]
        return f"{inlined(asking.select('*', alone, where), [ident])};"

    def _rows(self, known: _Known, condition: str, rest: str, values: list[Any] | None) -> tuple[Record, ...]:
        vector = asking.column(known.alias, known.search.vector)
        left_out = "'" + known.search.vector.replace("'", "''") + "'"
        tables, joins = known.search.tables, known.search.joins
        if _own(known):  # what it is joined with, or stands in, is no part of whether it is there
            tables, joins = f"{known.table} {asking.quoted(known.alias)}", ()
        text = asking.select(
            f"{known.key} AS id, {vector}::pg_catalog.text AS vector,"
            f" pg_catalog.to_jsonb({asking.quoted(known.alias)}) OPERATOR(pg_catalog.-) {left_out} AS fields",
            tables,
            [*joins, condition],
            rest,
        )
        # the step's own names mean what they mean to its role; its policies do not count here
        path = {"search_path": known.path} if known.path else {}
        result = self._run(known.step, text, values, path, role=self._reader(known.table))
        if result.error is not None:
            result = self._run(known.step, text, values, {}, role=known.step.role)
        return tuple(Record(str(row[0]), asking.fields(row[2]), asking.numbers(row[1])) for row in result.rows)

    def _settings(self, retrieval: Retrieval, asked: Asked) -> dict[str, str]:
        if asked.exact or asked.only is not None or asked.unquantized:
            return dict(asking.EXACT)
        if not retrieval.index:
            return {}
        settings = dict(asking.BY_INDEX)
        if asked.breadth is not None:
            settings[retrieval.breadth_name] = str(asked.breadth)
        return settings | (asking.UNBOUNDED[retrieval.index] if asked.unbounded else {})

    def _reader(self, table: str) -> str | None:
        """Who sees all rows of a table, to look them up; None for the branch's own login."""
        if table not in self._readers:
            said = self._run(None, asking.READER, [table], {}, role=None) if self._local else StepResult()
            self._readers[table] = str(said.rows[0][0]) if said.rows else None
        return self._readers[table]

    def _run(
        self, step: Step | None, text: str, values: Sequence[Any] | None, settings: Mapping[str, str],
        *, role: str | None,
    ) -> StepResult:  # fmt: skip
        """Run a statement in a session of the step's settings, as a role; None is the branch's own login."""
        sql, used = renumbered(text, values)
        name, _, _ = step.id.partition("/") if step else ("reference", "", "")
        given: dict[str, Any] = {"id": name, "store": step.store if step else ""}
        if isinstance(step, SqlStep):
            given |= {"database": step.database, "settings": step.settings, "local": {**step.local, **settings}}
        try:
            return self._runner.run(SqlStep(sql=sql, parameters=used, role=role, **given))
        except EnvcloneError as exc:
            return StepResult(error=exc.message)

    def _of(self, step: Step) -> _Known | Retrieval:
        from postgast import PgQueryError

        if step.id not in self._known:
            try:
                self._known[step.id] = self._look(step)
            except (Refused, PgQueryError) as exc:
                self._known[step.id] = Retrieval(step.id, step.store, "", why_not=str(exc))
            except EnvcloneError as exc:
                self._known[step.id] = Retrieval(step.id, step.store, "", why_not=exc.message)
        return self._known[step.id]

    def _look(self, step: Step) -> _Known:
        """Raises Refused with what keeps the step from being asked otherwise."""
        if not isinstance(step, SqlStep):
            raise Refused("it is not SQL")
        sql, values = sent(step)
        plain = opened(sql, lambda text, given: self._run(step, text, given, {}, role=step.role).rows)
        if plain != sql:
            with suppress(Refused):  # the role may not read the view's tables
                return self._cut(step, plain, values, read=True)
        try:
            return self._cut(step, sql, values, read=False)
        except Refused as exc:
            if (called := called_in(sql)) is None:
                raise
            refused = exc
        made = unfolded(called, lambda text, given: self._run(step, text, given or values, {}, role=step.role).rows)
        for body in made:
            try:
                known = self._cut(step.model_copy(update={"local": {**step.local, **body.local}}), body.sql, values,
                                  read=True)  # fmt: skip
                return replace(known, retrieval=replace(known.retrieval, within=body.within, around=body.around))
            except Refused as exc:
                refused = exc
        raise refused

    def _cut(self, step: SqlStep, sql: str, values: list[Any] | None, *, read: bool) -> _Known:
        """The pieces of a statement; `read` when it is what a function runs. Raises Refused."""
        whole, found = _read(sql, step.key)
        for schema, name, alias in found.relations:
            if found.qualifier not in ("", alias):
                continue
            table = ".".join(asking.quoted(one) for one in (schema, name) if one)
            said = self._run(step, asking.TABLE, [table, found.vector], {}, role=step.role)
            if said.rows:
                row = said.rows[0]
                break
        else:
            raise Refused(f"no table of its search has the column {found.vector}")
        key = found.key or asking.column(alias, step.key or str(row[8]))
        plan = self._run(step, f"EXPLAIN (FORMAT JSON) {sql}", values, {}, role=step.role)
        scan, late = asking.scan(plan.rows[0][0]) if plan.rows else (None, False)
        index = lists = ""
        if scan is not None:
            named = self._run(step, asking.INDEX, [table, scan["Index Name"]], {}, role=step.role)
            index, lists = (str(named.rows[0][0]), str(named.rows[0][1] or "")) if named.rows else ("", "")
        index = index if index in asking.BREADTHS else ""
        name, usual, breadths = asking.BREADTHS.get(index, ("", 0, ()))
        in_force = {"hnsw": row[4], "ivfflat": row[5]}.get(index)
        if index == "ivfflat" and (match := re.search(r"lists=(\d+)", lists)):
            breadths = (*(one for one in breadths if one < int(match[1])), int(match[1]))
        outer = whole or found
        limit, offset = (self._number(step, text, values) for text in (outer.limit, outer.offset))
        written = [inlined(f"SELECT {text}", values).removeprefix("SELECT ") for text in outer.conditions]
        conditions = [Condition(text, (*fields, *json_fields(text)),
                                ranks=whole is not None and bool(fields) and set(fields) <= whole.ranks)
                      for text, fields in zip(written, outer.fields, strict=True)]  # fmt: skip
        if row[3]:
            conditions.append(Condition(f"row security of {row[0]}.{row[1]}", (), policy=True))
        retrieval = Retrieval(
            step=step.id,
            store=step.store,
            place=f"{row[0]}.{row[1]}",
            limit=limit,
            offset=offset,
            key=key,
            vector=found.vector,
            index=index,
            breadth=int(in_force or usual),
            breadths=breadths,
            breadth_name=name,
            late=late,
            bounded=f"hnsw.max_scan_tuples = {row[7] or 20000}" if (row[6] or "off") != "off" else "",
            conditions=tuple(conditions),
            dimensions=self._dimensions(step, found.asked, values) if found.whole else None,
            composed=whole is not None,
            vectors=tuple(map(str, row[10])) if whole is None and isinstance(row[10], list) else (),
            distance=distance_of(found.score) if whole is None else "",
            compressed=whole.reranks if whole is not None else "",
        )
        quoted = f"{asking.quoted(row[0])}.{asking.quoted(row[1])}"
        known = _Known(step, found, values, quoted, alias, key, str(row[9] or ""), retrieval, whole)
        self._same(known, read=read)
        return known

    def _same(self, known: _Known, *, read: bool) -> None:
        """Raises Refused when what was made of the statement does not run, or gives other ids than a function."""
        step = known.step
        made = self._asked(known, Asked(limit=known.retrieval.last))
        if made.error is not None and (read or "/" in step.id or self._runner.run(step).error is None):
            raise Refused(f"asked in pieces it fails: {made.error}")
        if read:
            own = self._runner.run(step)
            place = own.columns.index(step.key) if step.key in own.columns else 0
            if not {str(row[place]) for row in own.rows} <= set(made.ids):
                raise Refused("its function gives other ids than the search that is read of it")

    def _number(self, step: SqlStep, text: str, values: Sequence[Any] | None) -> int:
        if re.fullmatch(r"\d+", text):
            return int(text)
        said = self._run(step, f"SELECT ({text})::pg_catalog.int4", values, {}, role=step.role)
        if said.rows and said.rows[0][0] is None:  # LIMIT NULL, as LIMIT ALL, leaves nothing out
            return EVERY
        if not said.rows or not isinstance(said.rows[0][0], int):
            raise Refused("its LIMIT is no number")
        return int(said.rows[0][0])

    def _dimensions(self, step: SqlStep, text: str, values: Sequence[Any] | None) -> int | None:
        said = self._run(step, f"SELECT ({text})::pg_catalog.text", values, {}, role=step.role)
        vector = asking.numbers(said.rows[0][0]) if said.rows else None
        return len(vector) if vector else None


def _column(key: str) -> str:
    """The column that a key is; '' for an expression."""
    import postgast

    named = list(pieces.columns(postgast.parse(f"SELECT {key}")))
    return named[0][1] if len(named) == 1 else ""


def _own(known: _Known) -> bool:
    """Whether the key is a column of the searched table itself."""
    import postgast

    named = list(pieces.columns(postgast.parse(f"SELECT {known.key}")))
    alone = len(known.search.relations) == 1
    return bool(named) and all(one == known.alias or (not one and alone) for one, _ in named)


def _read(sql: str, key: str | None) -> tuple[Whole | None, Search]:
    """The statement as a whole, where it is one, and its search. Raises Refused."""
    parse(sql)  # bounded: the library's own parser takes any text
    sql = bounded(separated(sql))
    whole = whole_of(sql, key)
    return whole, search_of(sql, key) if whole is None or whole.arms else compared_of(sql, key)


def _pieces(known: _Known, asked: Asked, numbered: int) -> str:
    """The search put together again; ids that it is restricted to are `$numbered`."""
    found, retrieval = known.search, known.retrieval
    conditions = [text for number, text in enumerate(found.conditions) if number not in asked.without]
    if numbered > len(known.values or ()):
        one_of = f"({known.key})::pg_catalog.text OPERATOR(pg_catalog.=) ANY (${numbered})"
        conditions.append(one_of if asked.excluded is None else f"NOT ({one_of})")
    limit, offset = (asked.limit, 0) if asked.limit is not None else (retrieval.limit, retrieval.offset)
    score = found.score
    if asked.using is not None or asked.distance is not None:
        score = measured(score, found.vector, asked.using, asked.distance)
    rest = f" OFFSET {offset}" if offset else ""
    return asking.select(
        f"{known.key} AS id, {score} AS score",
        found.tables,
        [*found.joins, *conditions],
        f"ORDER BY {score}{' DESC' if found.descending else ''} LIMIT {limit}{rest}",
    )


@contextmanager
def examiner(endpoint: Endpoint) -> Iterator[PostgresExaminer]:
    """An examiner of a branch's server; each question is a session of its own."""
    yield PostgresExaminer(endpoint)


def _said(step: SqlStep) -> dict[str, str]:
    return {**step.settings, **step.local}
