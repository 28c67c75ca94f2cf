"""Persons told by a title, an introduction or the dictionary: every word is looked at, whatever is passed over."""

from __future__ import annotations

import random

import pytest

from envclone.masking import strangers as room
from envclone.masking.names import all_names, given_names
from envclone.masking.runs import Runs, cut, lower
from envclone.masking.strangers import CUES, strangers
from envclone.masking.words import NAMES_TOO, WORDS_FIRST


def _found(text: str) -> list[str]:
    runs = cut(text, lower(text))
    words = list(runs.words)
    cues = [i for i, word in enumerate(words) if word in CUES or word in given_names()]
    return [text[start:-end] for start, end, _ in strangers(runs, cues)]


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("we met Anna van der Berg today", "Anna van der Berg"),
        ("ask Mr. Xqwert Vlorb, please", "Xqwert Vlorb"),
        ("my name is Anna Quenzelmann-Berg", "Anna Quenzelmann-Berg"),
        ("regards,\nHeinrich de la Rosa", "Heinrich de la Rosa"),
    ],
)
def test_particles_and_closely_standing_names_belong_to_the_person(text: str, whole: str) -> None:
    assert whole in _found(text)


def test_no_word_is_passed_over_that_could_begin_a_person() -> None:
    rng = random.Random(7)
    lists = [sorted(given_names()), sorted(all_names()), sorted(CUES), sorted(room._PARTICLES), sorted(WORDS_FIRST)]
    lists += [sorted(NAMES_TOO), ["the", "ñandú", "x", "δέ", "anna", "ii", "promised"]]
    gaps = [" "] * 9 + ["-", "'", "’", ". ", ": ", ", ", ",\n", "\n", "\0", "  ", "\u00a0", ".\u00a0", "; ", "1"]
    for _ in range(1500):
        words = [rng.choice(rng.choice(lists)) for _ in range(rng.randrange(1, 30))]
        words = [rng.choice((word, word.title(), word.title(), word.upper())) for word in words]
        text = "".join(word + rng.choice(gaps) for word in words)
        runs = cut(text, lower(text))
        every = range(len(runs.words))
        assert list(strangers(runs, every)) == list(_plainly(runs)), text


def _plainly(runs: Runs) -> list[tuple[int, int, str]]:
    """The same, one word after the other."""
    out: list[tuple[int, int, str]] = []
    for i in range(len(runs.words)):
        word, gap = runs.words[i], runs.gap(i)
        titled = word in room._TITLES and gap in room._AFTER_TITLE and _capital(runs, i)
        introduced = word in room._INTRODUCTIONS and gap in room._AFTER_INTRODUCTION
        if titled or (introduced and _is_told(runs.words[i + 1])):
            out += _person(runs, i + 1, known=False)
        if word in given_names():
            out += [span for span in _person(runs, i, known=True) if -span[1] > runs.ends[i]]
    return out


def _is_told(word: str) -> bool:
    return word in all_names() and word not in NAMES_TOO


def _person(runs: Runs, first: int, *, known: bool) -> list[tuple[int, int, str]]:
    if not _capital(runs, first) or runs.words[first] in WORDS_FIRST:
        return []
    last = first
    for i in range(first + 1, first + 5):
        if runs.gap(i - 1) not in room._BETWEEN:
            break
        word = runs.words[i]
        told = not known or (len(word) > 1 and word in all_names())
        if _capital(runs, i) and word not in WORDS_FIRST and told:
            last = i
        elif word not in room._PARTICLES:
            break
    return [(runs.starts[first], -runs.ends[last], "person")]


def _capital(runs: Runs, i: int) -> bool:
    return runs.text[runs.starts[i]].isupper()
