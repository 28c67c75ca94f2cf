"""Values of no fixed length as the server prints them, compiled: numerics, IPv4 addresses, documents (jsonb).

The kernels are called as those of `printed`, and return -1 for values that only Python prints: what is damaged, or odd.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import kernel, lean
from envclone.stores.postgres.format.rows import ABSENT, COMPRESSED

__all__ = ["DEEPEST", "addresses", "documents", "end_of", "numeric", "numerics", "room_of_documents", "warm", "word_at"]

DEEPEST = 32
"""Levels of a document."""
_COUNT, _LENGTH, _TYPE = 0x0FFFFFFF, 0x0FFFFFFF, 0x7
_STRING, _NUMBER, _FALSE, _TRUE, _NULL, _CONTAINER = range(6)
_MOST_DIGITS, _MOST_WHOLE, _MOST_PLACES = 9, 4, 20
"""Digits to the base of 10,000, those before the point, and decimals: no more than WIDEST characters together."""
_QUOTE, _SLASH, _SPACE, _COMMA, _COLON, _DOT, _MINUS, _ZERO = 34, 92, 32, 44, 58, 46, 45, 48
_V4, _SIZE_OF_V4 = 2, 6


def room_of_documents(sizes: int, count: int) -> int:
    """Bytes of a block for documents of so many bytes."""
    return 3 * sizes + 64 * count


@lean
def word_at(flat: Any, at: Any) -> Any:
    """Four bytes as a number."""
    return (
        np.int64(flat[at]) | np.int64(flat[at + 1]) << 8 | np.int64(flat[at + 2]) << 16 | np.int64(flat[at + 3]) << 24
    )


@lean
def _half(flat: Any, at: Any) -> Any:
    """A number of 16 bits with its sign."""
    value = np.int64(flat[at]) | np.int64(flat[at + 1]) << 8
    return value - 65536 if value >= 32768 else value


@lean
def numeric(flat: Any, start: Any, stop: Any, block: Any, at: Any) -> Any:
    """Print one number; returns the place behind it, or -1. There are WIDEST bytes of room."""
    if stop - start < 2 or stop > flat.shape[0]:
        return np.int64(-1)
    head = np.int64(flat[start]) | np.int64(flat[start + 1]) << 8
    if head & 0xC000 != 0x8000:  # special, or with a header of four bytes
        return np.int64(-1)
    places, weight = head >> 7 & 0x3F, (head & 0x3F) - (64 if head & 0x40 else 0)
    first = start + 2
    count = (stop - first) // 2
    if count > _MOST_DIGITS or places > _MOST_PLACES or not -_MOST_DIGITS <= weight < _MOST_WHOLE:
        return np.int64(-1)
    if head & 0x2000:
        block[at] = _MINUS
        at += 1
    begun = False
    digit: Any = np.int64(0)
    for i in range(weight + 1):
        digit = _half(flat, first + 2 * i) if i < count else np.int64(0)
        if not 0 <= digit <= 9999:
            return np.int64(-1)
        for unit in (1000, 100, 10, 1):
            begun = bool(begun or digit // unit > 0)
            if begun:
                block[at] = np.uint8(_ZERO + digit // unit)
                at += 1
            digit %= unit
    if not begun:
        block[at] = _ZERO
        at += 1
    if places:
        block[at] = _DOT
        at += 1
        for k in range(places):
            place = weight + 1 + k // 4
            group = _half(flat, first + 2 * place) if 0 <= place < count else np.int64(0)
            if not 0 <= group <= 9999:
                return np.int64(-1)
            for _ in range(3 - k % 4):
                group //= 10
            block[at] = np.uint8(_ZERO + group % 10)
            at += 1
    return np.int64(at)


@kernel
def numerics(flat: Any, starts: Any, ends: Any, forms: Any, block: Any) -> Any:
    """Decimal numbers of not too many digits."""
    at = np.int64(0)
    for i in range(starts.shape[0]):
        if at + 40 > block.shape[0]:
            return -1
        if forms[i] != ABSENT:
            if forms[i] >= COMPRESSED:
                return -1
            at = numeric(flat, starts[i], ends[i], block, at)
            if at < 0:
                return -1
        block[at] = 0
        at += 1
    return at


@lean
def _octet(block: Any, at: Any, value: Any) -> Any:
    if value >= 100:
        block[at] = np.uint8(_ZERO + value // 100)
        at += 1
    if value >= 10:
        block[at] = np.uint8(_ZERO + value // 10 % 10)
        at += 1
    block[at] = np.uint8(_ZERO + value % 10)
    return at + 1


@kernel
def addresses(flat: Any, starts: Any, ends: Any, forms: Any, block: Any) -> Any:
    """IPv4 addresses with the length of their network."""
    at = np.int64(0)
    for i in range(starts.shape[0]):
        if at + 40 > block.shape[0]:
            return -1
        if forms[i] != ABSENT:
            start = starts[i]
            if forms[i] >= COMPRESSED or ends[i] - start != _SIZE_OF_V4 or flat[start] != _V4:
                return -1
            for k in range(4):
                at = _octet(block, at, np.int64(flat[start + 2 + k]))
                block[at] = _DOT if k < 3 else 47
                at += 1
            at = _octet(block, at, np.int64(flat[start + 1]))
        block[at] = 0
        at += 1
    return at


@lean
def _text(flat: Any, start: Any, stop: Any, block: Any, at: Any) -> Any:
    """A string in quotes; -1 when anything in it is escaped."""
    if at + stop - start + 4 > block.shape[0]:
        return np.int64(-1)
    block[at] = _QUOTE
    at += 1
    for k in range(start, stop):
        c = flat[k]
        if c < _SPACE or c in (_QUOTE, _SLASH):
            return np.int64(-1)
        block[at] = c
        at += 1
    block[at] = _QUOTE
    return np.int64(at + 1)


@lean
def end_of(entry: Any, before: Any) -> Any:
    """Where a child ends that begins behind the one before."""
    return entry & _LENGTH if entry >> 31 else before + (entry & _LENGTH)


@lean
def _document(flat: Any, start: Any, stop: Any, block: Any, at: Any, stack: Any) -> Any:
    """Print one document; returns the place behind it, or -1.

    A level of the stack: where the container and its children begin, and its end; how many there are, which is next;
    where the next key and the next value begin.
    """
    failed = np.int64(-1)
    depth, opening, limit = 0, np.int64(start), np.int64(stop)
    while True:
        # a container that is to be opened
        if depth == stack.shape[1] or opening + 4 > limit or at + 64 > block.shape[0]:
            return failed
        head = word_at(flat, opening)
        count, of_object, scalar = head & _COUNT, head >> 29 & 1, head >> 28 & 1
        data = opening + 4 + 4 * (2 * count if of_object else count)
        if data > limit or (scalar and (depth or of_object or count != 1)):
            return failed
        stack[0, depth], stack[1, depth], stack[2, depth], stack[3, depth] = opening, data, limit, count
        stack[4, depth], stack[5, depth], stack[6, depth], stack[7, depth] = 0, 0, 0, of_object
        if of_object:
            end = np.int64(0)
            for k in range(count):
                fresh = end_of(word_at(flat, opening + 4 + 4 * k), end)
                if fresh < end or data + fresh > limit:
                    return failed
                end = fresh
            stack[6, depth] = end
        if not scalar:
            block[at] = 123 if of_object else 91
            at += 1
        depth += 1
        opening = failed
        while opening < 0:
            level = depth - 1
            here, data, limit, count = stack[0, level], stack[1, level], stack[2, level], stack[3, level]
            i, of_object = stack[4, level], stack[7, level]
            if at + 64 > block.shape[0]:
                return failed
            if i == count:
                if not (word_at(flat, here) >> 28 & 1):
                    block[at] = 125 if of_object else 93
                    at += 1
                depth -= 1
                if depth == 0:
                    return np.int64(at)
                continue
            if i:
                block[at], block[at + 1] = _COMMA, _SPACE
                at += 2
            stack[4, level] = i + 1
            if of_object:
                entry = word_at(flat, here + 4 + 4 * i)
                first = stack[5, level]
                last = end_of(entry, first)
                stack[5, level] = last
                if entry >> 28 & _TYPE != _STRING:
                    return failed
                at = _text(flat, data + first, data + last, block, at)
                if at < 0 or at + 64 > block.shape[0]:
                    return failed
                block[at], block[at + 1] = _COLON, _SPACE
                at += 2
            entry = word_at(flat, here + 4 + 4 * (i + count if of_object else i))
            first = stack[6, level]
            last = end_of(entry, first)
            if last < first or data + last > limit:
                return failed
            stack[6, level] = last
            first, last, kind = data + first, data + last, entry >> 28 & _TYPE
            aligned = start + (first - start + 3) // 4 * 4
            if kind == _STRING:
                at = _text(flat, first, last, block, at)
            elif kind == _NUMBER:
                at = numeric(flat, aligned + 4, last, block, at)
            elif kind == _CONTAINER:
                opening, limit = aligned, last
            elif kind in (_TRUE, _NULL):
                word = b"true" if kind == _TRUE else b"null"
                for k in range(4):
                    block[at + k] = word[k]
                at += 4
            elif kind == _FALSE:
                word = b"false"
                for k in range(5):
                    block[at + k] = word[k]
                at += 5
            else:
                return failed
            if at < 0:
                return failed


@kernel
def documents(flat: Any, starts: Any, ends: Any, forms: Any, block: Any) -> Any:
    """Documents of type jsonb in which nothing is escaped."""
    stack = np.zeros((8, DEEPEST), np.int64)
    at = np.int64(0)
    for i in range(starts.shape[0]):
        if at + 1 > block.shape[0]:
            return -1
        if forms[i] != ABSENT:
            if forms[i] >= COMPRESSED or starts[i] < 0 or ends[i] > flat.shape[0]:
                return -1
            at = _document(flat, starts[i], ends[i], block, at, stack)
            if at < 0 or at + 1 > block.shape[0]:
                return -1
        block[at] = 0
        at += 1
    return at


def warm() -> None:
    """Run the kernels once."""
    flat, one = np.zeros(64, np.uint8), np.zeros(1, np.int64)
    flat[3] = 0x40
    flat.flags.writeable = False
    forms, block = np.ones(1, np.uint8), np.zeros(128, np.uint8)
    for run in (numerics, addresses, documents):
        run(flat, one, one + 4, forms, block)
