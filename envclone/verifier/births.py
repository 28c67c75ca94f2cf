"""Dates of birth in kept fields: rows that hold the masked date of their own subject, however dates are written.

A date says nothing alone: many are born on each day. Chance gives, for each value that holds a day on which anybody of
the table of people is born, the share of them who are. The count seen is held to a Poisson distribution of that mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np

from envclone.packed import Packed, TextBlock
from envclone.shelf import Shelf, Sorter
from envclone.verifier.kept import tail

__all__ = ["CHANCE", "BirthTally", "Births", "dated", "days_in"]

CHANCE = 1e-3
"""A count that chance gives less often than this is a leak."""
_EPOCH = date(1970, 1, 1).toordinal()
_PERSON = 40
"""Bits of a person's number; above them stands the day."""
_OLDEST, _LATEST = date(1850, 1, 1).toordinal(), date(2100, 1, 1).toordinal()
_DAY = 86_400
_UNITS = (1, 1000, 1_000_000)
_MONTHS = {
    name: number
    for number, names in enumerate(
        ("jan january januar janvier enero gennaio januari janeiro ocak января січня stycznia ledna",
         "feb february februar février fevrier febrero febbraio februari fevereiro şubat февраля лютого lutego února",
         "mar march mars märz maerz marzo maart março marco mart марта березня marca března",
         "apr april avril abril aprile nisan апреля квітня kwietnia dubna",
         "may mai mayo maggio mei maj maio mayıs мая травня maja května",
         "jun june juin juni junio giugno junho haziran июня червня czerwca června",
         "jul july juillet juli julio luglio julho temmuz июля липня lipca července",
         "aug august août aout agosto augustus augusti ağustos августа серпня sierpnia srpna",
         "sep sept september septembre septiembre settembre setembro eylül сентября вересня września září",
         "oct october octobre oktober okt octubre ottobre outubro ekim октября жовтня października října",
         "nov november novembre noviembre novembro kasım ноября листопада listopada listopadu",
         "dec december décembre decembre dezember dez diciembre dicembre dezembro aralık декабря грудня grudnia"
         " prosince"), 1)
    for name in names.split()
}  # fmt: skip
_NUMERIC = re.compile(
    r"(?<![\w.])(?:(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)|(\d{1,2})([-/. ]{1,2})(\d{1,2})\5(\d{4}|\d{2})(?!\w))"
)
_DIGITS = re.compile(r"(?<!\d)(?:1[89]|20)\d{6}(?!\d)|(?<!\d)\d{8}(?!\d)")
_WORDED = re.compile(
    r"(?<!\d)(\d{1,2})(?:st|nd|rd|th|er)?\.?[ \-/](?:of |de )?([^\W\d_]{3,10})\.?,?[ \-/](?:de )?(\d{4}|\d{2})(?!\d)"
    r"|(?<![^\W_])([^\W\d_]{3,10})\.?[ \-](\d{1,2})(?:st|nd|rd|th)?,?[ \-](\d{4})(?!\d)"
)
_ROMAN = re.compile(r"(?<![\w.])(\d{1,2})[-./ ]{1,2}(X?I{1,3}|I?[VX]|VI{1,3}|XI{0,2})[-./ ]{1,2}(\d{4}|\d{2})(?!\w)")
_ROMANS = {one: number for number, one in enumerate("I II III IV V VI VII VIII IX X XI XII".split(), 1)}  # noqa: SIM905
_PARTS = re.compile(r"(?<![\w.\-+])\d{1,4}(?![\w.])")
_MEMBERS = re.compile(r"[{\[<][^{}\[\]]*[}\]>]")
_OF_MEMBERS, _YEARS = 400, (1850, 2100)
"""Characters of a document that is read for members that are year, month and day, and what a year is."""
_SERIALS = (date(1970, 1, 1).toordinal(), date(1899, 12, 30).toordinal(), date(1904, 1, 1).toordinal())
"""The days from which on Unix, Excel and old ones of Excel count."""
_OF_SERIAL, _LONG, _SAMPLED = 4, 6, 512
"""Digits of such a day, of what is a moment rather, and how many of a batch of numbers tell."""
_SIGNED = re.compile(r"(?<!\d)(\d{4})[年년] ?(\d{1,2})[月월] ?(\d{1,2})[日일]")
_PERHAPS = re.compile(
    rb"^[{\[<]|\0[{\[<]|\d[-./ ]{1,2}[IVX]{1,4}[-./ ]|(?:^|\0)-?\d{4,5}(?:\0|$)|\d(?:\xe5\xb9\xb4|\xeb\x85\x84)|"
    rb"\d[-./ ]{1,2}\d{1,2}[-./ ]{1,2}\d|\d{8}|\d[^\n]{1,16}\d{4}|\d[-/. ]{1,2}[A-Za-z]|[a-z] \d"
)
"""What a date cannot be without."""
_CENTURIES = (1900, 2000)
_REMEMBERED = 64
"""Characters of a text whose days are remembered."""
_FEWEST = 3
_OPENING = frozenset("{[<")


class Births:
    """The days on which people are born, by the numbers of persons."""

    def __init__(self, shelf: Shelf | None = None) -> None:
        self._taken = Sorter(shelf or Shelf(), np.uint64)
        self._pairs: Any = np.zeros(0, np.uint64)
        self._days: Any = np.zeros(0, np.int64)
        self._sources: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._pairs)

    def take(self, first: int, values: Packed | Sequence[Any], source: str) -> None:
        """The dates of persons from a number on, one each or none."""
        texts = values.texts() if isinstance(values, Packed) else values
        days, persons = [], []
        for person, value in enumerate(texts, first):
            for day in days_in(str(value)) if value is not None else ():
                days.append(day)
                persons.append(person)
        self._sources.append((first, source))
        self._taken.add(np.array(days, np.uint64) << np.uint64(_PERSON) | np.array(persons, np.uint64))

    def sort(self) -> None:
        """Put them in order, once all are taken in."""
        self._pairs, _ = self._taken.done(once=True)
        self._days = np.unique((self._pairs >> np.uint64(_PERSON)).astype(np.int64))

    def anybodys(self, days: Sequence[int]) -> list[int]:
        """Those of some days on which anybody is born."""
        at = np.searchsorted(self._days, days)
        return [day for day, i in zip(days, at.tolist(), strict=True) if i < len(self._days) and self._days[i] == day]

    def has(self, person: int, day: int) -> bool:
        """Whether a person is born on a day."""
        pair = np.uint64(day << _PERSON | person)
        at = int(np.searchsorted(self._pairs, pair))
        return at < len(self._pairs) and self._pairs[at] == pair

    def among(self, day: int, first: int, end: int) -> int:
        """How many persons between two numbers are born on a day."""
        bounds = np.array([day << _PERSON | first, day << _PERSON | end], np.uint64)
        low, high = np.searchsorted(self._pairs, bounds).tolist()
        return int(high - low)

    def source(self, person: int) -> str:
        """The field that tells a person's date."""
        return next((source for first, source in reversed(self._sources) if first <= person), "")


@dataclass(slots=True)
class BirthTally:
    """The rows of one field that hold their subject's date, and as many as chance gives."""

    seen: int = 0
    expected: float = 0.0
    example: tuple[str, str] | None = None
    """The field of the date, and the row that holds it."""

    def merge(self, other: BirthTally) -> None:
        """Take in what was counted elsewhere."""
        self.seen += other.seen
        self.expected += other.expected
        self.example = self.example or other.example

    def leaks(self) -> bool:
        """Whether that is more than chance."""
        return tail(self.seen, self.expected) < CHANCE


def dated(values: Sequence[Any], *, numbers: bool = False) -> Iterator[tuple[int, set[int]]]:
    """The numbers of the values that hold dates, and their days.

    Of `numbers` few digits say a day in nearly every column: some of a batch tell.
    """
    if isinstance(values, TextBlock) and not _PERHAPS.search(values.block):
        return
    if isinstance(values, TextBlock) and numbers:
        sizes = np.diff(values.zeros) - 1
        short = np.flatnonzero((sizes >= _OF_SERIAL) & (sizes <= _LONG))
        some = (*short[:: max(1, len(short) // _SAMPLED)].tolist(), *np.flatnonzero(sizes > _LONG).tolist())
        yield from ((number, days) for number in some if (days := days_in(values.text(number))))
        return
    for number, value in enumerate(values):
        if value is not None and (days := days_in(_text(value))):
            yield number, days


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return " ".join(map(_text, value)) if isinstance(value, list) else str(value)


def days_in(text: str) -> set[int]:
    """The days that a text writes, in every order of day and month that can be meant."""
    return set(_days_of(text)) if len(text) <= _REMEMBERED else set(_read(text))


@lru_cache(maxsize=1 << 12)
def _days_of(text: str) -> frozenset[int]:
    return frozenset(_read(text))


def _read(text: str) -> Iterator[int]:
    for match in _NUMERIC.finditer(text):
        if match[1]:
            yield from _day(match[1], match[2], match[3])
        else:
            yield from _day(match[7], match[6], match[4])
            yield from _day(match[7], match[4], match[6])
    for match in _DIGITS.finditer(text):
        its = match[0]
        yield from _day(its[:4], its[4:6], its[6:])
        yield from _day(its[4:], its[2:4], its[:2])
        yield from _day(its[4:], its[:2], its[2:4])
    if any(char.isalpha() for char in text):
        for match in _ROMAN.finditer(text):
            if match[2] in _ROMANS:
                yield from _day(match[3], str(_ROMANS[match[2]]), match[1])
        for match in _SIGNED.finditer(text):
            yield from _day(match[1], match[2], match[3])
        for match in _WORDED.finditer(text):
            day, word, year = (match[1], match[2], match[3]) if match[1] else (match[5], match[4], match[6])
            month = _MONTHS.get(word.lower())
            if month is not None:
                yield from _day(year, str(month), day)
    elif text.lstrip("-").isdecimal():
        yield from _of_seconds(int(text))
        if _OF_SERIAL <= len(text.lstrip("-")) < _LONG:
            yield from (day for start in _SERIALS if _OLDEST <= (day := start + int(text)) < _LATEST)
    if text[:1] in _OPENING:
        for match in _MEMBERS.finditer(text):
            yield from _of_members(match[0])


def _of_members(text: str) -> Iterator[int]:
    """The days that a document or list without others in it says in a year, a month and a day side by side."""
    numbers = _PARTS.findall(text) if len(text) <= _OF_MEMBERS else []
    for three in zip(numbers, numbers[1:], numbers[2:], strict=False):
        years = [one for one in three if len(one) == 4 and _YEARS[0] <= int(one) < _YEARS[1]]
        others = [one for one in three if len(one) < 3]
        if len(years) == 1 and len(others) == 2:
            yield from _day(years[0], *others)
            yield from _day(years[0], *reversed(others))


def _of_seconds(number: int) -> Iterator[int]:
    """The day whose first moment, or noon, some seconds, milliseconds or microseconds since 1970 are."""
    for unit in _UNITS:
        days, rest = divmod(number, _DAY * unit)
        if rest in (0, _DAY * unit // 2) and abs(days) > _FEWEST:
            yield from (_EPOCH + days,) if _OLDEST <= _EPOCH + days < _LATEST else ()


def _day(year: str, month: str, day: str) -> Iterator[int]:
    number = int(year)
    for whole in (number + century for century in _CENTURIES) if len(year) == 2 else (number,):
        try:
            made = date(whole, int(month), int(day)).toordinal()
        except ValueError:
            continue
        if _OLDEST <= made < _LATEST:
            yield made
