"""Weak identities found in many values: arrays, of which objects are made only where something may follow from them.

In free text most of them are words of pseudonyms, thousands to a megabyte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from envclone.compiled import available
from envclone.verifier.kept import Tally
from envclone.verifier.loose import Found, LooseSearch, Texts
from envclone.verifier.search import Hit
from envclone.verifier.subjects import Subjects

__all__ = ["WordHits", "weak_words"]

_ALNUM = np.array([bytes((byte,)).isalnum() for byte in range(256)])
_ASCII, _TWO, _THREE, _NONE = 0x80, 0xC0, 0xE0, 0xFF


class WordHits(Mapping[int, list[Found]]):
    """By the number of a value what was found in it, in order: `rows` are those of `Texts.placed`."""

    def __init__(self, data: bytes, rows: Sequence[Any]) -> None:
        order = np.lexsort((rows[3], rows[2], rows[0]))
        self._data, self._rows = data, [column[order] for column in rows]
        values = self._rows[0]
        new = np.ones(len(values), np.bool_)
        new[1:] = values[1:] != values[:-1]
        self._begins = np.append(np.flatnonzero(new), len(values))
        self._places = dict(zip(values[new].tolist(), range(len(values)), strict=False))

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def __getitem__(self, value: int) -> list[Found]:
        place = self._places[value]
        _, numbers, starts, ends, firsts, lasts = (
            column[self._begins[place] : self._begins[place + 1]].tolist() for column in self._rows
        )
        first, text = firsts[0], self._data[firsts[0] : lasts[0]]
        return [
            Found(value, Hit(number, start - first, end - first), text, True)
            for number, start, end in zip(numbers, starts, ends, strict=True)
        ]

    def many(self) -> list[int]:
        """The values with more than one."""
        counts = np.diff(self._begins)
        return [value for value, place in self._places.items() if counts[place] > 1]

    def own(self, subjects: Subjects, meant: Sequence[Sequence[int]], tally: Tally) -> int | None:
        """Count the values in a tally, by the persons that each of them means; returns a value that holds what one of
        its own is called."""
        if not available():
            own = [
                value
                for value, persons in zip(self, meant, strict=True)
                if persons and tally.add(subjects, persons, [one.hit for one in self[value]]) is not None
            ]
            return own[0] if own else None
        values, numbers = self._rows[0], self._rows[1]
        numbers = numbers[np.lexsort((numbers, values))]
        whose = np.cumsum([0, *map(len, meant)], dtype=np.int64)
        persons = np.array([person for its in meant for person in its], np.int64)
        rows, seen, expected, first, found = subjects.tally(self._begins, numbers, whose, persons)
        some, times = np.unique(numbers[first], return_counts=True)
        names = dict(zip(some.tolist(), times.tolist(), strict=True))
        tally.count(rows.tolist(), seen.tolist(), expected.tolist(), names)
        places = np.flatnonzero(found)
        return int(values[self._begins[places[0]]]) if len(places) else None

    def near(self, subjects: Subjects) -> list[int]:
        """The values that may hold two of one person near each other; `kept.pairs_of_one_person` judges them."""
        values, numbers, starts, ends, _, _ = self._rows
        told = subjects.near(values, numbers, starts, ends)
        if told is None:
            return self.many()
        placed = np.flatnonzero(subjects.places(numbers))  # a street and a postal code, without a name
        beside = placed[1:][values[placed[1:]] == values[placed[:-1]]]
        found: list[int] = np.union1d(values[told], values[beside]).tolist()
        return found

    def outside(self, told: Mapping[int, list[Found]]) -> WordHits:
        """Those that lie inside nothing that was reported already."""
        if not told or not self._places:
            return self
        kept = np.ones(len(self._rows[0]), np.bool_)
        for value, those in told.items():
            place = self._places.get(value)
            if place is None:
                continue
            begin, end = int(self._begins[place]), int(self._begins[place + 1])
            _, _, starts, ends, firsts, _ = (column[begin:end] for column in self._rows)
            for hit in (one.hit for one in those):
                kept[begin:end] &= (starts - firsts < hit.start) | (ends - firsts > hit.end)
        return self if kept.all() else WordHits(self._data, [column[kept] for column in self._rows])


def weak_words(search: LooseSearch, texts: Texts, before: Sequence[Any] | None = None) -> WordHits:
    """The weak identities in some values, as whole words; with `before` those that stand where they stood there."""
    rows = search.placed(texts, before)
    return WordHits(texts.data, [column[_whole(texts.data, *rows[2:])] for column in rows])


def _whole(data: bytes, starts: Any, ends: Any, firsts: Any, lasts: Any) -> Any:
    """Where no letter beyond ASCII goes on before or behind, in scripts that put spaces between words."""
    if not len(starts):
        return np.zeros(0, np.bool_)
    flat = np.frombuffer(data, np.uint8)
    first, last = flat[starts], flat[ends - 1]
    before = np.where(starts > firsts, flat[np.maximum(starts, 1) - 1], _NONE)
    after = np.where(ends < lasts, flat[np.minimum(ends, len(flat) - 1)], _NONE)
    goes_on = (first < _ASCII) & (before >= _ASCII) & (before < _NONE)
    goes_on |= (last < _ASCII) & (after >= _ASCII) & (after < _NONE)
    return ~(goes_on | ((first >= _TWO) & (first < _THREE) & (_ALNUM[before] | _ALNUM[after])))
