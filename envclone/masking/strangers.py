"""Persons in a text whom no column names: told by a title or an introduction, or by two names of the dictionary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from envclone.masking.names import given_names, is_name
from envclone.masking.patterns import Span
from envclone.masking.runs import Runs
from envclone.masking.words import NAMES_TOO, TITLES, WORDS_FIRST

__all__ = ["CUES", "strangers"]

_TITLES = frozenset(TITLES | {"madame", "monsieur", "señor", "señora", "sig", "signora"})
_INTRODUCTIONS = frozenset(
    ("name", "is", "am", "m", "me", "named", "this", "signed", "regards", "attn", "dear", "hi", "hello")
)
CUES = _TITLES | _INTRODUCTIONS
"""Words after which a person may come, in lower case."""

_AFTER_TITLE = frozenset((" ", ". ", "\u00a0", ".\u00a0"))
_AFTER_INTRODUCTION = frozenset((" ", ": ", ", ", ",\n", "\n"))
_BETWEEN = frozenset((" ", "\u00a0", "-", "'", "’"))
_PARTICLES = frozenset(("van", "von", "de", "der", "den", "di", "da", "del", "la", "le", "bin", "al", "el"))
_MOST = 4


def strangers(runs: Runs, found: Iterable[int]) -> Iterator[Span]:
    """Where persons stand who are known by nothing but the dictionary of names and the form of the sentence.

    `found` are the numbers of the words that are cues or given names.
    """
    given = given_names()
    for i in found:
        word, gap = runs.words[i], runs.gap(i)
        if word in _TITLES and gap in _AFTER_TITLE and not _small(runs, i):
            yield from _person(runs, i + 1, known=False)
        elif word in _INTRODUCTIONS and gap in _AFTER_INTRODUCTION:
            first = runs.words[i + 1]
            if is_name(first) and first not in NAMES_TOO:
                yield from _person(runs, i + 1, known=False)
        if word in given:
            yield from (span for span in _person(runs, i, known=True) if -span[1] > runs.ends[i])


def _person(runs: Runs, first: int, *, known: bool) -> Iterator[Span]:
    """The capitalised words from a first one on; with `known` only those that are names of the dictionary."""
    if _small(runs, first) or runs.words[first] in WORDS_FIRST:
        return
    last = first
    for i in range(first + 1, first + 1 + _MOST):
        if runs.gap(i - 1) not in _BETWEEN:
            break
        word = runs.words[i]
        if not _small(runs, i) and word not in WORDS_FIRST and (not known or (len(word) > 1 and is_name(word))):
            last = i
        elif word not in _PARTICLES:
            break
    yield runs.starts[first], -runs.ends[last], "person"


def _small(runs: Runs, i: int) -> bool:
    return not runs.text[runs.starts[i]].isupper()
