"""What a loop of PL/pgSQL does with the rows that it is about, read from its parsed body."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["LOOPS", "around", "asks", "fetched", "gives_on", "literal"]

LOOPS = ("loop", "while", "fori", "fors", "forc", "foreach_a", "dynfors")
_PREFIX = "PLpgSQL_stmt_"


def _every(body: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Each statement, those within others, too."""
    for statement in body:
        kind, one = next(iter(statement.items()))
        yield kind.removeprefix(_PREFIX), one
        for name in ("body", "then_body", "else_body"):
            yield from _every(one.get(name, ()))
        for arm in one.get("elsif_list", ()):
            yield from _every(arm["PLpgSQL_if_elsif"].get("stmts", ()))


def gives_on(body: Sequence[Any]) -> bool:
    """Whether a body returns rows one by one."""
    return any(kind == "return_next" for kind, _ in _every(body))


def asks(body: Sequence[Any]) -> bool:
    """Whether a body returns the rows of further queries."""
    return any(kind == "return_query" for kind, _ in _every(body))


def fetched(body: Sequence[Any]) -> Any | None:
    """The FETCH at the beginning of a loop's turn."""
    return next((one for kind, one in _every(body) if kind == "fetch" and not one.get("is_move")), None)


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
