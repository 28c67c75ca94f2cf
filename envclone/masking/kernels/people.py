"""Identities in ASCII: blanks around them, national numbers, addresses by form, how telling they are, their parts."""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean
from envclone.masking.kernels.numbers import calling_code
from envclone.masking.words import TITLES

__all__ = [
    "CODE",
    "COMPANY",
    "EMAIL",
    "NUMBER",
    "OTHER",
    "PERSON",
    "PHONE",
    "PLACE",
    "nationals",
    "other_addresses",
    "parts",
    "prefix",
]
__all__ += ["is_title", "room", "telling", "trim", "warm"]

PERSON, EMAIL, PHONE, CODE, NUMBER, PLACE, COMPANY, OTHER = range(8)
"""What a kind is here: a name; what has an `@`; a telephone number; a code with entropy, one of digits; an address, a
company; anything else."""
_ASCII, _AT, _DOT, _HYPHEN, _PLUS, _SPACE, _OPEN, _APOSTROPHE = 128, 64, 46, 45, 43, 32, 40, 39
_A, _Z, _0, _9, _CASE = 97, 122, 48, 57, 32
_BLANK = np.array([chr(c).isspace() for c in range(_ASCII)])
_UNCLEAR = np.array([chr(c).isalpha() or chr(c) in "#,;|\n" for c in range(_ASCII)])
_LOCAL = np.array([chr(c).isalnum() or chr(c) in "_.%+'-" for c in range(_ASCII)])
_LONGEST, _LONG_NUMBER, _LONG_PHONE = 32, 7, 7
_SHORTEST_CODE, _FEWEST_SIGNS, _LONG = 6, 3, 12
_PART, _SHORTEST_NUMBER, _SHORTEST_OTHER = 3, 6, 4
_NAME_PART, _PLACE_PART, _OTHER_PART = 0, 1, 2
_LONGEST_TITLE = 8
_TITLES = np.array([int.from_bytes(title.encode(), "little") for title in sorted(TITLES)], np.uint64)
_WITH_TRUNK = 11
_NONE, _ONE, _EIGHT = np.uint64(0), np.uint64(1), np.uint64(8)


def room() -> Any:
    """Room for the digits of one number."""
    return np.zeros(_LONGEST, np.uint64)


@lean
def _is_letter(char: Any) -> Any:
    return _A <= (np.int64(char) | _CASE) <= _Z


@lean
def _is_digit(char: Any) -> Any:
    return _0 <= np.int64(char) <= _9


@lean
def _is_blank(char: Any) -> Any:
    return char < _ASCII and _BLANK[char]


@lean
def _inside(block: Any, start: Any, stop: Any) -> Any:
    return 0 <= start <= stop <= block.shape[0]


@lean
def trim(block: Any, starts: Any, stops: Any, plain: Any, longest: Any) -> Any:
    """Take the blanks off both ends of plain values; what is empty or longer (before that) is absent then."""
    for i in range(min(starts.shape[0], stops.shape[0], plain.shape[0])):
        start, stop = np.int64(starts[i]), np.int64(stops[i])
        if not plain[i] or not _inside(block, start, stop) or stop - start > longest:
            starts[i] = stops[i] = -1
            continue
        while start < stop and _is_blank(block[start]):
            start += 1
        while start < stop and _is_blank(block[stop - 1]):
            stop -= 1
        starts[i], stops[i] = (start, stop) if start < stop else (-1, -1)
    return 0


@lean
def prefix(digits: Any, size: Any, plus: Any, codes: Any) -> Any:
    """How many digits stand before the national number."""
    kept = np.int64(0)
    if plus:
        kept = calling_code(digits, 0, size, codes)
    elif size > 1 and digits[0] == _NONE and digits[1] == _NONE:
        code = calling_code(digits, 2, size, codes)
        kept = 2 + code if code else np.int64(0)
    for _ in range(2):  # zeros, a 1 or an 8, zeros
        while kept < size - 1 and digits[kept] == _NONE:
            kept += 1
        if size - kept == _WITH_TRUNK and (digits[kept] == _ONE or digits[kept] == _EIGHT):
            kept += 1
        else:
            break
    return kept


@lean
def nationals(block: Any, starts: Any, stops: Any, codes: Any, digits: Any, out: Any, odd: Any) -> Any:
    """Put the national number in the place of each telephone number that has one of enough digits; `out` begins as the
    block. Of those that need a closer look `odd` is set."""
    for i in range(min(starts.shape[0], stops.shape[0], odd.shape[0])):
        start, stop = np.int64(starts[i]), np.int64(stops[i])
        if not _inside(block, start, stop) or stop > out.shape[0]:
            continue
        size, plus, unclear, before = 0, False, False, np.int64(0)
        for k in range(start, stop):
            char = np.int64(block[k])
            if char >= _ASCII or _UNCLEAR[char] or size == _LONGEST:
                unclear = True
                break
            if _is_digit(char):
                plus = plus or (size == 0 and before == _PLUS)
                digits[size] = np.uint64(char - _0)
                size += 1
            elif size == 0 and char != _SPACE and char != _OPEN:
                before = char
        odd[i] = unclear
        if unclear or size == 0:
            continue
        kept = prefix(digits, size, plus, codes)
        if size - kept >= _LONG_NUMBER:
            for k in range(size - kept):
                out[start + k] = np.uint8(_0 + np.int64(digits[kept + k]))
            stops[i] = start + size - kept
    return 0


@lean
def other_addresses(block: Any, starts: Any, stops: Any) -> Any:
    """Make absent what certainly is an e-mail address by its form."""
    for i in range(min(starts.shape[0], stops.shape[0])):
        start, stop = np.int64(starts[i]), np.int64(stops[i])
        if not _inside(block, start, stop):
            continue
        at = start
        while at < stop and block[at] < _ASCII and _LOCAL[block[at]]:
            at += 1
        if at == start or at >= stop or block[at] != _AT or block[at - 1] == _DOT or block[at - 1] == _APOSTROPHE:
            continue
        labels, p = 0, at + 1
        while p < stop:
            first = p
            while p < stop and (_is_letter(block[p]) or _is_digit(block[p]) or block[p] == _HYPHEN):
                p += 1
            if p == first or block[first] == _HYPHEN or block[p - 1] == _HYPHEN:
                labels = -1
                break
            labels += 1
            if p == stop:
                break
            if block[p] != _DOT or p + 1 == stop:
                labels = -1
                break
            p += 1
        if labels > 1:
            starts[i] = stops[i] = -1
    return 0


@lean
def _is_telling(block: Any, start: Any, stop: Any, kind: Any) -> Any:
    letters_before, blank_before = False, True
    runs, digits, signs, words, kinds = 0, 0, 0, 0, 0
    one, two = _NONE, _NONE
    for k in range(start, stop):
        char = np.int64(block[k])
        letter, digit, blank = _is_letter(char), _is_digit(char), _is_blank(char)
        runs += letter and not letters_before
        digits += digit
        words += blank_before and not blank
        letters_before, blank_before = letter, blank
        if kind == EMAIL and char == _AT:
            return True
        if letter or digit:
            signs += 1
            if char < 64:
                bit = _ONE << np.uint64(char)
                kinds += (one & bit) == _NONE
                one |= bit
            else:
                bit = _ONE << np.uint64(char - 64)
                kinds += (two & bit) == _NONE
                two |= bit
    if kind == EMAIL:
        return False
    if kind == PERSON:
        return runs >= 2
    if kind == PHONE:
        return digits >= _LONG_PHONE
    if kind in (CODE, NUMBER):
        return signs >= _SHORTEST_CODE and kinds >= _FEWEST_SIGNS
    if kind in (PLACE, COMPANY):
        return stop - start >= _LONG and words >= 2
    return stop - start >= _LONG


@lean
def telling(block: Any, starts: Any, stops: Any, kind: Any, found: Any) -> Any:
    """Of each value of a kind whether it is an identity by its form or entropy."""
    for i in range(min(starts.shape[0], stops.shape[0], found.shape[0])):
        if _inside(block, starts[i], stops[i]):
            found[i] = _is_telling(block, np.int64(starts[i]), np.int64(stops[i]), kind)
    return 0


@lean
def is_title(block: Any, start: Any, stop: Any) -> Any:
    """Whether a word in lower case is a title."""
    if stop - start > _LONGEST_TITLE:
        return False
    word = _NONE
    for k in range(stop - start):
        word |= np.uint64(block[start + k]) << np.uint64(8 * k)
    for k in range(_TITLES.shape[0]):  # noqa: SIM110  numba compiles no any()
        if word == _TITLES[k]:
            return True
    return False


@lean
def _lowered(block: Any, start: Any, stop: Any, out: Any, used: Any) -> Any:
    """A value in lower case with one space for its blanks; returns where it ends in `out`."""
    between = False
    first = used
    for k in range(start, stop):
        char = np.int64(block[k])
        if _is_blank(char):
            between = True
            continue
        if between and used > first:
            out[used] = _SPACE
            used += 1
        between = False
        out[used] = np.uint8(char | _CASE if _is_letter(char) else char)
        used += 1
    return used


@lean
def parts(
    block: Any, starts: Any, stops: Any, kind: Any, out: Any, firsts: Any, lasts: Any, owners: Any, what: Any
) -> Any:
    """The weak identities of values in lower case, with whose they are and what; `out` is as large as the block.

    Returns how many there are, or -1 when there is no room.
    """
    count: Any = 0
    used: Any = np.int64(0)
    for i in range(min(starts.shape[0], stops.shape[0])):
        start: Any = np.int64(starts[i])
        stop: Any = np.int64(stops[i])
        if not _inside(block, start, stop):
            continue
        if used + stop - start > out.shape[0]:
            return -1
        if kind == PERSON:
            k: Any = start
            while k < stop:
                if not _is_letter(block[k]):
                    k += 1
                    continue
                begun: Any = used
                while k < stop and (
                    _is_letter(block[k]) or (block[k] == _APOSTROPHE and k + 1 < stop and _is_letter(block[k + 1]))
                ):
                    out[used] = block[k] | _CASE if _is_letter(block[k]) else block[k]
                    used += 1
                    k += 1
                if used - begun >= _PART and not is_title(out, begun, used):
                    if count >= owners.shape[0]:
                        return -1
                    firsts[count], lasts[count], owners[count], what[count] = begun, used, i, _NAME_PART
                    count += 1
            continue
        first: Any = used
        as_what: Any = _OTHER_PART
        good = False
        if kind in (PHONE, NUMBER):
            for k in range(start, stop):
                if _is_digit(block[k]):
                    out[used] = block[k]
                    used += 1
            good = bool(used - first >= _SHORTEST_NUMBER)
        else:
            used = _lowered(block, start, stop, out, used)
            good = bool(used - first >= _PART)
            if kind != PLACE:
                good = bool(used - first >= _SHORTEST_OTHER and not _is_telling(block, start, stop, kind))
            else:
                for k in range(first, used):
                    if _is_digit(out[k]) and used - first >= _SHORTEST_OTHER:
                        as_what = _PLACE_PART
        if good:
            if count >= owners.shape[0]:
                return -1
            firsts[count], lasts[count], owners[count], what[count] = first, used, i, as_what
            count += 1
    return count


def warm() -> None:
    """Run every kernel of this room once."""
    block = np.frombuffer(b"\0Jane Doe\0+49 30 1234567\0", np.uint8)
    starts, stops = np.array([1, 10], np.int64), np.array([9, 24], np.int64)
    flags = np.ones(2, np.bool_)
    trim(block, starts, stops, flags, 100)
    nationals(block, starts.copy(), stops.copy(), np.zeros(1110, np.bool_), room(), block.copy(), flags)
    other_addresses(block, starts, stops)
    telling(block, starts, stops, PERSON, flags)
    places = np.zeros((3, 8), np.int64)
    parts(block, starts, stops, PERSON, block.copy(), places[0], places[1], places[2], np.zeros(8, np.uint8))
