"""What a function in PL/pgSQL asks when it is called so: its choices followed, its EXECUTE put together.

Every expression is evaluated by the branch, read-only and as the step's role. What cannot be followed is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from envclone.stores.postgres.examine import asking
from envclone.stores.postgres.examine import statement as pieces
from envclone.stores.postgres.examine.cursors import Cursor, between, moved
from envclone.stores.postgres.examine.loops import LOOPS, arms, around, asks, fetched, gives_on, literal
from envclone.stores.postgres.steps.reading.grammar import Refused, parse

__all__ = ["Followed", "substituted"]

_ASSIGNED = re.compile(r"\s*[\w.\"]+\s*:?=")
_FOUND = re.compile(r"\bfound\b", re.IGNORECASE)
_TURNS = 40
"""How often a loop is gone through."""
_MOST = 400
"""Statements that are followed."""

Value = Callable[[str], Any]
"""The value of an expression as text."""


class Followed:
    """A body, run as far as its statements only choose: the queries that it returns, and the settings that it makes.

    `arguments` are expressions by name. A loop over the rows of a query that gives rows on is that query, and what it
    gives them on by is in `around`, with its line; any other is gone through. `lines` are where the queries stand.
    Raises Refused for what writes.
    """

    def __init__(self, tree: Any, name: str, arguments: Mapping[str, str], ask: Callable[[str], Sequence[Any]]) -> None:
        self.queries: list[str] = []
        self.settings: dict[str, str] = {}
        self.around: list[str] = []
        self.lines: list[int] = []
        self._cursors: dict[int, Cursor] = {}
        self._bound: dict[int, Any] = {}
        self._fetched: Cursor | None = None
        self._name, self._ask, self._left, self._last = name, ask, _MOST, ""
        self._known = dict(arguments)
        function = tree[0]["PLpgSQL_function"]
        self._datums = function.get("datums", ())
        self._variables: list[tuple[str, str]] = []
        for datum in function.get("datums", ()):
            kind, one = next(iter(datum.items()))
            of_type = str(one.get("datatype", {}).get("PLpgSQL_type", {}).get("typname", ""))
            self._variables.append((str(one.get("refname", "")), of_type))
            if bound := one.get("cursor_explicit_expr"):
                self._cursors[len(self._variables) - 1] = Cursor(_query(bound), int(one.get("lineno", 0)))
                self._bound[len(self._variables) - 1] = one
            elif kind == "PLpgSQL_var" and "lineno" in one:
                given = one.get("default_val", {}).get("PLpgSQL_expr", {}).get("query")
                self._set(len(self._variables) - 1, self._value(given) if given else None)
        self._run([function["action"]])
        for number in self._cursors:
            self._closed(number)

    def _closed(self, number: int) -> None:
        """The rows that were fetched one by one, and given on."""
        cursor = self._cursors[number]
        if cursor.given:
            self._returned(between(self._said(cursor), 0, cursor.given), cursor.line)

    def _opened(self, one: Any) -> None:
        """A bound cursor begins anew, with the values of its arguments now."""
        number = one.get("curvar", -1)
        bound = self._bound.get(number)
        if bound is None:
            return
        self._closed(number)
        query = _query(bound["cursor_explicit_expr"])
        if said := one.get("argquery"):
            whole = substituted(f"SELECT {_query(said)}", self._name, self._known)
            row = self._datums[bound["cursor_explicit_argrow"]]["PLpgSQL_row"]["fields"]
            for field, value in zip(row, self._ask(whole)[0], strict=True):
                self._set(field["varno"], value)
            query = substituted(query, self._name, {f["name"]: self._known[f["name"]] for f in row})
        self._cursors[number] = Cursor(query, int(bound.get("lineno", 0)))

    def _run(self, statements: Sequence[Any]) -> str:
        """Follow statements; how they were left: `return`, `exit` or `continue`, '' behind the last one."""
        for statement in statements:
            kind, one = next(iter(statement.items()))
            kind = kind.removeprefix("PLpgSQL_stmt_")
            self._left -= 1
            if self._left < 0:
                raise Refused("its function in PL/pgSQL does too much to be followed")
            if kind == "return":
                return "return"
            if kind == "exit":
                if "cond" not in one or self._value(_query(one["cond"])) == "true":
                    return "exit" if one.get("is_exit") else "continue"
                continue
            inner = self._inner(kind, one)
            left = self._run(inner) if inner is not None else self._loop(kind, one) if kind in LOOPS else ""
            if left:
                return left
            if inner is None and kind not in LOOPS:
                self._do(kind, one)
        return ""

    def _inner(self, kind: str, one: Any) -> Sequence[Any] | None:
        if kind == "block":
            return list(one.get("body", ()))
        return self._chosen(kind, one) if kind in ("if", "case") else None

    def _loop(self, kind: str, one: Any) -> str:
        """Go through a loop; one that gives on the rows of a query is the query."""
        body = list(one.get("body", ()))
        given = self._looked(kind, one)
        read = [self._cursor(number, one) for number in fetched(body)] if given is None else []
        if gives_on(body) and not asks(body) and (given is not None or read):
            if given is not None:
                self._returned(*given)
            for cursor in read:
                self._returned(between(self._said(cursor), cursor.at, self._last_of(kind, one, cursor)), cursor.line)
            self.around += around(body)
            return ""
        for values in self._turns(kind, one, given):
            for name, value in values.items():
                self._known[name] = value
            left = self._run(body)
            if left in ("return", "exit"):
                return left if left == "return" else ""
        return ""

    def _looked(self, kind: str, one: Any) -> tuple[str, int] | None:
        """The query whose rows a loop is about, and its line; None for one that counts, or fetches."""
        line = int(one.get("lineno", 0))
        if kind == "fors":
            return substituted(_query(one["query"]), self._name, self._known), line
        if kind == "dynfors":
            return self._dynamic(one["query"], one.get("params", ())), line
        if kind == "forc":
            self._opened(one)
            cursor = self._cursor(one.get("curvar", -1), one)
            return between(self._said(cursor), cursor.at, None), cursor.line
        return None

    def _last_of(self, kind: str, one: Any, cursor: Cursor) -> str | None:
        """The place of the last row that a loop can fetch; None where it does not count."""
        if kind != "fori":
            return None
        first, last = (self._written(_query(one[end])) for end in ("lower", "upper"))
        return f"{cursor.at} + ({last}) - ({first}) + 1"

    def _cursor(self, number: int, one: Any) -> Cursor:
        if number not in self._cursors:
            line = one.get("lineno", "?")
            raise Refused(f"its function in PL/pgSQL reads a cursor that it did not open (line {line})")
        return self._cursors[number]

    def _said(self, cursor: Cursor) -> str:
        return substituted(cursor.query, self._name, self._known)

    def _fetch(self, one: Any) -> None:
        """A FETCH or MOVE outside of a loop that gives on what it fetches."""
        cursor = self._cursor(one.get("curvar", -1), one)
        place = moved(cursor, one, self._value)
        if one.get("is_move"):
            return
        rows = self._ask(asking.select("*", f"({between(self._said(cursor), place - 1, place)}) q", []))
        self._fetched = cursor if rows else None
        self._known["found"] = "true" if rows else "false"
        self._last = ""
        row, record = one["target"].get("PLpgSQL_row"), one["target"].get("PLpgSQL_rec")
        if record is not None:
            text = asking.select("pg_catalog.to_jsonb(q)::pg_catalog.text",
                                 f"({between(self._said(cursor), place - 1, place)}) q", [])  # fmt: skip
            for (values,) in self._ask(text):
                for field, value in json.loads(values).items():
                    self._known[f"{record['refname']}.{field}"] = literal(value)
        for number, field in enumerate(row.get("fields", ()) if row else ()):
            self._set(field["varno"], rows[0][number] if rows else None)

    def _turns(self, kind: str, one: Any, given: tuple[str, int] | None) -> Iterator[dict[str, str]]:
        """What is set before each turn of a loop."""
        if given is not None:
            name = str(next(iter(one.get("var", {"": {}}).values())).get("refname", ""))
            rows = asking.select("pg_catalog.to_jsonb(q)::pg_catalog.text", f"({given[0]}) q", [], f"LIMIT {_TURNS}")
            for (row,) in self._ask(rows):
                yield {f"{name}.{field}": literal(value) for field, value in json.loads(row).items()}
        elif kind == "fori":
            name = str(one["var"]["PLpgSQL_var"]["refname"])
            ends = [self._value(_query(one[end])) for end in ("lower", "upper")]
            if None in ends:
                raise Refused(f"its function in PL/pgSQL counts to nothing (line {one.get('lineno', '?')})")
            first, last = map(int, ends)
            for number in range(first, min(last, first + _TURNS) + 1):
                yield {name: f"({number})"}
        elif kind == "foreach_a":
            name, of_type = self._variables[one["varno"]]
            listed = self._value(f"pg_catalog.to_jsonb({_query(one['expr'])})")
            for value in json.loads(listed or "[]")[:_TURNS]:
                yield {name: f"({literal(value)})::{of_type}" if of_type else literal(value)}
        else:
            for _ in range(_TURNS):
                if kind == "while" and self._value(_query(one["cond"])) != "true":
                    return
                yield {}

    def _dynamic(self, query: Any, params: Sequence[Any]) -> str:
        text = self._value(_query(query))
        given = {str(n): self._written(_query(param)) for n, param in enumerate(params, 1)}
        return substituted(str(text), "", {n: f"({value})" for n, value in given.items()})

    def _returned(self, query: str, line: int) -> None:
        if query not in self.queries:
            self.queries.append(query)
            self.lines.append(line)
        self._last = query

    def _counted(self) -> int:
        """How many rows the query gives that was returned last."""
        if not self._last:
            return 0
        return int(self._ask(asking.select("pg_catalog.count(*)", f"({self._last}) q", []))[0][0])

    def _chosen(self, kind: str, one: Any) -> Sequence[Any]:
        if "t_expr" in one:
            self._known[self._variables[one["t_varno"]][0]] = f"({self._written(_query(one['t_expr']))})"
        for condition, body in arms(one):
            if not condition or self._value(condition) == "true":
                return list(body)
        if kind == "case":
            raise Refused(
                f"its function in PL/pgSQL has a CASE of which no arm is right (line {one.get('lineno', '?')})"
            )
        return ()

    def _do(self, kind: str, one: Any) -> None:
        if kind in ("raise", "close", "assert"):
            return
        if kind == "return_next" and self._variables:
            if self._fetched is not None:
                self._fetched.given = self._fetched.at
        elif kind == "fetch":
            self._fetch(one)
        elif kind == "assign":
            self._set(one["varno"], self._value(_ASSIGNED.sub("", _query(one["expr"]), count=1)))
        elif kind == "return_query" and "dynquery" in one:
            self._returned(self._dynamic(one["dynquery"], one.get("params", ())), int(one.get("lineno", 0)))
        elif kind == "return_query":
            self._returned(substituted(_query(one["query"]), self._name, self._known), int(one.get("lineno", 0)))
        elif kind == "open":
            line = int(one.get("lineno", 0))
            if "dynquery" in one:
                self._cursors[one["curvar"]] = Cursor(self._dynamic(one["dynquery"], one.get("params", ())), line)
            elif "query" in one:
                self._cursors[one["curvar"]] = Cursor(_query(one["query"]), line)
            else:
                self._opened(one)
        elif kind == "getdiag":
            for item in one.get("diag_items", ()):
                if item["PLpgSQL_diag_item"].get("kind") == "ROW_COUNT":
                    self._set(item["PLpgSQL_diag_item"]["target"], self._counted())
        elif kind == "perform":
            self._perform(_query(one["expr"]))
        elif kind == "execsql" and one.get("into"):
            self._into(_query(one["sqlstmt"]), one["target"])
        elif kind == "execsql":
            self._setting(_query(one["sqlstmt"]))
        elif kind == "dynexecute" and not one.get("into"):
            self._setting(str(self._value(_query(one["query"]))))
        else:
            where = f" (line {one['lineno']}: {kind})" if "lineno" in one else ""
            raise Refused(f"its function in PL/pgSQL does more than choose a query and ask it{where}")

    def _perform(self, text: str) -> None:
        """A call for its effect: of `set_config` the setting, of others there is none that a reader sees."""
        import postgast

        parse(text)
        for call in pieces.nodes(postgast.parse(text), "FuncCall"):
            if call.funcname[-1].string.sval == "set_config" and len(call.args) == 3:
                name, value = (self._value(pieces.text(one)) for one in call.args[:2])
                self.settings[str(name)] = str(value or "")

    def _setting(self, text: str) -> None:
        import postgast

        parse(text)
        tree = postgast.parse(text)
        if len(tree.stmts) != 1 or tree.stmts[0].stmt.WhichOneof("node") != "variable_set_stmt":
            raise Refused("its function in PL/pgSQL runs a statement beside its query")
        one = tree.stmts[0].stmt.variable_set_stmt
        self.settings[one.name] = ", ".join(str(self._value(pieces.text(arg))) for arg in one.args)

    def _into(self, text: str, target: Any) -> None:
        parse(text)
        rows = self._ask(substituted(text, self._name, self._known))
        fields = target.get("PLpgSQL_row", {}).get("fields", ())
        if not fields:
            raise Refused("its function in PL/pgSQL reads a row")
        for number, one in enumerate(fields):
            self._set(one["varno"], None if not rows else rows[0][number])

    def _set(self, number: int, value: Any) -> None:
        name, kind = self._variables[number]
        text = "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"
        self._known[name] = f"({text})::{kind}" if kind and kind != "UNKNOWN" else f"({text})"

    def _written(self, text: str) -> str:
        """An expression with what is known written into it."""
        whole = substituted(f"SELECT ({text})", self._name, self._known)
        return whole.removeprefix("SELECT ")

    def _value(self, text: str) -> Any:
        if _FOUND.search(text) and (self._last or "found" not in self._known):
            self._known["found"] = f"({'true' if self._counted() else 'false'})"
        rows = self._ask(f"SELECT ({self._written(text)})::pg_catalog.text")
        return rows[0][0] if rows else None


def _query(expression: Any) -> str:
    return str(expression["PLpgSQL_expr"]["query"])


def substituted(sql: str, name: str, values: Mapping[str, str]) -> str:
    """A statement with expressions in the place of parameters (`$1` by `1`) and of names, also behind `name.`."""
    import postgast

    parse(sql)
    tree = postgast.parse(sql)
    for node in list(pieces.nodes(tree, "Node")):
        kind = node.WhichOneof("node")
        if kind == "param_ref":
            value = values.get(str(node.param_ref.number))
        elif kind == "column_ref":
            names = [one.string.sval for one in node.column_ref.fields if one.WhichOneof("node") == "string"]
            local = len(names) == 1 or (len(names) == 2 and names[0] == name)
            value = values.get(names[-1]) if names and local and not names[-1].isdigit() else None
            value = values.get(".".join(names)) if value is None and len(names) == 2 else value  # a row's field
        else:
            continue
        if value is not None:
            node.CopyFrom(postgast.parse(f"SELECT {value}").stmts[0].stmt.select_stmt.target_list[0].res_target.val)
    return str(postgast.deparse(tree))
