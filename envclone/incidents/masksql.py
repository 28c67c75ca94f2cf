"""The texts inside a SQL statement: literals and comments, replaced so that the statement stays what it was."""

from __future__ import annotations

import re
from collections.abc import Callable

from envclone.incidents.sql import Kind, Token, tokens

__all__ = ["is_plain_data", "mask_sql"]

Text = Callable[[str], str]
"""The mask of one text."""

_CLOCK = r"\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?"
_DATE = re.compile(rf"{_CLOCK}|\d{{4}}-\d\d-\d\d(?:[ T]{_CLOCK})?\s?(?:Z|[-+]\d\d(?::?\d\d)?)?")
_NUMBER = r"(?:\d{1,6}:)?[-+]?(?:\d*\.\d+|\d{1,6}\.?)(?:[eE][-+]?\d+)?"  # an integer of more digits may be a phone's
_NUMBERS = re.compile(rf"\s*+[\[{{]\s*+{_NUMBER}(?:\s*+,\s*+{_NUMBER})*+\s*+[\]}}](?:/\d+)?\s*+")
_SIMPLE_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPE = re.compile(
    r"((?:\\x[0-9a-fA-F]{1,2}|\\[0-7]{1,3})+)|\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})|\\(.)|''", re.DOTALL
)
_BYTE = re.compile(r"\\x([0-9a-fA-F]{1,2})|\\([0-7]{1,3})")


def is_plain_data(text: str) -> bool:
    """Whether a text is a vector, an array of short numbers, a date or a time, which no text mask may touch."""
    return any(pattern.fullmatch(text) for pattern in (_DATE, _NUMBERS))


def mask_sql(sql: str, text: Text, *, placeholders: bool, escapes: bool = False) -> str:
    """Mask the contents of literals and comments; quotes are escaped again, key words and identifiers stay.

    A literal that the mask leaves alone keeps its spelling. What cannot be read as SQL any more (a quote that never
    ends) is masked as a text. `placeholders` and `escapes`: see `sql.tokens`.
    """
    pieces = list(tokens(sql, placeholders=placeholders, escapes=escapes))
    done: list[str] = []
    index = 0
    while index < len(pieces):
        token = pieces[index]
        index += 1
        if token.kind is Kind.STRING:
            end = _continued(pieces, index)
            done.append(_literal(pieces[index - 1 : end], _escape_character(pieces, end), text, escapes))
            index = end
        elif token.kind is Kind.DOLLAR:
            done.append(_dollar(token.text, text))
        elif token.kind is Kind.COMMENT:
            done.append(_comment(token.text, text))
        elif token.kind is Kind.BROKEN:
            done.append(text(token.text))
        else:
            done.append(token.text)
    return "".join(done)


def _continued(pieces: list[Token], index: int) -> int:
    """Where a literal ends that goes on in the next line: `'Jane'`, line break, `' Doe'` is one literal."""
    while True:
        after, gap = index, ""
        while after < len(pieces) and (pieces[after].kind is Kind.SPACE or pieces[after].text.startswith("--")):
            gap += pieces[after].text
            after += 1
        goes_on = after < len(pieces) and pieces[after].kind is Kind.STRING and pieces[after].text.startswith("'")
        if not goes_on or not re.search(r"[\r\n]", gap):
            return index
        index = after + 1


def _escape_character(pieces: list[Token], index: int) -> str:
    """The character of a UESCAPE clause behind U&'…', a backslash by default."""
    rest = [token.text for token in pieces[index : index + 8] if token.kind not in (Kind.SPACE, Kind.COMMENT)]
    if len(rest) > 1 and rest[0].lower() == "uescape" and len(rest[1]) == 3:
        return rest[1][1]
    return "\\"


def _literal(parts: list[Token], escape: str, text: Text, escapes: bool) -> str:
    whole = "".join(part.text for part in parts if part.kind is not Kind.COMMENT)
    quote = whole.index("'")
    prefix = whole[:quote].lower()
    bodies = [part.text[part.text.index("'") + 1 : -1] for part in parts if part.kind is Kind.STRING]
    content = "".join(bodies)
    backslashes = prefix == "e" or (escapes and prefix in ("", "n"))
    if backslashes:
        value = _paired(_ESCAPE.sub(_unescaped, content))
    elif prefix == "u&":
        value = _paired(_unicode(content.replace("''", "'"), escape))
    else:
        value = content.replace("''", "'")
    masked = value if is_plain_data(value) else text(value)
    if masked == value:
        return whole
    again = masked.replace("'", "''")
    if backslashes:
        again = again.replace("\\", "\\\\")
    elif prefix == "u&":
        again = again.replace(escape, escape * 2)
    return f"{whole[: quote + 1]}{again}'"


def _unescaped(match: re.Match[str]) -> str:
    run, short, long, other = match.groups()
    if run is not None:  # bytes, in the server's encoding
        values = [int(h, 16) if h else int(o, 8) & 0xFF for h, o in _BYTE.findall(run)]
        return bytes(values).decode("utf-8", "replace")
    if other is not None:
        return _SIMPLE_ESCAPES.get(other, other)
    code = short or long
    return "'" if code is None else _character(code)


def _unicode(content: str, escape: str) -> str:
    e = re.escape(escape)
    pattern = re.compile(f"{e}{e}|{e}([0-9a-fA-F]{{4}})|{e}\\+([0-9a-fA-F]{{6}})")
    return pattern.sub(
        lambda match: _character(code) if (code := match.group(1) or match.group(2)) else escape, content
    )


def _paired(value: str) -> str:
    """Two escapes can make one character: a surrogate pair."""
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _character(code: str) -> str:
    number = int(code, 16)
    return chr(number) if number < 0x110000 else "\ufffd"


def _dollar(literal: str, text: Text) -> str:
    tag = literal[: literal.index("$", 1) + 1]
    value = literal[len(tag) : -len(tag)]
    masked = value if is_plain_data(value) else text(value)
    if tag in masked + tag[:-1]:
        return "'" + masked.replace("'", "''") + "'"
    return f"{tag}{masked}{tag}"


def _comment(comment: str, text: Text) -> str:
    """A comment may hold a hint to the planner, so it stays one; if its mask would end it early, it goes."""
    block = comment.startswith("/*")
    body = comment[2:-2] if block else comment[2:]
    masked = text(body)
    if masked == body:
        return comment
    if block:
        return " " if "/*" in masked or "*/" in masked else f"/*{masked}*/"
    return " " if re.search(r"[\r\n]", masked) else f"--{masked}"
