"""The mask of dates and times: another day of the same year, or as many days back for all dates of one subject.

Without a subject the days of a year are one keyed cycle: no day stays, each has an offset of its own, and different
days stay different. The calendar year stays, as the Safe Harbor method of HIPAA allows (45 CFR 164.514(b)(2)(i)(C)),
and so does the time of day. With a subject (`by`) all its dates move back by 1 to 365 days: order and distances hold.

Days are counted in the proleptic Gregorian calendar with the algorithms `days_from_civil` and `civil_from_days` of
Howard Hinnant (chrono-Compatible Low-Level Date Algorithms, 2014).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, cast

from envclone.compiled import available
from envclone.errors import UnsafeError
from envclone.masking.fpe import NumberCycle, number_cycle, subkey, words_of
from envclone.masking.memo import BATCH, Memo
from envclone.masking.siphash import siphash128
from envclone.packed import Pairs, TextBlock, block_of

if TYPE_CHECKING:
    from envclone.masking.domains import Batch

__all__ = ["DateMask"]

_DAYS = 365
_64 = (1 << 64) - 1
_TIME = r"[ T]\d\d?:\d\d(?::\d\d(?:\.\d+)?)?(?: ?(?:Z|z|UTC|[+-]\d\d(?::?\d\d(?::\d\d)?)?))?"
_DATE = re.compile(
    rf"(?<!\d)(?:(?P<y>\d{{4,7}})(?P<s>[-/])(?P<m>\d\d)(?P=s)(?P<d>\d\d)|(?P<yy>\d{{4}})(?P<mm>\d\d)(?P<dd>\d\d)"
    rf"|(?P<ld>\d\d)\.(?P<lm>\d\d)\.(?P<ly>\d{{4}}))(?!\d)(?P<t>(?:{_TIME})?)(?P<bc>(?: BC)?)"
)
_PLAIN = re.compile(r"[\s\[\](){},\"']*(?:-?infinity|empty|[\s\[\](){},\"'])*")
_EPOCH = re.compile(r"(-?)(\d{9,17})(\.\d+)?")
_UNITS = ((11, 1), (14, 1_000), (17, 1_000_000))
_DAY_SECONDS = 86_400
_FIRST = -2_440_588
"""PostgreSQL's first day, 24 November 4714 BC, in days since 1970-01-01."""


class DateMask:
    """Dates, timestamps and ranges of them in ISO 8601 or as PostgreSQL writes them; times of day are kept.

    A value with several dates, such as a range, moves as a whole, by the offset of its first date: it stays a range.
    """

    def __init__(self, key: bytes) -> None:
        self._key = subkey(key, "date")
        self._permuting = subkey(key, "date in its year")
        self._shift = lru_cache(maxsize=1 << 12)(self._make)
        self._cycle = lru_cache(maxsize=1 << 12)(self._window)
        self._offset = lru_cache(maxsize=1 << 16)(self._of_day)
        self._plain = Memo(lambda value: _moved(value, self._offset), batch=lambda: self._batch)

    def mask(self, values: Sequence[str]) -> list[str]:
        """The values on other days of their years. Raises UnsafeError for a text that is not a date."""
        return self._plain(values)

    def packed(self, block: TextBlock) -> TextBlock:
        """The same of a block of texts."""
        return self._plain.packed(block)

    def mask_by(self, values: Sequence[str], subjects: Sequence[str | None]) -> list[str]:
        """Each value moved by the days of its subject; a subject that is null is one of its own."""
        if len(values) >= BATCH and available():
            try:
                return cast(list[str], self.packed_by(Pairs(block_of(values), block_of(subjects))).texts())
            except ValueError:  # a zero in a text
                pass
        back = [self._shift(subject) for subject in subjects]
        return [_moved_back(value, days) for value, days in zip(values, back, strict=True)]

    def packed_by(self, pairs: Pairs) -> TextBlock:
        """The same of blocks; only where loops are compiled."""
        from envclone.masking.number_batches import shifted_days

        return shifted_days(pairs, self._key, _moved_back)

    def mask_numbers(self, values: Sequence[str]) -> list[str]:
        """Seconds, milliseconds or microseconds since 1970, told apart by length. Raises UnsafeError for others."""
        return [_epoch(value, self._offset) for value in values]

    @cached_property
    def _batch(self) -> Batch:
        from envclone.masking.number_batches import permuted_days

        return permuted_days(self._permuting, _year_shape)

    def _make(self, subject: str | None) -> int:
        message = b"" if subject is None else b"=" + subject.encode("utf-8", "surrogatepass")
        return 1 + (siphash128(*words_of(self._key), message) & _64) % _DAYS

    def _of_day(self, day: int) -> int:
        """By how many days a day moves; never 0."""
        year = _civil(day)[0]
        start, end = _number(year, 1, 1), _number(year + 1, 1, 1)
        if start < _FIRST < end:  # PostgreSQL has no days before
            start, end = (_FIRST, end) if day >= _FIRST else (start, _FIRST)
        return start + self._cycle(start, end - start)(day - start) - day

    def _window(self, start: int, days: int) -> NumberCycle:
        return number_cycle(self._permuting, str(start).encode(), days)


def _year_shape(year: int) -> tuple[bytes, Sequence[int]]:
    """The tweak and the radices of a year's days."""
    start = _number(year, 1, 1)
    return str(start).encode(), [_number(year + 1, 1, 1) - start]


def _moved_back(value: str, days: int) -> str:
    return _moved(value, lambda _: -days)


def _moved(value: str, offset: Callable[[int], int]) -> str:
    """A text with all its dates moved by what `offset` says for the first of them."""
    out = []
    position, days = 0, None
    for match in _DATE.finditer(value):
        _only_marks(value[position : match.start()])
        day, style = _read(match)
        days = offset(day) if days is None else days
        if day + days < _FIRST <= day:
            raise UnsafeError(
                "a date under `by` would move before PostgreSQL's first day, 24 November 4714 BC",
                hint="declare the field as `date` without `by`, or name the value in sanitize.nobody: {date: [...]}",
            )
        out += [value[position : match.start()], _written(day + days, style, match)]
        position = match.end()
    _only_marks(value[position:])
    return "".join([*out, value[position:]])


def _only_marks(text: str) -> None:
    if text and not _PLAIN.fullmatch(text):
        raise UnsafeError(
            "a value under the domain 'date' is not a date in ISO 8601",
            hint="declare the field as `key`, `redact` or `null`, or as `keep` when it tells of nobody",
        )


def _read(match: re.Match[str]) -> tuple[int, str]:
    """The day of a date, and the group of `_DATE` that its year stands in, which tells how it is written."""
    name = "y" if match["y"] else "yy" if match["yy"] else "ly"
    month, day = (int(match[{"y": k, "yy": k * 2, "ly": "l" + k}[name]]) for k in "md")
    year = 1 - int(match[name]) if match["bc"] else int(match[name])
    number = _number(year, month, day)
    if _civil(number) != (year, month, day):
        raise UnsafeError(
            "a value under the domain 'date' is not a date", hint="declare the field as `key` or `redact`"
        )
    return number, name


def _written(number: int, style: str, match: re.Match[str]) -> str:
    """A day as the matched date is written."""
    year, month, day = _civil(number)
    era = ""
    if year < 1:
        year, era = 1 - year, " BC"
    parts = f"{year:04d}", f"{month:02d}", f"{day:02d}"
    date = ".".join(reversed(parts)) if style == "ly" else (match["s"] or "").join(parts)
    return f"{date}{match['t']}{era}"


def _epoch(value: str, offset: Callable[[int], int]) -> str:
    if not value:
        return value
    match = _EPOCH.fullmatch(value)
    if match is None:
        raise UnsafeError(
            "a JSON number under the domain 'date' is not a time since 1970",
            hint="declare the path as `number`, `redact`, `null` or `keep`",
        )
    sign, digits, fraction = match[1], match[2], match[3] or ""
    day = _DAY_SECONDS * next(unit for length, unit in _UNITS if len(digits) <= length)
    number = int(sign + digits)
    earlier = bool(sign and fraction.strip(".0"))  # -86400.5 lies on the day before -86400
    return f"{sign}{abs(number + offset((number - earlier) // day) * day)}{fraction}"


def _number(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01; year 0 is 1 BC."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def _civil(number: int) -> tuple[int, int, int]:
    number += 719_468
    era = number // 146_097
    of_era = number - era * 146_097
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    day = of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year + era * 400 + (month <= 2), month, day
