"""Sets of many texts of which only this is asked: is it one of them? Held as sorted numbers of 64 bits."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

__all__ = ["Numbers", "number_of", "number_of_pair"]

_BITS = 63


class Numbers:
    """The texts whose numbers these are; `number` turns a text into its own."""

    def __init__(self, numbers: Sequence[int], number: Callable[[str], int]) -> None:
        held: Any = np.unique(np.array(numbers, np.int64))
        self._sorted = memoryview(held)
        self._number = number

    def __len__(self) -> int:
        return len(self._sorted)

    def __contains__(self, text: object) -> bool:
        wanted = self._number(str(text))
        at = bisect_left(self._sorted, wanted)
        return at < len(self._sorted) and self._sorted[at] == wanted


def number_of(digits: str) -> int:
    """A number for digits, leading zeros told apart; the last 18 of them count."""
    return int("1" + digits[-18:])


def number_of_pair(words: str) -> int:
    """63 bits of a text (BLAKE2b): among ten million of them two are the same with a chance of one in 100,000."""
    return int.from_bytes(blake2b(words.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") >> 64 - _BITS
