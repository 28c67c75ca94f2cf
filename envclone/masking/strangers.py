"""Persons in a text whom no column names: told by a title or an introduction, or by two names of the dictionary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from envclone.masking.beginnings import codes_of
from envclone.masking.names import all_names, given_names, is_name
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
_LONGEST_GAP = max(map(len, _AFTER_TITLE | _AFTER_INTRODUCTION | _BETWEEN))
_LONGEST_PARTICLE = max(map(len, _PARTICLES))
_MOST = 4
_ASCII = 128


def strangers(runs: Runs, found: Iterable[int]) -> Iterator[Span]:
    """Where persons stand who are known by nothing but the dictionary of names and the form of the sentence.

    `found` are the numbers of the words that are cues or given names.
    """
    given, names = given_names(), all_names()
    at, capital, led = _followed(runs, found)
    gap_behind = runs.gap
    # most words end here: what is looked at one by one costs more than all before
    for i, word, follower, leads, follows in zip(
        at.tolist(), runs.cut_at(at), runs.cut_at(at + 1), capital.tolist(), led.tolist(), strict=True
    ):
        if follows and word in CUES:
            gap = gap_behind(i)
            titled = leads and word in _TITLES and gap in _AFTER_TITLE
            if titled or (word in _INTRODUCTIONS and gap in _AFTER_INTRODUCTION and _is_told(follower)):
                yield from _person(runs, i + 1, known=False)
        if (
            leads
            and word in given
            and (follower in _PARTICLES or (follows and follower in names and follower not in WORDS_FIRST))
            and gap_behind(i) in _BETWEEN  # behind another gap there is no second name
        ):
            yield from (span for span in _person(runs, i, known=True) if -span[1] > runs.ends[i])


def _is_told(word: str) -> bool:
    return is_name(word) and word not in NAMES_TOO


def _followed(runs: Runs, found: Iterable[int]) -> tuple[Any, Any, Any]:
    """The words that another one follows closely, one of both with a capital; which have it, and which precede it."""
    at = np.fromiter(found, np.int64)
    at = at[at < len(runs.lengths) - 1]
    if not len(at):
        return at, at, at
    starts = np.asarray(runs.starts)
    at = at[starts[at + 1] - np.asarray(runs.ends)[at] <= _LONGEST_GAP]
    codes = codes_of(runs.text)
    capital, led = _capital(codes[starts[at]]), _capital(codes[starts[at + 1]])
    told = led | (capital & (runs.lengths[at + 1] <= _LONGEST_PARTICLE))
    return at[told], capital[told], led[told]


def _capital(codes: Any) -> Any:
    """Which letters are capitals."""
    found = (codes >= ord("A")) & (codes <= ord("Z"))
    for i in np.flatnonzero(codes >= _ASCII).tolist():
        found[i] = chr(codes[i]).isupper()
    return found


def _person(runs: Runs, first: int, *, known: bool) -> Iterator[Span]:
    """The capitalised words from a first one on; with `known` only those that are names of the dictionary."""
    if _small(runs, first) or runs.words[first] in WORDS_FIRST:
        return
    words, starts, ends, gap_behind = runs.words, runs.starts, runs.ends, runs.gap
    last = first
    for i in range(first + 1, first + 1 + _MOST):
        if gap_behind(i - 1) not in _BETWEEN:
            break
        if _small(runs, i):  # most words are: they are cut out only when they are as short as a particle
            if ends[i] - starts[i] > _LONGEST_PARTICLE or words[i] not in _PARTICLES:
                break
            continue
        word = words[i]
        if word not in WORDS_FIRST and (not known or (len(word) > 1 and is_name(word))):
            last = i
        elif word not in _PARTICLES:
            break
    yield starts[first], -ends[last], "person"


def _small(runs: Runs, i: int) -> bool:
    return not runs.text[runs.starts[i]].isupper()
