"""Telephone numbers that only what stands in and right beside them tells: `numbers.phones_in` finds the same, whatever
words are around. Digits without a sign between them (an order, an invoice) are none where no word near them says so and
nobody is known to have them. All other places with many digits are left to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import frozen, lean
from envclone.masking.kernels.cues import may_be_cued
from envclone.masking.kernels.texts import ALNUM

__all__ = ["call", "warm"]

_ASCII, _NBSP = 128, 0xA0
_ZERO, _NINE = ord("0"), ord("9")
_BLANK, _OPEN, _SHUT, _PLUS, _COMMA, _MINUS, _DOT, _SLASH, _COLON, _UNDER, _HASH = map(ord, " ()+,-./:_#")
_DOLLAR, _PERCENT, _SIGN_AT, _X, _E, _CASE, _TAB, _CR = ord("$"), ord("%"), ord("@"), ord("x"), ord("e"), 32, 9, 13
_BEFORE, _BEHIND = 2, 12
"""Characters around many digits that are looked at with them."""
_FEWEST, _MOST, _CARD = 6, 18, 12
"""Digits behind the first sign of a number; the fewest of a card."""
_SHORTEST, _LONGEST, _TRUNK = 7, 15, 9
_SHORT, _PLAIN, _ROUND = 8, 12, 14
"""Characters of 555-1234, of 555-123-4567 and of (555) 123-4567."""
_LONGEST_PLAIN, _WITH_TRUNK = 11, 11
"""Digits that stand together and are looked up here; of a number with a 1 or an 8 before it."""
_FIRST_CONTROL, _LAST_CONTROL = 0x1C, 0x1F
_ONE, _EIGHT = ord("1"), ord("8")
_AREA, _LONGEST_AREA, _YEAR, _LONGEST_GROUP, _GROUPS = 3, 6, 4, 8, 5


@lean
def _at(codes: Any, i: Any) -> Any:
    """A character, a blank beyond the ends."""
    return np.int64(codes[i]) if 0 <= i < codes.shape[0] else np.int64(_BLANK)


@lean
def _is_digit(c: Any) -> Any:
    return _ZERO <= c <= _NINE


@lean
def _parts(c: Any) -> Any:
    """Whether a character can stand between the digits of a number."""
    return c in (_BLANK, _OPEN, _SHUT, _DOT, _UNDER, _PLUS, _MINUS, _SLASH, _NBSP)


@lean
def _end(codes: Any, at: Any, last: Any) -> Any:
    """Where digits end, with what can separate them, of which the first sign stands at a place; -1 for too few."""
    i, count = at + 1, 0
    while count < _MOST:
        j = i
        while j < last and j - i < 3 and _parts(np.int64(codes[j])):
            j += 1
        if j >= last or not _is_digit(np.int64(codes[j])):
            break
        i = j + 1
        count += 1
    return i if count >= _FEWEST else -1


@lean
def _stands_alone(codes: Any, start: Any, stop: Any, classes: Any) -> Any:
    """Whether nothing beside a number can make it something else, or more."""
    before, after, behind = _at(codes, start - 1), _at(codes, stop), _at(codes, stop + 1)
    if before >= _ASCII or classes[before] & ALNUM:
        return False
    if before in (_HASH, _DOLLAR, _PERCENT, _SIGN_AT, _PLUS, _UNDER, _MINUS, _DOT, _SLASH, _COMMA, _COLON):
        return False
    if after >= _ASCII or classes[after] & ALNUM or after in (_UNDER, _PERCENT, _SIGN_AT, _HASH):
        return False
    if after in (_MINUS, _DOT, _SLASH, _COMMA, _COLON):
        return behind < _ASCII and not _is_digit(behind)
    if after != _BLANK and not _TAB <= after <= _CR:
        return True
    if behind | _CASE == _E:  # an extension
        return _at(codes, stop + 2) | _CASE != _X
    return behind | _CASE != _X and behind != _HASH


@lean
def _count(codes: Any, start: Any, stop: Any) -> Any:
    """How many digits a number has; none where it has a sign that not every form has."""
    count = 0
    for i in range(start, stop):
        c = np.int64(codes[i])
        if c in (_UNDER, _PLUS):
            return 0
        count += _is_digit(c)
    return count


@lean
def _are_digits(codes: Any, start: Any, stop: Any) -> Any:
    for i in range(start, stop):  # noqa: SIM110 - a kernel knows no `all`
        if not _is_digit(np.int64(codes[i])):
            return False
    return True


@lean
def _joins(c: Any) -> Any:
    return c in (_BLANK, _DOT, _MINUS, _NBSP)


@lean
def _is_american(codes: Any, start: Any, stop: Any) -> Any:
    """555-1234, 555-123-4567, (555) 123-4567."""
    size = stop - start
    area = start + 1 if codes[start] == _OPEN else start
    if not (_ZERO + 2 <= np.int64(codes[area]) <= _NINE and _are_digits(codes, area, area + _AREA)):
        return False
    one = np.int64(codes[area + _AREA])
    if size == _SHORT:
        return area == start and one == _MINUS and _are_digits(codes, area + 4, stop)
    if size == _PLAIN and area == start:
        same = _joins(one) and np.int64(codes[area + 7]) == one
        return same and _are_digits(codes, area + 4, area + 7) and _are_digits(codes, area + 8, stop)
    if size != _ROUND or area == start or one != _SHUT:
        return False
    first, second = np.int64(codes[start + 5]), np.int64(codes[start + 9])
    signs = first < _ASCII and second < _ASCII and _joins(first) and _joins(second)
    return signs and _are_digits(codes, start + 6, start + 9) and _are_digits(codes, start + 10, stop)


@lean
def _is_national(codes: Any, start: Any, stop: Any) -> Any:
    """030 1234567, 0171/234 56 78: an area of three digits and more, and groups of two to eight, and no date."""
    if not _ZERO < np.int64(codes[start + 1]) <= _NINE:
        return False
    i, groups, total = start, 0, 0
    while True:
        first = i
        while i < stop and _is_digit(np.int64(codes[i])):
            i += 1
        size = i - first
        total += size
        if groups == 0 and not _AREA <= size <= _LONGEST_AREA:
            return False
        if groups and not 2 <= size <= _LONGEST_GROUP:
            return False
        if i >= stop:
            return 1 <= groups <= _GROUPS and _TRUNK <= total <= _LONGEST
        if groups == 0 and size == _YEAR and np.int64(codes[i]) in (_DOT, _MINUS, _SLASH):
            return False
        groups += 1
        first = i
        while i < stop and (_joins(np.int64(codes[i])) or np.int64(codes[i]) == _SLASH):
            i += 1
        if not 1 <= i - first <= 2:
            return False


@lean
def _is_called(codes: Any, start: Any, stop: Any, classes: Any) -> Any:
    """Whether digits from one place to another are a telephone number, whatever the words around them say."""
    if not _stands_alone(codes, start, stop, classes):
        return False
    first = np.int64(codes[start])
    if first == _PLUS:
        digits = _count(codes, start + 1, stop)
        return _ZERO < np.int64(codes[start + 1]) <= _NINE and _SHORTEST <= digits <= _LONGEST
    return _is_national(codes, start, stop) if first == _ZERO else _is_american(codes, start, stop)


@lean
def _is_other(codes: Any, first: Any, last: Any) -> Any:
    """Whether a card or a national id can stand in a part of a text."""
    digits = 0
    for i in range(first, last):
        c = np.int64(codes[i])
        digits += _is_digit(c)
        if c == _MINUS and i + 3 < last and codes[i + 3] == _MINUS:
            return True
    return digits >= _CARD


@lean
def _has_extension(codes: Any, stop: Any) -> Any:
    """Whether an extension may stand behind digits."""
    i = stop
    c = _at(codes, i)
    if c == _BLANK or _TAB <= c <= _CR or _FIRST_CONTROL <= c <= _LAST_CONTROL:
        i += 1
        c = _at(codes, i)
    return c >= _ASCII or c == _HASH or c | _CASE in (_X, _E)


@lean
def _national(codes: Any, start: Any, stop: Any) -> Any:
    """The digits by which the spellings of a number agree, as `known.number_of` says them."""
    for _ in range(2):
        while start < stop - 1 and codes[start] == _ZERO:
            start += 1
        if stop - start != _WITH_TRUNK or codes[start] not in (_ONE, _EIGHT):
            break
        start += 1
    number = np.int64(1)
    for i in range(start, stop):
        number = number * 10 + np.int64(codes[i]) - _ZERO
    return number


@lean
def _is_nobodys(codes: Any, start: Any, stop: Any, known: Any) -> Any:
    """Whether some digits without a sign between them are no telephone number: no word says so, and none is known."""
    if stop - start > _LONGEST_PLAIN or not _are_digits(codes, start, stop):
        return False
    if codes[start] == _ZERO and codes[start + 1] == _ZERO:
        return False  # perhaps with the code of a country
    if _has_extension(codes, stop) or may_be_cued(codes, start, stop):
        return False
    number = _national(codes, start, stop)
    low, high = 0, known.shape[0]
    while low < high:
        middle = (low + high) >> 1
        if known[middle] < number:
            low = middle + 1
        else:
            high = middle
    return low == known.shape[0] or known[low] != number


@lean
def call(codes: Any, zones: Any, classes: Any, kind: Any, known: Any, spans: Any, left: Any) -> Any:
    """The telephone numbers where many digits stand (rows of begin and end), as rows of (begin, minus the end, kind);
    returns how many, as far as there is room. `known` are the numbers that somebody has, ascending. `left` says of each
    row whether it has to be looked at again: of it no number is told.
    """
    size = 0
    for zone in range(min(zones.shape[0], left.shape[0])):
        first, last = max(0, zones[zone, 0] - _BEFORE), min(codes.shape[0], zones[zone, 1] + _BEHIND)
        count, at = size, first
        left[zone] = classes.shape[0] < _ASCII or _is_other(codes, first, last)
        while at < last and not left[zone]:
            c = np.int64(codes[at])
            stop = _end(codes, at, last) if c in (_PLUS, _OPEN) or _is_digit(c) else -1
            if stop < 0:
                at += 1
                continue
            if _is_nobodys(codes, at, stop, known):
                at = stop
                continue
            if count >= spans.shape[0] or not _is_called(codes, at, stop, classes):
                left[zone] = True
                break
            spans[count, 0], spans[count, 1], spans[count, 2] = at, -stop, kind
            count += 1
            at = stop
        if not left[zone]:
            size = count
    return size


def warm() -> None:
    """Run every kernel of this room once."""
    classes, spans, left = np.zeros(_ASCII, np.uint8), np.zeros((1, 3), np.int32), np.zeros(1, np.bool_)
    known = frozen(np.zeros(1, np.int64))
    for codes in (np.frombuffer(b"ab", np.uint8), np.frombuffer(b"a\0\0\0b\0\0\0", np.uint32)):
        call(codes, np.zeros((1, 2), np.int32), classes, 1, known, spans, left)
