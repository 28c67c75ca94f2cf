"""Who is who: the weak identities of each person (a row of a table of people), and which rows refer to whom.

A first name, a family name, a street or a short code says nothing alone. Two of one person side by side do, and one in
a row that refers to that person may.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from envclone.compiled import available, frozen
from envclone.distinct import Distinct, Hashes
from envclone.masking.crowd import form_of, loops, odd_of
from envclone.masking.meant import UNSAID
from envclone.masking.streets import places_in, streets_in
from envclone.masking.transliterated import KINDS_TRANSLITERATED, transliterated
from envclone.masking.words import NAMES_TOO, TITLES, WORDS_FIRST
from envclone.packed import ABSENT, Packed, having_at, pack
from envclone.shelf import Column, Shelf, Sorter
from envclone.verifier.namevariants import joined_names
from envclone.verifier.originals import BY_MORE, strong

__all__ = ["WITHOUT_PARTS", "Keys", "Part", "Subjects", "parts_of"]

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SEVERAL = re.compile(rb"['`\-]|[^ \0] [a-z]{1,4} |[^ \0]+ [^ \0]+ [^ \0]+ [^ \0]")
"""What a name has, in bytes, of which some parts can be written in one."""
_DIGITS = re.compile(r"\d")
_PART, _SHORTEST_NUMBER, _SHORTEST_CODE = 3, 6, 4
_AT_ONCE = 1 << 17
"""Pairs that are looked at together."""
MOST = 8
"""Persons that one value of a key may mean; one that means more is not a key of a person."""

_NO_IDENTITY = ("text", "json", "date", "integer", "number", "setting", "hook", "sql")
WITHOUT_PARTS = frozenset((*_NO_IDENTITY, "email", "iban", "uuid", "secret", "ip", "mac", "url", "bytes", *UNSAID))
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
        return [(lowered, Part.PLACE if placed else Part.OTHER), *_within_address(value)]
    if kind in ("phone", "card", "national_id"):
        digits = "".join(_DIGITS.findall(lowered))
        return [(digits, Part.OTHER)] if len(digits) >= _SHORTEST_NUMBER else []
    if kind in WITHOUT_PARTS:
        return []
    return [(lowered, Part.OTHER)] if not strong(kind, value) and len(lowered) >= _SHORTEST_CODE else []


def _within_address(value: str) -> list[tuple[str, int]]:
    """The street with its number and the postal code of an address in one value."""
    return [(" ".join(part.lower().split()), Part.PLACE) for part in places_in(value)]


class Keys:
    """Which persons a text in one field means, known by 64 bits of it under a seed of this process."""

    def __init__(self, shelf: Shelf | None = None) -> None:
        self._hashes = Hashes()
        self._taken = Sorter(shelf or Shelf(), np.int64, np.uint32)
        self._sorted: tuple[Any, Any] | None = None

    def take(self, values: Packed, persons: Any) -> None:
        """Texts that mean persons, one each."""
        there = values.starts >= 0
        self._taken.add(self._hashes.of(values)[there], np.asarray(persons)[there].astype(np.uint32))

    def __len__(self) -> int:
        return len(self._taken)

    def sort(self) -> tuple[Any, Any]:
        """Put them in order, once all are taken in: before there are copies of the process, which would each do it."""
        if self._sorted is None:
            self._sorted = self._taken.done(once=False)
        return self._sorted

    def find(self, value: str) -> Sequence[int]:
        """The persons that a text means; nobody when they are too many."""
        return next(self.find_many([value]))

    def find_many(self, values: Sequence[str]) -> Iterator[Sequence[int]]:
        """The same of many texts."""
        known, persons = self.sort()
        if not values:
            return
        wanted = self._hashes.of(pack(values))
        low, high = np.searchsorted(known, wanted, "left"), np.searchsorted(known, wanted, "right")
        for first, last in zip(low.tolist(), high.tolist(), strict=True):
            yield persons[first:last].tolist() if last - first <= MOST else ()


class Subjects:
    """Every person, numbered; the rows of one table have numbers in a row."""

    def __init__(self, shelf: Shelf | None = None) -> None:
        self.shelf = shelf = shelf or Shelf()
        """Where what is made of them may lie, too."""
        self._texts = Distinct(shelf)
        self._what = Column(shelf, np.uint8)
        self._ambiguous = Column(shelf, np.uint8)
        self._sources: dict[tuple[str, str], int] = {}
        self._source_of = Column(shelf, np.uint16)
        self._taken = Sorter(shelf, np.uint64)
        self._pairs: Any = np.zeros(0, np.uint64)
        self._named: list[tuple[str, str]] = []
        self._first: list[int] = []
        self._tables: list[str] = []
        self.count = 0

    def begin(self, table: str) -> int:
        """The rows of a table follow; returns the number of the first."""
        self._tables.append(table)
        self._first.append(self.count)
        return self.count

    def add(self, persons: Sequence[int], kind: str, values: Sequence[str], source: str) -> None:
        """Persons' values of one kind, one each."""
        known: dict[str, list[tuple[str, int]]] = {}
        texts: list[str] = []
        owners: list[int] = []
        what: list[int] = []
        for person, value in zip(persons, values, strict=True):
            parts = known.get(value)
            if parts is None:
                ways = (value, *transliterated(value)) if kind in KINDS_TRANSLITERATED else (value,)
                parts = known[value] = [part for way in ways for part in parts_of(kind, way)]
                if kind == "person":
                    parts += [part for way in ways for one in joined_names(way) for part in parts_of(kind, one)]
            for text, its in parts:
                texts.append(text)
                owners.append(person)
                what.append(its)
        if texts:
            self._number(pack(texts), np.array(owners), np.array(what), kind, source)

    def take(self, first: int, kind: str, values: Packed, source: str) -> None:
        """The values of one kind of persons from a number on, one each or none."""
        if kind in WITHOUT_PARTS:
            return
        more = available() and kind not in BY_MORE
        odd = dict(odd_of(values) if more else ((i, t) for i, t in enumerate(values.texts()) if t is not None))
        self.add([first + place for place in odd], kind, list(odd.values()), source)
        if more:
            parts, owners, what = weak_parts(kind, values)
            self._number(parts, owners + first, what, kind, source)
        if more and kind == "person":
            told = ((i, one) for i, text in having_at(values, _SEVERAL) for one in joined_names(text))
            joined = [(first + i, part) for i, one in told for part, _ in parts_of(kind, one)]
            if joined:
                whose = np.array([person for person, _ in joined], np.int64)
                self._number(pack([one for _, one in joined]), whose, np.full(len(joined), Part.NAME), kind, source)
        if more and kind == "address":
            within = [(first + i, part) for i, text in streets_in(values) for part in _within_address(text)]
            if within:
                texts = pack([text for _, (text, _) in within])
                whose = np.array([person for person, _ in within], np.int64)
                self._number(texts, whose, np.full(len(within), Part.PLACE), kind, source)

    def _number(self, texts: Packed, persons: Any, what: Any, kind: str, source: str) -> None:
        """Take in weak identities of persons."""
        before = len(self._texts)
        numbers = self._texts.take(texts).astype(np.uint64)
        self._taken.add(numbers << np.uint64(32) | persons.astype(np.uint64))
        new = len(self._texts) - before
        if not new:
            return
        fresh = np.flatnonzero(numbers >= before)
        places = fresh[np.unique(numbers[fresh], return_index=True)[1]]
        self._what.extend(what[places])
        whose = self._sources.setdefault((source, kind), len(self._sources))
        self._source_of.extend(np.full(new, whose, np.uint16))
        self._ambiguous.extend(_words().numbers(texts)[places] >= 0)

    def seal(self) -> Distinct:
        """Take in no more; returns all weak identities by their numbers."""
        self._pairs, _ = self._taken.done(once=True)
        texts, self._texts = self._texts, Distinct()
        self._named = list(self._sources)
        return texts

    def beside(self, what: int, most: int) -> Iterator[tuple[Any, Any]]:
        """Pairs of different weak identities of one kind that one person has, as arrays of their numbers.

        Of persons with more than `most` some are left out; two everyday words are not a pair.
        """
        mine = self._by_persons(what)
        plain = self._ambiguous.array == 0
        for first in range(0, len(mine), _AT_ONCE):
            part = mine[first : first + _AT_ONCE + most - 1]
            numbers, persons = (part & np.uint64(0xFFFFFFFF)).astype(np.int64), part >> np.uint64(32)
            for apart in range(1, most):
                left, right = numbers[:-apart][:_AT_ONCE], numbers[apart:][:_AT_ONCE]
                same = (persons[:-apart] == persons[apart:])[:_AT_ONCE] & (plain[left] | plain[right])
                yield left[same], right[same]
                yield right[same], left[same]

    def of(self, what: int) -> Any:
        """The numbers of the weak identities of one kind (int64), ascending."""
        return np.flatnonzero(self._what.array == what)

    def _by_persons(self, what: int) -> Any:
        """The pairs of weak identities of one kind in the order of persons, whose number stands in the upper half."""
        its, mine = self._what.array == what, Sorter(self.shelf, np.uint64)
        for first in range(0, len(self._pairs), _AT_ONCE):
            part = self._pairs[first : first + _AT_ONCE]
            part = part[its[(part >> np.uint64(32)).astype(np.int64)]]
            mine.add(part << np.uint64(32) | part >> np.uint64(32))
            self.shelf.rest()
        return mine.done(once=False)[0]

    def source(self, number: int) -> tuple[str, str]:
        """The field that showed a weak identity first, and its kind."""
        return self._named[int(self._source_of.array[number])]

    def what(self, number: int) -> int:
        """What a weak identity is: a constant of `Part`."""
        return int(self._what.array[number])

    def places(self, numbers: Any) -> Any:
        """Which weak identities are a street or a postal code."""
        return self._what.array[numbers] == Part.PLACE

    def ambiguous(self, number: int) -> bool:
        """Whether it is an everyday word too."""
        return bool(self._ambiguous.array[number])

    def has(self, person: int, number: int) -> bool:
        """Whether a weak identity is this person's."""
        pair = np.uint64(number << 32 | person)
        place = int(np.searchsorted(self._pairs, pair))
        return place < len(self._pairs) and self._pairs[place] == pair

    def persons(self, number: int) -> Any:
        """Everybody whose weak identity this is, ascending."""
        low, high = np.searchsorted(self._pairs, np.array([number << 32, number + 1 << 32], np.uint64))
        return self._pairs[low:high] & np.uint64(0xFFFFFFFF)

    def near(self, values: Any, numbers: Any, starts: Any, ends: Any) -> Any:
        """Which hits, in order of values and places, may be of one person with one behind them (`weakkernels.near`);
        None where loops are not compiled."""
        found = np.zeros(len(values), np.bool_)
        if not available():
            return None
        from envclone.verifier import weakkernels  # late: it waits for the compiler

        what, ambiguous, pairs = map(frozen, (self._what.array, self._ambiguous.array, self._pairs))
        weakkernels.near(values, numbers, starts, ends, what, ambiguous, pairs, max(1, self.count), found)
        return found

    def tally(self, begins: Any, numbers: Any, whose: Any, persons: Any) -> tuple[Any, ...]:
        """Count hits of values by what the values' own subjects are called (`weakkernels.tally`): by plain names and
        everyday words the values with any, those with a subject's own, and as many as chance gives; then what is the
        first of its number in a value, and which values have an own. Only where loops are compiled."""
        from envclone.verifier import weakkernels  # late: it waits for the compiler

        rows, seen, expected = np.zeros(2, np.int64), np.zeros(2, np.int64), np.zeros(2, np.float64)
        first, own = np.zeros(len(numbers), np.bool_), np.zeros(len(begins) - 1, np.bool_)
        firsts = np.array([*self._first, self.count], np.int64)
        ambiguous, pairs = frozen(self._ambiguous.array), frozen(self._pairs)
        counts = rows, seen, expected
        weakkernels.tally(begins, numbers, whose, persons, ambiguous, pairs, firsts, *counts, first, own)
        return *counts, first, own

    def share(self, number: int, person: int) -> float:
        """The fraction of the persons of this one's table whose weak identity this is."""
        first, end = self.bounds_of(person)
        low, high = np.searchsorted(self._pairs, np.array([number << 32 | first, number << 32 | end], np.uint64))
        return float(high - low) / max(1, end - first)

    def bounds_of(self, person: int) -> tuple[int, int]:
        """The numbers of the first person of this one's table, and of the one behind its last."""
        table = bisect_right(self._first, person) - 1
        return self._first[table], self._first[table + 1] if table + 1 < len(self._first) else self.count

    def table_of(self, person: int) -> str:
        """The table whose row a person is."""
        return self._tables[bisect_right(self._first, person) - 1]


def weak_parts(kind: str, values: Packed) -> tuple[Packed, Any, Any]:
    """The weak identities of plain values: themselves, the places of the values that they are of, what each is."""
    starts = np.where(values.plain, values.starts, ABSENT)
    size = int((values.stops - values.starts)[values.plain].sum())
    most = size // _PART + 1
    block = np.zeros(size, np.uint8)
    firsts, lasts, owners = np.zeros((3, most), np.int64)
    what = np.zeros(most, np.uint8)
    form = form_of(kind)
    count = loops().parts(values.block, starts, values.stops, form, block, firsts, lasts, owners, what)
    if count < 0:
        raise ValueError("the room for weak identities is too small")
    plain = np.ones(count, np.bool_)
    return Packed(block, firsts[:count], lasts[:count], plain), owners[:count], what[:count]


@cache
def _words() -> Distinct:
    """Everyday words that are names too."""
    held = Distinct()
    held.add(sorted(NAMES_TOO | WORDS_FIRST))
    return held
