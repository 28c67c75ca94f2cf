"""What is said of a vector without its model, on two made-up models and a hundred texts."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from envclone.diagnosis.vectors import Crowd

SUBJECTS = [[f"word{subject}n{number}" for number in range(14)] for subject in range(24)]


class _Model:
    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._shared = self._rng.normal(size=48)
        self._known: dict[str, Any] = {}

    def vector(self, text: str) -> list[float]:
        made = sum(self._known.setdefault(word, self._rng.normal(size=48)) for word in text.split())
        unit = made / np.linalg.norm(made) + 0.5 * self._shared / np.linalg.norm(self._shared)
        return list(map(float, unit / np.linalg.norm(unit)))


def _texts(count: int) -> list[str]:
    drawn = random.Random(3)
    return [" ".join(drawn.choices(SUBJECTS[number % 24], k=20)) for number in range(count)]


def test_a_vector_of_its_own_text_of_another_and_of_another_model() -> None:
    ours, theirs = _Model(1), _Model(2)
    texts = _texts(500)
    crowd = Crowd([ours.vector(text) for text in texts[8:]], texts[8:])
    for number in range(8):
        right, other = texts[number], texts[number + 3]
        agreement = crowd.agreement(ours.vector(right), right)
        assert agreement is not None and not agreement.broken, agreement
        stale = crowd.agreement(ours.vector(other), right)
        assert stale is not None and stale.broken, stale
        foreign = crowd.agreement(theirs.vector(right), right)
        assert foreign is not None and foreign.broken, foreign
    odd = [crowd.odd_place(theirs.vector(text)) is not None for text in texts[:8]]
    usual = [crowd.odd_place(ours.vector(text)) is not None for text in texts[:8]]
    assert sum(odd) >= 7 and sum(usual) <= 1


def test_lengths_and_too_few() -> None:
    ours = _Model(1)
    texts = _texts(60)
    vectors = [ours.vector(text) for text in texts]
    crowd = Crowd(vectors, texts)
    assert crowd.odd_length(vectors[0]) is None
    assert crowd.odd_length([3 * one for one in vectors[0]]) is not None
    few = Crowd(vectors[:10], texts[:10])
    assert (few.odd_length([9.0] * 48), few.odd_place(vectors[0]), few.agreement(vectors[0], texts[0])) == (None,) * 3
    assert Crowd([], []).odd_place([1.0]) is None


def test_vectors_that_do_not_follow_their_texts_accuse_nobody() -> None:
    rng = np.random.default_rng(5)
    texts = _texts(120)
    crowd = Crowd(rng.normal(size=(120, 24)).tolist(), texts)
    said = [crowd.agreement(list(map(float, rng.normal(size=24))), text) for text in texts[:10]]
    assert not any(one is not None and one.broken for one in said)
