"""Names in ASCII, as systems write them that know no other letters: Mueller and Muller for Müller, Jose for José."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from unicodedata import normalize

__all__ = ["KINDS_TRANSLITERATED", "transliterated", "with_transliterated"]

KINDS_TRANSLITERATED = frozenset(("person", "address"))
"""Kinds of identities that are written so."""
_PLAIN = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ħ": "h",
     "Æ": "Ae", "Œ": "Oe", "Ø": "O", "Ł": "L", "Đ": "D", "Ð": "D", "Þ": "Th", "Ħ": "H", "ẞ": "Ss", "’": "'"}
)  # fmt: skip
_SPELLED_OUT = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "Å": "Aa", "Ø": "Oe"}
)


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


def _ascii(value: str) -> str:
    return "".join([char for char in normalize("NFD", value.translate(_PLAIN)) if not "\u0300" <= char <= "\u036f"])
