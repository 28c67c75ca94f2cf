"""Names in ASCII, as systems write them that know no other letters: Mueller and Muller for Müller, Jose for José.

Addresses also without the commas between their lines, as in cells of a table or below one another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from unicodedata import normalize

import numpy as np

from envclone.packed import ABSENT, Packed

__all__ = ["KINDS_TRANSLITERATED", "in_lines", "in_lines_too", "of_lines", "transliterated", "with_lines"]
__all__ += ["with_transliterated"]

KINDS_TRANSLITERATED = frozenset(("person", "address"))
"""Kinds of identities that are written so."""
_PLAIN = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ħ": "h",
     "Æ": "Ae", "Œ": "Oe", "Ø": "O", "Ł": "L", "Đ": "D", "Ð": "D", "Þ": "Th", "Ħ": "H", "ẞ": "Ss", "’": "'"}
)  # fmt: skip
_SPELLED_OUT = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "Å": "Aa", "Ø": "Oe"}
)
_COMMA = re.compile(r",(?=[ \t\r\n])")
_BLANKS = (32, 9, 10, 13)
_LINE_END = 10


def in_lines(value: str) -> tuple[str, ...]:
    """An address without the commas between its lines, and with commas for its line ends; none where it has neither."""
    found = (_COMMA.sub("", value), re.sub(r",?[ \t]*\r?\n[ \t]*", ", ", value.strip()))
    return tuple(dict.fromkeys(way for way in found if way != value and any(map(str.isdigit, way))))


def in_lines_too(values: Packed) -> Packed:
    """The same of packed plain values: without the commas, where there are any; the others are absent."""
    data = values.block
    comma = data == ord(",")
    comma[-1:] = False
    comma[:-1] &= np.isin(data[1:], _BLANKS)
    comma[values.stops[values.starts >= 0] - 1] = False  # what follows the last one is no part of the value
    before = np.concatenate((np.zeros(1, np.int64), np.cumsum(comma, dtype=np.int64)))
    digits = np.concatenate((np.zeros(1, np.int64), np.cumsum((data >= 48) & (data <= 57), dtype=np.int64)))
    starts, stops = values.starts, values.stops
    there = (starts >= 0) & values.plain
    there &= (before[stops] > before[starts]) & (digits[stops] > digits[starts])
    return Packed(
        data[~comma],
        np.where(there, starts - before[starts], ABSENT),
        np.where(there, stops - before[stops], ABSENT),
        values.plain & there,
    )


def of_lines(values: Packed) -> list[str]:
    """The same of packed plain values that hold line ends."""
    if not (values.block == _LINE_END).any():
        return []
    texts = (values.text(i) for i in np.flatnonzero((values.starts >= 0) & values.plain).tolist())
    return [way for text in texts if "\n" in text for way in in_lines(text)]


def transliterated(value: str) -> tuple[str, ...]:
    """The ways to write a name of Latin letters in ASCII; none where it is in ASCII, or of another script."""
    if value.isascii():
        return ()
    composed = normalize("NFC", value)
    ways = (_ascii(composed), _ascii(composed.translate(_SPELLED_OUT)))
    return tuple(dict.fromkeys(way for way in ways if way.isascii()))


def with_transliterated(values: Iterable[str]) -> Iterator[str]:
    """Names, each with the ways to write it in ASCII behind it."""
    for value in values:
        yield value
        if not value.isascii():
            yield from transliterated(value)


def with_lines(values: Iterable[str]) -> Iterator[str]:
    """Addresses, each with the ways to write it over several lines behind it."""
    for value in values:
        yield value
        if "," in value or "\n" in value:
            yield from in_lines(value)


def _ascii(value: str) -> str:
    return "".join([char for char in normalize("NFD", value.translate(_PLAIN)) if not "\u0300" <= char <= "\u036f"])
