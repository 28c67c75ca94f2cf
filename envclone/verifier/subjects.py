"""Who is who: the weak identities of each person (a row of a table of people), and which rows refer to whom.

A first name, a family name, a street or a short code says nothing alone. Two of one person side by side do, and one in
a row that refers to that person may.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import numpy as np

from envclone.masking.words import NAMES_TOO, TITLES, WORDS_FIRST
from envclone.verifier.originals import strong

__all__ = ["WITHOUT_PARTS", "Keys", "Part", "Subjects", "parts_of"]

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_DIGITS = re.compile(r"\d")
_PART, _SHORTEST_NUMBER, _SHORTEST_CODE = 3, 6, 4
_RECENT = 100_000
MOST = 8
"""Persons that one value of a key may mean; one that means more is no key of a person."""

_NO_IDENTITY = ("text", "json", "date", "integer", "number", "hook", "sql", "constant", "redact", "null")
WITHOUT_PARTS = frozenset((*_NO_IDENTITY, "email", "iban", "uuid", "secret", "ip", "mac", "url", "bytes"))
"""Kinds whose values are identities as a whole, or none."""


class Part:
    """What a weak identity is: a name; a street or postal code; or something that counts in the same row only."""

    NAME, PLACE, OTHER = range(3)


def parts_of(kind: str, value: str) -> list[tuple[str, int]]:
    """The weak identities in a value, each with what it is; in lower case."""
    lowered = " ".join(value.lower().split())
    if kind == "person":
        words = [word for word in _WORD.findall(lowered) if len(word) >= _PART and word not in TITLES]
        return [(word, Part.NAME) for word in words]
    if kind == "address":
        if len(lowered) < _PART:
            return []
        placed = _DIGITS.search(lowered) is not None and len(lowered) >= _SHORTEST_CODE
        return [(lowered, Part.PLACE if placed else Part.OTHER)]
    if kind in ("phone", "card", "national_id"):
        digits = "".join(_DIGITS.findall(lowered))
        return [(digits, Part.OTHER)] if len(digits) >= _SHORTEST_NUMBER else []
    if kind in WITHOUT_PARTS:
        return []
    return [(lowered, Part.OTHER)] if not strong(kind, value) and len(lowered) >= _SHORTEST_CODE else []


class Keys:
    """Which persons a value of one field means."""

    def __init__(self) -> None:
        self._values, self._persons = array("q"), array("I")
        self._sorted: tuple[Any, Any] | None = None

    def add(self, value: Any, person: int) -> None:
        """A value that means a person."""
        self._values.append(hash(value))
        self._persons.append(person)

    def __len__(self) -> int:
        return len(self._persons)

    def find(self, value: Any) -> Sequence[int]:
        """The persons that a value means; nobody when they are too many."""
        if self._sorted is None:
            values = np.array(self._values, np.int64)
            order = np.argsort(values, kind="stable")
            self._sorted = values[order], np.array(self._persons, np.uint32)[order]
        values, persons = self._sorted
        wanted = hash(value)
        low, high = np.searchsorted(values, wanted, "left"), np.searchsorted(values, wanted, "right")
        return persons[low:high].tolist() if high - low <= MOST else ()


class Subjects:
    """Every person, numbered; the rows of one table have numbers in a row."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._recent: dict[tuple[str, str], list[tuple[str, int]]] = {}
        self._what = array("B")
        self._ambiguous = array("B")
        self._sources: list[tuple[str, str]] = []
        self._source_of = array("H")
        self._pairs: Any = array("Q")
        self._first: list[int] = []
        self._tables: list[str] = []
        self.count = 0

    def begin(self, table: str) -> int:
        """The rows of a table follow; returns the number of the first."""
        self._tables.append(table)
        self._first.append(self.count)
        return self.count

    def add(self, person: int, kind: str, value: str, source: str) -> None:
        """A person's value of one kind."""
        parts = self._recent.get((kind, value))
        if parts is None:
            if len(self._recent) > _RECENT:
                self._recent.clear()
            parts = self._recent[kind, value] = parts_of(kind, value)
        for text, what in parts:
            number = self._numbers.get(text)
            if number is None:
                number = self._numbers[text] = len(self._numbers)
                self._what.append(what)
                self._ambiguous.append(text in NAMES_TOO or text in WORDS_FIRST)
                if (source, kind) not in self._sources:
                    self._sources.append((source, kind))
                self._source_of.append(self._sources.index((source, kind)))
            self._pairs.append(number << 32 | person)

    def seal(self) -> list[str]:
        """Take in no more; returns all weak identities in the order of their numbers."""
        self._pairs = np.unique(np.array(self._pairs, np.uint64))
        texts = list(self._numbers)
        self._numbers, self._recent = {}, {}
        return texts

    def source(self, number: int) -> tuple[str, str]:
        """The field that showed a weak identity first, and its kind."""
        return self._sources[self._source_of[number]]

    def what(self, number: int) -> int:
        """What a weak identity is: a constant of `Part`."""
        return self._what[number]

    def ambiguous(self, number: int) -> bool:
        """Whether it is an everyday word too."""
        return bool(self._ambiguous[number])

    def has(self, person: int, number: int) -> bool:
        """Whether a weak identity is this person's."""
        pair = np.uint64(number << 32 | person)
        place = int(np.searchsorted(self._pairs, pair))
        return place < len(self._pairs) and self._pairs[place] == pair

    def persons(self, number: int) -> Any:
        """Everybody whose weak identity this is, ascending."""
        low, high = np.searchsorted(self._pairs, np.array([number << 32, number + 1 << 32], np.uint64))
        return self._pairs[low:high] & np.uint64(0xFFFFFFFF)

    def share(self, number: int, person: int) -> float:
        """The fraction of the persons of this one's table whose weak identity this is."""
        table = bisect_right(self._first, person) - 1
        first = self._first[table]
        end = self._first[table + 1] if table + 1 < len(self._first) else self.count
        low, high = np.searchsorted(self._pairs, np.array([number << 32 | first, number << 32 | end], np.uint64))
        return float(high - low) / max(1, end - first)

    def table_of(self, person: int) -> str:
        """The table whose row a person is."""
        return self._tables[bisect_right(self._first, person) - 1]
