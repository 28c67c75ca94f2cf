"""Values of fixed length as the server prints them, compiled: a zero behind each, absent ones empty.

Each kernel takes the bytes, where values begin and end in them and their forms (`rows`), and a block to write into, of
WIDEST bytes for each value. It returns how many bytes were written, or -1 when the block is too small or a value is one
that only Python prints.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import kernel
from envclone.stores.postgres.format.rows import ABSENT

__all__ = ["WIDEST", "booleans", "dates", "numbers", "timestamps", "uuids", "warm", "zoned"]

WIDEST = 40
"""Bytes for any value and the zero behind it."""

_SMALLEST = -(1 << 63)
_DAY, _SECOND = 86_400_000_000, 1_000_000
_EPOCH = 730_425
"""Days from 0000-03-01 to 2000-01-01 in the proleptic Gregorian calendar."""


@kernel
def numbers(flat: Any, starts: Any, ends: Any, forms: Any, block: Any) -> Any:
    """Whole numbers in decimal."""
    digits = np.zeros(20, np.uint8)
    at = np.int64(0)
    for i in range(starts.shape[0]):
        if at + WIDEST > block.shape[0]:
            return -1
        if forms[i] != ABSENT:
            size = ends[i] - starts[i]
            value = np.int64(0)
            for k in range(size):
                value |= np.int64(flat[starts[i] + k]) << (8 * k)
            if size < 8 and value >> (8 * size - 1) & 1:
                value -= np.int64(1) << (8 * size)
            if value < 0:
                block[at] = 45
                at += 1
            # the smallest number has no positive counterpart: digits are taken from below zero
            below = -value if value > 0 else value
            count = 0
            while True:
                rest = below + (-below) // 10 * 10 if below > _SMALLEST else np.int64(-8)
                digits[count] = 48 - rest
                count += 1
                below = (below - rest) // 10
                if below == 0:
                    break
            for k in range(count):
                block[at + k] = digits[count - 1 - k]
            at += count
        block[at] = 0
        at += 1
    return at


@kernel
def booleans(flat: Any, starts: Any, ends: Any, forms: Any, block: Any) -> Any:
    """`true` and `false`."""
    at = np.int64(0)
    for i in range(starts.shape[0]):
        if at + WIDEST > block.shape[0]:
            return -1
        if forms[i] != ABSENT:
            word = b"true" if flat[starts[i]] else b"false"
            for k in range(len(word)):
                block[at + k] = word[k]
            at += len(word)
        block[at] = 0
        at += 1
    return at


@kernel
def uuids(flat: Any, starts: Any, ends: Any, forms: Any, block: Any) -> Any:
    """Sixteen bytes in hexadecimal, in five groups."""
    digits = b"0123456789abcdef"
    at = np.int64(0)
    for i in range(starts.shape[0]):
        if at + WIDEST > block.shape[0]:
            return -1
        if forms[i] != ABSENT:
            if ends[i] - starts[i] != 16:
                return -1
            for k in range(16):
                if k in (4, 6, 8, 10):
                    block[at] = 45
                    at += 1
                byte = flat[starts[i] + k]
                block[at] = digits[byte >> 4]
                block[at + 1] = digits[byte & 15]
                at += 2
        block[at] = 0
        at += 1
    return at


@kernel
def _word(flat: Any, start: Any, size: Any) -> Any:
    value = np.int64(0)
    for k in range(size):
        value |= np.int64(flat[start + k]) << (8 * k)
    if size < 8 and value >> (8 * size - 1) & 1:
        value -= np.int64(1) << (8 * size)
    return value


@kernel
def _two(block: Any, at: Any, value: Any) -> Any:
    block[at] = 48 + value // 10
    block[at + 1] = 48 + value % 10
    return at + 2


@kernel
def _date(block: Any, at: Any, days: Any) -> Any:
    """Write a date of the years 1 to 9999; returns where it ends, or -1 for another."""
    if days < -730_119 or days > 2_921_939:
        return np.int64(-1)
    days += _EPOCH
    era = days // 146_097
    rest = days - era * 146_097
    years = (rest - rest // 1460 + rest // 36_524 - rest // 146_096) // 365
    of_year = rest - (365 * years + years // 4 - years // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    year = years + era * 400
    if month <= 2:
        year += 1
    at = _two(block, at, year // 100)
    at = _two(block, at, year % 100)
    block[at] = 45
    at = _two(block, at + 1, month)
    block[at] = 45
    return _two(block, at + 1, day)


@kernel
def dates(flat: Any, starts: Any, ends: Any, forms: Any, block: Any) -> Any:
    """Days since 2000-01-01 as `2020-02-29`; not those of other years than 1 to 9999."""
    at = np.int64(0)
    for i in range(starts.shape[0]):
        if at + WIDEST > block.shape[0]:
            return -1
        if forms[i] != ABSENT:
            at = _date(block, at, _word(flat, starts[i], ends[i] - starts[i]))
            if at < 0:
                return -1
        block[at] = 0
        at += 1
    return at


@kernel
def _moments(flat: Any, starts: Any, ends: Any, forms: Any, block: Any, zone: Any) -> Any:
    at = np.int64(0)
    for i in range(starts.shape[0]):
        if at + WIDEST > block.shape[0]:
            return -1
        if forms[i] != ABSENT:
            micros = _word(flat, starts[i], ends[i] - starts[i])
            days = micros // _DAY
            within = micros - days * _DAY
            at = _date(block, at, days)
            if at < 0:
                return -1
            seconds = within // _SECOND
            fraction = within - seconds * _SECOND
            block[at] = 32
            at = _two(block, at + 1, seconds // 3600)
            block[at] = 58
            at = _two(block, at + 1, seconds // 60 % 60)
            block[at] = 58
            at = _two(block, at + 1, seconds % 60)
            if fraction:
                block[at] = 46
                at = _two(block, at + 1, fraction // 10_000)
                at = _two(block, at, fraction // 100 % 100)
                at = _two(block, at, fraction % 100)
                while block[at - 1] == 48:
                    at -= 1
            if zone:
                block[at] = 43
                at = _two(block, at + 1, 0)
        block[at] = 0
        at += 1
    return at


@kernel
def timestamps(flat: Any, starts: Any, ends: Any, forms: Any, block: Any) -> Any:
    """Microseconds since 2000-01-01 as `2020-02-29 12:00:00.5`; not those of other years than 1 to 9999."""
    return _moments(flat, starts, ends, forms, block, False)


@kernel
def zoned(flat: Any, starts: Any, ends: Any, forms: Any, block: Any) -> Any:
    """The same with time zone, in UTC."""
    return _moments(flat, starts, ends, forms, block, True)


def warm() -> None:
    """Run the kernels once."""
    flat, forms = np.zeros(64, np.uint8), np.zeros(1, np.uint8)
    flat.flags.writeable = False
    starts, ends, block = np.zeros(1, np.int64), np.full(1, 4, np.int64), np.zeros(WIDEST, np.uint8)
    for print_ in (numbers, booleans, dates, timestamps, zoned):
        print_(flat, starts, ends, forms, block)
    uuids(flat, starts, ends + 12, forms, block)
