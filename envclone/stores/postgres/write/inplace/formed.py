"""Texts as the bytes of their types, compiled: timestamps, UUIDs, numerics, IPv4 addresses, documents (jsonb).

Each kernel takes texts, between two of the places of zeros each, and writes their bytes one behind the other into
`out`. Where those of a value are it notes in `firsts` and `lasts`, a last place of -1 for one that only Python writes.
It returns how many bytes that makes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import kernel, lean
from envclone.stores.postgres.format.figures import DEEPEST, end_of, word_at
from envclone.stores.postgres.write.inplace.kernels import read_dates

__all__ = ["addresses", "documents", "numerics", "timestamps", "uuids", "warm"]

_ZERO, _NINE, _MINUS, _PLUS, _DOT, _SLASH, _SPACE, _COLON, _QUOTE, _ESCAPE = 48, 57, 45, 43, 46, 47, 32, 58, 34, 92
_LEFT = np.int64(-1)
_DAY, _SECOND = 86_400_000_000, 1_000_000
_MOST_DIGITS, _MOST_PLACES = 18, 18
_COUNT, _HAS_OFFSET, _NUMBER, _TRUE, _FALSE, _NULL, _CONTAINER, _STRIDE = 0x0FFFFFFF, 1 << 31, 1, 3, 2, 4, 5, 32


@lean
def _two(block: Any, p: Any, stop: Any, most: Any) -> Any:
    """A number of two digits; -1 when it is none, or too large."""
    if p + 2 > stop:
        return _LEFT
    tens, ones = np.int64(block[p]) - _ZERO, np.int64(block[p + 1]) - _ZERO
    value = 10 * tens + ones
    return value if 0 <= tens <= 9 and 0 <= ones <= 9 and value <= most else _LEFT


@lean
def _put(out: Any, at: Any, value: Any, size: Any) -> Any:
    for k in range(size):
        out[at + k] = np.uint8(value >> (8 * k) & 0xFF)
    return at + size


@lean
def _timestamp(block: Any, start: Any, stop: Any, zone: Any, digits: Any, place: Any, day: Any) -> Any:
    """Microseconds since 2000-01-01; the smallest number for what only Python reads."""
    left = np.int64(-1 << 63)
    place[0], place[1] = start - 1, min(start + 10, stop)
    if stop - start < 19 or read_dates(block, place, day) != 1 or block[start + 10] != _SPACE:
        return left
    hours, minutes = _two(block, start + 11, stop, 23), _two(block, start + 14, stop, 59)
    seconds = _two(block, start + 17, stop, 59)
    if hours < 0 or minutes < 0 or seconds < 0 or block[start + 13] != _COLON or block[start + 16] != _COLON:
        return left
    p, unit, fraction, count = start + 19, _SECOND, np.int64(0), 0
    if p < stop and block[p] == _DOT:
        p += 1
        while p < stop and count < digits and _ZERO <= np.int64(block[p]) <= _NINE:
            unit //= 10
            fraction += (np.int64(block[p]) - _ZERO) * unit
            count += 1
            p += 1
        if not count:
            return left
    if zone:
        if p + 3 != stop or block[p] != _PLUS or block[p + 1] != _ZERO or block[p + 2] != _ZERO:
            return left
    elif p != stop:
        return left
    return day[0] * _DAY + (hours * 3600 + minutes * 60 + seconds) * _SECOND + fraction


@kernel
def timestamps(block: Any, zeros: Any, zone: Any, digits: Any, out: Any, firsts: Any, lasts: Any) -> Any:
    """Timestamps of the years 1 to 9999, with time zone in UTC, of up to so many digits behind the second."""
    place, day = np.zeros(2, np.int64), np.zeros(1, np.int64)
    at = np.int64(0)
    for i in range(min(zeros.shape[0] - 1, firsts.shape[0], out.shape[0] // 8)):
        start, stop = max(0, zeros[i] + 1), min(zeros[i + 1], block.shape[0])
        value = _timestamp(block, start, stop, zone, digits, place, day)
        firsts[i], lasts[i] = at, _LEFT
        if value != np.int64(-1 << 63):
            at = _put(out, at, value, 8)
            lasts[i] = at
    return at


@lean
def _hex(c: Any) -> Any:
    if _ZERO <= c <= _NINE:
        return c - _ZERO
    c |= 32
    return c - 87 if 97 <= c <= 102 else _LEFT


@kernel
def uuids(block: Any, zeros: Any, out: Any, firsts: Any, lasts: Any) -> Any:
    """UUIDs of 36 characters."""
    at = np.int64(0)
    for i in range(min(zeros.shape[0] - 1, firsts.shape[0], out.shape[0] // 16)):
        p, stop = max(0, zeros[i] + 1), min(zeros[i + 1], block.shape[0])
        good = stop - p == 36
        firsts[i], lasts[i] = at, _LEFT
        for k in range(16):
            if good and k in (4, 6, 8, 10):
                good = block[p] == _MINUS
                p += 1
            if not good:
                break
            one, two = _hex(np.int64(block[p])), _hex(np.int64(block[p + 1]))
            good = one >= 0 and two >= 0
            out[at + k] = np.uint8((one << 4 | two) & 0xFF)
            p += 2
        if good:
            at += 16
            lasts[i] = at
    return at


@lean
def _numeric(block: Any, start: Any, stop: Any, wanted: Any, most: Any, out: Any, at: Any) -> Any:
    """Write a decimal number; returns the place behind it, or -1. `wanted` decimals and at most `most` digits before.

    Either is -1 where the type has none. There are 32 bytes of room.
    """
    p = start
    negative = p < stop and block[p] == _MINUS
    p += 1 if negative else 0
    point, last = stop, stop
    for k in range(p, stop):
        if block[k] == _DOT and point == stop:
            point = k
        elif not _ZERO <= np.int64(block[k]) <= _NINE:
            return _LEFT
    places = max(0, last - point - 1)
    while p < point and block[p] == _ZERO:
        p += 1
    whole = point - p
    if stop - start > 38 or point == start + (1 if negative else 0) or (point < stop and not places):
        return _LEFT
    if whole > _MOST_DIGITS or places > _MOST_PLACES or (wanted >= 0 and (places != wanted or whole > most)):
        return _LEFT
    groups = (whole + 3) // 4
    weight, count, kept = groups - 1, 0, 0
    begin = at + 2
    for g in range(groups + (places + 3) // 4):
        value = np.int64(0)
        for k in range(4):
            digit = np.int64(0)
            if g < groups:
                q = point - 4 * (groups - g) + k
                if q >= p:
                    digit = np.int64(block[q]) - _ZERO
            else:
                q = point + 1 + 4 * (g - groups) + k
                if q < last:
                    digit = np.int64(block[q]) - _ZERO
            value = 10 * value + digit
        if value == 0 and count == 0:
            weight -= 1
            continue
        out[begin + 2 * count], out[begin + 2 * count + 1] = np.uint8(value & 0xFF), np.uint8(value >> 8)
        count += 1
        if value:
            kept = count
    if not kept:
        weight, negative = 0, False
    head = 0x8000 | (0x2000 if negative else 0) | places << 7 | (0x40 if weight < 0 else 0) | (weight & 0x3F)
    out[at], out[at + 1] = np.uint8(head & 0xFF), np.uint8(head >> 8)
    return np.int64(begin + 2 * kept)


@kernel
def numerics(block: Any, zeros: Any, places: Any, most: Any, out: Any, firsts: Any, lasts: Any) -> Any:
    """Decimal numbers that have as many decimals as their type, which are not rounded."""
    at = np.int64(0)
    for i in range(min(zeros.shape[0] - 1, firsts.shape[0])):
        start, stop = max(0, zeros[i] + 1), min(zeros[i + 1], block.shape[0])
        firsts[i], lasts[i] = at, _LEFT
        if at + 32 <= out.shape[0]:
            end = _numeric(block, start, stop, places, most, out, at)
            if end >= 0:
                at = lasts[i] = end
    return at


@kernel
def addresses(block: Any, zeros: Any, out: Any, firsts: Any, lasts: Any) -> Any:
    """IPv4 addresses with or without the length of a network."""
    at = np.int64(0)
    for i in range(min(zeros.shape[0] - 1, firsts.shape[0], out.shape[0] // 6)):
        p, stop = max(0, zeros[i] + 1), min(zeros[i + 1], block.shape[0])
        firsts[i], lasts[i] = at, _LEFT
        out[at], out[at + 1] = 2, 32
        good = True
        for k in range(5):
            if not good or (k == 4 and p == stop):
                break
            if k:
                good = bool(p < stop and block[p] == (_DOT if k < 4 else _SLASH))
                p += 1
            value, first = np.int64(0), p
            while p < stop and p - first < 4 and _ZERO <= np.int64(block[p]) <= _NINE:
                value = value * 10 + np.int64(block[p]) - _ZERO
                p += 1
            good = bool(good and p > first and value <= (255 if k < 4 else 32))
            good = bool(good and (p == first + 1 or block[first] != _ZERO))
            out[at + (2 + k if k < 4 else 1)] = np.uint8(value & 0xFF)
        if good and p == stop:
            at += 6
            lasts[i] = at
    return at


@lean
def _skipped(block: Any, p: Any, stop: Any) -> Any:
    while p < stop and block[p] == _SPACE:
        p += 1
    return p


@lean
def _padded(out: Any, begin: Any, at: Any) -> Any:
    """Zeros up to the next place that is a multiple of four."""
    while (at - begin) % 4:
        out[at] = 0
        at += 1
    return at


@lean
def _same(flat: Any, start: Any, stop: Any, block: Any, p: Any, end: Any) -> Any:
    """Whether a text in quotes goes on with these bytes and a quote; the place behind it, or -1."""
    if p + stop - start + 2 > end or block[p] != _QUOTE or block[p + 1 + stop - start] != _QUOTE:
        return _LEFT
    for k in range(stop - start):
        if flat[start + k] != block[p + 1 + k]:
            return _LEFT
    return np.int64(p + stop - start + 2)


@lean
def _document(block: Any, p: Any, end: Any, flat: Any, start: Any, stop: Any, out: Any, begin: Any, stack: Any) -> Any:
    """Write a document that has the containers and the keys of the old one between `start` and `stop`.

    A level of the stack: the old container, its children, its end, how many there are, which is next, where its next
    value begins, whether it is an object; the new one's entries, its children, and where the last one ends. Returns the
    place behind the new document, or -1.
    """
    depth, opening, limit, at = 0, np.int64(start), np.int64(stop), np.int64(begin)
    while True:
        if depth == stack.shape[1] or opening + 4 > limit:
            return _LEFT
        head = word_at(flat, opening)
        count, of_object, scalar = head & _COUNT, head >> 29 & 1, head >> 28 & 1
        data = opening + 4 + 4 * (2 * count if of_object else count)
        if data > limit or scalar or at + (data - opening) + 64 > out.shape[0]:
            return _LEFT
        p = _skipped(block, p, end)
        if p >= end or block[p] != (123 if of_object else 91):
            return _LEFT
        p += 1
        level = depth
        stack[0, level], stack[1, level], stack[2, level], stack[3, level] = opening, data, limit, count
        stack[4, level], stack[5, level], stack[6, level] = 0, 0, of_object
        at = _put(out, at, head, 4)
        stack[7, level] = at
        at += data - opening - 4
        stack[8, level] = at
        if of_object:  # the keys and their entries stay
            last = np.int64(0)
            for k in range(count):
                entry = word_at(flat, opening + 4 + 4 * k)
                fresh = end_of(entry, last)
                if fresh < last or data + fresh > limit or entry >> 28 & 7:
                    return _LEFT
                last = fresh
                _put(out, stack[7, level] + 4 * k, entry, 4)
            if at + last + 64 > out.shape[0]:
                return _LEFT
            for k in range(last):
                out[at + k] = flat[data + k]
            at += last
            stack[5, level] = last
        stack[9, level], stack[10, level] = at, 0
        depth += 1
        opening = _LEFT
        while opening < 0:
            level = depth - 1
            here, data, limit, count = stack[0, level], stack[1, level], stack[2, level], stack[3, level]
            i, of_object = stack[4, level], stack[6, level]
            p = _skipped(block, p, end)
            if p >= end or at + 64 > out.shape[0]:
                return _LEFT
            kind = np.int64(0)
            if i == count:
                if block[p] != (125 if of_object else 93):
                    return _LEFT
                p += 1
                depth -= 1
                if depth == 0:
                    return at if _skipped(block, p, end) == end else _LEFT
                level, kind = depth - 1, np.int64(_CONTAINER)
                i = stack[4, level]
            else:
                if i:
                    if block[p] != 44:
                        return _LEFT
                    p = _skipped(block, p + 1, end)
                if of_object:
                    entry = word_at(flat, here + 4 + 4 * i)
                    first = stack[10, level]
                    last = end_of(entry, first)
                    stack[10, level] = last
                    p = _same(flat, data + first, data + last, block, p, end)
                    if p < 0:
                        return _LEFT
                    p = _skipped(block, p, end)
                    if p >= end or block[p] != _COLON:
                        return _LEFT
                    p = _skipped(block, p + 1, end)
                entry = word_at(flat, here + 4 + 4 * (i + count if of_object else i))
                first = stack[5, level]
                last = end_of(entry, first)
                if last < first or data + last > limit or p >= end:
                    return _LEFT
                stack[5, level] = last
                first, last, old = data + first, data + last, entry >> 28 & 7
                aligned = start + (first - start + 3) // 4 * 4
                c = np.int64(block[p])
                if c in (123, 91):
                    if old != _CONTAINER:
                        return _LEFT
                    at = _padded(out, begin, at)
                    opening, limit = aligned, last
                    break
                if c == _QUOTE:
                    p += 1
                    while p < end and block[p] != _QUOTE:
                        if block[p] == _ESCAPE or at + 64 > out.shape[0]:
                            return _LEFT
                        out[at] = block[p]
                        at += 1
                        p += 1
                    if p >= end:
                        return _LEFT
                    p += 1
                elif c == _MINUS or _ZERO <= c <= _NINE:
                    kind = np.int64(_NUMBER)
                    q = p
                    while q < end and (block[q] == _MINUS or block[q] == _DOT or _ZERO <= np.int64(block[q]) <= _NINE):
                        q += 1
                    at = _padded(out, begin, at)
                    fresh = _numeric(block, p, q, _LEFT, _LEFT, out, at + 4)
                    if fresh < 0:
                        return _LEFT
                    _put(out, at, (fresh - at) << 2, 4)
                    at, p = fresh, q
                elif c == 116 and p + 4 <= end:
                    kind, p = np.int64(_TRUE), p + 4
                elif c == 110 and p + 4 <= end:
                    kind, p = np.int64(_NULL), p + 4
                elif c == 102 and p + 5 <= end:
                    kind, p = np.int64(_FALSE), p + 5
                else:
                    return _LEFT
            # a child is written
            number = i + (stack[3, level] if stack[6, level] else 0)
            whole = at - stack[8, level]
            if whole > _COUNT:
                return _LEFT
            length = at - stack[9, level]
            entry = kind << 28 | (_HAS_OFFSET | whole if number % _STRIDE == 0 else length)
            _put(out, stack[7, level] + 4 * number, entry, 4)
            stack[9, level] = at
            stack[4, level] = i + 1


@kernel
def documents(block: Any, zeros: Any, flat: Any, starts: Any, stops: Any, out: Any, firsts: Any, lasts: Any) -> Any:
    """Documents with the containers and the keys of those that stand in `flat`, in which nothing is escaped."""
    stack = np.zeros((11, DEEPEST), np.int64)
    at = np.int64(0)
    for i in range(min(zeros.shape[0] - 1, firsts.shape[0], starts.shape[0])):
        first, last = max(0, zeros[i] + 1), min(zeros[i + 1], block.shape[0])
        firsts[i], lasts[i] = at, _LEFT
        if starts[i] >= 0 and stops[i] <= flat.shape[0]:
            end = _document(block, first, last, flat, starts[i], stops[i], out, at, stack)
            if end >= 0:
                at = lasts[i] = end
    return at


def warm() -> None:
    """Run the kernels once."""
    place = np.zeros((2, 1), np.int64)
    firsts, lasts = place
    out = np.zeros(128, np.uint8)

    def given(text: bytes) -> tuple[Any, Any]:
        return np.frombuffer(text, np.uint8), np.array([-1, len(text)], np.int64)

    timestamps(*given(b"2024-02-29 01:02:03"), True, 6, out, firsts, lasts)
    uuids(*given(b"123e4567"), out, firsts, lasts)
    numerics(*given(b"1.5"), 1, 5, out, firsts, lasts)
    addresses(*given(b"10.1.2.3"), out, firsts, lasts)
    page = np.zeros(8, np.uint8)
    page[3] = 0x40
    documents(*given(b"[]"), page, np.zeros(1, np.int64), np.full(1, 4, np.int64), out, firsts, lasts)
