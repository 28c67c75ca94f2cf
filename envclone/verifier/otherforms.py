"""Texts in forms of mail and of old programs, which only the proof reads.

Encoded words and quoted-printable in another encoding than UTF-8, percent-encoding of such, UTF-7 (IMAP's too), texts
that escapes shift into another alphabet, uuencode, base85, and IPv4 addresses in octal digits. One pass over many texts
tells which may hold one.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from ipaddress import IPv4Address
from itertools import chain
from typing import Any
from urllib.parse import unquote_to_bytes

import numpy as np

from envclone.packed import TextBlock
from envclone.verifier.charsets import said_in_encodings
from envclone.verifier.otherbytes import is_utf8
from envclone.verifier.programforms import in_program_forms
from envclone.verifier.within import expanded, said

__all__ = ["in_other_forms"]

_WORD = re.compile(r"=\?([\w.\-]{2,30})(?:\*\w{1,9})?\?([BbQq])\?([^?\0]*)\?=")
_APART = re.compile(r"\?=\s{1,9}=\?")
_SEVEN = re.compile(r"[+&]([A-Za-z0-9+/,]{3,})(?:-|(?![A-Za-z0-9+/,]))")
_UU = re.compile(r"begin(?:-base64)? [0-7]{3,4} [^\n]*\r?\n((?:[^\n]*\n?)*?)(?:end|====|\Z)")
_OCTAL = re.compile(r"(?<![\w.])((?:0x[0-9A-Fa-f]{1,2}|\d{1,4})(?:\.(?:0x[0-9A-Fa-f]{1,2}|\d{1,4})){3})(?![\w.])")
_RUN = re.compile(r"<~([!-uz\s]{4,})~>|([0-9A-Za-z!#-&(-+\-;-@^-`{-~]{12,})")
_FIVE, _SIGNS = r"0-9A-Za-z%&+\-=?_", r"!#$*^{}~;|<>@)(`"
"""What base85 is written with: digits and signs that stand in words and addresses too, and signs that seldom do."""
_PART, _ZEROS = r"(?:0x[0-9a-fA-F]{1,2}|[0-9]{1,4})", r"0(?:x[0-9a-fA-F]{1,2}|[0-9]{1,3})"
_FORMS = (
    r"(=\?[A-Za-z][A-Za-z0-9.\-_*]+\?[BbQq]\?)",
    r"(=[89A-F][0-9A-F]|=1B)",
    r"(%[89A-Fa-f][0-9A-Fa-f]|%1[Bb])",
    r"(\x1b\$|~\{)",
    r"([+&][A-Za-z0-9+/,]{3,}[\-\s.])",
    r"(begin(?:-base64)? [0-7]{3,4} )",
    "(" + "|".join(rf"\b(?:{_PART}\.){{{i}}}{_ZEROS}(?:\.{_PART}){{{3 - i}}}\b" for i in range(4)) + ")",
    rf"((?:[{_FIVE}]*[{_SIGNS}]){{3}}[{_FIVE}]|<~)",
)
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_SHORTEST_OF_FIVE = 12
_FEWEST, _OF_FIVE = 6, 0.9
"""Characters of what base85 says, and the share of them that a text has."""
_PRINTABLE = bytes((9, 10, 13, *range(0x20, 0x7F), *range(0x80, 0x100)))


@cache
def _forms() -> Any:
    import re2  # late: it is loaded where something is kept

    return re2.compile("|".join(_FORMS).encode())


def in_other_forms(
    values: TextBlock, encodings: Sequence[str], shut: Callable[[int, str], object]
) -> Iterator[tuple[int, str]]:
    """What texts say in such a form, with their numbers."""
    yield from in_program_forms(values)
    told: dict[int, set[int]] = {}
    zeros = values.zeros
    for match in _forms().finditer(values.block):
        number = int(np.searchsorted(zeros, match.start(), "right")) - 1
        told.setdefault(number, set()).add(match.lastindex)
    for number, forms in told.items():
        text = values.text(number)
        for form in sorted(forms):
            for found in _READ[form - 1](text, encodings):
                if isinstance(found, str):
                    yield number, found
                else:
                    yield number, found.decode("utf-8", "replace").replace("\0", " ")
                    held = list(expanded(found, encodings, lambda what: shut(number, what)))  # noqa: B023
                    yield from ((number, one) for one in held or said(found, encodings))


def _words(text: str, encodings: Sequence[str]) -> Iterator[str]:
    """Encoded words, each in the encoding that it names."""
    yield _WORD.sub(_of_word, _APART.sub("?==?", text))


def _of_word(match: re.Match[str]) -> str:
    encoding, how, its = match[1], match[2], match[3]
    try:
        if how in "Bb":
            raw = base64.b64decode(its + "=" * (-len(its) % 4))
        else:
            raw = quopri.decodestring(its.replace("_", " ").encode("ascii", "replace"))
        return raw.decode(encoding, "replace")
    except (LookupError, ValueError):
        return match[0]


def _quoted(text: str, encodings: Sequence[str]) -> Iterator[str]:
    """Quoted-printable of what is no UTF-8."""
    raw = quopri.decodestring(text.encode("utf-8", "surrogatepass"))
    if not is_utf8(raw) or b"\x1b$" in raw:
        yield from said_in_encodings(raw, encodings)


def _percent(text: str, encodings: Sequence[str]) -> Iterator[str]:
    """Percent-encoding of what is no UTF-8."""
    raw = unquote_to_bytes(text.replace("+", " ").encode("utf-8", "surrogatepass"))
    if not is_utf8(raw) or b"\x1b$" in raw:
        yield from said_in_encodings(raw, encodings)


def _shifted(text: str, encodings: Sequence[str]) -> Iterator[str]:
    """Texts of seven bits."""
    yield from said_in_encodings(text.encode("utf-8", "surrogatepass"), encodings)


def _seven(text: str, encodings: Sequence[str]) -> Iterator[str]:
    """UTF-7, of mail and of the names of IMAP's folders."""
    if (plain := _SEVEN.sub(_of_seven, text)) != text:
        yield plain


def _of_seven(match: re.Match[str]) -> str:
    its = match[1].replace(",", "/")
    bits = len(its) * 6 % 16
    if bits > 4 or _DIGITS.index(its[-1]) & (1 << bits) - 1:
        return match[0]  # what fills up is zero
    raw = base64.b64decode(its + "=" * (-len(its) % 4) if len(its) % 4 != 1 else its + "A==")
    text = raw[: len(its) * 6 // 16 * 2].decode("utf-16-be", "replace")
    return (
        text if all(char > "\x7f" and (char.isalpha() or char in "\u00a0\u2019\u3000") for char in text) else match[0]
    )


def _uu(text: str, encodings: Sequence[str]) -> Iterator[bytes]:
    """Uuencoded files."""
    for match in _UU.finditer(text):
        out = bytearray()
        for line in match[1].splitlines():
            try:
                if match[0].startswith("begin-"):
                    out += base64.b64decode(line)
                else:
                    out += binascii.a2b_uu(line.encode("ascii", "replace"))
            except ValueError:
                continue
        if out:
            yield bytes(out)


def _octal(text: str, encodings: Sequence[str]) -> Iterator[str]:
    """IPv4 addresses with zeros before their numbers, as decimal and as octal ones, or in hexadecimal digits."""
    for match in _OCTAL.finditer(text):
        parts = match[1].split(".")
        for base in (10, 8):
            try:
                numbers = [int(one, 16) if "x" in one else int(one, base if one[0] == "0" else 10) for one in parts]
                yield str(IPv4Address(bytes(numbers)))
            except ValueError:
                continue


def _eighty_five(text: str, encodings: Sequence[str]) -> Iterator[str]:
    """Base85, and Ascii85 between its marks."""
    # only between marks it goes on behind a blank; of words the most are too short
    parts = [text] if "<~" in text else [word for word in text.split() if len(word) >= _SHORTEST_OF_FIVE]
    for match in chain.from_iterable(map(_RUN.finditer, parts)):
        raw = _of_five(match[1] or match[2], adobe=match[1] is not None)
        if len(raw) >= _FEWEST and len(raw.translate(None, _PRINTABLE)) <= (1 - _OF_FIVE) * len(raw) and is_utf8(raw):
            yield raw.decode()


def _of_five(digits: str, *, adobe: bool) -> bytes:
    try:
        return base64.a85decode(digits) if adobe else base64.b85decode(digits)
    except ValueError:
        return b""


_READ: tuple[Callable[[str, Sequence[str]], Iterator[str] | Iterator[bytes]], ...] = (
    _words, _quoted, _percent, _shifted, _seven, _uu, _octal, _eighty_five,
)  # fmt: skip
