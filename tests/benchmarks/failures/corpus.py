"""Texts of plain words about made-up subjects, and embeddings of them: a projection of their words."""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from faker.providers.lorem.en_US import Provider

DIMENSIONS = 48
_COMMON = frozenset(word for word in Provider.word_list if len(word) < 4)
_WORDS = tuple(word for word in Provider.word_list if len(word) >= 4)
_SHORT = tuple(sorted(_COMMON))
SHIFT = 0.4


class Model:
    """An embedding model: a direction for every word, and one that all texts share."""

    def __init__(self, seed: int, dimensions: int = DIMENSIONS) -> None:
        self._seed = seed
        self._dimensions = dimensions
        shared = np.random.default_rng(seed).normal(size=dimensions)
        self._shared = shared / np.linalg.norm(shared)
        self._words: dict[str, Any] = {}

    def vector(self, text: str) -> list[float]:
        """The embedding of a text."""
        total = np.zeros(self._dimensions)
        for word in text.lower().replace(".", " ").split():
            total += self._word(word) * (0.05 if word in _COMMON else 1.0)
        unit = total / (np.linalg.norm(total) or 1.0) + SHIFT * self._shared
        return [round(float(one), 6) for one in unit / np.linalg.norm(unit)]

    def _word(self, word: str) -> Any:
        if word not in self._words:
            seed = zlib.crc32(f"{self._seed}:{word}".encode())
            self._words[word] = np.random.default_rng(seed).normal(size=self._dimensions)
        return self._words[word]


@dataclass(frozen=True)
class Subject:
    """Words of one subject; `other` mean the same and are other words."""

    words: tuple[str, ...]
    other: tuple[str, ...]


class Writer:
    """Writes texts about subjects; the same seed writes the same."""

    def __init__(self, seed: int, subjects: int = 28) -> None:
        self.drawn = random.Random(seed)
        self._left = list(_WORDS)
        self.drawn.shuffle(self._left)
        self.subjects = [
            Subject(tuple(self._left.pop() for _ in range(14)), tuple(self._left.pop() for _ in range(14)))
            for _ in range(subjects)
        ]

    def text(self, subject: Subject, length: int = 24, *, other: bool = False) -> str:
        """A text about a subject, in its words or in the other ones."""
        own = subject.other if other else subject.words
        said = [self.drawn.choice(own) if self.drawn.random() < 0.55 else self.drawn.choice(_SHORT)
                for _ in range(length)]  # fmt: skip
        return " ".join(said) + "."

    def word(self) -> str:
        """A word that nothing else has."""
        return "".join(self.drawn.sample(_WORDS, 2))

    def question(self, text: str, words: int = 6) -> str:
        """Some of a text's own words."""
        own = [word for word in text.rstrip(".").split() if word not in _COMMON]
        return " ".join(self.drawn.sample(own, min(words, len(own))))
