"""The fields within JSON columns that a condition looks at, by their paths: `meta.client.tenant_id`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from envclone.stores.postgres.examine import statement as pieces
from envclone.stores.postgres.steps.reading.grammar import Refused, parse

__all__ = ["json_fields"]

_STEPS = ("->", "->>")
_PATHS = ("#>", "#>>")
_HOLDS = ("@>", "<@")
_JSONPATH = ("@?", "@@")
_NAMES = re.compile(r"\.\s*(?:\"([^\"]+)\"|([A-Za-z_]\w*)(?!\s*\())")
_READERS = ("jsonb_extract_path", "jsonb_extract_path_text", "json_extract_path", "json_extract_path_text")
_QUERIES = ("jsonb_path_exists", "jsonb_path_match", "jsonb_path_query", "jsonb_path_query_first")
_DEPTH = 6


def json_fields(condition: str) -> tuple[str, ...]:
    """The paths below columns that a condition names: by its operators, functions, subscripts and documents."""
    import postgast

    try:
        parse(f"SELECT {condition}")
        tree = postgast.parse(f"SELECT {condition}")
    except (Refused, postgast.PgQueryError):
        return ()
    found: list[str] = []
    for node in pieces.nodes(tree, "Node"):
        found += [".".join(path) for path in _paths(node) if len(path) > 1]
    return tuple(one for one in dict.fromkeys(found) if not any(other.startswith(f"{one}.") for other in found))


def _paths(node: Any) -> Iterator[list[str]]:
    kind = node.WhichOneof("node")
    if kind == "a_expr" and len(node.a_expr.name):
        one, sign = node.a_expr, node.a_expr.name[-1].string.sval
        if sign in (*_STEPS, *_PATHS):
            yield _path(node)
        elif sign in _HOLDS:
            for mine, other in ((one.lexpr, one.rexpr), (one.rexpr, one.lexpr)):
                yield from ([*_path(mine), *keys] for keys in _documented(other) if _path(mine))
                yield from ([name] for name in _built(mine) if not _path(mine))
        elif sign in _JSONPATH:
            yield [*_path(one.lexpr), *_named(_text(one.rexpr))]
    elif kind == "a_indirection":
        yield _path(node)
    elif kind == "func_call":
        call = node.func_call
        name = call.funcname[-1].string.sval if len(call.funcname) else ""
        if name in _READERS and len(call.args):
            yield [*_path(call.args[0]), *(_text(one) for one in call.args[1:])]
        elif name in _QUERIES and len(call.args) > 1:
            yield [*_path(call.args[0]), *_named(_text(call.args[1]))]


def _path(node: Any) -> list[str]:
    """The column and the keys below it; none for what is no column's."""
    kind = node.WhichOneof("node")
    if kind == "column_ref":
        named = [one.string.sval for one in node.column_ref.fields if one.WhichOneof("node") == "string"]
        return named[-1:]
    if kind == "type_cast":
        return _path(node.type_cast.arg)
    if kind == "a_expr" and len(node.a_expr.name):
        sign, above = node.a_expr.name[-1].string.sval, _path(node.a_expr.lexpr)
        said = _text(node.a_expr.rexpr)
        if above and said and sign in _STEPS:
            return [*above, said]
        if above and sign in _PATHS:
            return [*above, *(part for part in said.strip("{}").split(",") if part)]
    if kind == "a_indirection" and (above := _path(node.a_indirection.arg)):
        keys = [_text(one.a_indices.uidx) for one in node.a_indirection.indirection
                if one.WhichOneof("node") == "a_indices"]  # fmt: skip
        return [*above, *(key for key in keys if key)]
    return []


def _text(node: Any) -> str:
    kind = node.WhichOneof("node")
    if kind == "type_cast":
        return _text(node.type_cast.arg)
    if kind == "a_const" and node.a_const.WhichOneof("val") == "sval":
        return str(node.a_const.sval.sval)
    if kind == "a_array_expr":
        return ",".join(_text(one) for one in node.a_array_expr.elements)
    return ""


def _documented(node: Any) -> Iterator[list[str]]:
    """The paths of a document's leaves, where it is written out."""
    try:
        yield from _leaves(json.loads(_text(node)), _DEPTH)
    except (ValueError, RecursionError):
        yield from ([name] for name in _built(node))


def _leaves(value: Any, left: int) -> Iterator[list[str]]:
    if isinstance(value, dict) and left:
        for name, one in value.items():
            yield from ([str(name), *rest] for rest in _leaves(one, left - 1))
    elif isinstance(value, list) and left:
        for one in value:
            yield from _leaves(one, left - 1)
    else:
        yield []


def _built(node: Any) -> Iterator[str]:
    """The keys of `jsonb_build_object('key', …)`."""
    if node.WhichOneof("node") == "func_call" and node.func_call.funcname[-1].string.sval.endswith("build_object"):
        yield from (said for one in node.func_call.args[::2] if (said := _text(one)))


def _named(path: str) -> list[str]:
    return [quoted or bare for quoted, bare in _NAMES.findall(path)]
