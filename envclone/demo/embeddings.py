"""Text embeddings without a model: hashed words and character n-grams under a fixed random projection.

Feature hashing after Weinberger et al. 2009 (arXiv 0902.2206), word-internal n-grams after fastText
(arXiv 1607.04606). As with learned embeddings, texts about one thing lie close together, and all of them share a
direction, because the spectrum falls off and everyday words are in every text.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

__all__ = ["DIMENSIONS", "Embedder"]

DIMENSIONS = 64
BUCKETS = 8192
"""Rows of the projection that features are hashed to; a power of two."""

_EVERYDAY = (
    "a about after all an and any are as at be been before but by can could did do does for from had "
    "has have he her here him his how i if in is it its just me my no not of on or our please she "
    "should since so still than thank thanks that the their them then there they this to too up us "
    "was we were what when which who why will with would you your"
)
EVERYDAY = frozenset(_EVERYDAY.split())
EVERYDAY_WEIGHT = 0.12
SHARED = 0.35
"""How strongly all texts share one direction, in units of a text's own length."""

_ADDRESS = re.compile(r"\S+@\S+")
_WORD = re.compile(r"[^\W\d_][\w-]*[^\W_]")


class Embedder:
    """Turns texts and questions into unit vectors; the same text always gives the same vector."""

    def __init__(self, dimensions: int = DIMENSIONS) -> None:
        import numpy as np

        rng = np.random.default_rng(20_240_501)  # the "model": fixed, whatever the data's seed
        spectrum = (1.0 + np.arange(dimensions) / 12.0) ** -0.5
        self._projection = (rng.standard_normal((BUCKETS, dimensions)) * spectrum).astype(np.float32)
        shared = rng.standard_normal(dimensions) * spectrum
        self._shared = (shared / np.linalg.norm(shared)).astype(np.float32)
        self._words: dict[str, int] = {}
        self._vectors: list[Matrix] = []

    def embed(self, texts: Sequence[str]) -> Matrix:
        """The embeddings of `texts`: float32, one unit row per text."""
        import numpy as np

        sums = np.empty((len(texts), self._projection.shape[1]), np.float32)
        for start in range(0, len(texts), 2048):
            batch = [self._features(text) for text in texts[start : start + 2048]]
            lengths = np.array([len(words) for words in batch])
            table = np.asarray(self._vectors)
            flat = np.fromiter((w for words in batch for w in words), np.int64, int(lengths.sum()))
            starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
            sums[start : start + len(batch)] = np.add.reduceat(table[flat], starts)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        mixed = sums / norms + SHARED * self._shared
        unit: Matrix = (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)
        return unit

    def _features(self, text: str) -> list[int]:
        words = _WORD.findall(_ADDRESS.sub(" ", text.lower()))
        known = self._words
        return [known[word] if word in known else self._learn(word) for word in words or ["empty"]]

    def _learn(self, word: str) -> int:
        marked = f"<{word}>"
        grams = [marked[i : i + 4] for i in range(len(marked) - 3)] if len(word) > 3 else []
        vector = self._projection[zlib.crc32(marked.encode()) % BUCKETS].copy()
        if grams:
            rows = [zlib.crc32(gram.encode()) % BUCKETS for gram in grams]
            vector = 0.8 * vector + 0.6 * self._projection[rows].mean(axis=0) * len(rows) ** 0.5
        self._vectors.append(vector * (EVERYDAY_WEIGHT if word in EVERYDAY else 1.0))
        number = self._words[word] = len(self._words)
        return number
