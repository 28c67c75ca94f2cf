"""Sets of many texts of which only this is asked: is it one of them? Held as sorted numbers of 64 bits."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from envclone.compiled import available
from envclone.shelf import Sorter

__all__ = ["Numbers", "hashes_of", "number_of", "number_of_pair", "numbers_of_pairs"]

_BASIS, _PRIME, _MIX, _64 = 0xCBF29CE484222325, 0x100000001B3, 0x9E3779B97F4A7C15, (1 << 64) - 1
_WORTH = 64


class Numbers:
    """The texts whose numbers these are; `number` turns a text into its own."""

    def __init__(self, numbers: Sorter, number: Callable[[str], int]) -> None:
        held, _ = numbers.done(once=True)
        self.sorted = held
        """The numbers, ascending, each once."""
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
    """63 bits of a text (FNV-1a, mixed): among ten million of them two are the same with a chance of one in 100,000."""
    number = _BASIS
    for char in words:
        number = ((number ^ ord(char)) * _PRIME) & _64
    number = ((number ^ (number >> 29)) * _MIX) & _64
    return (number ^ (number >> 29)) >> 1


def numbers_of_pairs(texts: Sequence[str]) -> Sequence[int]:
    """The same of many texts."""
    if len(texts) < _WORTH or not available():
        return list(map(number_of_pair, texts))
    found: Any = hashes_of(texts) >> np.uint64(1)
    return array("q", found.astype(np.int64).tobytes())


def hashes_of(texts: Sequence[str]) -> Any:
    """64 bits of each text, never 0, as the compiled loops compute them; only where loops are compiled."""
    from envclone.masking.kernels import texts as kernels

    stops = np.cumsum([len(text) for text in texts], dtype=np.int64)
    starts = np.concatenate((np.zeros(1, np.int64), stops[:-1]))
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    found = np.zeros(len(texts), np.uint64)
    kernels.hashes(codes, starts, stops, found)
    return found
