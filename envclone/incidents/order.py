"""Whether a query orders its rows, and by which columns of its result: from tokens, so that any operator may occur."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from envclone.incidents.sql import Kind, Token, tokens

__all__ = ["OrderInfo", "order_of"]


@dataclass(frozen=True, slots=True)
class OrderInfo:
    """`columns` are the ORDER BY items as columns of the result: a name, or a position from 1.

    It is empty when an item is not known to be a column of the result: then equal rows cannot be told.
    """

    ordered: bool
    columns: tuple[str | int, ...] = ()


_QUERIES = frozenset(("select", "values", "table"))
_CHANGES = frozenset(("insert", "update", "delete", "merge"))
_SET = frozenset(("union", "intersect", "except"))
_AFTER_ORDER = frozenset(("limit", "offset", "fetch", "for"))
_AFTER_LIST = frozenset(("from", "where", "group", "having", "window", "order", "into")) | _SET | _AFTER_ORDER

Items = list[Token]


def order_of(sql: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> OrderInfo:
    """Find the final ORDER BY of a statement's outermost query.

    With positional `parameters`, two placeholders of equal value count as the same expression.
    """
    items = _unwrap(_last_statement(_significant(sql, parameters)))
    main = next((t.text for t in _top(items) if t.text in _QUERIES | _CHANGES), "")
    if main not in _QUERIES:
        return OrderInfo(False)
    start = _final_order(items)
    if start is None:
        return OrderInfo(False)
    end = next((i for i in range(start, len(items)) if items[i].text in _AFTER_ORDER and _level(items, i) == 0), None)
    wanted = [_direction_removed(item) for item in _split(items[start:end])]
    several = any(t.text in _SET for t in _top(items))
    listed = None if several or main != "select" else _select_list(items)
    found = [_column(item, listed) for item in wanted]
    known = tuple(column for column in found if column is not None)
    return OrderInfo(True, known if len(known) == len(found) else ())


def _significant(sql: str, parameters: Sequence[Any] | Mapping[str, Any] | None) -> Items:
    """The tokens that mean something, words in lower case, positional placeholders numbered by their value."""
    result: Items = []
    position = 0
    for token in tokens(sql, placeholders=parameters is not None or "%s" in sql or "%(" in sql):
        if token.kind in (Kind.SPACE, Kind.COMMENT):
            continue
        text = token.text
        if token.kind is Kind.WORD:
            text = text.lower()
        elif token.kind is Kind.PLACEHOLDER and text in ("%s", "%b", "%t"):
            text = f"%{_first_equal(parameters, position)}"
            position += 1
        result.append(Token(token.kind, text))
    return result


def _first_equal(parameters: Sequence[Any] | Mapping[str, Any] | None, position: int) -> int:
    if parameters is None or isinstance(parameters, Mapping) or position >= len(parameters):
        return position
    value = parameters[position]
    equal = (i for i, other in enumerate(parameters[:position]) if type(other) is type(value) and other == value)
    return next(equal, position)


def _depths(items: Items) -> list[int]:
    """How many parentheses and brackets are open at each token; the closing one is inside."""
    depths, depth = [], 0
    for token in items:
        if token.text in ("(", "["):
            depth += 1
        depths.append(depth)
        if token.text in (")", "]"):
            depth -= 1
    return depths


def _level(items: Items, index: int) -> int:
    return _depths(items[: index + 1])[index]


def _top(items: Items) -> Items:
    """The words outside of all parentheses."""
    return [t for t, depth in zip(items, _depths(items), strict=True) if depth == 0 and t.kind is Kind.WORD]


def _last_statement(items: Items) -> Items:
    cuts = [i for i, (t, d) in enumerate(zip(items, _depths(items), strict=True)) if t.text == ";" and d == 0]
    parts = [items[a + 1 : b] for a, b in zip([-1, *cuts], [*cuts, len(items)], strict=True)]
    return next((part for part in reversed(parts) if part), [])


def _unwrap(items: Items) -> Items:
    """`(SELECT …) LIMIT 5` is the query inside, for its order."""
    while items and items[0].text == "(":
        depths = _depths(items)
        close = next((i for i, t in enumerate(items) if t.text == ")" and depths[i] == 1), None)
        if close is None or (items[close + 1 :] and items[close + 1].text not in _AFTER_ORDER):
            return items
        items = items[1:close]
    return items


def _final_order(items: Items) -> int | None:
    """Where the items of the last top-level ORDER BY begin."""
    depths = _depths(items)
    for i in range(len(items) - 2, -1, -1):
        if depths[i] == 0 and items[i].text == "order" and items[i + 1].text == "by" and items[i].kind is Kind.WORD:
            return i + 2
    return None


def _split(items: Items) -> list[Items]:
    parts: list[Items] = [[]]
    for token, depth in zip(items, _depths(items), strict=True):
        if token.text == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _direction_removed(item: Items) -> Items:
    """An ORDER BY item without ASC, DESC, USING and NULLS FIRST or LAST."""
    texts = [t.text for t in item]
    if texts[-2:] in (["nulls", "first"], ["nulls", "last"]):
        item, texts = item[:-2], texts[:-2]
    if texts[-1:] in (["asc"], ["desc"]):
        item = item[:-1]
    elif texts[-2:-1] == ["using"]:
        item = item[:-2]
    return item


def _select_list(items: Items) -> list[Items] | None:
    depths = _depths(items)
    start = next((i for i, t in enumerate(items) if t.text == "select" and depths[i] == 0), None)
    if start is None:
        return None
    start += 1
    end = start
    while end < len(items) and not (depths[end] == 0 and items[end].text in _AFTER_LIST and _clause(items, end)):
        end += 1
    listed = items[start:end]
    texts = [t.text for t in listed]
    if texts[:2] == ["distinct", "on"]:
        close = next((i for i, d in enumerate(_depths(listed)) if d == 1 and texts[i] == ")"), 1)
        listed = listed[close + 1 :]
    elif texts[:1] in (["distinct"], ["all"]):
        listed = listed[1:]
    return _split(listed)


def _clause(items: Items, index: int) -> bool:
    """Whether the word begins a clause: not `a.order`, not `AS order`, not `IS DISTINCT FROM`."""
    before = items[index - 1].text
    return (
        items[index].kind is Kind.WORD
        and before not in (".", "as")
        and not (items[index].text == "from" and before == "distinct")
    )


def _column(item: Items, listed: list[Items] | None) -> str | int | None:
    """The column of the result that an ORDER BY item is, if it surely is one."""
    if len(item) == 1 and item[0].kind is Kind.NUMBER and item[0].text.isdigit():
        return int(item[0].text)
    if len(item) == 1 and (name := _name(item[0])) is not None:
        return name  # PostgreSQL, too, takes a bare name for a column of the result first
    if listed is None:
        return None
    wanted = _comparable(item)
    stars = [i for i, part in enumerate(listed) if part and part[-1].text == "*" and len(part) in (1, 3)]
    for i, part in enumerate(listed):
        for expression, alias in _readings(part):
            if _comparable(expression) == wanted:
                if not any(star < i for star in stars):
                    return i + 1
                return alias
    qualified = len(item) == 3 and item[1].text == "."
    if qualified and any(len(listed[i]) == 1 or listed[i][0] == item[0] for i in stars):
        return _name(item[2])  # `SELECT t.* … ORDER BY t.name`; that the name is there once, the result must show
    return None


def _readings(part: Items) -> list[tuple[Items, str | None]]:
    """What an entry of the select list may say: expression and alias."""
    plain = len(part) == 1 or (len(part) > 2 and part[-2].text == ".")
    readings: list[tuple[Items, str | None]] = [(part, _name(part[-1]) if plain else None)]
    if len(part) > 2 and part[-2].text == "as":
        readings.append((part[:-2], _name(part[-1])))
    elif len(part) > 1 and _name(part[-1]) is not None:
        readings.append((part[:-1], _name(part[-1])))
    return readings


def _name(token: Token) -> str | None:
    if token.kind is Kind.WORD:
        return token.text
    if token.kind is Kind.QUOTED and token.text.startswith('"'):
        return token.text[1:-1].replace('""', '"')
    return None


def _comparable(items: Items) -> list[str]:
    return [f'"{name}"' if (name := _name(token)) is not None else token.text for token in items]
