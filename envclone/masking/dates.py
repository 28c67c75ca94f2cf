"""The mask of dates and times: whole days back, as many for all dates of one person, so order and distances hold.

How many, 1 to 365, is decided by the key and the subject; without a subject it is the same for all dates of a project.
Days are counted in the proleptic Gregorian calendar with the algorithms `days_from_civil` and `civil_from_days` of
Howard Hinnant (chrono-Compatible Low-Level Date Algorithms, 2014).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

from envclone.errors import UnsafeError
from envclone.masking.fpe import subkey

__all__ = ["DateMask"]

_DAYS = 365
_TIME = r"[ T]\d\d?:\d\d(?::\d\d(?:\.\d+)?)?(?: ?(?:Z|z|UTC|[+-]\d\d(?::?\d\d(?::\d\d)?)?))?"
_DATE = re.compile(
    rf"(?<!\d)(?:(?P<y>\d{{4,7}})(?P<s>[-/])(?P<m>\d\d)(?P=s)(?P<d>\d\d)|(?P<yy>\d{{4}})(?P<mm>\d\d)(?P<dd>\d\d)"
    rf"|(?P<ld>\d\d)\.(?P<lm>\d\d)\.(?P<ly>\d{{4}}))(?!\d)(?P<t>(?:{_TIME})?)(?P<bc>(?: BC)?)"
)
_PLAIN = re.compile(r"[\s\[\](){},\"']*(?:-?infinity|empty|[\s\[\](){},\"'])*")
_EPOCH = re.compile(r"(-?)(\d{9,17})(\.\d+)?")
_UNITS = ((11, 1), (14, 1_000), (17, 1_000_000))
_DAY_SECONDS = 86_400


class DateMask:
    """Dates, timestamps and ranges of them in ISO 8601 or as PostgreSQL writes them; times of day are kept."""

    def __init__(self, key: bytes) -> None:
        self._key = subkey(key, "date")
        self._shift = lru_cache(maxsize=1 << 12)(self._make)

    def mask(self, values: Sequence[str]) -> list[str]:
        """The values moved by the project's own number of days. Raises UnsafeError for a text that is no date."""
        days = self._shift(None)
        return [_moved(value, days) for value in values]

    def mask_by(self, values: Sequence[str], subjects: Sequence[str | None]) -> list[str]:
        """Each value moved by the days of its subject; a subject that is null is one of its own."""
        return [
            _moved(value, self._shift("" if subject is None else f"={subject}"))
            for value, subject in zip(values, subjects, strict=True)
        ]

    def mask_numbers(self, values: Sequence[str]) -> list[str]:
        """Seconds, milliseconds or microseconds since 1970, told apart by length. Raises UnsafeError for others."""
        days = self._shift(None)
        return [_epoch(value, days) for value in values]

    def _make(self, subject: str | None) -> int:
        message = b"" if subject is None else subject.encode("utf-8", "surrogatepass")
        digest = blake2b(message, key=self._key, digest_size=16).digest()
        return 1 + int.from_bytes(digest, "little") % _DAYS


def _moved(value: str, days: int) -> str:
    out = []
    position = 0
    for match in _DATE.finditer(value):
        _only_marks(value[position : match.start()])
        out += [value[position : match.start()], _one(match, days)]
        position = match.end()
    _only_marks(value[position:])
    return "".join([*out, value[position:]])


def _only_marks(text: str) -> None:
    if text and not _PLAIN.fullmatch(text):
        raise UnsafeError(
            "a value under the domain 'date' is no date in ISO 8601",
            hint="declare the field as `key`, `redact` or `null`, or as `keep` when it tells of nobody",
        )


def _one(match: re.Match[str], days: int) -> str:
    name = "y" if match["y"] else "yy" if match["yy"] else "ly"
    month, day = (match[{"y": k, "yy": k * 2, "ly": "l" + k}[name]] for k in "md")
    year = int(match[name])
    if match["bc"]:
        year = 1 - year
    number = _number(year, int(month), int(day))
    if _civil(number) != (year, int(month), int(day)):
        raise UnsafeError("a value under the domain 'date' is no date", hint="declare the field as `key` or `redact`")
    year, fresh_month, fresh_day = _civil(number - days)
    era = ""
    if year < 1:
        year, era = 1 - year, " BC"
    written = f"{year:04d}", f"{fresh_month:02d}", f"{fresh_day:02d}"
    date = ".".join(reversed(written)) if name == "ly" else (match["s"] or "").join(written)
    return f"{date}{match['t']}{era}"


def _epoch(value: str, days: int) -> str:
    match = _EPOCH.fullmatch(value)
    if match is None:
        raise UnsafeError(
            "a JSON number under the domain 'date' is no time since 1970",
            hint="declare the path as `number`, `redact`, `null` or `keep`",
        )
    unit = next(unit for length, unit in _UNITS if len(match[2]) <= length)
    return f"{int(match[1] + match[2]) - days * _DAY_SECONDS * unit}{match[3] or ''}"


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
