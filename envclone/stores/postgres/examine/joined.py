"""What an inner join asks of one table alone is a condition of the statement, and is read as one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from envclone.stores.postgres.examine import statement as pieces

__all__ = ["separated"]


def separated(sql: str) -> str:
    """The statement with what an inner join asks of one table alone among its conditions."""
    import postgast

    tree = postgast.parse(sql)
    moved = False
    for select in list(pieces.nodes(tree, "SelectStmt")):
        found = [one for item in select.from_clause for one in _taken(item)]
        if not found:
            continue
        moved = True
        written = pieces.conjuncts(select.where_clause) if select.HasField("where_clause") else []
        select.where_clause.CopyFrom(pieces.together([*written, *found]))
    return str(postgast.deparse(tree)) if moved else sql


def _taken(node: Any) -> Iterator[Any]:
    """Take out of inner joins what is asked of one table alone."""
    if node.WhichOneof("node") != "join_expr" or node.join_expr.jointype != 1:  # JOIN_INNER
        return
    one = node.join_expr
    yield from _taken(one.larg)
    yield from _taken(one.rarg)
    if one.HasField("quals"):
        written = pieces.conjuncts(one.quals)
        alone = [pieces.copied(part) for part in written if not pieces.joins(part)]
        between = [part for part in written if pieces.joins(part)]
        if alone and between:
            one.quals.CopyFrom(pieces.together(between))
            yield from alone
