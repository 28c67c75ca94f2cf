"""Cursors of a function in PL/pgSQL: where each stands, and the rows that are read from it as one query."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from envclone.stores.postgres.examine import statement as pieces
from envclone.stores.postgres.steps.reading.grammar import Refused

__all__ = ["Cursor", "between", "moved"]

_DIRECTIONS = ("forward", "backward", "absolute", "relative")
_MOST = 1 << 31


@dataclass(slots=True)
class Cursor:
    """A query, its line, how many of its rows were passed, and how many of those from which on were given on."""

    query: str
    line: int
    at: int = 0
    given: int = 0


def moved(cursor: Cursor, one: Any, value: Callable[[str], Any]) -> int:
    """Pass the rows that a FETCH or MOVE passes; the place of the last one. Raises Refused for a way back."""
    said = one.get("expr", {}).get("PLpgSQL_expr", {}).get("query")
    many = int(value(str(said)) or 0) if said else int(one.get("how_many", 1))
    way = _DIRECTIONS[int(one.get("direction", 0))]
    place = many if way == "absolute" else cursor.at + many
    if way == "backward" or place < cursor.at:
        raise Refused(f"its function in PL/pgSQL reads a cursor backwards (line {one.get('lineno', '?')})")
    cursor.at = min(place, _MOST)
    return cursor.at


def between(query: str, first: int, last: int | str | None) -> str:
    """The query for the rows behind the first so many, up to a last place (None: all of them)."""
    import postgast

    if not first and last is None:
        return query
    tree = postgast.parse(query)
    select = tree.stmts[0].stmt.select_stmt
    own = pieces.text(select.limit_count) if select.HasField("limit_count") else ""
    offset = pieces.text(select.limit_offset) if select.HasField("limit_offset") else "0"
    least = [f"(({own}) OPERATOR(pg_catalog.-) {first})"] if own else []
    least += [f"(({last}) OPERATOR(pg_catalog.-) {first})"] if last is not None else []
    if least:
        text = least[0] if len(least) == 1 else f"LEAST({', '.join(least)})"
        select.limit_count.CopyFrom(_expression(f"GREATEST({text}, 0)::pg_catalog.int4"))
        select.limit_option = 2  # LIMIT_OPTION_COUNT
    if first:
        select.limit_offset.CopyFrom(_expression(f"(({offset}) OPERATOR(pg_catalog.+) {first})::pg_catalog.int4"))
    return str(postgast.deparse(tree))


def _expression(text: str) -> Any:
    import postgast

    return postgast.parse(f"SELECT {text}").stmts[0].stmt.select_stmt.target_list[0].res_target.val
