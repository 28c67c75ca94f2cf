"""What a loop of PL/pgSQL does with the rows that it is about, read from its parsed body."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["LOOPS", "arms", "around", "asks", "fetched", "gives_on", "literal"]

LOOPS = ("loop", "while", "fori", "fors", "forc", "foreach_a", "dynfors")
_PREFIX = "PLpgSQL_stmt_"


def _every(body: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Each statement, those within others, too."""
    for statement in body:
        kind, one = next(iter(statement.items()))
        yield kind.removeprefix(_PREFIX), one
        yield from _every(one.get("body", ()))
        if kind.removeprefix(_PREFIX) in ("if", "case"):
            for _, inner in arms(one):
                yield from _every(inner)


def arms(one: Any) -> Iterator[tuple[str, Sequence[Any]]]:
    """The arms of an IF or CASE, each with its condition; that of ELSE is ''."""
    if "cond" in one:
        yield _text(one["cond"]), one.get("then_body", ())
    for arm in one.get("elsif_list", ()):
        yield _text(arm["PLpgSQL_if_elsif"]["cond"]), arm["PLpgSQL_if_elsif"].get("stmts", ())
    for arm in one.get("case_when_list", ()):
        yield _text(arm["PLpgSQL_case_when"]["expr"]), arm["PLpgSQL_case_when"].get("stmts", ())
    for name in ("else_body", "else_stmts"):
        if name in one:
            yield "", one[name]


def gives_on(body: Sequence[Any]) -> bool:
    """Whether a body returns rows one by one."""
    return any(kind == "return_next" for kind, _ in _every(body))


def asks(body: Sequence[Any]) -> bool:
    """Whether a body returns the rows of further queries."""
    return any(kind == "return_query" for kind, _ in _every(body))


def fetched(body: Sequence[Any]) -> tuple[int, ...]:
    """The cursors that a loop's turns fetch from, each once; none when one is moved in them."""
    found = [one for kind, one in _every(body) if kind == "fetch"]
    if any(one.get("is_move") or one.get("direction") or one.get("how_many", 1) != 1 for one in found):
        return ()
    return tuple(dict.fromkeys(int(one["curvar"]) for one in found))


def around(body: Sequence[Any]) -> Iterator[str]:
    """The conditions that decide whether a row is given on, with their lines."""
    for kind, one in _every(body):
        said = _text(one.get("cond"))
        if said and kind in ("if", "exit") and "found" not in said.lower().split():
            word = "IF" if kind == "if" else "EXIT WHEN" if one.get("is_exit") else "CONTINUE WHEN"
            yield f"{word} {said} (line {one.get('lineno', '?')})"
        for arm in one.get("elsif_list", ()):
            inner = arm["PLpgSQL_if_elsif"]
            yield f"ELSIF {_text(inner.get('cond'))} (line {inner.get('lineno', '?')})"
        of = _text(one.get("t_expr"))
        for arm in one.get("case_when_list", ()):
            inner = arm["PLpgSQL_case_when"]
            said = re.sub(r'"?__Case__Variable_\d+__"?', of, _text(inner.get("expr")))
            yield f"CASE WHEN {said} (line {inner.get('lineno', '?')})"


def _text(expression: Any) -> str:
    return str(expression["PLpgSQL_expr"]["query"]) if expression else ""


def literal(value: Any) -> str:
    """A value as SQL has it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool | int | float):
        return str(value).lower()
    text = "{" + ",".join(map(str, value)) + "}" if isinstance(value, list) else str(value)
    return "'" + text.replace("'", "''") + "'"
