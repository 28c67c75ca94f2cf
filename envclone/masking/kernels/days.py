"""Dates and timestamps in ISO 8601, moved as `dates` defines it."""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean
from envclone.masking.kernels.feistel import V0, V1, V2, V3, sip_round
from envclone.masking.kernels.shapes import DONE, ODD, TODO, domain, empty, image, span, values_of, wish

__all__ = ["offsets", "permute_days", "shift_days", "warm"]

_0, _9, _HYPHEN, _COLON, _DOT, _SPACE, _T, _PLUS = 48, 57, 45, 58, 46, 32, 84, 43
_LENGTH = 10
_NONE, _8, _56, _64, _WIDE, _EQUAL, _DAYS = (np.uint64(n) for n in (0, 8, 56, 64, 0xEE, 61, 365))
_BEFORE = np.array([0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365], np.int64)
"""Days of a common year before each month."""


@lean
def _is_digit(text: Any, at: Any, stop: Any) -> Any:
    return at < stop and _0 <= np.int64(text[at]) <= _9


@lean
def _two(text: Any, at: Any, stop: Any) -> Any:
    return _is_digit(text, at, stop) and _is_digit(text, at + 1, stop)


@lean
def _number(text: Any, start: Any, stop: Any) -> Any:
    """The number that digits make; -1 when there is anything else."""
    number = np.int64(0)
    for i in range(start, stop):
        if not _is_digit(text, i, stop):
            return np.int64(-1)
        number = number * 10 + np.int64(text[i]) - _0
    return number


@lean
def _leap(year: Any) -> Any:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


@lean
def _before(month: Any, leap: Any) -> Any:
    """Days of a year before a month; month 13 is the next year."""
    return _BEFORE[month - 1] + (1 if leap and month > 2 else 0)


@lean
def _is_time(text: Any, start: Any, stop: Any) -> Any:
    """Whether nothing follows a date but a time of day and an offset, as the pattern of `dates` has them."""
    p = start
    if p == stop:
        return True
    if text[p] != _SPACE and text[p] != _T:
        return False
    p += 2 if _is_digit(text, p + 1, stop) and not _is_digit(text, p + 2, stop) else 3
    if p - start == 3 and not _two(text, start + 1, stop):
        return False
    if not (p < stop and text[p] == _COLON and _two(text, p + 1, stop)):
        return False
    p += 3
    if p < stop and text[p] == _COLON:
        if not _two(text, p + 1, stop):
            return False
        p += 3
        if p < stop and text[p] == _DOT:
            p += 1
            if not _is_digit(text, p, stop):
                return False
            while _is_digit(text, p, stop):
                p += 1
    if p == stop:
        return True
    if text[p] == _SPACE:
        p += 1
    if p < stop and (text[p] == 90 or text[p] == 122):
        return p + 1 == stop
    if not (p < stop and (text[p] == _PLUS or text[p] == _HYPHEN) and _two(text, p + 1, stop)):
        return False
    p += 3
    for _ in range(2):
        if p < stop and text[p] == _COLON:
            p += 1
        elif p == stop:
            return True
        if not _two(text, p, stop):
            return False
        p += 2
    return p == stop


@lean
def _read(text: Any, start: Any, stop: Any) -> Any:
    """The year and the day in it, from 0, of a date that a value begins with; year 0 when it is none of this form."""
    none = np.int64(0)
    if stop - start < _LENGTH or text[start + 4] != _HYPHEN or text[start + 7] != _HYPHEN:
        return none, none
    year = _number(text, start, start + 4)
    month = _number(text, start + 5, start + 7)
    day = _number(text, start + 8, start + 10)
    if year < 1 or not 1 <= month <= 12 or day < 1 or not _is_time(text, start + _LENGTH, stop):
        return none, none
    leap = _leap(year)
    day += _before(month, leap) - 1
    return (year, day) if day < _before(month + 1, leap) else (none, none)


@lean
def _write(out: Any, start: Any, year: Any, day: Any) -> Any:
    leap = _leap(year)
    month = np.int64(1)
    while month < 12 and day >= _before(month + 1, leap):
        month += 1
    day += 1 - _before(month, leap)
    for i in range(4):
        out[start + 3 - i] = np.uint8(_0 + year % 10)
        year //= 10
    out[start + 5], out[start + 6] = np.uint8(_0 + month // 10), np.uint8(_0 + month % 10)
    out[start + 8], out[start + 9] = np.uint8(_0 + day // 10), np.uint8(_0 + day % 10)
    return DONE


@lean
def _permuted(source: Any, start: Any, stop: Any, out: Any, domains: Any) -> Any:
    year, day = _read(source, start, stop)
    if year == 0:
        return ODD
    row = domain(np.uint64(year), domains)
    if row < 0:
        return wish(np.uint64(year), domains)
    _, moved = image(np.uint64(0), np.uint64(day), row, domains)
    return _write(out, start, year, np.int64(moved))


@lean
def permute_days(values: Any, domains: Any) -> Any:
    """Put each value on another day of its year; what is not a date in ISO 8601 is left."""
    for i in range(values.states.shape[0]):
        if values.states[i] == TODO:
            start, stop = span(values, i)
            values.states[i] = _permuted(values.source, start, stop, values.out, domains)
    return 0


@lean
def shift_days(values: Any, back: Any) -> Any:
    """Move each value back by its number of days, up to a year."""
    for i in range(min(values.states.shape[0], back.shape[0])):
        start, stop = span(values, i)
        year, day = _read(values.source, start, stop)
        values.states[i] = ODD
        if year > 2:
            day -= back[i]
            while day < 0:
                year -= 1
                day += 366 if _leap(year) else 365
            if year > 0:
                values.states[i] = _write(values.out, start, year, day)
    return 0


@lean
def _sip(block: Any, start: Any, stop: Any, k0: Any, k1: Any) -> Any:
    """The lower 64 of 128 bits of SipHash-2-4 over `=` and the bytes between two places; of none over nothing."""
    a, b, c, d = k0 ^ V0, k1 ^ V1 ^ _WIDE, k0 ^ V2, k1 ^ V3
    size = stop - start + 1 if start >= 0 else np.int64(0)
    word, filled = _NONE, np.uint64(0)
    for i in range(size):
        char = np.uint64(block[start + i - 1]) if i else _EQUAL
        word |= char << filled
        filled += _8
        if filled == _64:
            d ^= word
            a, b, c, d = sip_round(a, b, c, d)
            a, b, c, d = sip_round(a, b, c, d)
            a ^= word
            word, filled = _NONE, _NONE
    word |= np.uint64(size & 0xFF) << _56
    d ^= word
    a, b, c, d = sip_round(a, b, c, d)
    a, b, c, d = sip_round(a, b, c, d)
    a ^= word
    c ^= _WIDE
    for _ in range(4):
        a, b, c, d = sip_round(a, b, c, d)
    return a ^ b ^ c ^ d


@lean
def offsets(block: Any, zeros: Any, absent: Any, k0: Any, k1: Any, back: Any) -> Any:
    """By how many days each subject's dates move back, from 1 to 365; one that is absent has an offset of its own."""
    for i in range(min(zeros.shape[0] - 1, absent.shape[0], back.shape[0])):
        start, stop = np.int64(zeros[i]) + 1, min(np.int64(zeros[i + 1]), np.int64(block.shape[0]))
        number = _sip(block, np.int64(-1) if absent[i] else start, stop, k0, k1)
        back[i] = np.int64(number % _DAYS) + 1
    return 0


def warm() -> None:
    """Run every kernel of this room once."""
    subjects, absent = np.frombuffer(b"ab", np.uint8), np.zeros(1, np.bool_)
    offsets(subjects, np.array([-1, 2], np.int64), absent, _8, _8, np.zeros(1, np.int64))
    text = b"2024-02-29 12:00:00+01\x002023-12-31"
    permute_days(values_of(text), empty())
    shift_days(values_of(text), np.ones(2, np.int64))
