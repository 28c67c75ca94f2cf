"""Many words searched for in one pass: what counts as a word only is looked up where a whole word stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from envclone.shelf import Shelf
from envclone.verifier.windows import Patterns

__all__ = ["WordSearch"]

_AT_ONCE = 1 << 18
"""Words that are entered together."""
_BITS = 4
"""The filter, which most words do not pass, has 16 to 32 bits a word."""
_MOST_BITS = 27
"""But not more than 2**27 (16 MB), for it is in memory all the time."""
_PART = 1 << 22
"""Places of the table (16 MB) that are written to before the shelf may rest."""
_HITS = 4096
"""How many hits have room at first."""


class WordSearch:
    """Finds strings where each is all of a run of `signs`, a table of 256 truth values, as long as it can be; they have
    at least `least` bytes, all of them such signs. Only where loops are compiled."""

    def __init__(self, patterns: Patterns, signs: Any, least: int, shelf: Shelf) -> None:
        from envclone.verifier import wordkernels

        self._patterns, self._least, self._most = patterns, least, patterns.longest()
        self._signs = np.frombuffer(signs.tobytes(), np.bool_)
        self._fold = np.frombuffer(patterns.fold, np.uint8)
        self._hits = np.zeros((_HITS, 3), np.int64)
        self._bits = min(_MOST_BITS, max(10, len(patterns).bit_length() + _BITS))
        self._filter = shelf.zeros(np.uint64, 1 << (self._bits - 6), everywhere=True)
        self._table = shelf.zeros(np.int32, 1 << max(3, (2 * len(patterns)).bit_length()))
        for first in range(0, len(patterns.which), _AT_ONCE):
            for some in self._parts(patterns.which[first : first + _AT_ONCE]):
                strings = patterns.block, patterns.bounds, some, self._fold
                wordkernels.enter(*strings, self._filter, self._bits, self._table)
                shelf.rest()

    def _parts(self, which: Any) -> Iterator[Any]:
        """Some words, those of one part of the table at a time where that is large."""
        from envclone.verifier import wordkernels

        if len(self._table) <= _PART:
            yield which
            return
        places, held = np.zeros(len(which), np.int64), self._patterns
        wordkernels.places(held.block, held.bounds, which, self._fold, len(self._table), places)
        part = (places // _PART).astype(np.uint16)
        order = np.argsort(part, kind="stable")
        for some in np.split(order, np.flatnonzero(np.diff(part[order])) + 1):
            yield which[some]

    def find(self, data: bytes | memoryview) -> Any:
        """Where they stand in the data: rows of which, start, end (int64), in order."""
        from envclone.verifier import wordkernels

        seen, held = np.frombuffer(data, np.uint8), self._patterns
        strings = held.block, held.bounds, self._fold, self._filter, self._bits, self._table
        while True:
            count = int(wordkernels.whole(seen, self._signs, self._least, self._most, *strings, self._hits))
            if count <= len(self._hits):
                return self._hits[:count].copy()
            self._hits = np.zeros((count, 3), np.int64)
