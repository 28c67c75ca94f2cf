from __future__ import annotations

import random

import numpy as np
import pytest

from envclone.masking.runs import cut
from envclone.masking.wordset import WordSet

LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize("letters", [LETTERS, LETTERS + "\u00e9\u00df\u5c71\U00020000"])
def test_finds_the_words_of_a_set(letters: str) -> None:
    draw = random.Random(letters)
    words = ["".join(draw.choice(letters) for _ in range(draw.randrange(1, 5))) for _ in range(3000)]
    text = " ".join(words)
    runs = cut(text, text)
    inside = WordSet(set(words[::3]))
    exact = np.fromiter(map(set(words[::3]).__contains__, runs.words), bool, len(runs.words))
    assert (inside.near(text, runs) == exact).all()
    few = cut("ab cd", "ab cd")
    assert WordSet({"cd"}).near("ab cd", few).tolist() == [False, True]
