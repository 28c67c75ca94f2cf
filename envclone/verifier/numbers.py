"""Numbers of persons, IPv4 addresses too, of masked fields in kept columns and texts: more of them than chance gives.

A number of seven to eleven digits says nothing alone: an amount or a key can equal somebody's. Chance gives, for each
different number of a column, the share of masked numbers among all numbers of its length, or, where that is more, among
the 10,000 numbers around it, itself left out: keys in a row and telephone numbers of one town lie close together. The
count seen is held to a Poisson distribution of that mean.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from itertools import chain
from types import ModuleType
from typing import Any

import numpy as np

from envclone.compiled import available
from envclone.masking.number_batches import code_table
from envclone.masking.phone import national_number
from envclone.masking.regions import calling_codes
from envclone.packed import TextBlock
from envclone.shelf import Sorter
from envclone.verifier.kept import tail
from envclone.verifier.originals import Originals

__all__ = ["CHANCE", "NumberTally", "Numbers", "every_number", "numbers_in"]

CHANCE = 1e-4
"""A count that chance gives less often than this is a leak."""
_KINDS = frozenset(("phone", "card", "national_id"))
_FEWEST, _MOST = 7, 18
_AROUND = 10_000
_AT_ONCE, _SOME = 1 << 18, 1 << 14
_MOST_BITS, _BITS_MORE, _OF_BYTE = 27, 5, 3
"""Bits of a table that says of most numbers that they are nobody's: 16 MB at most."""
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_SAMPLED = 1024
"""Numbers of a batch that tell how many chance gives."""
_OF_INTEGERS = (4, 8)
"""Bytes of integers."""
_IPV4 = re.compile(r"((?:[0-9]{1,3}\.){3}[0-9]{1,3})(?:/32)?")
_EXPONENT = re.compile(r"[1-9](?:\.[0-9]+)?e\+([0-9]{1,3})")
"""A number as the type float8 prints it from 10 ** 15 on."""
_POWERS = np.array([10**digits for digits in range(19)], np.int64)
_LENGTHS = np.array([10**digits for digits in range(_FEWEST - 1, _MOST + 1)], np.int64)


@dataclass(slots=True)
class NumberTally:
    """The different numbers of one column that are masked elsewhere, and how many chance gives."""

    seen: set[int] = field(default_factory=set)
    expected: float = 0.0
    example: tuple[int, str] | None = None
    """One of them, and its row."""

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
        self._held = originals
        taken = Sorter(originals.shelf, np.int64)
        for _, found in every_number(originals):
            taken.add(found[found >= 0])
            originals.shelf.rest()
        for _, found in every_address(originals):
            taken.add(found)
        self._numbers, _ = taken.done(once=True)
        self._bits = min(_MOST_BITS, len(self._numbers).bit_length() + _BITS_MORE)
        self._perhaps = np.zeros(1 << self._bits - _OF_BYTE, np.uint8)
        for first in range(0, len(self._numbers), _AT_ONCE):
            places = self._places(self._numbers[first : first + _AT_ONCE])
            np.bitwise_or.at(self._perhaps, places >> _OF_BYTE, (1 << (places & 7)).astype(np.uint8))
        spans = np.diff(np.searchsorted(self._numbers, _LENGTHS))
        self._shares = np.concatenate((spans / np.diff(_LENGTHS), [0.0]))

    def __len__(self) -> int:
        return len(self._numbers)

    def original(self, number: int) -> int:
        """The first original with a number that was counted."""
        every = chain(every_number(self._held), every_address(self._held))
        return next(
            int(originals[np.flatnonzero((found.reshape(len(found), -1) == number).any(axis=1))[0]])
            for originals, found in every
            if (found == number).any()
        )

    def count(self, values: Sequence[Any], tally: NumberTally) -> tuple[int, int] | None:
        """Count a batch of a column; returns a number that an original has, with its place in the batch."""
        if not len(self._numbers):
            return None
        numbers, places = _column(values)
        if not len(numbers):
            return None
        hit = self._has(numbers)
        tally.expected += self._expected(numbers, hit)
        found = numbers[hit].tolist()
        tally.seen.update(found)
        return (found[0], int(places[hit][0])) if found else None

    def in_texts(self, values: Sequence[Any]) -> tuple[float, list[tuple[int, int]]]:
        """The numbers that texts, short bytes and lists of these hold: how many of somebody's chance gives, and those
        that are somebody's, each with the number of its value."""
        if not len(self._numbers):
            return 0.0, []
        numbers, owners = numbers_in(values)
        if not len(numbers):
            return 0.0, []
        once = np.unique(numbers)[:: max(1, len(numbers) // _SAMPLED)]
        expected = self._expected(once, self._has(once)) * len(np.unique(numbers)) / len(once)
        places = self._places(numbers)
        some = np.flatnonzero(self._perhaps[places >> _OF_BYTE] >> (places & 7).astype(np.uint8) & 1)
        some = some[self._has(numbers[some])]
        return expected, list(zip(numbers[some].tolist(), owners[some].tolist(), strict=True))

    def _places(self, numbers: Any) -> Any:
        """Where in the table a number's bit stands."""
        return (numbers.astype(np.uint64) * _SPREAD >> np.uint64(64 - self._bits)).astype(np.int64)

    def _has(self, numbers: Any) -> Any:
        at = np.minimum(np.searchsorted(self._numbers, numbers), len(self._numbers) - 1)
        return self._numbers[at] == numbers

    def _expected(self, numbers: Any, hit: Any) -> float:
        """How many of some different numbers chance gives; `hit` are those that are somebody's."""
        length = np.searchsorted(_LENGTHS, numbers, "right") - 1
        first = numbers // _AROUND * _AROUND
        around = np.searchsorted(self._numbers, first + _AROUND) - np.searchsorted(self._numbers, first)
        return float(np.maximum(self._shares[length], (around - hit) / _AROUND).sum())


def numbers_in(values: Sequence[Any]) -> tuple[Any, Any]:
    """The numbers that stand in values, and the numbers of these: in texts, also as hexadecimal digits and as signed
    ones of 32 bits; and what four or eight bytes are."""
    if isinstance(values, TextBlock):
        return _in_block(values.block)
    texts: list[str] = []
    owners: list[int] = []
    packed: list[tuple[int, int]] = []
    for number, value in enumerate(values):
        for one in _leaves(value):
            if isinstance(one, bytes):
                if len(one) in _OF_INTEGERS:
                    packed += [(int.from_bytes(one, "big"), number), (int.from_bytes(one, "little"), number)]
            elif len(text := str(one)) >= _FEWEST:
                texts.append(text.replace("\0", " "))
                owners.append(number)
    numbers, places = _in_block("\0".join(texts).encode("utf-8", "surrogatepass"))
    whose = np.array(owners, np.int64)[places] if texts else places
    bounded = [one for one in packed if _LENGTHS[0] <= one[0] < _LENGTHS[-1]]
    more = np.array(bounded, np.int64).reshape(-1, 2)
    return np.concatenate((numbers, more[:, 0])), np.concatenate((whose, more[:, 1]))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif value is not None:
        yield value


def _in_block(block: bytes) -> tuple[Any, Any]:
    from envclone.verifier import numberkernels  # late: it waits for the compiler

    data, recent = np.frombuffer(block, np.uint8), np.zeros(numberkernels.RECENT, np.int64)
    found = np.zeros((_SOME, 2), np.int64)
    count = int(numberkernels.numbers(data, recent, found))
    if count > len(found):
        found = np.zeros((count, 2), np.int64)
        numberkernels.numbers(data, np.zeros(numberkernels.RECENT, np.int64), found)
    return found[:count, 0].copy(), found[:count, 1].copy()


def every_number(originals: Originals) -> Iterator[tuple[Any, Any]]:
    """Some originals at a time: their numbers, and of each the number of its digits, its national number, and what is
    left of it behind the code of a country."""
    phones = originals.numbers_of(frozenset(("phone",)))
    if not available():
        known = list(originals.of_kinds(_KINDS))
        both = [(_within(_digits(value)), _within(national_number(value))) for _, value in known]
        numbers = np.array([number for number, _ in known], np.int64)
        yield numbers, _three(np.array(both, np.int64).reshape(-1, 2), np.isin(numbers, phones))
        return
    block, bounds = originals.held()
    block = block[:]
    block.flags.writeable = False
    every, codes, room = originals.numbers_of(_KINDS), code_table(calling_codes()), _loops().room()
    for first in range(0, len(every), _AT_ONCE):
        numbers = every[first : first + _AT_ONCE]
        found, odd = np.zeros((len(numbers), 2), np.int64), np.zeros(len(numbers), np.bool_)
        starts, stops = bounds[numbers].astype(np.int64), bounds[numbers + 1].astype(np.int64)
        _loops().dialled(block, starts, stops, codes, room, found, odd)
        for i in np.flatnonzero(odd).tolist():
            value = originals.value(int(numbers[i]))
            found[i] = _within(_digits(value)), _within(national_number(value))
        yield numbers, _three(found, np.isin(numbers, phones))


def _three(found: Any, phones: Any) -> Any:
    return np.column_stack((found, np.where(phones, _behind_codes(found[:, 0], found[:, 1]), -1)))


def _behind_codes(whole: Any, national: Any) -> Any:
    """Numbers that are stored without the + before the code of their country (491711234567), without that code; -1
    where there is none."""
    may = (whole == national) & (whole >= _POWERS[10]) & (whole < _POWERS[15])
    behind = np.full(len(whole), -1, np.int64)
    if not may.any():
        return behind
    size = np.searchsorted(_POWERS, whole, "right")
    for length in (1, 2, 3):  # no code is the beginning of another one
        codes = np.array([int(code) for code in calling_codes() if len(code) == length], np.int64)
        shift = _POWERS[np.maximum(size - length, 0)]
        behind = np.where(may & np.isin(whole // shift, codes), whole % shift, behind)
    return np.where(behind >= _LENGTHS[0], behind, -1)


def every_address(originals: Originals) -> Iterator[tuple[Any, Any]]:
    """Some addresses of the internet at a time: the originals' numbers, and of each the number that it is as well."""
    every = originals.strong_of({"ip"})
    for first in range(0, len(every), _SOME):
        numbers = every[first : first + _SOME].tolist()
        known = [(i, found[1]) for i in numbers if (found := _IPV4.fullmatch(originals.value(i)))]
        told = [(i, int.from_bytes(packed, "big")) for i, written in known if (packed := _packed(written))]
        if told:
            yield np.array([i for i, _ in told], np.int64), np.array([number for _, number in told], np.int64)


def _packed(written: str) -> bytes:
    try:
        return socket.inet_aton(written)
    except OSError:
        return b""


def _column(values: Sequence[Any]) -> tuple[Any, Any]:
    """The different numbers of a batch, ascending, and the first place of each."""
    if isinstance(values, TextBlock) and available() and b"e" not in values.block:
        found = np.zeros(len(values), np.int64)
        _loops().whole(np.frombuffer(values.block, np.uint8), found)
        there = np.flatnonzero(found >= 0)
        numbers, firsts = np.unique(found[there], return_index=True)
        return numbers, there[firsts]
    places: dict[int, int] = {}
    for place, value in enumerate(values):
        number = _number(value)
        if number is not None:
            places.setdefault(number, place)
    numbers = np.sort(np.fromiter(places, np.int64, len(places)))
    return numbers, np.array([places[number] for number in numbers.tolist()], np.int64)


def _within(digits: str) -> int:
    """The number that some digits write, -1 when it is out of bounds."""
    return int(digits) if _FEWEST <= len(digits.lstrip("0")) <= _MOST else -1


@cache
def _loops() -> ModuleType:
    """The compiled loops, loaded when they are first needed."""
    return import_module("envclone.masking.kernels.dialled")


def _number(value: Any) -> int | None:
    """A whole number of so many digits, as the engine or a driver gives it."""
    if isinstance(value, str):
        value = _EXPONENT.sub(_written_out, value).removesuffix(".0")
        if not (_FEWEST <= len(value) <= _MOST and value.isascii() and value.isdigit() and value[0] != "0"):
            return None
        return int(value)
    if isinstance(value, bool) or value is None or value != value or value in (float("inf"), float("-inf")):
        return None
    return int(value) if value == int(value) and _LENGTHS[0] <= value < _LENGTHS[-1] else None


def _written_out(match: re.Match[str]) -> str:
    """A floating point number in digits, where it is a whole number of few enough."""
    return f"{float(match[0]):.0f}" if int(match[1]) < _MOST else match[0]


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isascii() and char.isdigit())
