"""A recorded statement that searches by distance, cut into the pieces of which other searches are made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from envclone.stores.postgres.steps.reading.grammar import Refused, parse

__all__ = ["Search", "inlined", "renumbered", "search_of"]

OPERATORS = ("<->", "<=>", "<#>", "<+>", "<~>", "<%>")
"""pgvector's distances."""

_SHORT = 8
"""Numbers of a vector that a shortened command shows."""


@dataclass(frozen=True, slots=True)
class Search:
    """The pieces of a search, as SQL with `$n`.

    `relations` are the tables in it, each as (schema, name, alias); `vector` is the column that is compared, and
    `qualifier` what stands before it; `joins` are conditions between tables, which stay; `key` is an expression for
    the id, '' when the statement returns `*`.
    """

    key: str
    score: str
    descending: bool
    tables: str
    relations: tuple[tuple[str, str, str], ...]
    joins: tuple[str, ...]
    conditions: tuple[str, ...]
    fields: tuple[tuple[str, ...], ...]
    vector: str
    qualifier: str
    asked: str
    limit: str
    offset: str


def search_of(sql: str, key: str | None) -> Search:
    """The search in a statement. Raises Refused, saying why it is none that can be asked otherwise."""
    import postgast

    parse(sql)  # bounded: the library's own parser takes any text
    tree = postgast.parse(sql)
    found = [one for one in _selects(tree) if _order(one) is not None]
    if not found:
        raise Refused("it has no search that is ordered by a distance and has a LIMIT")
    select = found[-1]
    if len(select.group_clause) or len(select.distinct_clause) or select.HasField("having_clause"):
        raise Refused("its search groups its results")
    order = _order(select)
    assert order is not None
    score, distance, descending = order
    column, other = _sides(distance)
    relations = tuple(_relations(select.from_clause))
    if not relations:
        raise Refused("its search reads no table by name")
    written = _conjuncts(select.where_clause) if select.HasField("where_clause") else []
    conditions = [one for one in written if not _joins(one)]
    return Search(
        key=_key(select, key),
        score=_text(score),
        descending=descending,
        tables=_tables(select),
        relations=relations,
        joins=tuple(_text(one) for one in written if _joins(one)),
        conditions=tuple(_text(one) for one in conditions),
        fields=tuple(tuple(dict.fromkeys(name for _, name in _columns(one))) for one in conditions),
        vector=column[1],
        qualifier=column[0],
        asked=_text(other),
        limit=_text(select.limit_count),
        offset=_text(select.limit_offset) if select.HasField("limit_offset") else "0",
    )


def renumbered(sql: str, values: Sequence[Any] | None) -> tuple[str, list[Any] | None]:
    """A statement made of pieces, its parameters numbered from 1 without a gap, with those values that it uses."""
    import postgast

    tree = postgast.parse(sql)
    numbers: dict[int, int] = {}
    for node in _nodes(tree, "ParamRef"):
        node.number = numbers.setdefault(node.number, len(numbers) + 1)
    return postgast.deparse(tree), [(values or ())[number - 1] for number in numbers] or None


def inlined(sql: str, values: Sequence[Any] | None) -> str:
    """A statement with its parameters written into it, as somebody can paste it."""
    import postgast

    tree = postgast.parse(sql)
    for node in _nodes(tree, "Node"):
        if node.WhichOneof("node") != "param_ref":
            continue
        value = (values or ())[node.param_ref.number - 1]
        constant = postgast.pg_query_pb2.A_Const()
        if value is None:
            constant.isnull = True
        elif isinstance(value, bool):
            constant.boolval.boolval = value
        elif isinstance(value, int) and abs(value) < 1 << 31:
            constant.ival.ival = value
        elif isinstance(value, int | float):
            constant.fval.fval = repr(value)
        else:
            constant.sval.sval = _array(value) if isinstance(value, list | tuple) else str(value)
        node.a_const.CopyFrom(constant)
    text: str = postgast.deparse(tree)
    return text


def _array(value: Sequence[Any]) -> str:
    return "{" + ",".join("NULL" if one is None else str(one) for one in value) + "}"


def _selects(tree: Any) -> Iterator[Any]:
    """Every SELECT that is no part of a set operation, the outer ones first."""
    for select in _nodes(tree, "SelectStmt"):
        if not select.HasField("larg"):
            yield select


def _order(select: Any) -> tuple[Any, Any, bool] | None:
    """What a search is ordered by, the distance in it, and whether the greatest comes first; None for no search."""
    if not len(select.sort_clause) or not select.HasField("limit_count"):
        return None
    by = select.sort_clause[0].sort_by
    node = by.node
    if node.WhichOneof("node") == "column_ref":  # the name of a column of the result, or its number
        name = _names(node.column_ref)[-1]
        node = next((t.res_target.val for t in select.target_list if t.res_target.name == name), node)
    elif node.WhichOneof("node") == "a_const" and node.a_const.HasField("ival"):
        number = node.a_const.ival.ival
        if 0 < number <= len(select.target_list):
            node = select.target_list[number - 1].res_target.val
    for expression in _nodes(node, "A_Expr"):
        if len(expression.name) and expression.name[-1].string.sval in OPERATORS and len(list(_columns(expression))):
            return node, expression, by.sortby_dir == 3  # SORTBY_DESC
    return None


def _sides(distance: Any) -> tuple[tuple[str, str], Any]:
    """The column that is compared, with its qualifier, and what it is compared with."""
    for mine, other in ((distance.lexpr, distance.rexpr), (distance.rexpr, distance.lexpr)):
        columns = list(_columns(mine))
        if columns:
            return columns[0], other
    raise Refused("its distance compares no column")


def _relations(nodes: Any) -> Iterator[tuple[str, str, str]]:
    for node in nodes:
        if node.WhichOneof("node") == "range_var":
            one = node.range_var
            yield one.schemaname, one.relname, one.alias.aliasname if one.HasField("alias") else one.relname
        elif node.WhichOneof("node") == "join_expr":
            yield from _relations((node.join_expr.larg, node.join_expr.rarg))


def _conjuncts(node: Any) -> list[Any]:
    if node.WhichOneof("node") == "bool_expr" and node.bool_expr.boolop == 1:  # AND_EXPR
        return [one for arg in node.bool_expr.args for one in _conjuncts(arg)]
    return [node]


def _joins(node: Any) -> bool:
    return len({qualifier for qualifier, _ in _columns(node)}) > 1


def _key(select: Any, key: str | None) -> str:
    """The expression of the id: of the column named, or of the first one."""
    named = [(target.res_target.name or _last(target.res_target.val), target.res_target.val)
             for target in select.target_list]  # fmt: skip
    for name, value in named:
        if name == key and name != "*":
            return _text(value)
    if named and key is None and named[0][0] != "*":
        return _text(named[0][1])
    return ""


def _last(node: Any) -> str:
    return _names(node.column_ref)[-1] if node.WhichOneof("node") == "column_ref" else ""


def _names(column: Any) -> list[str]:
    return [one.string.sval if one.WhichOneof("node") == "string" else "*" for one in column.fields]


def _columns(node: Any) -> Iterator[tuple[str, str]]:
    for column in _nodes(node, "ColumnRef"):
        names = _names(column)
        yield (names[-2] if len(names) > 1 else "", names[-1])


def _tables(select: Any) -> str:
    """The FROM clause, without the word."""
    import postgast

    tree = postgast.parse("SELECT 1")
    tree.stmts[0].stmt.select_stmt.from_clause.extend(select.from_clause)
    return str(postgast.deparse(tree)).partition(" FROM ")[2]


def _text(node: Any) -> str:
    """An expression as SQL."""
    import postgast

    tree = postgast.parse("SELECT 1")
    tree.stmts[0].stmt.select_stmt.target_list[0].res_target.val.CopyFrom(node)
    return str(postgast.deparse(tree)).removeprefix("SELECT ")


def _nodes(message: Any, kind: str) -> Iterator[Any]:
    """All messages of a type in a tree, the outer ones first, in the order in which they stand."""
    if message.DESCRIPTOR.name == kind:
        yield message
    for field, value in message.ListFields():
        if field.type != field.TYPE_MESSAGE:
            continue
        for one in value if hasattr(value, "extend") else (value,):
            yield from _nodes(one, kind)
