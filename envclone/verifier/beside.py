"""Two weak identities of one person in two columns of one row: first and last name, or a name and a street.

Chance gives, for each row, the share of the people who have the one that have the other as well. The count seen is held
to a Poisson distribution of that mean. An everyday word counts only where it is all that its column holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from envclone.verifier.kept import CHANCE_OF_WORDS, tail
from envclone.verifier.subjects import Part, Subjects

__all__ = ["CHANCE", "FEW", "Beside", "Weak"]

CHANCE = 1e-3
"""A count that chance gives less often than this is a leak."""
FEW = 100
"""People up to which two plain names of one of them are no chance."""
_MOST = 6
"""Weak identities of a value beyond which it is an article, not a column of names."""


class Weak(NamedTuple):
    """A weak identity by its number, and whether it is all that the value says."""

    number: int
    whole: bool


@dataclass(slots=True)
class Beside:
    """Two columns: rows that hold two of one person, and as many as chance gives; of plain names and of words."""

    seen: list[int] = field(default_factory=lambda: [0, 0])
    expected: list[float] = field(default_factory=lambda: [0.0, 0.0])
    example: tuple[int, str] | None = None
    """One of them: the number of a weak identity, and where it is."""

    def merge(self, other: Beside) -> None:
        """Take in what was counted elsewhere."""
        for kind in (0, 1):
            self.seen[kind] += other.seen[kind]
            self.expected[kind] += other.expected[kind]
        self.example = self.example or other.example

    def add(self, subjects: Subjects, left: Sequence[Weak], right: Sequence[Weak]) -> int | None:
        """Count the two values of one row; returns the number of a name that has its person's other name beside it."""
        if len(left) > _MOST or len(right) > _MOST:
            return None
        found, expected, own = [False, False], [0.0, 0.0], None
        for one in left:
            for other in right:
                kind = _counts(subjects, one, other)
                if kind is None:
                    continue
                these, those = subjects.persons(one.number), subjects.persons(other.number)
                if kind or subjects.count > FEW:
                    expected[kind] += len(these) * len(those) / max(1, subjects.count)
                if len(np.intersect1d(these, those, assume_unique=True)):
                    found[kind], own = True, one.number if own is None else own
        for kind in (0, 1):
            self.seen[kind] += found[kind]
            self.expected[kind] += min(1.0, expected[kind])
        return own

    def leaks(self) -> bool:
        """Whether that is more than chance."""
        bounds = (CHANCE, CHANCE_OF_WORDS)
        return any(self.seen[kind] > 0 and tail(self.seen[kind], self.expected[kind]) < bounds[kind] for kind in (0, 1))


def _counts(subjects: Subjects, one: Weak, other: Weak) -> int | None:
    """Whether two can be of one person, and if so whether one is an everyday word (1)."""
    what = subjects.what(one.number), subjects.what(other.number)
    if one.number == other.number or Part.NAME not in what or Part.OTHER in what:
        return None
    if not (subjects.ambiguous(one.number) or subjects.ambiguous(other.number)):
        return 0
    return 1 if one.whole and other.whole else None
