"""Dates and timestamps on disk (`src/backend/utils/adt/datetime.c`): days or microseconds since 2000-01-01."""

from __future__ import annotations

import re
import struct

from envclone.errors import UnsafeError

__all__ = ["decode_date", "decode_timestamp", "encode_date", "encode_timestamp"]

_EPOCH = 730_425
"""Days from 0000-03-01 to 2000-01-01 in the proleptic Gregorian calendar."""
_DAY = 86_400_000_000
_DATE = re.compile(r"(\d{4,7})-(\d{1,2})-(\d{1,2})")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?")
_ZONE = re.compile(r"([+-])(\d{2})(?::?(\d{2}))?(?::(\d{2}))?$")


def decode_date(body: bytes) -> str:
    """A date as `DateStyle` ISO prints it."""
    (days,) = struct.unpack("<i", body)
    if days in (2**31 - 1, -(2**31)):
        return "infinity" if days > 0 else "-infinity"
    text, era = _date_text(days)
    return text + era


def encode_date(text: str) -> bytes:
    """The four bytes of a date; raises UnsafeError when it is none."""
    if text in ("infinity", "-infinity"):
        return struct.pack("<i", 2**31 - 1 if text[0] == "i" else -(2**31))
    days, rest = _parsed_date(text)
    if rest.strip():
        raise _no_date()
    return struct.pack("<i", days)


def decode_timestamp(body: bytes, *, zone: bool) -> str:
    """A timestamp as `DateStyle` ISO prints it; one with time zone in UTC."""
    (micros,) = struct.unpack("<q", body)
    if micros in (2**63 - 1, -(2**63)):
        return "infinity" if micros > 0 else "-infinity"
    days, within = divmod(micros, _DAY)
    text, era = _date_text(days)
    seconds, fraction = divmod(within, 1_000_000)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    if fraction:
        clock += f".{fraction:06d}".rstrip("0")
    return f"{text} {clock}{'+00' if zone else ''}{era}"


def encode_timestamp(text: str, *, zone: bool, digits: int = 6) -> bytes:
    """The eight bytes of a timestamp rounded to `digits` of a second; raises UnsafeError when it is none."""
    if text in ("infinity", "-infinity"):
        return struct.pack("<q", 2**63 - 1 if text[0] == "i" else -(2**63))
    days, rest = _parsed_date(text)
    rest = rest.lstrip(" T")
    match = _TIME.match(rest)
    micros = 0
    if match:
        hours, minutes, seconds, fraction = match.groups()
        micros = (int(hours) * 3600 + int(minutes) * 60 + int(seconds or 0)) * 1_000_000
        micros += int((fraction or "").ljust(6, "0")[:6])
        rest = rest[match.end() :].strip()
    offset = _ZONE.match(rest)
    if offset:
        sign, hours, minutes, seconds = offset.groups()
        away = int(hours) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
        if zone:  # a timestamp without zone ignores what is written of one
            micros -= (-1 if sign == "-" else 1) * away * 1_000_000
    elif rest not in ("", "Z"):
        raise _no_date()
    total = days * _DAY + micros
    if digits < 6:
        unit = 10 ** (6 - digits)
        total = (abs(total) + unit // 2) // unit * unit * (1 if total >= 0 else -1)
    return struct.pack("<q", total)


def _parsed_date(text: str) -> tuple[int, str]:
    before = text.endswith(" BC")
    text = text.removesuffix(" BC")
    match = _DATE.match(text)
    if match is None:
        raise _no_date()
    year, month, day = (int(part) for part in match.groups())
    if not 1 <= month <= 12 or not 1 <= day <= 31:
        raise _no_date()
    days = _days(1 - year if before else year, month, day)
    if _civil(days)[1:] != (month, day):
        raise _no_date()
    return days, text[match.end() :]


def _date_text(days: int) -> tuple[str, str]:
    year, month, day = _civil(days)
    return f"{year if year > 0 else 1 - year:04d}-{month:02d}-{day:02d}", "" if year > 0 else " BC"


def _days(year: int, month: int, day: int) -> int:
    # years that begin in March: the day that a leap year adds is their last
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - _EPOCH


def _civil(days: int) -> tuple[int, int, int]:
    era, of_era = divmod(days + _EPOCH, 146_097)
    years = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * years + years // 4 - years // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return years + era * 400 + (month <= 2), month, day


def _no_date() -> UnsafeError:
    return UnsafeError("a value of a date or timestamp column is none")
