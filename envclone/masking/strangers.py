"""Persons in a text whom no column names: told by a title before them, or by a given name and another name together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from envclone.masking.names import is_name
from envclone.masking.patterns import Span
from envclone.masking.runs import Runs
from envclone.masking.words import NAMES_TOO, WORDS_FIRST

__all__ = ["strangers"]

_NAME = r"\p{Lu}[\p{L}\p{M}]*(?:['’\-]\p{L}[\p{L}\p{M}]*)*"
_TITLED = (
    r"\b(?:Mr|Mrs|Ms|Mx|Miss|Dr|Prof|Herr|Frau|Mme|Mlle|Madame|Monsieur|Señor|Señora|Sr|Sra|Sig|Signora)\b\.?[ \x{a0}]"
    rf"(?:(?:Mr|Mrs|Dr|Prof)\.? )?({_NAME}(?:[ \x{{a0}}](?:van |von |de |der |den |di |da |del |la |le )*{_NAME})*)"
)
_INTRODUCED = (
    r"(?:\b(?i:my name is|name is|name:|i am|i'm|i’m|call me|named|this is|signed,|regards,|attn:?|dear|hi|hello)\s+)"
    rf"({_NAME}(?:[ \x{{a0}}]{_NAME}){{0,2}})"
)
_BETWEEN = frozenset((" ", "\u00a0"))
_PARTICLES = frozenset(("van", "von", "de", "der", "den", "di", "da", "del", "la", "le", "bin", "al", "el"))
_MOST = 4


def strangers(runs: Runs, given: Iterable[int]) -> Iterator[Span]:
    """Where persons stand who are known by nothing but the dictionary of names and the form of the sentence.

    `given` are the numbers of the words that are given names.
    """
    for match in _titled().finditer(runs.text):
        if match[1].split()[0].lower() not in WORDS_FIRST:
            yield match.start(1), -match.end(1), "person"
    for match in _introduced().finditer(runs.text):
        if is_name(match[1].split()[0].lower()) and match[1].split()[0].lower() not in WORDS_FIRST | NAMES_TOO:
            yield match.start(1), -match.end(1), "person"
    for i in given:
        last = _last(runs, i)
        if last > i:
            yield runs.starts[i], -runs.ends[last], "person"


def _last(runs: Runs, first: int) -> int:
    """The last word of the name that a given name begins; the same word when nothing follows that is a name."""
    text, words, starts = runs.text, runs.words, runs.starts
    if not text[starts[first]].isupper():
        return first
    last = first
    for i in range(first + 1, first + 1 + _MOST):
        if runs.gap(i - 1) not in _BETWEEN:
            break
        word = words[i]
        if text[starts[i]].isupper() and len(word) > 1 and is_name(word) and word not in WORDS_FIRST:
            last = i
        elif word not in _PARTICLES:
            break
    return last


@cache
def _introduced() -> Any:
    import re2

    return re2.compile(_INTRODUCED)


@cache
def _titled() -> Any:
    import re2

    return re2.compile(_TITLED)
