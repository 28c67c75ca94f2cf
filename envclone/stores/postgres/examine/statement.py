"""A recorded statement that searches by distance, cut into the pieces of which other searches are made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from envclone.stores.postgres.steps.reading.grammar import Refused, parse

__all__ = [
    "Search",
    "columns",
    "compared_of",
    "conjuncts",
    "copied",
    "distances",
    "fields_of",
    "inlined",
    "joins",
    "key_of",
    "name_of",
    "nodes",
    "order_of",
    "relations_of",
    "renumbered",
    "search_of",
    "selects",
    "text",
    "together",
]

OPERATORS = ("<->", "<=>", "<#>", "<+>", "<~>", "<%>")
"""pgvector's distances."""

_SHORT = 8
"""Numbers of a vector that a shortened command shows."""


@dataclass(frozen=True, slots=True)
class Search:
    """The pieces of a search, as SQL with `$n`.

    `relations` are the tables in it, each as (schema, name, alias); `vector` is the column that is compared, and
    `qualifier` what stands before it; `joins` are conditions between tables, which stay; `key` is an expression for
    the id, '' when the statement returns `*`. `whole` says that it is the column itself that is compared, in any type,
    and nothing that is made of it.
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
    whole: bool


def search_of(sql: str, key: str | None) -> Search:
    """The search in a statement. Raises Refused, saying why it is none that can be asked otherwise."""
    import postgast

    parse(sql)  # bounded: the library's own parser takes any text
    found = [one for one in selects(postgast.parse(sql)) if order_of(one) is not None]
    if not found:
        raise Refused("it has no search that is ordered by a distance and has a LIMIT")
    select = found[-1]
    if len(select.group_clause) or len(select.distinct_clause) or select.HasField("having_clause"):
        raise Refused("its search groups its results")
    order = order_of(select)
    assert order is not None
    return _search(select, key, order)


def compared_of(sql: str, key: str | None) -> Search:
    """The query of a statement that compares vectors, whatever stands around the distance. Raises Refused."""
    import postgast

    for select in reversed(list(selects(postgast.parse(sql)))):
        for distance in distances(select):
            if any(True for _ in relations_of(select.from_clause)):
                score = postgast.pg_query_pb2.Node()
                score.a_expr.CopyFrom(distance)
                return _search(select, key, (score, distance, False))
    raise Refused("it compares no vectors of a table")


def _search(select: Any, key: str | None, order: tuple[Any, Any, bool]) -> Search:
    score, distance, descending = order
    column, mine, other = _sides(distance)
    relations = tuple(relations_of(select.from_clause))
    if not relations:
        raise Refused("its search reads no table by name")
    written = conjuncts(select.where_clause) if select.HasField("where_clause") else []
    conditions = [one for one in written if not joins(one)]
    return Search(
        key=key_of(select, key),
        score=text(score),
        descending=descending,
        tables=_tables(select),
        relations=relations,
        joins=tuple(text(one) for one in written if joins(one)),
        conditions=tuple(text(one) for one in conditions),
        fields=tuple(fields_of(one, relations) for one in conditions),
        vector=column[1],
        qualifier=column[0],
        asked=text(other),
        limit=text(select.limit_count) if select.HasField("limit_count") else "0",
        offset=text(select.limit_offset) if select.HasField("limit_offset") else "0",
        whole=_bare(mine),
    )


def _bare(node: Any) -> bool:
    while node.WhichOneof("node") == "type_cast":
        node = node.type_cast.arg
    return bool(node.WhichOneof("node") == "column_ref")


def renumbered(sql: str, values: Sequence[Any] | None) -> tuple[str, list[Any] | None]:
    """A statement made of pieces, its parameters numbered from 1 without a gap, with those values that it uses."""
    import postgast

    tree = postgast.parse(sql)
    numbers: dict[int, int] = {}
    for node in nodes(tree, "ParamRef"):
        node.number = numbers.setdefault(node.number, len(numbers) + 1)
    return postgast.deparse(tree), [(values or ())[number - 1] for number in numbers] or None


def inlined(sql: str, values: Sequence[Any] | None) -> str:
    """A statement with its parameters written into it, as somebody can paste it."""
    import postgast

    tree = postgast.parse(sql)
    for node in nodes(tree, "Node"):
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


def selects(tree: Any) -> Iterator[Any]:
    """Every SELECT that is no part of a set operation, the outer ones first."""
    for select in nodes(tree, "SelectStmt"):
        if not select.HasField("larg"):
            yield select


def order_of(select: Any) -> tuple[Any, Any, bool] | None:
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
    for expression in distances(node):
        return node, expression, by.sortby_dir == 3  # SORTBY_DESC
    return None


def distances(node: Any) -> Iterator[Any]:
    """Every distance of a column in a tree."""
    for expression in nodes(node, "A_Expr"):
        if len(expression.name) and expression.name[-1].string.sval in OPERATORS and len(list(columns(expression))):
            yield expression


def _sides(distance: Any) -> tuple[tuple[str, str], Any, Any]:
    """The column that is compared, with its qualifier, the side that it is on, and what it is compared with."""
    for mine, other in ((distance.lexpr, distance.rexpr), (distance.rexpr, distance.lexpr)):
        named = next(columns(mine), None)
        if named is not None:
            return named, mine, other
    raise Refused("its distance compares no column")


def relations_of(nodes: Any) -> Iterator[tuple[str, str, str]]:
    """The tables in a FROM clause, each with its schema and its alias."""
    for node in nodes:
        if node.WhichOneof("node") == "range_var":
            one = node.range_var
            yield one.schemaname, one.relname, one.alias.aliasname if one.HasField("alias") else one.relname
        elif node.WhichOneof("node") == "join_expr":
            yield from relations_of((node.join_expr.larg, node.join_expr.rarg))


def conjuncts(node: Any) -> list[Any]:
    """The conditions that all have to hold."""
    if node.WhichOneof("node") == "bool_expr" and node.bool_expr.boolop == 1:  # AND_EXPR
        return [one for arg in node.bool_expr.args for one in conjuncts(arg)]
    return [node]


def joins(node: Any) -> bool:
    """Whether a condition is between two tables; what a query within it compares is not."""
    return len({qualifier for qualifier, _ in columns(node, within=False)}) > 1


def fields_of(condition: Any, relations: Sequence[tuple[str, str, str]]) -> tuple[str, ...]:
    """The columns that a condition looks at; of one of several tables also with its table's name."""
    named = {alias: table for _, table, alias in relations} if len(relations) > 1 else {}
    found = list(columns(condition))
    return tuple(dict.fromkeys([name for _, name in found] + [f"{named[q]}.{name}" for q, name in found if q in named]))


def copied(node: Any) -> Any:
    """A node that changes by itself."""
    return type(node).FromString(node.SerializeToString())


def together(conditions: Sequence[Any]) -> Any:
    """Conditions of which all have to hold, as one."""
    copies = [copied(one) for one in conditions]
    if len(copies) == 1:
        return copies[0]
    node = type(copies[0])()
    node.bool_expr.boolop = 1
    node.bool_expr.args.extend(copies)
    return node


def key_of(select: Any, key: str | None) -> str:
    """The expression of the id: of the column named, or of the first one."""
    named = [(target.res_target.name or _last(target.res_target.val), target.res_target.val)
             for target in select.target_list]  # fmt: skip
    for name, value in named:
        if name == key and name != "*":
            return text(value)
    if named and key is None and named[0][0] != "*":
        return text(named[0][1])
    return ""


def name_of(select: Any) -> str:
    """The name of a query's first column; '' for all of a table's."""
    target = select.target_list[0].res_target if len(select.target_list) else None
    name = (target.name or _last(target.val)) if target is not None else ""
    return "" if name == "*" else str(name)


def _last(node: Any) -> str:
    return _names(node.column_ref)[-1] if node.WhichOneof("node") == "column_ref" else ""


def _names(column: Any) -> list[str]:
    return [one.string.sval if one.WhichOneof("node") == "string" else "*" for one in column.fields]


def columns(node: Any, *, within: bool = True) -> Iterator[tuple[str, str]]:
    """The columns that are named in a tree, each with what stands before it; also `within` queries in it."""
    for column in nodes(node, "ColumnRef", "" if within else "SubLink"):
        names = _names(column)
        yield (names[-2] if len(names) > 1 else "", names[-1])


def _tables(select: Any) -> str:
    """The FROM clause, without the word."""
    import postgast

    tree = postgast.parse("SELECT 1")
    tree.stmts[0].stmt.select_stmt.from_clause.extend(select.from_clause)
    return str(postgast.deparse(tree)).partition(" FROM ")[2]


def text(node: Any) -> str:
    """An expression as SQL."""
    import postgast

    tree = postgast.parse("SELECT 1")
    tree.stmts[0].stmt.select_stmt.target_list[0].res_target.val.CopyFrom(node)
    return str(postgast.deparse(tree)).removeprefix("SELECT ")


def nodes(message: Any, kind: str, past: str = "") -> Iterator[Any]:
    """All messages of a type in a tree, the outer ones first, in the order in which they stand; not those in `past`."""
    if message.DESCRIPTOR.name == past:
        return
    if message.DESCRIPTOR.name == kind:
        yield message
    for field, value in message.ListFields():
        if field.type != field.TYPE_MESSAGE:
            continue
        for one in value if hasattr(value, "extend") else (value,):
            yield from nodes(one, kind, past)
