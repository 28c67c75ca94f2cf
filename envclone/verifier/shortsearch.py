"""Strings too short for their rarest windows, searched for in one pass: by the bytes they begin with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["SHORTEST", "ShortSearch"]

SHORTEST = 3
"""Bytes of a string at least."""
_HITS = 4096
"""How many hits have room at first."""


class ShortSearch:
    """Finds strings of at least SHORTEST bytes, each with its owner, where none of `signs` goes on before one of them,
    and none of `digits` before a digit (tables of 256 truth values). Only where loops are compiled.

    Raises ValueError for a string that is too short.
    """

    def __init__(self, texts: Sequence[bytes], owners: Any, signs: Any, digits: Any) -> None:
        from envclone.verifier import shortkernels

        self._owners = owners
        self._signs, self._digits = (np.frombuffer(one.tobytes(), np.bool_) for one in (signs, digits))
        self._block = np.frombuffer(b"".join(texts), np.uint8)
        self._bounds = np.cumsum([0, *map(len, texts)], dtype=np.int64)
        self._lengths = np.zeros(1 << shortkernels.BITS, np.uint8)
        self._table = np.zeros(1 << max(3, (2 * len(texts)).bit_length()), np.int32)
        wrong = shortkernels.enter(self._block, self._bounds, self._lengths, self._table)
        if wrong >= 0:
            raise ValueError(f"string {wrong} is shorter than {SHORTEST} bytes")
        self._hits = np.zeros((_HITS, 3), np.int64)

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def find(self, data: bytes | memoryview) -> Any:
        """Where they stand in the data: rows of owner, start, end (int64), in order of the starts."""
        from envclone.verifier import shortkernels

        seen = np.frombuffer(data, np.uint8)
        strings = self._block, self._bounds, self._lengths, self._table
        while True:
            count = int(shortkernels.find(seen, self._signs, self._digits, *strings, self._hits))
            if count <= len(self._hits):
                break
            self._hits = np.zeros((count, 3), np.int64)
        rows = self._hits[:count].copy()
        rows[:, 0] = self._owners[rows[:, 0]]
        return rows
