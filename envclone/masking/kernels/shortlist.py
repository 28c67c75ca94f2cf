"""Which texts of a block may be in a short list, in any casing and with any blanks: one look-up of a hash for each."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from envclone.compiled import lean

__all__ = ["GATES", "List", "entered", "listed", "opened", "warm"]

_BASIS, _PRIME, _MIX = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3), np.uint64(0x9E3779B97F4A7C15)
_0, _1, _29, _SPACE = np.uint64(0), np.uint64(1), np.uint64(29), np.uint64(32)
_A, _Z, _ZERO, _NINE, _CASE, _ASCII = 65, 90, 48, 57, 32, 128
_BLANK, _T, _AT, _DOT, _HYPHEN, _BRACE, _U = 32, 116, 64, 46, 45, 123, 117
_TAB, _RETURN, _FS = 9, 13, 28
_URN, _HEAD = 9, 8
GATES = 512
"""Words of a gate: a bit for five bits each of three characters."""
_LOW5 = 31


class List(NamedTuple):
    """Open tables of the hashes of words, of the digits of numbers, of how addresses begin up to their @ and how they
    end from it or from their last dot on.

    Whether to look for numbers, for UUIDs that begin with one digit, for words that a time follows. The gates are of
    the first two characters and the last one of words and of beginnings, and of the last three of ends: what does not
    pass one is not in its table.
    """

    words: Any
    digits: Any
    heads: Any
    tails: Any
    numbers: bool
    uuids: bool
    dated: bool
    addresses: bool
    word_gate: Any
    head_gate: Any
    tail_gate: Any


@lean
def _mixed(h: Any) -> Any:
    h = (h ^ (h >> _29)) * _MIX
    return (h ^ (h >> _29)) | _1


@lean
def _holds(h: Any, table: Any) -> Any:
    number = _mixed(h)
    mask = table.shape[0] - 1
    at = np.int64(number >> _1) & mask
    while table[at] != _0:
        if table[at] == number:
            return True
        at = (at + 1) & mask
    return False


@lean
def entered(block: Any, zeros: Any, table: Any) -> Any:
    """Enter texts, which are in small letters, into a table of twice as many zeros and more."""
    mask = table.shape[0] - 1
    for i in range(zeros.shape[0] - 1):
        h = _BASIS
        for k in range(max(0, zeros[i] + 1), min(zeros[i + 1], block.shape[0])):
            h = (h ^ np.uint64(block[k])) * _PRIME
        number = _mixed(h)
        at = np.int64(number >> _1) & mask
        while table[at] != _0 and table[at] != number:
            at = (at + 1) & mask
        table[at] = number
    return 0


@lean
def _is_blank(c: Any) -> Any:
    return c == _BLANK or _TAB <= c <= _RETURN or _FS <= c < _BLANK


@lean
def _alike(block: Any, start: Any, stop: Any) -> Any:
    """Whether a UUID begins with eight times one digit."""
    p = start
    while p < stop and block[p] == _BRACE:
        p += 1
    if p < stop and np.int64(block[p]) | _CASE == _U:
        p += _URN
    while p < stop and block[p] == _BRACE:
        p += 1
    first, count = np.int64(0), 0
    while p < stop and count < _HEAD:
        c = np.int64(block[p]) | _CASE
        p += 1
        if c == _HYPHEN:
            continue
        if count and c != first:
            return False
        first = c
        count += 1
    return count == _HEAD


@lean
def _looked_up(block: Any, start: Any, stop: Any, known: Any) -> Any:
    """The same by the tables; the text has no blanks at its ends."""
    h, tail, dotted = _BASIS, _BASIS, _BASIS
    at, gap = False, False
    for p in range(start, stop):
        c = np.int64(block[p])
        if _is_blank(c):
            if known.dated and not gap and _holds(h, known.words):
                return True
            gap = True
            continue
        if gap:
            h, tail, dotted = (h ^ _SPACE) * _PRIME, (tail ^ _SPACE) * _PRIME, (dotted ^ _SPACE) * _PRIME
            gap = False
        if _A <= c <= _Z:
            c |= _CASE
        if known.dated and c == _T and _holds(h, known.words):
            return True
        if c == _AT:
            tail, at = _BASIS, True
        if c == _DOT:
            dotted = _BASIS
        char = np.uint64(c)
        h, tail, dotted = (h ^ char) * _PRIME, (tail ^ char) * _PRIME, (dotted ^ char) * _PRIME
        if c == _AT and _holds(h, known.heads):
            return True
    if _holds(h, known.words):
        return True
    return at and (_holds(tail, known.tails) or _holds(dotted, known.tails))


@lean
def _bit(one: Any, two: Any, three: Any) -> Any:
    """The bit of three characters, whatever their casing."""
    return (one & _LOW5) | (two & _LOW5) << 5 | (three & _LOW5) << 10


@lean
def _passes(gate: Any, bit: Any) -> Any:
    return gate[bit >> 6] >> np.uint64(bit & 63) & _1 != _0


@lean
def _seen(block: Any, at: Any) -> Any:
    """A character; every blank is one."""
    c = np.int64(block[at])
    return np.int64(_BLANK) if _is_blank(c) else c


@lean
def opened(block: Any, zeros: Any, ends: Any, gate: Any) -> Any:
    """Let texts pass a gate: by their first two characters and the last one, or by the last three."""
    for i in range(zeros.shape[0] - 1):
        start, stop = max(0, zeros[i] + 1), min(zeros[i + 1], block.shape[0])
        if ends and stop - start < 3:
            for k in range(gate.shape[0]):
                gate[k] = ~_0
        elif start < stop:
            one, two = (stop - 3, stop - 2) if ends else (start, min(start + 1, stop - 1))
            bit = _bit(_seen(block, one), _seen(block, two), _seen(block, stop - 1))
            gate[bit >> 6] |= _1 << np.uint64(bit & 63)
    return 0


@lean
def _numbered(block: Any, start: Any, stop: Any, known: Any) -> Any:
    """Whether the digits of a text are all the same, or a listed number."""
    h, first, count, same = _BASIS, np.int64(0), 0, True
    for p in range(start, stop):
        c = np.int64(block[p])
        if _ZERO <= c <= _NINE:
            same = same and (count == 0 or c == first)
            first = c
            count += 1
            h = (h ^ np.uint64(c)) * _PRIME
    return count > 0 and (same or _holds(h, known.digits))


@lean
def _addressed(block: Any, start: Any, stop: Any, known: Any) -> Any:
    """Whether the address that a text may be passes a gate."""
    found = False
    for p in range(start, stop):
        if block[p] == _AT:
            found = True
            if _passes(known.head_gate, _bit(_seen(block, start), _seen(block, min(start + 1, p)), np.int64(_AT))):
                return True
    if not found:
        return False
    if stop - start < 3:
        return True
    one, two, three = _seen(block, stop - 3), _seen(block, stop - 2), _seen(block, stop - 1)
    # a blank can stand for several
    return one == _BLANK or two == _BLANK or _passes(known.tail_gate, _bit(one, two, three))


@lean
def _may_be(block: Any, start: Any, stop: Any, known: Any, plain: Any) -> Any:
    while start < stop and _is_blank(np.int64(block[start])):
        start += 1
    while stop > start and _is_blank(np.int64(block[stop - 1])):
        stop -= 1
    if start == stop:
        return False
    if known.uuids and _alike(block, start, stop):
        return True
    if not plain:
        for p in range(start, stop):
            if block[p] >= _ASCII:
                return True
    if known.dated:
        return _looked_up(block, start, stop, known)
    bit = _bit(_seen(block, start), _seen(block, min(start + 1, stop - 1)), _seen(block, stop - 1))
    return (
        (_passes(known.word_gate, bit) and _looked_up(block, start, stop, known))
        or (known.numbers and _numbered(block, start, stop, known))
        or (known.addresses and _addressed(block, start, stop, known) and _looked_up(block, start, stop, known))
    )


@lean
def listed(block: Any, zeros: Any, known: Any, plain: Any, found: Any) -> Any:
    """Note which texts, each between two of the places of zeros, may be listed; those that are not ASCII always may.

    `plain` says that there are none of these.
    """
    for i in range(min(zeros.shape[0] - 1, found.shape[0])):
        found[i] = _may_be(block, max(0, zeros[i] + 1), min(zeros[i + 1], block.shape[0]), known, plain)
    return 0


def warm() -> None:
    """Run every kernel of this room once."""
    block, zeros = np.frombuffer(b"n/a\x00000@x", np.uint8), np.array([-1, 3, 9], np.int64)
    table = np.zeros(8, np.uint64)
    entered(block, zeros, table)
    gate = np.zeros(GATES, np.uint64)
    opened(block, zeros, False, gate)
    known = List(table, table, table, table, True, True, False, True, gate, gate, gate)
    listed(block, zeros, known, True, np.zeros(2, np.bool_))
