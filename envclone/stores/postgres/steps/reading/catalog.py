"""What stands behind the names of a statement in production's catalog: functions, views, policies, operators, casts.

The server resolves a name by its search path and the arguments' types; here every function of that name counts, in any
schema, so that what the server chooses is among what was judged. All is asked over a session of its own, which has no
search path of production's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from envclone.stores.postgres.steps.reading import known, questions
from envclone.stores.postgres.steps.reading.grammar import Refused
from envclone.stores.postgres.steps.reading.statement import (
    Name,
    Uses,
    of_expression,
    of_function_body,
    of_plpgsql,
    of_statement,
)

if TYPE_CHECKING:
    import psycopg

__all__ = ["Catalog"]

_MOST = 50_000
"""The most functions and relations behind one statement that are looked at."""
_FIRST_OF_USERS = 16384


class Catalog:
    """Judges statements by the catalog of the database that `conn` is connected to.

    `allowed` are functions that the operator vouches for, as `schema.name` or `name`: they are not looked into.
    """

    def __init__(self, conn: psycopg.Connection[Any], allowed: Collection[str] = ()) -> None:
        self._conn = conn
        self._allowed = frozenset(allowed)
        self._seen: set[Any] = set()
        self._problems: dict[str, None] = {}
        self._implicit = False

    def problems(self, uses: Uses) -> list[str]:
        """Why a statement that uses this may not run, in words; empty when it may."""
        self._seen, self._problems = set(), {}
        pending: list[tuple[str, Uses]] = [("", uses)]
        pending += [(via, found) for via, found in self._of_implicit()]
        while pending:
            via, one = pending.pop()
            try:
                pending += self._step(via, one)
            except Refused as exc:
                self._problem(via, str(exc))
            if len(self._seen) > _MOST:
                self._problem("", f"more than {_MOST} functions and relations stand behind it")
                break
        return list(self._problems)

    def _step(self, via: str, uses: Uses) -> Iterator[tuple[str, Uses]]:
        functions = self._new(uses.functions, "function")
        shadows = self._new(uses.shadows, "shadow")
        notation = self._new(uses.notation, "notation")
        operators = self._new(uses.operators, "operator")
        relations = self._new(uses.relations, "relation")
        if functions or shadows or notation:
            found: set[str] = set()
            names = sorted({name for _, name in functions} | set(shadows) | set(notation))
            wanted = set(functions)
            for row in self._ask(questions.FUNCTIONS, [names]):
                function = questions.Function(*row)
                found.add(function.name)
                called = ("", function.name) in wanted or (function.schema, function.name) in wanted
                column = function.name in notation and function.least <= 1 <= function.most
                shadow = function.name in shadows and function.oid >= _FIRST_OF_USERS
                if called or column or shadow:
                    yield from self._function(via, function)
            for _, name in functions:
                if name not in found and known.acts(name):
                    self._problem(via, f"{name} acts outside the transaction")
        if operators:
            yield from self._by_oid(via, (oid for (oid,) in self._ask(questions.OPERATORS, [sorted(operators)])))
        if relations:
            yield from self._relations(via, relations)

    def _function(self, via: str, function: questions.Function) -> Iterator[tuple[str, Uses]]:
        if ("oid", function.oid) in self._seen:
            return
        self._seen.add(("oid", function.oid))
        title = f"{function.schema}.{function.name}"
        own = function.oid >= _FIRST_OF_USERS
        if own and not self._allowed.isdisjoint((title, function.name)):
            return
        path = f"{via} → {title}" if via else title
        if function.kind == "p":
            return  # a procedure: only CALL runs it
        if (not own or function.extension) and known.acts(function.name):
            self._problem(path, "acts outside the transaction")
            return
        atomic = not own or function.extension
        if atomic and function.volatile and not known.tells(function.name, extension=own):
            self._problem(path, f"is volatile{' and of an extension' if own else ''}, and may act")
            return
        for setting in function.config or ():
            name = setting.partition("=")[0]
            if not known.may_be_set(name):
                self._problem(path, f"sets '{name}' when it is called")
                return
        if function.kind == "a":
            yield from self._by_oid(path, (oid for (oid,) in self._ask(questions.OF_AGGREGATES, [[function.oid]])))
            return
        try:
            yield from self._body(path, function, own)
        except Refused as exc:
            self._problem(path, str(exc))

    def _body(self, path: str, function: questions.Function, own: bool) -> Iterator[tuple[str, Uses]]:
        if function.defaults:
            for uses in _expressions(function.defaults):
                yield path, uses
        if function.language == "sql":
            yield path, of_function_body(function.sqlbody or function.source)
        elif function.language == "plpgsql":
            (definition,) = self._one(questions.DEFINITION, [function.oid])
            yield path, of_plpgsql(definition, function.source)
        elif function.language == "internal":
            if own:  # another name for one of the server's own
                for row in self._ask(questions.BY_SOURCE, [function.source]):
                    yield from self._function(path, questions.Function(*row))
        elif function.language != "c" or (own and not function.extension):
            self._problem(path, f"is written in {function.language}, which cannot be looked into")

    def _by_oid(self, via: str, oids: Iterable[int]) -> Iterator[tuple[str, Uses]]:
        wanted = sorted({oid for oid in oids if ("oid", oid) not in self._seen})
        if wanted:
            for row in self._ask(questions.FUNCTIONS_BY_OID, [wanted]):
                yield from self._function(via, questions.Function(*row))

    def _relations(self, via: str, names: Collection[Name]) -> Iterator[tuple[str, Uses]]:
        rows = self._ask(questions.RELATIONS, [sorted({name for _, name in names})])
        oids = [oid for oid, schema, name, _ in rows if ("", name) in names or (schema, name) in names]
        family = [oid for (oid,) in self._ask(questions.FAMILY, [oids])] if oids else []
        known_oids = [oid for oid in family if ("relation", oid) not in self._seen]
        self._seen.update(("relation", oid) for oid in known_oids)
        if not known_oids:
            return
        for schema, name, kind, definition in self._ask(questions.DEFINITIONS, [known_oids]):
            title = f"{schema}.{name}"
            path = f"{via} → {title}" if via else title
            if kind == "f":
                self._problem(path, "is a foreign table: reading it acts on another server, or runs a program")
            elif definition:
                try:
                    yield path, of_statement(definition)
                except Refused as exc:
                    self._problem(path, f"cannot be judged: {exc}")
        for schema, name, what, text in self._ask(questions.EXPRESSIONS, [known_oids] * 5):
            if ("text", text) in self._seen:  # a thousand partitions have the same constraint
                continue
            self._seen.add(("text", text))
            path = " → ".join(part for part in (via, f"{what} of {schema}.{name}") if part)
            try:
                for uses in _expressions(text):
                    yield path, uses
            except Refused as exc:
                self._problem(path, f"cannot be judged: {exc}")

    def _of_implicit(self) -> Iterator[tuple[str, Uses]]:
        """What runs without being named: casts, operator classes, ranges and domains that production made itself."""
        yield from self._by_oid("a cast, an operator class or a range", (o for (o,) in self._ask(questions.IMPLICIT)))
        for schema, name, text in self._ask(questions.DOMAINS):
            try:
                yield f"domain {schema}.{name}", of_expression(re.sub(r"^CHECK\s*|\s+NOT VALID$", "", text))
            except Refused as exc:
                self._problem(f"domain {schema}.{name}", f"cannot be judged: {exc}")

    def _new(self, names: Collection[Any], what: str) -> list[Any]:
        found = [name for name in names if (what, name) not in self._seen]
        self._seen.update((what, name) for name in found)
        return found

    def _problem(self, path: str, why: str) -> None:
        self._problems[f"{path}: {why}" if path else why] = None

    def _ask(self, question: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        return self._conn.execute(question, parameters).fetchall()

    def _one(self, question: str, parameters: list[Any]) -> tuple[Any, ...]:
        return self._ask(question, parameters)[0]


def _expressions(text: str) -> Iterator[Uses]:
    """An expression, or a list of several between commas, as the catalog prints them."""
    yield of_expression(f"ROW({text})")
