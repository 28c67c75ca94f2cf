"""What counts as a leak in kept values, by value and not by the strength of a string.

1. An identity by form or entropy (`originals.strong`) at a boundary.
2. Two weak identities of one person in one value, near each other.
3. A weak identity of the same subject in rows that refer to that subject, more often than chance gives.

The chance of 3: a row's value holds a name, and its subject is anybody of the table of people. So the expected number
of hits is the sum, over rows, of the fraction of people who have a name that stands in the row's value. The number seen
is held to a Poisson distribution of that mean.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from envclone.masking.names import is_name
from envclone.verifier.search import Hit
from envclone.verifier.subjects import Part, Subjects

__all__ = ["CHANCE", "CHANCE_OF_WORDS", "Tally", "pairs_of_one_person", "tail"]

CHANCE = 0.01
"""A count that chance gives less often than this is a leak, for names that are not everyday words."""
CHANCE_OF_WORDS = 1e-6
"""The same for names that are: Grace, Will, Mark."""

_MEANT = 4096
"""Rows whose subjects are kept to be mixed again."""
_MANY = 30
"""Different subjects among these from which on they tell how often chance names them."""
NEAR = 64
"""Bytes between two weak identities that belong together."""
BESIDE = 3
_WORDS = re.compile(r"[^\W\d_]+")
_LETTERS = re.compile(rb"[A-Za-z\x80-\xff]{4}")
"""What a street has and no postal code."""
_LISTED = re.compile(r"[/;&|\n]")
_AND = frozenset(("and", "und", "et", "y", "e", "og", "en"))
_JOINING = frozenset(
    (
        b"and und the for of van den der von vom zum zur ten ter del dos das des los las les della dei degli bin ibn"
        b" bint abu"
    ).split()
)
"""Words of firms that are called as persons are ('Grant and Sons'), and words before family names (van der Waals)."""
_MIDDLE = re.compile(r" (?:[^\W\d_]+\.?[ -]){1,3}")
"""More names between the first and the last."""
_BORN = frozenset(("geb", "geborene", "geborener", "née", "nee", "né", "born", "formerly", "vormals", "ehemals"))
_NO_NAMES = frozenset(
    "key value name first last given family sur label field type text id an am im in on at to do so la le a".split()  # noqa: SIM905
)
"""What names fields and joins words, though somebody is called so."""
_BETWEEN = re.compile(r""" ["'(\u2018\u201c\u201e\u00ab]?[^\W\d_]+["')\u2019\u201d\u00bb]? """)
_WORD_BEFORE = re.compile(r"([^\W\d_]+) $")
_WORD_BEHIND = re.compile(r" ([^\W\d_]+)")
_JOINT = re.compile(r"[ ,.]{0,3}")
"""What stands between two everyday words that are a name."""
_COMMON = 0.1
"""Persons of a pair that chance alone would give; from there on only names side by side count."""


def pairs_of_one_person(subjects: Subjects, hits: Sequence[Hit], text: bytes) -> tuple[Hit, Hit] | None:
    """Two weak identities of one person near each other: names, a name and a street or postal code, or these both."""
    those = sorted(
        (
            hit
            for hit in hits
            if subjects.what(hit.original) != Part.OTHER and text[hit.start : hit.end].lower() not in _JOINING
        ),
        key=lambda hit: (hit.start, hit.end),
    )
    for i, one in enumerate(those):
        for other in those[i + 1 :]:
            gap = other.start - one.end
            if gap > NEAR:
                break
            if gap < 0 or one.original == other.original:
                continue
            what = subjects.what(one.original), subjects.what(other.original)
            if what == (Part.PLACE, Part.PLACE):
                if not _is_street(text, one) and not _is_street(text, other):
                    continue
            elif what == (Part.NAME, Part.NAME) and _of_two(text, one, other):
                continue
            words = subjects.ambiguous(one.original) + subjects.ambiguous(other.original)
            if words == 2 and not _JOINT.fullmatch(text[one.end : other.start].decode("utf-8", "replace")):
                continue
            if _one_person(subjects, one.original, other.original, gap):
                return one, other
    return None


def _is_street(text: bytes, hit: Hit) -> bool:
    return _LETTERS.search(text[hit.start : hit.end]) is not None


def _of_two(text: bytes, one: Hit, other: Hit) -> bool:
    """Whether two names are of two persons: 'Dave Murray/Steve Harris', 'Dave Murray, Steve Harris'.

    Signs that separate the values of one record (`first=Dave&last=Murray`, `Dave;Murray`) do that only where either
    side has another name beside it.
    """
    gap = text[one.end : other.start].decode("utf-8", "ignore")
    words = _WORDS.findall(gap)
    if len(words) == 1 and words[0] not in _AND and _BETWEEN.fullmatch(gap):
        return False  # a name between first and last
    if _MIDDLE.fullmatch(gap) and _AND.isdisjoint(words):
        return False
    if not _BORN.isdisjoint(words):
        return False
    if any(word in _AND or (is_name(word) and word not in _NO_NAMES) for word in words):
        return True
    before = _WORD_BEFORE.search(text[max(0, one.start - NEAR) : one.start].decode("utf-8", "ignore"))
    after = _WORD_BEHIND.match(text[other.end : other.end + NEAR].decode("utf-8", "ignore"))
    named = before is not None and is_name(before[1])
    if _LISTED.search(gap):
        return named or (after is not None and is_name(after[1]))
    return "," in gap and not words and named


def _one_person(subjects: Subjects, one: int, other: int, gap: int) -> bool:
    words = subjects.ambiguous(one) + subjects.ambiguous(other)
    if gap > (NEAR, BESIDE, 1)[words]:
        return False
    these, those = subjects.persons(one), subjects.persons(other)
    if gap > BESIDE and len(these) * len(those) / max(1, subjects.count) > _COMMON and subjects.count > 100:
        return False
    return len(np.intersect1d(these, those, assume_unique=True)) > 0


@dataclass(slots=True)
class Tally:
    """The weak identities of rows' own subjects in one field: seen and expected, of plain names and of words."""

    seen: list[int] = field(default_factory=lambda: [0, 0])
    expected: list[float] = field(default_factory=lambda: [0.0, 0.0])
    rows: list[int] = field(default_factory=lambda: [0, 0])
    names: Counter[int] = field(default_factory=Counter)
    """In how many rows each weak identity stands."""
    meant: list[tuple[int, ...]] = field(default_factory=list)
    """The subjects of some rows of the field, whatever they hold."""
    example: tuple[int, str, str] | None = None
    """A hit of a row's own subject: the number, where it is, and its outline."""

    def merge(self, other: Tally) -> None:
        """Take in what was counted elsewhere."""
        for kind in (0, 1):
            self.seen[kind] += other.seen[kind]
            self.expected[kind] += other.expected[kind]
            self.rows[kind] += other.rows[kind]
        self.names.update(other.names)
        self.meant += other.meant[: _MEANT - len(self.meant)]
        self.example = self.example or other.example

    def add(self, subjects: Subjects, persons: Sequence[int], hits: Sequence[Hit]) -> Hit | None:
        """Count one row's value; returns a hit that is of the row's own subject."""
        own: Hit | None = None
        for kind in (0, 1):
            numbers = {hit.original: hit for hit in hits if subjects.ambiguous(hit.original) == kind}
            if not numbers:
                continue
            self.rows[kind] += 1
            self.names.update(numbers.keys())
            mine = [hit for number, hit in numbers.items() if any(subjects.has(p, number) for p in persons)]
            self.seen[kind] += bool(mine)
            self.expected[kind] += min(1.0, sum(subjects.share(number, p) for number in numbers for p in persons))
            own = own or (mine[0] if mine else None)
        return own

    def count(self, rows: Sequence[int], seen: Sequence[int], expected: Sequence[float], names: dict[int, int]) -> None:
        """Take in what was counted of many rows."""
        for kind in (0, 1):
            self.rows[kind] += rows[kind]
            self.seen[kind] += seen[kind]
            self.expected[kind] += expected[kind]
        self.names.update(names)

    def sample(self, persons: Sequence[int]) -> None:
        """The subjects of any row."""
        if len(self.meant) < _MEANT:
            self.meant.append(tuple(persons))

    def _mixed(self, subjects: Subjects, kind: int) -> float:
        """How many rows would hold what their own subject is called, were the subjects mixed again: of plain names (0)
        or of everyday words (1).

        A column whose rows nearly all mean the same person, such as an agent, has no other chance; and the people that
        rows mean can be called otherwise than all people are. Of plain names it tells only where many are meant: one
        person's orders that repeat his name leak it.
        """
        if not self.meant or (kind == 0 and len(set(self.meant)) < _MANY):
            return 0.0
        return sum(
            count * sum(any(subjects.has(p, number) for p in persons) for persons in self.meant) / len(self.meant)
            for number, count in self.names.items()
            if subjects.ambiguous(number) == kind
        )

    def leaks(self, subjects: Subjects) -> bool:
        """Whether that is more than chance.

        With few people chance can give much: then it is a leak as well when at least two rows, half of those with any
        name, hold their own subject's, twice as many as expected.
        """
        plain, words = self.seen
        chance, of_words = (max(self.expected[kind], self._mixed(subjects, kind)) for kind in (0, 1))
        return (
            (plain > 0 and tail(plain, chance) < CHANCE)
            or (plain >= 2 and 2 * plain >= self.rows[0] and plain >= 2 * chance)
            or (words > 0 and tail(words, of_words) < CHANCE_OF_WORDS)
        )


def tail(seen: int, expected: float) -> float:
    """The probability of so many or more, when `expected` is the mean of a Poisson distribution."""
    if seen <= 0:
        return 1.0
    if expected <= 0:
        return 0.0
    if seen <= expected:
        return 1.0
    term = math.exp(seen * math.log(expected) - expected - math.lgamma(seen + 1))
    total, number = 0.0, seen
    while term > total * 1e-12 and number < seen + 10_000:
        total += term
        number += 1
        term *= expected / number
    return min(1.0, total)
