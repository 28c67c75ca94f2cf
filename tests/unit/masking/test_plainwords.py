"""A lexicon that the compiled loops made is the one that Python makes."""

from __future__ import annotations

import random

import numpy as np
import pytest

from envclone.compiled import available
from envclone.masking import lexicon as made
from envclone.masking.corpus import Corpus
from envclone.masking.lexicon import Lexicon

NAMES = [
    "Jane Doe",
    "jane doe",
    "Dr. Anna Maria Quimby-Schmidt",
    "Quimby, Jane",
    "Li Wu",
    "J. R. R. Tolkien",
    "Test Quimby",
    "Jürgen Öl",
    "O'Brien Mary",
    "Cher",
    "山田太郎",
    "김철수",
    "Mr Mrs Dr",
    "x",
    "A B",
    "Mark May",
    "One Two Three Four Five Six Seven",
    " ".join(f"{chr(97 + i % 26)}word" for i in range(40)),
    "Anna  Lena\tSmith",
    "Esq Hon Rev Herr Quimby iii",
]
PHONES = ["3010000000", "12345678", "8123456789", "0301234567", "123456", "223456789012345678", "2234567890123456789"]
PHONES += ["22345678901234567890", "abc 12 34567", "+49 30 1234567", "1234567890", "7" * 19]


def _both(monkeypatch: pytest.MonkeyPatch, corpus: Corpus) -> tuple[Lexicon, Lexicon]:
    quick = Lexicon(corpus)
    monkeypatch.setattr(made, "available", lambda: False)
    return quick, Lexicon(corpus)


@pytest.mark.skipif(not available(), reason="loops are not compiled here")
def test_compiled_and_python_make_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(3)
    words = [word for name in NAMES for word in name.split()] + ["test", "may", "des", "Dr"]
    names = NAMES + [" ".join(rng.choices(words, k=rng.randrange(1, 5))) for _ in range(400)]
    quick, slow = _both(monkeypatch, Corpus({"person": names, "phone": PHONES, "username": ["jdoe77"]}))
    assert quick.words == slow.words
    assert quick.inside == slow.inside
    assert quick.spelled == slow.spelled
    assert quick.plain == slow.plain
    assert np.array_equal(quick.pairs.sorted, slow.pairs.sorted)
    assert np.array_equal(quick.numbers.sorted, slow.numbers.sorted)
    assert "jane doe" in quick.pairs
    assert "3010000000" in quick.numbers


@pytest.mark.skipif(not available(), reason="loops are not compiled here")
def test_nobody_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    quick, slow = _both(monkeypatch, Corpus())
    assert quick.words == slow.words == {}
    assert len(quick.pairs) == len(quick.numbers) == 0
