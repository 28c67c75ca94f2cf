"""A set of whole numbers that grows without taking memory: a few fresh ones, the rest in order on the shelf."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

import numpy as np

from envclone.shelf import Shelf

__all__ = ["NumberSet"]

_FRESH = 1 << 14
"""Numbers that are held as objects before they are put in order."""
_AT_ONCE = 1 << 16
"""Numbers of a run that are merged together."""


class NumberSet:
    """Numbers of 64 bits, each once, of which is asked: is it one of them?

    They lie in runs in order, each more than twice as long as the next one, so that there are few: 8 bytes a number.
    """

    def __init__(self, shelf: Shelf | None = None) -> None:
        self._shelf = shelf or Shelf()
        self._fresh: set[int] = set()
        self._runs: list[Any] = []

    def add(self, numbers: Iterable[int]) -> None:
        """Take in numbers."""
        self._fresh.update(numbers)
        if len(self._fresh) >= _FRESH:
            self._put_in_order()

    def __contains__(self, number: int) -> bool:
        return number in self._fresh or any(_in_run(run, number) for run in self._runs)

    def _put_in_order(self) -> None:
        run = np.sort(np.fromiter(self._fresh, np.uint64, len(self._fresh)))
        self._fresh = set()
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            run = self._merged(self._runs.pop(), run)
        self._runs.append(run)

    def _merged(self, left: Any, right: Any) -> Any:
        """Both runs in order, what is in both once; some of each at a time."""
        made, total, first, begin = self._shelf.zeros(np.uint64, len(left) + len(right)), 0, 0, 0
        while first < len(left) or begin < len(right):
            ends = [run[at + _AT_ONCE - 1] for run, at in ((left, first), (right, begin)) if at + _AT_ONCE <= len(run)]
            last, end = len(left), len(right)
            if ends:
                last, end = (int(np.searchsorted(run, min(ends), "right")) for run in (left, right))
            some = np.union1d(left[first:last], right[begin:end])
            made[total : total + len(some)] = some
            total, first, begin = total + len(some), last, end
            self._shelf.rest()
        return made[:total]


def _in_run(run: Any, number: int) -> bool:
    at = bisect_left(memoryview(run), number)
    return bool(at < len(run) and run[at] == number)
