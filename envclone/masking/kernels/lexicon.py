"""The words of many names in ASCII, the numbers of their pairs, and national numbers: what a lexicon is made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean
from envclone.masking.kernels.people import is_title

__all__ = ["MOST", "numbers", "warm", "words"]

MOST = 32
"""Words of a name; one of more is left to Python."""
_BASIS, _PRIME, _MIX = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3), np.uint64(0x9E3779B97F4A7C15)
_29, _1 = np.uint64(29), np.uint64(1)
_ASCII, _COMMA, _SPACE, _CASE = 128, 44, np.uint64(32), 32
_A, _Z, _0, _9, _ONE, _EIGHT = 97, 122, 48, 57, 49, 56
_SHORTEST = 3
_DIGITS, _LONG, _FEWEST, _MOST_DIGITS = 18, 9, 7, 19


@lean
def _begun(out: Any, start: Any, stop: Any) -> Any:
    """The number of a word and of the space behind it, not mixed yet."""
    number = _BASIS
    for k in range(start, stop):
        number = (number ^ np.uint64(out[k])) * _PRIME
    return (number ^ _SPACE) * _PRIME


@lean
def _ended(number: Any, out: Any, start: Any, stop: Any) -> Any:
    """The number of what began so and ends with a word: 63 bits, as `known.number_of_pair` has them."""
    for k in range(start, stop):
        number = (number ^ np.uint64(out[k])) * _PRIME
    number = (number ^ (number >> _29)) * _MIX
    return np.int64((number ^ (number >> _29)) >> _1)


@lean
def words(
    block: Any, bounds: Any, first: Any, last: Any, room: Any, out: Any, starts: Any, stops: Any, pairs: Any, odd: Any,
    counts: Any,
) -> Any:  # fmt: skip
    """Of the names `first` to before `last`: their words of three letters and more in lower case, written to `out`,
    and the numbers of the pairs of one person; names that only Python reads right are `odd`.

    `room` has two rows of `MOST`, `counts` gets how many words and pairs there are. Returns -1 when there is no room.
    """
    used, found, paired = np.int64(0), np.int64(0), np.int64(0)
    for i in range(first, min(last, bounds.shape[0] - 1)):
        k, end = np.int64(bounds[i]), np.int64(bounds[i + 1])
        if i - first >= odd.shape[0] or k < 0 or end < k or end > block.shape[0] or used + end - k > out.shape[0]:
            return -1
        before, count, plain, short = used, 0, True, False
        while k < end and plain:
            char = np.int64(block[k])
            if char >= _ASCII or char == _COMMA:
                plain = False
            elif _A <= (char | _CASE) <= _Z:
                begin = used
                while k < end and _A <= (np.int64(block[k]) | _CASE) <= _Z:
                    out[used] = block[k] | _CASE
                    used += 1
                    k += 1
                if is_title(out, begin, used):
                    used = begin
                elif count == MOST:
                    plain = False
                else:
                    room[0, count], room[1, count] = begin, used
                    short = bool(short or used - begin < _SHORTEST)
                    count += 1
            else:
                k += 1
        if not plain or (short and count > 1):
            odd[i - first] = True
            used = before
            continue
        if found + count > starts.shape[0] or found + count > stops.shape[0] or paired + count + 3 > pairs.shape[0]:
            return -1
        for j in range(count):
            if room[1, j] - room[0, j] >= _SHORTEST:
                starts[found], stops[found] = room[0, j], room[1, j]
                found += 1
        if count < 2:
            continue
        for j in range(count):
            begin = _begun(out, room[0, j], room[1, j])
            other = j + 1 if j + 1 < count else 0
            pairs[paired] = _ended(begin, out, room[0, other], room[1, other])
            paired += 1
        final = count - 1
        begin = room[0, 0]
        pairs[paired] = _ended(_begun(out, begin, room[1, 0]), out, room[0, final], room[1, final])
        pairs[paired + 1] = _ended(_begun(out, begin, begin + 1), out, room[0, final], room[1, final])
        pairs[paired + 2] = _ended(_begun(out, room[0, final], room[1, final]), out, begin, begin + 1)
        paired += 3
    counts[0], counts[1] = found, paired
    return 0


@lean
def numbers(block: Any, bounds: Any, out: Any, odd: Any) -> Any:
    """The numbers (`known.number_of`) of texts that are national telephone numbers as they stand; the others are
    `odd`."""
    for i in range(min(bounds.shape[0] - 1, out.shape[0], odd.shape[0])):
        start, stop = np.int64(bounds[i]), np.int64(bounds[i + 1])
        size = stop - start
        odd[i] = True
        if start < 0 or stop > block.shape[0] or not _FEWEST <= size <= _MOST_DIGITS:
            continue
        head = np.int64(block[start])
        if head == _0 or (head in (_ONE, _EIGHT) and size > _LONG):
            continue
        number, plain = np.int64(1), True
        for k in range(start, stop):
            char = np.int64(block[k])
            plain = bool(plain and _0 <= char <= _9)
            if stop - k <= _DIGITS:
                number = number * 10 + char - _0
        if plain:
            out[i], odd[i] = number, False
    return 0


def warm() -> None:
    """Run the kernels once."""
    block, bounds = np.frombuffer(b"Jane Doe1234567", np.uint8), np.array([0, 8, 15], np.int64)
    places, odd = np.zeros((4, 40), np.int64), np.zeros(2, np.bool_)
    words(
        *(block, bounds, 0, 2, places[:2], np.zeros(16, np.uint8), places[2], places[3], np.zeros(16, np.int64)),
        *(odd, np.zeros(2, np.int64)),
    )
    numbers(block, bounds, np.zeros(2, np.int64), odd)
