"""A statement that reads from a view or a query, as one of their tables: their conditions are conditions, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from envclone.stores.postgres.examine import statement as pieces
from envclone.stores.postgres.steps.reading.grammar import Refused, parse

__all__ = ["VIEW", "opened"]

VIEW = """
    SELECT pg_catalog.pg_get_viewdef(c.oid) FROM pg_catalog.pg_class c
    WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($1)
      AND c.relkind OPERATOR(pg_catalog.=) 'v'::pg_catalog."char"
"""
_DEPTH = 4
"""Views of views that are opened."""

Ask = Callable[[str, Sequence[Any]], Sequence[Sequence[Any]]]


def opened(sql: str, ask: Ask) -> str:
    """The statement with each plain view and query that it reads replaced by what that reads; the same without any."""
    import postgast

    parse(sql)
    for _ in range(_DEPTH):
        tree = postgast.parse(sql)
        done = [_open(select, ask) for select in list(pieces.nodes(tree, "SelectStmt"))]
        if not any(done):
            return sql
        sql = str(postgast.deparse(tree))
        parse(sql)
    return sql


def _open(select: Any, ask: Ask) -> bool:
    """Replace the views in one query's FROM; whether there was one."""
    found = False
    places = [place for item in select.from_clause for place in _places(item)]
    taken = {_alias(place) for place in places} | {alias for _, _, alias in pieces.relations_of(select.from_clause)}
    for place in places:
        body, alias = _body(place, ask), _alias(place)
        if body is None:
            continue
        _spelled(select, alias)
        source = body.from_clause[0]
        inner = list(pieces.relations_of(body.from_clause))
        if len(inner) == 1 and source.WhichOneof("node") == "range_var":
            _qualified(body, {inner[0][2], ""}, alias)
            source.range_var.alias.aliasname = alias
        elif {own for _, _, own in inner} & (taken - {alias}):
            continue  # two tables would have one name
        columns = {_named(target): target.res_target.val for target in body.target_list}
        _replaced(select, alias, columns, alone=len(taken) == 1)
        written = pieces.conjuncts(select.where_clause) if select.HasField("where_clause") else []
        more = pieces.conjuncts(body.where_clause) if body.HasField("where_clause") else []
        if written or more:
            select.where_clause.CopyFrom(pieces.together([*written, *more]))
        place.CopyFrom(source)
        found = True
    return found


def _body(place: Any, ask: Ask) -> Any:
    """The query of a view or of a query in FROM, when it only chooses rows and columns; else None."""
    import postgast

    if place.WhichOneof("node") == "range_subselect":
        one = place.range_subselect
        if one.lateral or len(one.alias.colnames) or one.subquery.WhichOneof("node") != "select_stmt":
            return None
        tree = postgast.parse("SELECT 1")
        tree.stmts[0].stmt.select_stmt.CopyFrom(one.subquery.select_stmt)
        return _plain(str(postgast.deparse(tree)))
    one = place.range_var
    if len(one.alias.colnames):
        return None
    name = ".".join('"' + part.replace('"', '""') + '"' for part in (one.schemaname, one.relname) if part)
    rows = ask(VIEW, [name])
    return _plain(str(rows[0][0])) if rows else None


def _alias(place: Any) -> str:
    one = getattr(place, place.WhichOneof("node"))
    return str(one.alias.aliasname if one.HasField("alias") else getattr(one, "relname", ""))


def _spelled(select: Any, alias: str) -> None:
    """`USING` of a join with it as `ON`: its columns have other names behind it."""
    import postgast

    for join in pieces.nodes(select, "JoinExpr"):
        sides = [list(_places(one)) for one in (join.larg, join.rarg)]
        if not len(join.using_clause) or any(len(one) != 1 for one in sides):
            continue
        left, right = (_alias(one[0]) for one in sides)
        if alias not in (left, right):
            continue
        pairs = [f'"{left}"."{one.string.sval}" = "{right}"."{one.string.sval}"' for one in join.using_clause]
        made = postgast.parse(f"SELECT {' AND '.join(pairs)}").stmts[0].stmt.select_stmt.target_list[0].res_target.val
        join.quals.CopyFrom(made)
        del join.using_clause[:]


def _places(node: Any) -> Iterator[Any]:
    """Where tables and queries stand in a FROM, not within outer joins."""
    kind = node.WhichOneof("node")
    if kind in ("range_var", "range_subselect"):
        yield node
    elif kind == "join_expr" and node.join_expr.jointype == 1:  # JOIN_INNER
        yield from _places(node.join_expr.larg)
        yield from _places(node.join_expr.rarg)


def _plain(text: str) -> Any:
    """A view's query when it only chooses rows and columns; else None."""
    import postgast

    try:
        parse(text)
    except Refused:
        return None
    body = postgast.parse(text).stmts[0].stmt.select_stmt
    if (
        body.HasField("larg")
        or body.HasField("with_clause")
        or body.HasField("limit_count")
        or len(body.from_clause) != 1
    ):
        return None
    more = (
        len(body.group_clause) or len(body.distinct_clause) or len(body.sort_clause) or body.HasField("having_clause")
    )
    calls = any(one.HasField("over") or one.agg_star for one in pieces.nodes(body, "FuncCall"))
    return None if more or calls or not all(map(_named, body.target_list)) else body


def _named(target: Any) -> str:
    value = target.res_target.val
    if target.res_target.name:
        return str(target.res_target.name)
    if value.WhichOneof("node") != "column_ref":
        return ""
    last = value.column_ref.fields[-1]
    return str(last.string.sval) if last.WhichOneof("node") == "string" else ""


def _qualified(body: Any, own: set[str], alias: str) -> None:
    """The columns of a view's one table under another name of that table."""
    for column in pieces.nodes(body, "ColumnRef", "SubLink"):
        names = [one.string.sval for one in column.fields if one.WhichOneof("node") == "string"]
        if len(names) == len(column.fields) and (names[-2] if len(names) > 1 else "") in own:
            _write(column, alias, names[-1])


def _write(column: Any, alias: str, name: str) -> None:
    del column.fields[:]
    for part in (alias, name):
        column.fields.add().string.sval = part


def _replaced(select: Any, alias: str, columns: dict[str, Any], *, alone: bool) -> None:
    """What the query calls a view's column, as what the view makes it of."""
    for target in select.target_list:  # a column keeps the name by which the result has it
        if not target.res_target.name and (name := _named(target)) in columns:
            target.res_target.name = name
    for node in list(pieces.nodes(select, "Node")):
        if node.WhichOneof("node") != "column_ref":
            continue
        names = [one.string.sval for one in node.column_ref.fields if one.WhichOneof("node") == "string"]
        if len(names) != len(node.column_ref.fields) or names[-1] not in columns:
            continue
        if (len(names) == 1 and alone) or (len(names) == 2 and names[0] == alias):
            node.CopyFrom(pieces.copied(columns[names[-1]]))
