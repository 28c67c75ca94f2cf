"""PostgreSQL's own grammar (libpg_query) on text that may be hostile: bounded, and refused where it cannot be read."""

from __future__ import annotations

import ctypes
import json
import re
from enum import IntEnum
from typing import Any

from envclone.incidents.sql import Kind, tokens

__all__ = ["LONGEST", "Mode", "NoSql", "Refused", "parse", "parse_plpgsql", "words"]

LONGEST = 1 << 20
"""The longest text that is parsed, in bytes."""

_NESTING = 4000
"""The most operators, brackets and key words in a text: the grammar's recursion cannot be deeper than their number."""

_FLAT = (Kind.SPACE, Kind.COMMENT, Kind.STRING, Kind.BITS, Kind.DOLLAR, Kind.QUOTED, Kind.NUMBER, Kind.PLACEHOLDER)


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


_OPENING = words(
    """
    ALL AND ANY ARRAY AT BETWEEN CASE COLLATE CROSS ELSE EXCEPT EXISTS FROM FULL ILIKE IN INNER INTERSECT IS
    ISNULL JOIN LATERAL LEFT LIKE NATURAL NOT NOTNULL OR OVER RIGHT ROW SELECT SIMILAR SOME UNION VALUES WHEN
    WHERE WITH BEGIN IF LOOP FOR FOREACH WHILE
    """
)
"""Key words behind which the grammar goes deeper."""

_ROWTYPE = re.compile(r'(?<!")\b[\w.]+%rowtype\b', re.IGNORECASE)
_LISTED = frozenset(",;.")


class Refused(Exception):
    """A statement that is not run; the message says why, and quotes no literal of it."""


class NoSql(Refused):
    """A text that PostgreSQL's grammar does not take."""


class Mode(IntEnum):
    """What a text is; the numbers are libpg_query's, and those of PL/pgSQL's own trees."""

    STATEMENTS = 0
    EXPRESSION = 2
    ASSIGNMENT = 3
    ASSIGNMENT_TO_FIELD = 4
    ASSIGNMENT_TO_INNER_FIELD = 5


def parse(text: str, mode: Mode = Mode.STATEMENTS) -> list[dict[str, Any]]:
    """The statements as libpg_query's trees, `{node type: fields}` each. Raises Refused for what is not SQL."""
    from postgast.native import PgQueryParseResult, lib

    encoded = _bounded(text)
    call = lib["pg_query_parse_opts"]
    call.argtypes, call.restype = [ctypes.c_char_p, ctypes.c_int], PgQueryParseResult
    result = call(encoded, int(mode))
    try:
        _check(result)
        tree = _loads(result.parse_tree)
    finally:
        lib.pg_query_free_parse_result(result)
    return [one["stmt"] for one in tree.get("stmts", ()) if one.get("stmt")]


def parse_plpgsql(definition: str) -> Any:
    """The tree of a PL/pgSQL function, from its CREATE FUNCTION. Raises Refused."""
    from postgast.native import lib

    # without a catalog the parser knows no row's fields; a record may have any
    text = _ROWTYPE.sub("record", definition)
    encoded = _bounded(text)
    if not _is_plpgsql(parse(text)):
        raise Refused("it is not a function in PL/pgSQL")
    result = lib.pg_query_parse_plpgsql(encoded)
    try:
        _check(result)
        return _loads(result.plpgsql_funcs)
    finally:
        lib.pg_query_free_plpgsql_parse_result(result)


def _is_plpgsql(statements: list[dict[str, Any]]) -> bool:
    """Whether it is one CREATE FUNCTION with a body and that language: the parser aborts the process on others."""
    if len(statements) != 1 or "CreateFunctionStmt" not in statements[0]:
        return False
    given = {}
    for option in statements[0]["CreateFunctionStmt"].get("options", ()):
        element = option.get("DefElem", {})
        given[element.get("defname")] = element.get("arg")
    body = ((given.get("as") or {}).get("List") or {}).get("items") or [{}]
    language = ((given.get("language") or {}).get("String") or {}).get("sval")
    return language == "plpgsql" and len(body) == 1 and bool(body[0].get("String", {}).get("sval"))


def _bounded(text: str) -> bytes:
    """The text as bytes, when parsing it can neither end this process nor mean something else to the server."""
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise Refused("it holds a lone surrogate, which is not text") from None
    if b"\0" in encoded:
        raise Refused("it holds a NUL character, behind which the parser would not see")
    if len(encoded) > LONGEST:
        raise Refused(f"it is longer than {LONGEST >> 20} MiB")
    nesting = 0
    for token in tokens(text, placeholders=False):
        if token.kind is Kind.BROKEN:
            raise Refused("a literal or a comment in it never ends")
        flat = token.kind in _FLAT or (token.kind is Kind.PUNCTUATION and token.text in _LISTED)
        nesting += 0 if flat or (token.kind is Kind.WORD and token.text.upper() not in _OPENING) else 1
    if nesting > _NESTING:
        raise Refused(f"it has more than {_NESTING} operators and brackets, too many to be judged")
    return encoded


def _check(result: Any) -> None:
    if result.error:
        message = result.error.contents.message or b""
        said = message.decode("utf-8", "replace")
        # `at or near "…"` quotes the text, which may be a person's
        at = f" at character {place}" if (place := result.error.contents.cursorpos) > 0 else ""
        raise NoSql(f"PostgreSQL's grammar says: {said.partition(' at or near ')[0] or 'no SQL'}{at}")


def _loads(text: bytes | None) -> Any:
    try:
        return json.loads((text or b"{}").decode("utf-8", "replace"), strict=False)
    except (RecursionError, ValueError):
        raise Refused("it is nested too deep to be judged") from None
