"""Spellings of single characters: escapes, entities, invisible characters, markup; how they are read and written again.

`pieces` cuts a text into what stands for itself and what is spelled; `written` spells another character in the way of a
piece, with the same length wherever that way allows it. A text is read once: what is escaped twice is read again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html.entities import html5
from itertools import chain
from typing import Any, NamedTuple
from unicodedata import decimal, normalize

import numpy as np

from envclone.masking.beginnings import WIDE_SPACES, beside_latin, codes_of, firsts, places
from envclone.masking.characters import (
    ALIKE,
    COMPATIBLE,
    DIGITS,
    FANCY,
    INVISIBLE,
    LEADS,
    LOOKALIKES,
    SMALL_NUMBERS,
    TAILS,
    TWINS,
)

__all__ = ["SMALL", "Piece", "pieces", "spelled_parts", "spells", "written"]


_PLANE = 0x10000
_BLANKS = 1024


def _bytes_of_utf8(mark: str) -> str:
    """A pattern for one character as its bytes in UTF-8 (or one byte of another encoding), each behind a mark."""
    digit, tail = "[0-9A-Fa-f]", rf"{mark}[89ABab][0-9A-Fa-f]"
    return (
        rf"{mark}(?:[Ff][0-4](?:{tail}){{3}}|[Ee]{digit}(?:{tail}){{2}}|[CcDd]{digit}(?:{tail})|[2-7A-Fa-f89]{digit}"
        rf"|0[09AaDd])"
    )


_BLANK = rf"[ \t\r\n{WIDE_SPACES}\u3000]"
_INLINE = re.compile(
    r"(?i)a|abbr|b|bdi|bdo|big|code|del|em|font|i|ins|kbd|mark|q|s|samp|small|span|strike|strong|sub|sup|tt|u|var|wbr"
)
"""Tags that stand inside of a word; any other one parts what stands on its sides."""
_AT = r"(?:at|AT|At|ät|\u00e4t)"
_DOT = r"(?:dot|DOT|Dot|punkt|Punkt|point|punto)"
_NOT_SAID = (  # 'we met at example.com' is not an address
    "about|active|all|and|are|arrive|arrived|arrives|available|back|be|begin|begins|bought|call|check|chat|closed|"
    "contact|delivered|directly|docs|documentation|down|download|email|ends|error|file|find|found|free|go|guide|help|"
    "here|him|hosted|in|info|information|is|it|join|joined|landed|listed|live|located|look|looked|looking|looks|mail|"
    "me|meet|met|more|now|offer|offered|on|one|online|only|open|or|order|ordered|out|page|pages|people|please|posted|"
    "price|published|reach|read|register|registered|run|running|runs|see|seen|sell|server|shop|show|shown|sign|site|"
    "sold|start|starts|store|team|that|the|them|there|this|time|today|up|us|used|visit|was|we|website|were|work|"
    "worked|working|works|you|yours"
)

_HOST = r"[\w\-]+(?:[.][\w\-]+)*"
_PARTS = (
    rf"[\u00c2-\u00df][{TAILS}]|[\u00e0-\u00ef][{TAILS}]{{2}}|[\u00f0-\u00f4][{TAILS}]{{3}}",
    _bytes_of_utf8("%"),
    r"%u[0-9A-Fa-f]{4}",
    _bytes_of_utf8("="),
    "=[ \t]{0,20}\r?\n",
    r"=\?[\w.\-]{1,30}\?[Qq]\?",
    r"\?=(?:\s{1,9}=\?[\w.\-]{1,30}\?[Qq]\?)?",
    r"&\#\d{1,7};?",
    r"&\#[xX][0-9A-Fa-f]{1,6};?",
    r"&[A-Za-z][A-Za-z0-9]{1,31};",
    r"\\u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2}",
    r"\\u[0-9A-Fa-f]{4}",
    r"\\u\{[0-9A-Fa-f]{1,6}\}",
    r"\\U[0-9A-Fa-f]{8}",
    r"\\\+[0-9A-Fa-f]{6}",
    _bytes_of_utf8(r"\\x"),
    r"\\0000[2-9A-Fa-f][0-9A-Fa-f][ ]?",
    r"\\0(?:0[2-9A-Fa-f]|1[0-7])[0-9A-Fa-f]",
    r"\\[0-3][0-7]{2}(?:\\2[0-7]{2}){0,3}",
    r"\\0(?![0-9A-Fa-f])",
    r"\\[2-7c-fC-F][0-9A-Fa-f](?![0-9A-Fa-f])[ ]?",
    r"\\[\"'/\\bfnrt@.\-]",
    r"\\\r?\n[ \t]{0,20}",
    r"(?<=[^\W\d_])-\r?\n[ \t]{0,20}(?=[^\W\d_])",
    r"\x1b\[[0-9;?]{0,20}[A-Za-z]",
    "''",
    rf"[{INVISIBLE}]",
    rf"[{COMPATIBLE}{DIGITS}{FANCY}]",
    rf"[{SMALL_NUMBERS}](?=[{SMALL_NUMBERS}\u2070-\u2079])|(?<=[{SMALL_NUMBERS}\u2070-\u2079])[{SMALL_NUMBERS}]",
    rf"[{ALIKE}]+(?=[A-Za-z])|(?<=[A-Za-z])[{ALIKE}]+",
    rf"[{WIDE_SPACES}]{_BLANK}*",
    r"[\u2010\u2011\u2212]|[\u2012-\u2015](?=\d)",
    r"[\u0300-\u036f]+",
    r"<!--[^<>\x00]{0,400}-->",
    r"<!\[CDATA\[",
    r"\]\]>",
    r"</?[A-Za-z][ !-$'-*,-;=?A-\[\]-~\t\r\n]{0,400}>",
    r"\[/?(?:b|i|u|s|url|color|size|quote|email)(?:=[^\[\]\x00]{0,60})?\]",
    r"\*{2,3}|\*(?=\w)",
    r"`",
    r"~~",
    rf"[\[({{<][ ]?{_AT}[ ]?[\])}}>][ ]?",
    rf"[\[({{<][ ]?{_DOT}[ ]?[\])}}>][ ]?",
    r"[\[({<][ ]?[@.][ ]?[\])}>][ ]?",
    rf"@[ ](?={_HOST}[.]\w)",
    r"\n[>|]{1,3}[ \t]?",
)
_SPOKEN = (
    rf"[ ]{_AT}[ ](?={_HOST}(?:[.][A-Za-z]{{2}}|[ ]{_DOT}[ ]|[ ]?[\[(][ ]?{_DOT}))",
    rf"[ ]{_DOT}[ ](?=[\w\-]{{2}})",
)
_SPACES = rf"{_BLANK}{{2,}}|[\t\r\n]"


def _any(parts: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{part})" for part in parts))


_SIGN = _any(_PARTS)
_SAYING = _any(_SPOKEN)
_BETWEEN = (" at ", " AT ", " dot ", " DOT ", " punkt ")
_TOKEN = _any((*_PARTS, *_SPOKEN, _SPACES))


class Piece(NamedTuple):
    """A part text[start:end] that stands for the characters of `plain`: one, several, or none that a reader sees."""

    start: int
    end: int
    plain: str


def spelled_parts(text: str) -> Iterator[tuple[int, int, Iterator[Piece]]]:
    """Where the values stand, NUL between them, in which anything is read otherwise than it is written; their pieces.

    White space alone does not count.
    """
    position = 0
    begins: Any = None
    for at in _signs(text):
        if at < position:
            continue
        start = text.rfind("\x00", position, at) + 1 or position
        end = text.find("\x00", at)
        position = len(text) if end < 0 else end
        begins = places(text) if begins is None else begins
        first, last = np.searchsorted(begins, (start, position)).tolist()
        if (found := _telling(text[start:position], (begins[first:last] - start).tolist())) is not None:
            yield start, position, found


def spells(text: str, at: int) -> bool:
    """Whether a piece that is read otherwise than it is written begins at a place."""
    match = _TOKEN.match(text, at)
    return match is not None and _read(match) not in (None, match[0])


def _telling(value: str, begins: Sequence[int]) -> Iterator[Piece] | None:
    """The pieces of a value; None when they are white space alone."""
    found = pieces(value, begins)
    blank: list[Piece] = []
    for piece in found:
        if not value[piece.start : piece.end].isspace():
            return chain(blank, (piece,), found)
        blank.append(piece)
        if len(blank) == _BLANKS:  # so many are not kept: they are read once more
            told = any(not value[one.start : one.end].isspace() for one in found)
            return pieces(value, begins) if told else None
    return None


def _signs(text: str) -> list[int]:
    """Where something may be spelled: of each value at least its first such place.

    A sign can go on to the end of a value (marks, blanks): so a value is left at its first.
    """
    codes = codes_of(text)
    found: list[int] = []
    done = 0
    begins = firsts()[codes]
    if codes.itemsize > 1:  # letters that look like others, and are read so beside those alone
        begins &= beside_latin(codes)
    for at in np.flatnonzero(begins).tolist():
        if at >= done and _SIGN.match(text, at) is not None:
            found.append(at)
            end = text.find("\x00", at)
            done = len(text) if end < 0 else end
    for word in _BETWEEN:
        at = text.find(word)
        while at >= 0:
            if _SAYING.match(text, at) is not None:
                found.append(at)
            at = text.find(word, at + 1)
    return sorted(found)


def pieces(text: str, begins: Sequence[int] | None = None) -> Iterator[Piece]:
    """Everything in a text that is spelled, in order; what stands between the pieces stands for itself.

    `begins` are the places where one can begin, when they are known (`beginnings.places`).
    """
    position, blank = 0, -1
    for match in _tokens(text, places(text).tolist() if begins is None else begins):
        start, end = match.span()
        if start < position:
            continue
        plain = _read(match)
        if plain is None:
            continue
        if plain == "":
            if (
                "\u0300" <= text[start] <= "\u036f" and text[start] != "\u034f"
            ):  # a mark belongs to the letter before it
                composed = normalize("NFC", text[start - 1 : end]) if start > position else ""
                if len(composed) == 1 or (composed and composed[0] != text[start - 1]):
                    start, plain = start - 1, composed[0]
        elif plain in "@." and text[start] in "[({<@" and start > position and text[start - 1] == " ":
            start -= 1
        elif plain == " ":  # tags and blanks in a row are one blank
            start, end, plain = _blank_of_tags(text, start, end, position, behind=blank == start)
            blank = end
        if plain == text[start:end]:
            continue
        yield Piece(start, end, plain)
        position = end


def _blank_of_tags(text: str, start: int, end: int, position: int, *, behind: bool) -> tuple[int, int, str]:
    """Where what stands for a blank begins and ends, with the blanks beside a tag; behind another one it is none."""
    if text[start] == "<":
        if not behind and start > position and text[start - 1] == " ":
            start -= 1
        if text[end : end + 1] == " " and not text[end + 1 : end + 2].isspace():
            end += 1
    return start, end, "" if behind else " "


def _tokens(text: str, begins: Sequence[int]) -> Iterator[re.Match[str]]:
    end = 0
    for at in begins:
        if at < end or (match := _TOKEN.match(text, at)) is None:
            continue
        end = match.end()
        yield match
        if match[0][0] in LEADS and match.end() - match.start() > 1:  # where it says nothing else, what follows may
            yield from _TOKEN.finditer(text, match.start() + 1, match.end())


def _read(match: re.Match[str]) -> str | None:
    """What a match stands for; None for itself."""
    token = match[0]
    sign = token[0]
    if sign in "%=":
        if sign == "=" and _is_query(match):
            return None
        return _of_bytes(token, sign) if token[1] != "u" else _of_code(int(token[2:], 16))
    if "\u00c2" <= sign <= "\u00f4":
        return _misread(token)
    if sign in LOOKALIKES:
        return "".join(map(LOOKALIKES.get, token, token))
    if sign in TWINS:
        return TWINS[sign]
    if sign == "&":
        return _of_entity(token)
    if sign == "\\":
        return _of_backslash(token)
    if sign in "<[]({":
        return _of_brackets(token)
    if sign == " " and token.strip():
        return _of_word(match)
    if sign == "@":
        return "@"
    if sign == "'":
        return "'"
    if token.isspace() or sign == "\n":
        return " "
    if sign in "*`~?-\x1b":
        return ""
    if "\u2010" <= sign <= "\u2212" and sign in "\u2010\u2011\u2012\u2013\u2014\u2015\u2212":
        return "-"
    if sign.isdecimal():
        return str(decimal(sign))
    composed = normalize("NFKC", token)
    return composed if composed != token else ""


def _misread(token: str) -> str | None:
    """What UTF-8 said that was read as Windows-1252: `JÃ¼rgen`."""
    raw = b"".join([char.encode("latin-1" if char <= "\u00ff" else "cp1252") for char in token])
    plain = _one(raw)
    return plain if plain is not None and (plain.isalnum() or plain in _SIGNS) else None


def _of_bytes(token: str, mark: str) -> str | None:
    """`%C3%A9`, `=C3=A9`; of a line of quoted-printable that goes on, and of an encoded word's mark nothing is read."""
    if token[1] in "\r\n? \t":
        return ""
    raw = bytes.fromhex(token.replace(mark, ""))
    if raw == _ZERO:
        return ""
    if len(raw) == 1 and raw[0] >= 0x80:
        return raw.decode("cp1252", "replace") if mark == "%" or token.isupper() else None
    return _one(raw)


def _one(raw: bytes) -> str | None:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None


_SIGNS = "\u00a0\u00ad\u00b4\u2018\u2019\u201c\u201d\u2013\u2014\u2026"


def _of_entity(token: str) -> str | None:
    if token[1] != "#":
        return html5.get(token[1:])
    digits = token[2:].rstrip(";")
    return _of_code(int(digits[1:], 16) if digits[0] in "xX" else int(digits))


def _of_code(code: int) -> str:
    """The character of a number; of none, which stands beside each letter where two bytes are one, nothing is read."""
    if not code:
        return ""
    return chr(code) if 0 < code < 0xD800 or 0xDFFF < code < 0x110000 else "\ufffd"


def _of_backslash(token: str) -> str | None:
    kind = token[1]
    if kind == "u" and len(token) == 12:
        return _of_code(0x10000 + ((int(token[2:6], 16) - 0xD800) << 10) + int(token[8:12], 16) - 0xDC00)
    if kind in "uU+" and len(token) > 2:
        return _of_code(int(token[2:].strip("{}"), 16))
    if kind == "x":
        raw = bytes.fromhex(token.replace("\\x", ""))
        return "" if raw == _ZERO else raw.decode("latin-1") if len(raw) == 1 else _one(raw)
    if kind in "\r\n":
        return ""
    if kind == "0" and _is_code(token):
        return _of_code(int(token[1:], 16))
    if _is_short_code(token):
        return bytes((int(token[1:3], 16),)).decode("cp1252", "replace")
    if kind.isdigit():
        raw = bytes(int(part, 8) for part in token.split("\\")[1:])
        if raw == _ZERO:
            return ""
        return (raw.decode("latin-1") if len(raw) == 1 else _one(raw)) if raw[0] >= 0x20 else None
    return _SHORT.get(kind, kind)


def _is_code(token: str) -> bool:
    """Whether a backslash is followed by four or six hexadecimal digits rather than three octal ones."""
    return len(token) > 4 and "\\" not in token[1:]


def _is_short_code(token: str) -> bool:
    """Whether a backslash is followed by two hexadecimal digits and no more, as in CSS."""
    return len(token.rstrip(" ")) == 3 and token[1] in _HEX_DIGITS and token[2] in _HEX_DIGITS


_ZERO = b"\0"
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
_SHORT = {"b": " ", "f": " ", "n": " ", "r": " ", "t": " "}


def _of_brackets(token: str) -> str | None:
    inner = token.strip("[](){}<> ").lower()
    if token.startswith(("<!", "]]")):
        return ""
    if inner in ("at", "ät", "@"):
        return "@"
    if inner in (".", "dot", "punkt", "point", "punto"):
        return "."
    name = _TAG.match(token)
    return "" if token[0] == "[" or (name is not None and _INLINE.fullmatch(name[1])) else " "


def _is_query(match: re.Match[str]) -> bool:
    """Whether what could be quoted-printable is the beginning of a value in a query: `phone=4930%20500`."""
    text, start, end = match.string, match.start(), match.end()
    if match[0] in ("=3D", "=40") or _QUERY_BEHIND.match(text, end) is None:
        return False
    return _QUERY_BEFORE.search(text, max(0, start - 64), start) is not None


def _of_word(match: re.Match[str]) -> str | None:
    """` at ` and ` dot ` between words that are not a sentence."""
    text, start, end = match.string, match.start(), match.end()
    before = _WORD_BEFORE.search(text, max(0, start - 64), start)
    if before is None:
        return None
    if match[0].strip().lower() in ("at", "ät"):
        return "@" if before[0].lower() not in _NOT_SAID else None
    at_before = "@" in text[max(0, start - 64) : start] or _AT_BEFORE.search(text, max(0, start - 64), start)
    return "." if at_before or _AT_BEHIND.match(text, end) else None


_QUERY_BEFORE = re.compile(r"(?:^|[?&;\0\s])[A-Za-z_][\w.\[\]\-]{0,40}\Z")
_QUERY_BEHIND = re.compile(r"[0-9A-Za-z]{0,40}%[0-9A-Fa-f]{2}")
SMALL = re.compile(r"(?:%u?|=|\\0|\\[2-7]|\\[xuU]|\\u\{|&#[xX])[0-9A-F]*[a-f]")
"""An escape whose hexadecimal digits are small letters."""
_TAG = re.compile(r"</?([A-Za-z][A-Za-z0-9]*)")
_WORD_BEFORE = re.compile(r"[\w.+\-]+\Z")
_AT_BEHIND = re.compile(rf"[\w.\-]+[ \[({{]+{_AT}[ \])}}]+{_HOST}(?:[ \[({{]+{_DOT}|[.])")
_AT_BEFORE = re.compile(rf"(?:{_AT}|@)\W")


def written(spelled: str, plain: str, new: str, *, small: bool) -> str:
    """`new`, a character, spelled as `spelled` spells `plain`; as it is when that spelling cannot say it.

    `small`: hexadecimal digits are written with small letters.
    """
    if new == plain:
        return spelled
    sign = spelled[0]
    if spelled.startswith("%u"):
        return "%u" + f"{ord(new):04{'x' if small else 'X'}}" if ord(new) < _PLANE else new
    if sign in "%=" or spelled.startswith("\\x"):
        mark = "\\x" if sign == "\\" else sign
        return _as_bytes(spelled, mark, new, "02x" if small else "02X")
    if sign == "&":
        return _as_entity(spelled, new, "x" if small else "X")
    if sign == "\\":
        return _as_backslash(spelled, new, "x" if small else "X")
    if len(spelled) > 1 and normalize("NFC", spelled) == plain:
        return normalize("NFD", new)
    if len(spelled) == 1 and len(plain) == 1 and len(new) == 1:
        twin = chr(ord(spelled) + ord(new) - ord(plain))
        if (str(decimal(twin)) if twin.isdecimal() else TWINS.get(twin) or normalize("NFKC", twin)) == new:
            return twin
    return new


def _as_bytes(spelled: str, mark: str, new: str, form: str) -> str:
    old = bytes.fromhex(spelled.replace(mark, ""))
    encoding = "cp1252" if len(old) == 1 and old[0] >= 0x80 else "utf-8"
    raw = new.encode(encoding, "replace")
    return "".join(f"{mark}{byte:{form}}" for byte in raw)


def _as_entity(spelled: str, new: str, form: str) -> str:
    """Numbers with zeros before them where they are shorter: `&#097;`."""
    end = ";" if spelled.endswith(";") else ""
    if spelled[1:2] == "#" and spelled[2] in "xX":
        digits, head = f"{ord(new):{form}}", spelled[:3]
    else:
        digits, head = str(ord(new)), "&#"
    return head + digits.rjust(len(spelled) - len(head) - len(end), "0") + end


def _as_backslash(spelled: str, new: str, form: str) -> str:
    kind, code = spelled[1], ord(new)
    if kind == "u" and spelled[2] == "{":
        return "\\u{" + f"{code:0{len(spelled) - 4}{form}}" + "}"
    if kind == "u":
        digits = "".join(f"{byte:02{form}}" for byte in new.encode("utf-16-be"))
        return "".join(f"\\u{digits[i : i + 4]}" for i in range(0, len(digits), 4))
    if kind in "U+" and len(spelled) > 2:
        return spelled[:2] + f"{code:0{len(spelled) - 2}{form}}"
    if _is_short_code(spelled):
        return f"\\{code:02{form}}" + (spelled[3:] or " ")
    if kind == "0" and _is_code(spelled):
        return f"\\{code:0{len(spelled.rstrip()) - 1}{form}}" + spelled[len(spelled.rstrip()) :]
    if kind.isdigit():
        raw = new.encode("latin-1", "replace") if spelled.count("\\") == 1 else new.encode()
        return "".join(f"\\{byte:03o}" for byte in raw)
    return new
