"""Telephone numbers, cards and ids of masked fields in kept columns of numbers: more of them than chance gives.

A number of seven to eleven digits says nothing alone: an amount or a key can equal somebody's. Chance gives, for each
different number of a column, the share of masked numbers among all numbers of its length, or, where that is more, among
the 10,000 numbers around it, itself left out: keys in a row and telephone numbers of one town lie close together. The
count seen is held to a Poisson distribution of that mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from envclone.masking.phone import national_number
from envclone.verifier.kept import tail
from envclone.verifier.originals import Originals

__all__ = ["CHANCE", "NumberTally", "Numbers"]

CHANCE = 1e-4
"""A count that chance gives less often than this is a leak."""
_KINDS = frozenset(("phone", "card", "national_id"))
_FEWEST, _MOST = 7, 18
_AROUND = 10_000
_LENGTHS = np.array([10**digits for digits in range(_FEWEST - 1, _MOST + 1)], np.int64)


@dataclass(slots=True)
class NumberTally:
    """The different numbers of one column that are masked elsewhere, and how many chance gives."""

    seen: set[int] = field(default_factory=set)
    expected: float = 0.0
    example: tuple[int, str] | None = None
    """One of them: the number of its original, and its row."""

    def merge(self, other: NumberTally) -> None:
        """Take in what was counted elsewhere."""
        self.seen |= other.seen
        self.expected += other.expected
        self.example = self.example or other.example

    def leaks(self) -> bool:
        """Whether that is more than chance."""
        return tail(len(self.seen), self.expected) < CHANCE


class Numbers:
    """The numbers of masked fields by their digits, whatever their spelling."""

    def __init__(self, originals: Originals) -> None:
        found: dict[int, int] = {}
        for number, value in originals.of_kinds(_KINDS):
            for digits in {_digits(value), national_number(value)}:
                if _FEWEST <= len(digits.lstrip("0")) <= _MOST:
                    found.setdefault(int(digits), number)
        order = sorted(found)
        self._numbers = np.array(order, np.int64)
        self._originals = [found[number] for number in order]
        self._around, self._counts = np.unique(self._numbers // _AROUND, return_counts=True)
        spans = np.diff(np.searchsorted(self._numbers, _LENGTHS))
        self._shares = np.concatenate((spans / np.diff(_LENGTHS), [0.0]))

    def count(self, values: Sequence[Any], tally: NumberTally) -> tuple[int, int] | None:
        """Count a batch of a column; returns the number of an original with its place in the batch when it has one."""
        if not len(self._numbers):
            return None
        places: dict[int, int] = {}
        for place, value in enumerate(values):
            number = _number(value)
            if number is not None:
                places.setdefault(number, place)
        numbers = np.sort(np.fromiter(places, np.int64, len(places)))
        if not len(numbers):
            return None
        at = np.minimum(np.searchsorted(self._numbers, numbers), len(self._numbers) - 1)
        hit = self._numbers[at] == numbers
        length = np.searchsorted(_LENGTHS, numbers, "right") - 1
        near = np.minimum(np.searchsorted(self._around, numbers // _AROUND), len(self._around) - 1)
        beside = np.where(self._around[near] == numbers // _AROUND, self._counts[near] - hit, 0) / _AROUND
        tally.expected += float(np.maximum(self._shares[length], beside).sum())
        found = numbers[hit].tolist()
        tally.seen.update(found)
        return (self._originals[int(at[hit][0])], places[found[0]]) if found else None


def _number(value: Any) -> int | None:
    """A whole number of so many digits, as the engine or a driver gives it."""
    if isinstance(value, str):
        value = value.removesuffix(".0")
        if not (_FEWEST <= len(value) <= _MOST and value.isascii() and value.isdigit() and value[0] != "0"):
            return None
        return int(value)
    if isinstance(value, bool) or value is None or value != value or value in (float("inf"), float("-inf")):
        return None
    return int(value) if value == int(value) and _LENGTHS[0] <= value < _LENGTHS[-1] else None


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isascii() and char.isdigit())
