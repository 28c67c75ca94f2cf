"""SQL as PostgreSQL's scanner cuts it: enough to find literals, comments and clauses, never wrong about quoting.

Lexical structure: https://www.postgresql.org/docs/current/sql-syntax-lexical.html. Placeholders are psycopg's
(`%s`, `%(name)s`, `%%`). No parser is needed, so extensions' operators (`<=>`, `<#>`, `<+>`) are not an obstacle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

__all__ = ["Kind", "Token", "tokens"]


class Kind(Enum):
    """What a token is."""

    SPACE = auto()
    COMMENT = auto()
    STRING = auto()
    """'…', E'…', U&'…', N'…'"""
    BITS = auto()
    """B'…' and X'…'"""
    DOLLAR = auto()
    """$tag$…$tag$"""
    QUOTED = auto()
    """a quoted identifier"""
    WORD = auto()
    """a key word or identifier"""
    NUMBER = auto()
    PLACEHOLDER = auto()
    """%s, %(name)s, $1"""
    OPERATOR = auto()
    PUNCTUATION = auto()
    BROKEN = auto()
    """a literal or comment that never ends"""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the statement; all pieces joined are the statement."""

    kind: Kind
    text: str


_SPACE = re.compile(r"[ \t\r\n\f\v]+")
_LINE_COMMENT = re.compile(r"--[^\r\n]*")
_BLOCK = re.compile(r"/\*|\*/")
_PLAIN = re.compile(r"'(?:[^']|'')*+'")
_ESCAPED = re.compile(r"'(?:[^'\\]|\\.|'')*+'", re.DOTALL)
_PREFIX = re.compile(r"(?:[eEnNbBxX]|[uU]&)(?=')")
_QUOTED = re.compile(r'(?:[uU]&)?"(?:[^"]|"")*+"')
_DOLLAR = re.compile(r"\$(?:[^\W\d][\w]*)?\$")
_WORD = re.compile(r"[^\W\d][\w$]*")
_NUMBER = re.compile(
    r"0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:\d[\d_]*(?:\.(?!\.)[\d_]*)?|\.\d[\d_]*)(?:[eE][-+]?\d+)?"
)
_POSITION = re.compile(r"\$\d+")
_PLACEHOLDER = re.compile(r"%(?:\([^)]*\))?[sbt]")
_OPERATOR = re.compile(r"[-+*/<>=~!@#%^&|`?]")


def tokens(sql: str, *, placeholders: bool = True, escapes: bool = False) -> Iterator[Token]:
    """Cut a statement into tokens, without loss.

    `placeholders`: whether `%s` is a parameter (psycopg reads them so only when there are parameters).
    `escapes`: whether a backslash escapes in '…' too (`standard_conforming_strings = off`).
    """
    at = 0
    inherited: bool | None = None  # whether a backslash escapes in the literal before, which may go on in a next line
    gap = ""
    while at < len(sql):
        goes_on = inherited is not None and sql[at] == "'" and re.search(r"[\r\n]", gap) is not None
        kind, end = _next(sql, at, placeholders, bool(inherited) if goes_on else escapes)
        text = sql[at:end]
        yield Token(kind, text)
        if kind is Kind.STRING:
            prefix = text[: text.index("'")].lower()
            inherited = inherited if goes_on else prefix == "e" or (escapes and prefix in ("", "n"))
            gap = ""
        elif kind is Kind.SPACE or text.startswith("--"):
            gap += text
        else:
            inherited = None
        at = end


def _next(sql: str, at: int, placeholders: bool, escapes: bool) -> tuple[Kind, int]:
    char = sql[at]
    if match := _SPACE.match(sql, at):
        return Kind.SPACE, match.end()
    if match := _LINE_COMMENT.match(sql, at):
        return Kind.COMMENT, match.end()
    if sql.startswith("/*", at):
        return _block_comment(sql, at)
    if char == "'" or _PREFIX.match(sql, at):
        return _string(sql, at, escapes)
    if char == '"' or sql[at : at + 3].lower() == 'u&"':
        match = _QUOTED.match(sql, at)
        return (Kind.QUOTED, match.end()) if match else (Kind.BROKEN, len(sql))
    if char == "$":
        return _dollar(sql, at)
    if placeholders and char == "%":
        if match := _PLACEHOLDER.match(sql, at):
            return Kind.PLACEHOLDER, match.end()
        if sql.startswith("%%", at):
            return Kind.OPERATOR, at + 2
    if match := _WORD.match(sql, at):
        return Kind.WORD, match.end()
    if match := _NUMBER.match(sql, at):
        return Kind.NUMBER, match.end()
    if _OPERATOR.match(sql, at):
        return Kind.OPERATOR, _operator(sql, at, placeholders)
    if sql.startswith(("::", ":="), at):
        return Kind.PUNCTUATION, at + 2
    return Kind.PUNCTUATION, at + 1


def _string(sql: str, at: int, escapes: bool) -> tuple[Kind, int]:
    quote = sql.index("'", at)
    prefix = sql[at:quote].lower()
    pattern = _ESCAPED if prefix == "e" or (escapes and prefix in ("", "n")) else _PLAIN
    match = pattern.match(sql, quote)
    if match is None:
        return Kind.BROKEN, len(sql)
    return (Kind.BITS if prefix in ("b", "x") else Kind.STRING), match.end()


def _dollar(sql: str, at: int) -> tuple[Kind, int]:
    if match := _POSITION.match(sql, at):
        return Kind.PLACEHOLDER, match.end()
    match = _DOLLAR.match(sql, at)
    if match is None:
        return Kind.PUNCTUATION, at + 1
    end = sql.find(match.group(), match.end())
    return (Kind.BROKEN, len(sql)) if end < 0 else (Kind.DOLLAR, end + len(match.group()))


def _block_comment(sql: str, at: int) -> tuple[Kind, int]:
    depth = 0
    for mark in _BLOCK.finditer(sql, at):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return Kind.COMMENT, mark.end()
    return Kind.BROKEN, len(sql)


def _operator(sql: str, at: int, placeholders: bool) -> int:
    end = at + 1
    while end < len(sql) and _OPERATOR.match(sql, end):
        if sql.startswith(("--", "/*"), end) or (placeholders and _PLACEHOLDER.match(sql, end)):
            break
        end += 1
    return end
