"""What a function in PL/pgSQL asks when it is called so: its choices followed, its EXECUTE put together.

Every expression is evaluated by the branch, read-only and as the step's role. What cannot be followed is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from envclone.stores.postgres.examine import statement as pieces
from envclone.stores.postgres.steps.reading.grammar import Refused, parse

__all__ = ["Followed", "substituted"]

_ASSIGNED = re.compile(r"\s*[\w.\"]+\s*:?=")
_MOST = 200
"""Statements that are followed."""

Value = Callable[[str], Any]
"""The value of an expression as text."""


class Followed:
    """A body, run as far as its statements only choose: the queries that it returns, and the settings that it makes.

    `arguments` are expressions by name. Raises Refused for loops, cursors, and what writes.
    """

    def __init__(self, tree: Any, name: str, arguments: Mapping[str, str], ask: Callable[[str], Sequence[Any]]) -> None:
        self.queries: list[str] = []
        self.settings: dict[str, str] = {}
        self._name, self._ask, self._left = name, ask, _MOST
        self._known = dict(arguments)
        function = tree[0]["PLpgSQL_function"]
        self._variables: list[tuple[str, str]] = []
        for datum in function.get("datums", ()):
            kind, one = next(iter(datum.items()))
            of_type = str(one.get("datatype", {}).get("PLpgSQL_type", {}).get("typname", ""))
            self._variables.append((str(one.get("refname", "")), of_type))
            if kind == "PLpgSQL_var" and "lineno" in one:
                given = one.get("default_val", {}).get("PLpgSQL_expr", {}).get("query")
                self._set(len(self._variables) - 1, self._value(given) if given else None)
        self._run([function["action"]])

    def _run(self, statements: Sequence[Any]) -> bool:
        """Follow statements; whether the function returned."""
        for statement in statements:
            kind, one = next(iter(statement.items()))
            self._left -= 1
            if self._left < 0:
                raise Refused("its function in PL/pgSQL does too much to be followed")
            if kind == "PLpgSQL_stmt_return":
                return True
            if kind == "PLpgSQL_stmt_block" and self._run(one.get("body", ())):
                return True
            if kind == "PLpgSQL_stmt_if" and self._run(self._chosen(one)):
                return True
            if kind not in ("PLpgSQL_stmt_block", "PLpgSQL_stmt_if"):
                self._do(kind, one)
        return False

    def _chosen(self, one: Any) -> Sequence[Any]:
        arms = [(one["cond"], one.get("then_body", ()))]
        arms += [(arm["PLpgSQL_if_elsif"]["cond"], arm["PLpgSQL_if_elsif"].get("stmts", ()))
                 for arm in one.get("elsif_list", ())]  # fmt: skip
        for condition, body in arms:
            if self._value(_query(condition)) == "true":
                return list(body)
        return list(one.get("else_body", ()))

    def _do(self, kind: str, one: Any) -> None:
        if kind == "PLpgSQL_stmt_assign":
            self._set(one["varno"], self._value(_ASSIGNED.sub("", _query(one["expr"]), count=1)))
        elif kind == "PLpgSQL_stmt_return_query" and "dynquery" in one:
            text = self._value(_query(one["dynquery"]))
            given = {str(n): self._written(_query(param)) for n, param in enumerate(one.get("params", ()), 1)}
            self.queries.append(substituted(str(text), "", {n: f"({value})" for n, value in given.items()}))
        elif kind == "PLpgSQL_stmt_return_query":
            self.queries.append(substituted(_query(one["query"]), self._name, self._known))
        elif kind == "PLpgSQL_stmt_perform":
            self._perform(_query(one["expr"]))
        elif kind == "PLpgSQL_stmt_execsql" and one.get("into"):
            self._into(_query(one["sqlstmt"]), one["target"])
        elif kind == "PLpgSQL_stmt_execsql":
            self._setting(_query(one["sqlstmt"]))
        elif kind == "PLpgSQL_stmt_dynexecute" and not one.get("into"):
            self._setting(str(self._value(_query(one["query"]))))
        else:
            raise Refused("its function in PL/pgSQL does more than choose a query and ask it")

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
        else:
            continue
        if value is not None:
            node.CopyFrom(postgast.parse(f"SELECT {value}").stmts[0].stmt.select_stmt.target_list[0].res_target.val)
    return str(postgast.deparse(tree))
