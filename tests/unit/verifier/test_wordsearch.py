"""Words are found where they stand alone, and nowhere else, as the automaton finds them."""

from __future__ import annotations

import random

import pytest

from envclone.verifier import search, wordsearch
from envclone.verifier.loose import LooseSearch
from envclone.verifier.originals import Originals

WORDS = ("anna", "annab", "mark", "quenzelmann", "x1y2z3", "rené", "日本太", "van dyck")


def _weak() -> LooseSearch:
    originals = Originals()
    originals.add("main.public.people.first", "company", WORDS)  # a single word of a company is weak
    originals.seal()
    assert not any(originals[i].strong for i in range(len(originals)))
    return LooseSearch(originals)


@pytest.mark.parametrize("part", [wordsearch._PART, 4], ids=["as one", "in parts"])
def test_both_ways_find_the_same_words(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordsearch, "_PART", part)
    draw = random.Random(4)
    parts = [*WORDS, "s", " ", " ", "_", "-", ".", "1", "é", "B", "\n", "@"]
    texts = ["".join(draw.choices(parts, k=draw.randint(1, 14))) for _ in range(1500)]
    texts += [draw.randbytes(draw.randrange(200)).hex() + draw.choice(["", " ", "é", "_"]) + "anna" for _ in range(99)]
    by_words = [(one.value, one.hit) for one in _weak().find(texts)]
    monkeypatch.setattr(search, "available", lambda: False)
    assert sorted(by_words) == sorted((one.value, one.hit) for one in _weak().find(texts))
    assert len(by_words) > 500


@pytest.mark.parametrize(("text", "found"), [("Anna!", 1), ("annas", 0), ("x_ANNA_1", 1), ("hannah anna", 1), ("", 0)])
def test_a_word_stands_alone(text: str, found: int) -> None:
    assert len(list(_weak().find([text]))) == found
