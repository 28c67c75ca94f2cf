"""Asks a branch's PostgreSQL what a recorded search would have given otherwise: read-only, as the role that it had."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from envclone.address import Address
from envclone.errors import EnvcloneError
from envclone.incidents.bundle import SqlStep, Step
from envclone.models import Asked, Condition, Endpoint, Hits, Record, Retrieval, StepResult
from envclone.stores.postgres.examine.statement import Search, inlined, renumbered, search_of
from envclone.stores.postgres.steps.execute import sent
from envclone.stores.postgres.steps.reading.grammar import Refused
from envclone.stores.postgres.steps.runner import PostgresRunner

__all__ = ["PostgresExaminer", "examiner"]

_EXACT = {"enable_indexscan": "off", "enable_indexonlyscan": "off"}
_BY_INDEX = {"enable_seqscan": "off", "enable_sort": "off"}
_BREADTHS = {
    "hnsw": ("hnsw.ef_search", 40, (10, 20, 40, 80, 100, 200, 400, 800, 1000)),
    "ivfflat": ("ivfflat.probes", 1, (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)),
}
"""The setting, its default (pgvector's documentation), and values that are tried."""
_UNBOUNDED = {
    "hnsw": {
        "hnsw.iterative_scan": "strict_order",
        "hnsw.max_scan_tuples": "2147483647",
        "hnsw.scan_mem_multiplier": "100",
    },
    "ivfflat": {"ivfflat.iterative_scan": "relaxed_order", "ivfflat.max_probes": "32768"},
}
_VECTOR = re.compile(r"[\[{]?([-+0-9.eE,\s]*)[\]}]?")
_TABLE = """
    SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text, a.attname::pg_catalog.text,
           pg_catalog.row_security_active(c.oid),
           pg_catalog.current_setting('hnsw.ef_search', true), pg_catalog.current_setting('ivfflat.probes', true),
           pg_catalog.current_setting('hnsw.iterative_scan', true),
           pg_catalog.current_setting('hnsw.max_scan_tuples', true),
           (SELECT f.attname::pg_catalog.text FROM pg_catalog.pg_attribute f
            WHERE f.attrelid OPERATOR(pg_catalog.=) c.oid AND f.attnum OPERATOR(pg_catalog.>) 0 AND NOT f.attisdropped
            ORDER BY f.attnum LIMIT 1),
           (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(s), ', ')
            FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) s)
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.oid
    WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($1) AND a.attname OPERATOR(pg_catalog.=) $2
"""
_INDEX = """
    SELECT m.amname::pg_catalog.text, pg_catalog.array_to_string(i.reloptions, ',')
    FROM pg_catalog.pg_index x
    JOIN pg_catalog.pg_class i ON i.oid OPERATOR(pg_catalog.=) x.indexrelid
    JOIN pg_catalog.pg_am m ON m.oid OPERATOR(pg_catalog.=) i.relam
    WHERE x.indrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($1) AND i.relname OPERATOR(pg_catalog.=) $2
"""

_READER = """
    SELECT r.rolname::pg_catalog.text FROM pg_catalog.pg_roles r
    WHERE r.rolbypassrls AND r.rolcanlogin AND NOT r.rolsuper
      AND pg_catalog.has_table_privilege(r.oid, pg_catalog.to_regclass($1), 'SELECT')
    ORDER BY 1 LIMIT 1
"""
"""An ordinary role that no policy binds, such as production's superuser is in a branch."""


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

    def search(self, step: Step, asked: Asked) -> Hits:
        """The step's own search under other settings, with other bounds or without some conditions."""
        known = self._of(step)
        if not isinstance(known, _Known) or not isinstance(step, SqlStep):
            return Hits(error=self.retrieval(step).why_not)
        found, retrieval = known.search, known.retrieval
        conditions = [text for number, text in enumerate(found.conditions) if number not in asked.without]
        values = list(known.values or ())
        if asked.only is not None:
            values.append(list(asked.only))
            conditions.append(f"({known.key})::pg_catalog.text OPERATOR(pg_catalog.=) ANY (${len(values)})")
        direction = " DESC" if found.descending else ""
        limit, offset = (asked.limit, 0) if asked.limit is not None else (retrieval.limit, retrieval.offset)
        text = _select(
            f"{known.key} AS id, {found.score} AS score",
            found.tables,
            [*found.joins, *conditions],
            f"ORDER BY {found.score}{direction} LIMIT {limit}{f' OFFSET {offset}' if offset else ''}",
        )
        above = any(one.policy and number in asked.without for number, one in enumerate(retrieval.conditions))
        settings = self._settings(retrieval, asked)
        path = {"search_path": known.path} if above and known.path else {}
        role = self._reader(known.table) if above else step.role
        result = self._run(step, text, values, {**settings, **path}, role=role)
        return Hits(
            ids=tuple(str(row[0]) for row in result.rows),
            scores=tuple(float(row[1]) if isinstance(row[1], int | float) else float("nan") for row in result.rows),
            error=result.error,
            seconds=result.seconds,
            command=_command(role, {**_said(known.step), **settings}, inlined(text, values)),
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
        vector = _column(known.alias, known.search.vector)
        order = f"pg_catalog.hashtextextended(({known.key})::pg_catalog.text, 0)"
        return self._rows(known, f"{vector} IS NOT NULL", f"ORDER BY {order} LIMIT {int(most)}", None)

    def having(self, address: str, values: Sequence[str]) -> Sequence[Record]:
        """Rows whose column at `schema.table.column` has one of the values."""
        names = Address.parse(address).parts
        if len(names) != 3 or not values:
            return ()
        table, column = ".".join(map(_quoted, names[:2])), f"t.{_quoted(names[2])}"
        text = _select(
            f"{column}::pg_catalog.text, pg_catalog.to_jsonb(t)",
            f"{table} t",
            [f"{column}::pg_catalog.text OPERATOR(pg_catalog.=) ANY ($1)"],
        )
        result = self._run(None, text, [list(values)], {}, role=self._reader(table))
        return tuple(Record(str(row[0]), _fields(row[1])) for row in result.rows)

    def near(self, step: Step, ident: str) -> Sequence[str]:
        """The rows whose numbers are one less and one more."""
        if not re.fullmatch(r"\d{1,18}", ident):
            return ()
        beside = [str(int(ident) - 1), str(int(ident) + 1)]
        return tuple(one.id for one in self.records(step, beside))

    def look(self, step: Step, ident: str) -> str:
        """The statement for a row."""
        known = self._of(step)
        if not isinstance(known, _Known):
            return ""
        where = [*known.search.joins, f"({known.key})::pg_catalog.text OPERATOR(pg_catalog.=) $1"]
        return f"{inlined(_select('*', known.search.tables, where), [ident])};"

    def _rows(self, known: _Known, condition: str, rest: str, values: list[Any] | None) -> tuple[Record, ...]:
        vector = _column(known.alias, known.search.vector)
        left_out = "'" + known.search.vector.replace("'", "''") + "'"
        text = _select(
            f"{known.key} AS id, {vector}::pg_catalog.text AS vector,"
            f" pg_catalog.to_jsonb({_quoted(known.alias)}) OPERATOR(pg_catalog.-) {left_out} AS fields",
            known.search.tables,
            [*known.search.joins, condition],
            rest,
        )
        # the step's own names mean what they mean to its role; its policies do not count here
        path = {"search_path": known.path} if known.path else {}
        result = self._run(known.step, text, values, path, role=self._reader(known.table))
        if result.error is not None:
            result = self._run(known.step, text, values, {}, role=known.step.role)
        return tuple(Record(str(row[0]), _fields(row[2]), _numbers(row[1])) for row in result.rows)

    def _settings(self, retrieval: Retrieval, asked: Asked) -> dict[str, str]:
        if asked.exact or asked.only is not None:
            return dict(_EXACT)
        if not retrieval.index:
            return {}
        settings = dict(_BY_INDEX)
        if asked.breadth is not None:
            settings[retrieval.breadth_name] = str(asked.breadth)
        return settings | (_UNBOUNDED[retrieval.index] if asked.unbounded else {})

    def _reader(self, table: str) -> str | None:
        """Who sees all rows of a table, to look them up; None for the branch's own login."""
        if table not in self._readers:
            said = self._run(None, _READER, [table], {}, role=None) if self._local else StepResult()
            self._readers[table] = str(said.rows[0][0]) if said.rows else None
        return self._readers[table]

    def _run(
        self, step: Step | None, text: str, values: Sequence[Any] | None, settings: Mapping[str, str],
        *, role: str | None,
    ) -> StepResult:  # fmt: skip
        """Run a statement in a session of the step's settings, as a role; None is the branch's own login."""
        sql, used = renumbered(text, values)
        given: dict[str, Any] = {"id": step.id if step else "reference", "store": step.store if step else ""}
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
        found = search_of(sql, step.key)
        for schema, name, alias in found.relations:
            if found.qualifier not in ("", alias):
                continue
            table = ".".join(_quoted(one) for one in (schema, name) if one)
            said = self._run(step, _TABLE, [table, found.vector], {}, role=step.role)
            if said.rows:
                row = said.rows[0]
                break
        else:
            raise Refused(f"no table of its search has the column {found.vector}")
        key = found.key or _column(alias, step.key or str(row[8]))
        plan = self._run(step, f"EXPLAIN (FORMAT JSON) {sql}", values, {}, role=step.role)
        scan, late = _scan(plan.rows[0][0]) if plan.rows else (None, False)
        index = lists = ""
        if scan is not None:
            named = self._run(step, _INDEX, [table, scan["Index Name"]], {}, role=step.role)
            index, lists = (str(named.rows[0][0]), str(named.rows[0][1] or "")) if named.rows else ("", "")
        index = index if index in _BREADTHS else ""
        name, usual, breadths = _BREADTHS.get(index, ("", 0, ()))
        in_force = {"hnsw": row[4], "ivfflat": row[5]}.get(index)
        if index == "ivfflat" and (match := re.search(r"lists=(\d+)", lists)):
            breadths = (*(one for one in breadths if one < int(match[1])), int(match[1]))
        limit, offset = (self._number(step, text, values) for text in (found.limit, found.offset))
        conditions = [Condition(inlined(f"SELECT {text}", values).removeprefix("SELECT "), fields)
                      for text, fields in zip(found.conditions, found.fields, strict=True)]  # fmt: skip
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
            dimensions=self._dimensions(step, found.asked, values),
        )
        return _Known(
            step, found, values, f"{_quoted(row[0])}.{_quoted(row[1])}", alias, key, str(row[9] or ""), retrieval
        )

    def _number(self, step: SqlStep, text: str, values: Sequence[Any] | None) -> int:
        if re.fullmatch(r"\d+", text):
            return int(text)
        said = self._run(step, f"SELECT ({text})::pg_catalog.int4", values, {}, role=step.role)
        if not said.rows or not isinstance(said.rows[0][0], int):
            raise Refused("its LIMIT is no number")
        return int(said.rows[0][0])

    def _dimensions(self, step: SqlStep, text: str, values: Sequence[Any] | None) -> int | None:
        said = self._run(step, f"SELECT ({text})::pg_catalog.text", values, {}, role=step.role)
        vector = _numbers(said.rows[0][0]) if said.rows else None
        return len(vector) if vector else None


@contextmanager
def examiner(endpoint: Endpoint) -> Iterator[PostgresExaminer]:
    """An examiner of a branch's server; each question is a session of its own."""
    yield PostgresExaminer(endpoint)


def _select(targets: str, tables: str, conditions: Sequence[str], rest: str = "") -> str:
    """A statement of pieces that PostgreSQL's own grammar gave, and of quoted names."""
    where = " AND ".join(f"({one})" for one in conditions)
    return " ".join(["SELECT", targets, "FROM", tables, *(["WHERE", where] if where else []), rest]).strip()


def _scan(explained: Any) -> tuple[Mapping[str, Any] | None, bool]:
    """The scan of an index that gives the order, and whether rows are left out behind it."""
    plan = (json.loads(explained) if isinstance(explained, str) else explained)[0]["Plan"]
    pending = [(plan, False)]
    while pending:
        node, late = pending.pop()
        if node.get("Node Type") == "Index Scan" and "Order By" in node:
            return node, late or "Filter" in node
        joins = node.get("Node Type") in ("Nested Loop", "Hash Join", "Merge Join") or "Filter" in node
        pending += [(one, late or joins) for one in node.get("Plans", ())]
    return None, False


def _said(step: SqlStep) -> dict[str, str]:
    return {**step.settings, **step.local}


def _command(role: str | None, settings: Mapping[str, str], text: str) -> str:
    """What somebody pastes into psql."""
    lines = ["BEGIN READ ONLY;", *([f"SET LOCAL ROLE {_quoted(role)};"] if role else [])]
    lines += [f"SET LOCAL {name} = '{value.replace(chr(39), chr(39) * 2)}';" for name, value in settings.items()]
    return "\n".join([*lines, f"{text};", "ROLLBACK;"])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _column(alias: str, name: str) -> str:
    return f"{_quoted(alias)}.{_quoted(name)}"


def _fields(value: Any) -> Mapping[str, Any]:
    value = json.loads(value) if isinstance(value, str) else value
    return value if isinstance(value, Mapping) else {}


def _numbers(value: Any) -> tuple[float, ...] | None:
    """A vector's text as numbers; None for what is none."""
    match = _VECTOR.fullmatch(str(value)) if value is not None else None
    try:
        return tuple(float(one) for one in match[1].split(",")) if match and match[1] else None
    except ValueError:
        return None
