"""Texts taken out of pages and put back, compiled: a value of its old length is overwritten where it stands.

Every offset is checked before it is read or written: pages are whatever production holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean

__all__ = ["LEFT", "SAME", "WRITTEN", "overwrite", "read_dates", "read_numbers", "take_out", "warm"]

SAME, WRITTEN, LEFT = 0, 1, 2
"""What became of a value: its pseudonym is itself, it is overwritten, or it has another length."""
_FOLLOWS, _MARK = 0xC0, 0x80
_ZERO, _MINUS, _MOST_DIGITS = 48, 45, 18
_BEFORE = np.array([0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365], np.int64)
"""Days of a common year before each month."""
_EPOCH = 730_119
"""Days from 0001-01-01 to 2000-01-01."""


@lean
def take_out(flat: Any, starts: Any, stops: Any, block: Any) -> Any:
    """Copy values into `block` with a zero between two; returns how many bytes that are, -1 when it has no room."""
    at = np.int64(0)
    for i in range(min(starts.shape[0], stops.shape[0])):
        start, stop = np.int64(starts[i]), np.int64(stops[i])
        if start < 0 or stop < start or stop > flat.shape[0] or at + stop - start + 1 > block.shape[0]:
            return np.int64(-1)
        if i:
            block[at] = 0
            at += 1
        source, target = flat[start:stop], block[at : at + stop - start]
        for k in range(stop - start):
            target[k] = source[k]
        at += stop - start
    return at


@lean
def _characters(text: Any) -> Any:
    count = 0
    for k in range(text.shape[0]):
        count += (np.int64(text[k]) & _FOLLOWS != _MARK) - 0
    return count


@lean
def overwrite(flat: Any, starts: Any, stops: Any, block: Any, firsts: Any, lasts: Any, limited: Any, found: Any) -> Any:
    """Overwrite values by those between places of `block`, and note what became of each.

    With `limited` a value is left that has another number of characters. Returns how many were looked at.
    """
    count = min(starts.shape[0], stops.shape[0], found.shape[0], firsts.shape[0], lasts.shape[0])
    for i in range(count):
        start, stop = np.int64(starts[i]), np.int64(stops[i])
        first, last = np.int64(firsts[i]), np.int64(lasts[i])
        found[i] = LEFT
        if start < 0 or stop > flat.shape[0] or first < 0 or last > block.shape[0] or stop - start != last - first:
            continue
        old, new = flat[start:stop], block[first:last]
        size, k = stop - start, 0
        while k < size and old[k] == new[k]:
            k += 1
        if k == size:
            found[i] = SAME
        elif not limited or _characters(old) == _characters(new):
            found[i] = WRITTEN
            for k in range(size):
                old[k] = new[k]
    return count


@lean
def _digits(block: Any, start: Any, stop: Any) -> Any:
    """The number that up to 18 digits make; -1 when there is anything else, or nothing."""
    number = np.int64(0)
    if stop <= start or stop - start > _MOST_DIGITS:
        return np.int64(-1)
    for i in range(start, stop):
        digit = np.int64(block[i]) - _ZERO
        if digit < 0 or digit > 9:
            return np.int64(-1)
        number = number * 10 + digit
    return number


@lean
def read_numbers(block: Any, zeros: Any, out: Any) -> Any:
    """The whole numbers that texts are, as the server prints them; returns how many are read up to one that is none."""
    count = min(zeros.shape[0] - 1, out.shape[0])
    for i in range(count):
        start, stop = max(0, zeros[i] + 1), min(zeros[i + 1], block.shape[0])
        sign = start < stop and block[start] == _MINUS
        number = _digits(block, start + 1 if sign else start, stop)
        if number < 0 or (number == 0 and (sign or stop - start > 1)):
            return i
        if number > 0 and block[start + 1 if sign else start] == _ZERO:
            return i
        out[i] = -number if sign else number
    return count


@lean
def read_dates(block: Any, zeros: Any, out: Any) -> Any:
    """The days since 2000-01-01 of dates of the years 1 to 9999; returns how many are read up to one that is none."""
    count = min(zeros.shape[0] - 1, out.shape[0])
    for i in range(count):
        start, stop = max(0, zeros[i] + 1), min(zeros[i + 1], block.shape[0])
        if stop - start != 10 or block[start + 4] != _MINUS or block[start + 7] != _MINUS:
            return i
        year = _digits(block, start, start + 4)
        month = _digits(block, start + 5, start + 7)
        day = _digits(block, start + 8, stop)
        if year < 1 or month < 1 or month > 12 or day < 1:
            return i
        leap = 1 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 0
        before = _BEFORE[month - 1] + (leap if month > 2 else 0)
        if before + day > _BEFORE[month] + (leap if month > 1 else 0):
            return i
        year -= 1
        out[i] = 365 * year + year // 4 - year // 100 + year // 400 + before + day - 1 - _EPOCH
    return count


def warm() -> None:
    """Run the kernels once."""
    texts = np.frombuffer(b"12\x002000-02-29", np.uint8)
    read_numbers(texts, np.array([-1, 2], np.int64), np.zeros(1, np.int64))
    read_dates(texts, np.array([2, 13], np.int64), np.zeros(1, np.int64))
    page, starts, stops = np.zeros(8, np.uint8), np.zeros(1, np.int64), np.full(1, 2, np.int64)
    block = np.zeros(4, np.uint8)
    take_out(page, starts, stops, block)
    given = np.full(2, 65, np.uint8)
    given.flags.writeable = False
    overwrite(page, starts, stops, given, starts, stops, True, np.zeros(1, np.uint8))
