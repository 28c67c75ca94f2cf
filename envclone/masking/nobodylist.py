"""The list of values that are nobody's: what is shipped, and the ways in which its words are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from unicodedata import normalize

from envclone.masking.kinds import KINDS

__all__ = ["WORDED", "every", "known", "listed", "shipped", "told_of"]

_NAMED = frozenset(("person", "email", "phone", "address", "company", "username", "iban", "card", "national_id"))
_FORMED = frozenset(("ip", "mac", "uuid", "date", "url"))
"""Kinds whose values have a form that no word of [any] has: `unknown` is nobody's address of a network."""
WORDED = _NAMED | _FORMED
"""The kinds for which [any] counts."""
_BLANKS = re.compile(r"\s+")
_UNSEEN = str.maketrans(dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff")))
_AROUND = ("()", "[]", "<>", "{}", '""', "''", "--", "__", " .")
"""What software and people put around a word that is nobody's: `(none)`, `<unknown>`, `[deleted]`."""
_LETTERS = 3
"""A word of fewer letters is listed as it is alone: `(x)` can be somebody's initial."""


def told_of(value: str) -> str:
    """A value without regard to case and blanks, the full width of letters and signs that nobody sees."""
    if not value.isascii():
        value = normalize("NFKC", value.translate(_UNSEEN))
    told = value.strip().casefold()
    return _BLANKS.sub(" ", told) if " " in told or "\t" in told or "\n" in told else told


@cache
def shipped() -> Mapping[str, frozenset[str]]:
    """The list, by its sections."""
    text = resources.files("envclone.masking").joinpath("data/nobody.txt").read_text(encoding="utf-8")
    found: dict[str, set[str]] = {}
    kind = "any"
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            kind = line[1:-1]
            assert kind == "any" or kind in KINDS
        elif line and line != "#" and not line.startswith("# "):  # `#n/a` is a value
            found.setdefault(kind, set()).add(told_of(line))
    return {kind: frozenset(words) for kind, words in found.items()}


@cache
def listed(kind: str) -> frozenset[str]:
    """The shipped words of a kind."""
    words = shipped().get(kind, frozenset())
    return words | shipped()["any"] if kind in WORDED else words


@cache
def known(kind: str) -> frozenset[str]:
    """The shipped words of a kind in all ways in which they are written."""
    if kind not in WORDED:
        return listed(kind)
    return _anybodys() | _in_all_ways(listed(kind) - shipped()["any"])


@cache
def _anybodys() -> frozenset[str]:
    return _in_all_ways(shipped()["any"])


def every(kind: str, words: frozenset[str]) -> frozenset[str]:
    """Words of a kind in all ways in which they are written, with the shipped ones."""
    more = words - listed(kind)  # those that are shipped are written out once: every set of masks has a list
    return known(kind) | (_in_all_ways(more) if kind in WORDED else more)


def _in_all_ways(words: frozenset[str]) -> frozenset[str]:
    return words.union(*map(_written, words))


def _written(word: str) -> Iterable[str]:
    """A listed word in the ways in which it is written: `not provided`, `not_provided`, `<not provided>`."""
    yield word
    if "@" in word or (sum(map(str.isalpha, word)) < _LETTERS and "/" not in word):
        return
    for spelled in {word, *(word.replace(" ", sign) for sign in "_-")}:
        yield spelled
        yield from (f"{pair[0]}{spelled}{pair[1]}".strip() for pair in _AROUND)
