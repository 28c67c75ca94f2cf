"""A statement that puts searches together (fusion, groups, a second order), asked otherwise as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from envclone.stores.postgres.examine import asking
from envclone.stores.postgres.examine import statement as pieces

__all__ = ["EVERY", "Whole", "bounded", "whole_of"]

EVERY = 1000
"""The limit of a statement that has none."""

_EXCEPT = 4
"""SETOP_EXCEPT in PostgreSQL's grammar."""
_ALL = 1_000_000
"""A limit that leaves nothing out."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A statement with a LIMIT of its own around its searches.

    `key` is the name of its column of ids; `arms` are its searches as statements, with the statement's own `$n`;
    `conditions` are those of all its queries, each once; `reranks` the expression that its one search compares
    instead of the column, where it then orders by the column itself; else ''. `ranks` are names of places in an order.
    """

    sql: str
    key: str
    arms: tuple[str, ...]
    conditions: tuple[str, ...]
    fields: tuple[tuple[str, ...], ...]
    limit: str
    offset: str
    reranks: str
    ranks: frozenset[str] = frozenset()

    def asked(
        self,
        *,
        limit: int | None,
        without: Sequence[str],
        only: int | None,
        unlimited: bool,
        excluded: int | None = None,
    ) -> str:
        """The statement for `id`: with another limit, without some conditions, for the ids in `$only` alone.

        `unlimited` lets every row through its inner searches; those in `$excluded` are no results.
        """
        import postgast

        tree = postgast.parse(self.sql)
        _not_excepted(tree, without)
        top, *inner = pieces.selects(tree)
        for select in (top, *inner):
            arm = select is not top and _is_arm(select)
            kept = [one for one in _written(select) if pieces.text(one) not in without]
            chosen = bool(len(select.distinct_clause)) and self._ranks(select)  # else another of its kind stands for it
            key = pieces.key_of(select, None) if arm or chosen else ""
            if only is not None and key:
                kept.append(_is_one_of(key, only))
            if excluded is not None and (arm or self._ranks(select)):
                kept.append(_expression(f"NOT ({pieces.text(_is_one_of(pieces.key_of(select, None), excluded))})"))
            _restrict(select, kept)
            if unlimited and arm:
                select.limit_count.CopyFrom(_expression(str(_ALL)))
        if only is not None:
            top.ClearField("limit_count")
            top.ClearField("limit_offset")
        elif limit is not None:
            top.limit_count.CopyFrom(_expression(str(limit)))
            top.ClearField("limit_offset")
        name = asking.quoted(self.key)
        targets = f"w.{name} AS id, 'NaN'::pg_catalog.float8 AS score"
        conditions = [f"(w.{name})::pg_catalog.text OPERATOR(pg_catalog.=) ANY (${only})"] if only is not None else []
        return asking.select(targets, f"({postgast.deparse(tree)}) w", conditions)

    def _ranks(self, select: Any) -> bool:
        """Whether it is a query of a table that gives the ids, of a statement without inner searches."""
        return not self.arms and pieces.name_of(select) == self.key and any(pieces.relations_of(select.from_clause))


def bounded(sql: str) -> str:
    """A statement that compares vectors and gives every row that its conditions leave, with a limit far away."""
    import postgast

    tree = postgast.parse(sql)
    if len(tree.stmts) != 1 or tree.stmts[0].stmt.WhichOneof("node") != "select_stmt":
        return sql
    top = tree.stmts[0].stmt.select_stmt
    if top.HasField("limit_count") or top.HasField("larg") or any(map(_is_arm, pieces.selects(tree))):
        return sql
    if not any(True for _ in pieces.distances(tree)):
        return sql
    top.limit_count.CopyFrom(_expression(str(EVERY)))
    top.limit_option = 2  # LIMIT_OPTION_COUNT
    return str(postgast.deparse(tree))


def whole_of(sql: str, key: str | None) -> Whole | None:
    """The statement as a whole; None when it is one plain search, or has no LIMIT around its searches."""
    import postgast

    tree = postgast.parse(sql)
    if len(tree.stmts) != 1 or tree.stmts[0].stmt.WhichOneof("node") != "select_stmt":
        return None
    if tree.stmts[0].stmt.select_stmt.HasField("larg"):
        key = key or pieces.name_of(next(iter(pieces.selects(tree))))
        sql = _around(tree.stmts[0].stmt.select_stmt)
        tree = postgast.parse(sql)
    top, *others = pieces.selects(tree)
    if not top.HasField("limit_count"):
        return None
    grouped = len(top.group_clause) > 0 or len(top.distinct_clause) > 0 or top.HasField("having_clause")
    inner = [one for one in others if _is_arm(one)]
    if (not inner and not grouped and _is_arm(top)) or not list(pieces.distances(tree)):
        return None
    named = key or pieces.name_of(top)
    if not named:
        return None
    kept = postgast.parse(sql)
    left_out = _not_excepted(kept, None)
    written = {pieces.text(one): pieces.fields_of(one, tuple(pieces.relations_of(select.from_clause)))
               for select in pieces.selects(kept) for one in _written(select) if not pieces.joins(one)}  # fmt: skip
    written |= left_out
    return Whole(
        sql=sql,
        key=named,
        arms=tuple(_statement(one) for one in inner),
        conditions=tuple(written),
        fields=tuple(written.values()),
        limit=pieces.text(top.limit_count),
        offset=pieces.text(top.limit_offset) if top.HasField("limit_offset") else "0",
        reranks=_compressed(inner[0], pieces.order_of(top)) if len(inner) == 1 else "",
        ranks=frozenset(_numbered(tree)),
    )


def _around(united: Any) -> str:
    """A set operation as what a query reads from, which has its order and its LIMIT."""
    import postgast

    inner = pieces.copied(united)
    for name in ("sort_clause", "limit_count", "limit_offset"):
        inner.ClearField(name)
    inner.limit_option = 1  # LIMIT_OPTION_DEFAULT
    tree = postgast.parse(asking.select("*", f"({_statement(inner)}) united", [], f"LIMIT {_ALL}"))
    outer = tree.stmts[0].stmt.select_stmt
    outer.sort_clause.extend(united.sort_clause)
    for name in ("limit_count", "limit_offset"):
        if united.HasField(name):
            getattr(outer, name).CopyFrom(getattr(united, name))
    return str(postgast.deparse(tree))


def _not_excepted(tree: Any, without: Sequence[str] | None) -> dict[str, tuple[str, ...]]:
    """Take `EXCEPT …` out of a tree, each as a condition with its columns; of all those `without` (None: every one)."""
    found: dict[str, tuple[str, ...]] = {}
    for select in list(pieces.nodes(tree, "SelectStmt")):
        while select.op == _EXCEPT:
            said = f"EXCEPT {_statement(select.rarg)}"
            if without is not None and said not in without:
                break
            found[said] = tuple(dict.fromkeys(
                name for inner in pieces.nodes(select.rarg, "SelectStmt") for one in _written(inner)
                for _, name in pieces.columns(one)))  # fmt: skip
            left = pieces.copied(select.larg)
            for name in ("limit_count", "limit_offset"):
                if select.HasField(name):
                    getattr(left, name).CopyFrom(getattr(select, name))
            if len(select.sort_clause):
                del left.sort_clause[:]
                left.sort_clause.extend(select.sort_clause)
            select.CopyFrom(left)
    return found


def _numbered(tree: Any) -> Iterator[str]:
    """The names of columns that are a row's number or rank."""
    for target in pieces.nodes(tree, "ResTarget"):
        call = target.val.func_call if target.val.WhichOneof("node") == "func_call" else None
        if target.name and call is not None and call.HasField("over"):
            yield target.name


def _is_arm(select: Any) -> bool:
    """Whether a query is ordered by a distance, has a LIMIT, and groups nothing."""
    return pieces.order_of(select) is not None and not len(select.group_clause)


def _compressed(arm: Any, above: Any) -> str:
    """What a search compares instead of the column by which its results are then ordered; '' when it is that one."""
    order = pieces.order_of(arm)
    if order is None or above is None:
        return ""
    side = order[1].lexpr if list(pieces.columns(order[1].lexpr)) else order[1].rexpr
    own, then = ({name for _, name in pieces.columns(one)} for one in (side, above[1]))
    return "" if side.WhichOneof("node") == "column_ref" and own & then else pieces.text(side)


def _statement(select: Any) -> str:
    import postgast

    tree = postgast.parse("SELECT 1")
    tree.stmts[0].stmt.select_stmt.CopyFrom(select)
    return str(postgast.deparse(tree))


def _written(select: Any) -> list[Any]:
    return pieces.conjuncts(select.where_clause) if select.HasField("where_clause") else []


def _restrict(select: Any, kept: list[Any]) -> None:
    """Give a query these conditions, all of which have to hold."""
    whole = pieces.together(kept) if kept else None
    select.ClearField("where_clause")
    if whole is not None:
        select.where_clause.CopyFrom(whole)


def _is_one_of(key: str, number: int) -> Any:
    return _expression(f"({key})::pg_catalog.text OPERATOR(pg_catalog.=) ANY (${number})")


def _expression(text: str) -> Any:
    import postgast

    return postgast.parse(f"SELECT {text}").stmts[0].stmt.select_stmt.target_list[0].res_target.val
