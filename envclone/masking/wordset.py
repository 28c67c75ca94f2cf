"""A large set of words of which is asked: which of a text's words are in it?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from envclone.compiled import available
from envclone.masking.runs import Runs

__all__ = ["WordSet"]

_WORTH = 256
"""Words of a text that are worth the way into a compiled loop."""


class WordSet:
    """Words in lower case; asked about a whole text it may say yes to a word that is none, with a chance of 2**-40."""

    def __init__(self, words: Collection[str]) -> None:
        self._words = words
        self._table: Any = None

    def near(self, folded: str, runs: Runs) -> Any:
        """For each word of a text in lower case whether it is in the set, as an array."""
        words = runs.words
        if len(words) < _WORTH or not available():
            return np.fromiter(map(self._words.__contains__, words), bool, len(words))
        from envclone.masking.kernels import wordset

        if self._table is None:
            ordered = sorted(self._words)
            stops = np.cumsum([len(word) for word in ordered], dtype=np.int64)
            starts = np.concatenate((np.zeros(1, np.int64), stops[:-1]))
            table = np.zeros(1 << max(3, (2 * len(ordered)).bit_length()), np.uint64)
            wordset.enter(_codes("".join(ordered), wide=True), starts, stops, table)
            self._table = table
        found = np.zeros(len(words), np.bool_)
        wordset.among(_codes(folded), _places(runs.starts), _places(runs.ends), self._table, found)
        return found


def _codes(text: str, *, wide: bool = False) -> Any:
    if text.isascii() and not wide:
        return np.frombuffer(text.encode("ascii"), np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _places(numbers: Sequence[int]) -> Any:
    return np.array(numbers, np.int64)
