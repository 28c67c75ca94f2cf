"""Weak identities judged many at a time, compiled: whether two near each other can be of one person, whether a word
stands where it stood, and how often chance gives what a row's own subject is called.

What `near` names is judged by `kept`: it lets through too much rather than too little. Every offset is checked before
it is read: the bytes are whatever production holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import frozen, lean

__all__ = ["near", "tally", "unchanged", "warm"]

_NAME, _OTHER = 0, 2
"""As `subjects.Part` has them."""
_NEAR, _BESIDE, _COMMON, _FEW = 64, 3, 0.1, 100
"""As `kept` has them."""
_32 = np.uint64(32)
_PERSON = np.uint64(0xFFFFFFFF)
_LEAPS = 16


@lean
def _first(pairs: Any, wanted: Any, low: Any, high: Any) -> Any:
    """The place of the first pair, between two places, that is not smaller."""
    while low < high:
        middle = (low + high) >> 1
        if pairs[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@lean
def _share(pairs: Any, one: Any, other: Any, gap: Any, people: Any) -> Any:
    """Whether somebody has both weak identities; not when far apart they are too common to tell."""
    low, its = _first(pairs, np.uint64(one) << _32, 0, pairs.shape[0]), np.int64(0)
    end = _first(pairs, np.uint64(one + 1) << _32, low, pairs.shape[0])
    its = _first(pairs, np.uint64(other) << _32, 0, pairs.shape[0])
    last = _first(pairs, np.uint64(other + 1) << _32, its, pairs.shape[0])
    these, those = end - low, last - its
    if gap > _BESIDE and people > _FEW and these * those / people > _COMMON:
        return False
    if these > those:
        low, end, its, last, these, those, other = its, last, low, end, those, these, one
    if these * _LEAPS < those:
        for i in range(low, end):
            wanted = (np.uint64(other) << _32) | (pairs[i] & _PERSON)
            its = _first(pairs, wanted, its, last)
            if its < last and pairs[its] == wanted:
                return True
        return False
    while low < end and its < last:
        left, right = pairs[low] & _PERSON, pairs[its] & _PERSON
        if left == right:
            return True
        low += left < right
        its += right < left
    return False


@lean
def near(
    values: Any,
    numbers: Any,
    starts: Any,
    ends: Any,
    what: Any,
    ambiguous: Any,
    pairs: Any,
    people: Any,
    found: Any,
) -> Any:
    """Mark the first of two hits of one value, which are in order, that may be of one person.

    `pairs` are the numbers of weak identities with persons' below, ascending; of a value one hit is marked at most.
    """
    count, known = min(values.shape[0], found.shape[0]), min(what.shape[0], ambiguous.shape[0])
    i = 0
    while i < count:
        one, j, marked = numbers[i], i + 1, False
        while j < count and values[j] == values[i] and 0 <= one < known and what[one] != _OTHER:
            gap, other = starts[j] - ends[i], numbers[j]
            if gap > _NEAR:
                break
            j += 1
            if gap < 0 or one == other or not 0 <= other < known or what[other] == _OTHER:
                continue
            if what[one] != _NAME and what[other] != _NAME:
                continue
            words = np.int64(ambiguous[one]) + np.int64(ambiguous[other])
            if (words == 1 and gap > _BESIDE) or (words == 2 and gap > 1):
                continue
            if _share(pairs, one, other, gap, people):
                found[i] = marked = True
                break
        i += 1
        while marked and i < count and values[i] == values[i - 1]:
            i += 1
    return 0


@lean
def _share_of(pairs: Any, number: Any, person: Any, firsts: Any) -> Any:
    """The fraction of the persons of this one's table whose weak identity this is."""
    last = firsts.shape[0] - 1
    table = last - 1
    while table > 0 and firsts[table] > person:
        table -= 1
    first, end = firsts[max(0, table)], firsts[max(0, table) + 1]
    key = np.uint64(number) << _32
    low = _first(pairs, key | np.uint64(first), 0, pairs.shape[0])
    high = _first(pairs, key | np.uint64(end), low, pairs.shape[0])
    return (high - low) / max(1, end - first)


@lean
def tally(
    begins: Any,
    numbers: Any,
    whose: Any,
    persons: Any,
    ambiguous: Any,
    pairs: Any,
    firsts: Any,
    rows: Any,
    seen: Any,
    expected: Any,
    first: Any,
    own: Any,
) -> Any:
    """Count values by plain names (0) and everyday words (1): `rows` that have any, rows `seen` to have one of their
    own subjects', and how many are `expected` by chance.

    The hits of a value are those between two of `begins`, by ascending `numbers`, its subjects the `persons` between
    two of `whose`. `firsts` are the first persons of each table, and one more than there are. Marks the `first` hit of
    each number of a value that has subjects, and the values with an `own`.
    """
    if firsts.shape[0] < 2:
        return 0
    for value in range(own.shape[0]):
        if whose[value] == whose[value + 1]:
            continue
        for kind in range(2):
            some = mine = False
            chance = 0.0
            for i in range(begins[value], begins[value + 1]):
                number = numbers[i]
                if not 0 <= number < ambiguous.shape[0] or np.int64(ambiguous[number]) != kind:
                    continue
                if i > begins[value] and numbers[i - 1] == number:
                    continue
                first[i] = some = True
                for k in range(whose[value], whose[value + 1]):
                    wanted = np.uint64(number) << _32 | np.uint64(persons[k])
                    at = _first(pairs, wanted, 0, pairs.shape[0])
                    mine |= at < pairs.shape[0] and pairs[at] == wanted
                    chance += _share_of(pairs, number, persons[k], firsts)
            rows[kind] += some
            seen[kind] += mine
            expected[kind] += min(1.0, chance)
            own[value] |= mine
    return 0


@lean
def unchanged(
    data: Any, starts: Any, ends: Any, firsts: Any, lasts: Any, before: Any, begun: Any, over: Any, found: Any
) -> Any:
    """Mark the hits whose bytes stand in the text that was there before, between `begun` and `over`: at the same place
    where that is as long as what is there now, else anywhere."""
    for i in range(found.shape[0]):
        start, size = starts[i], ends[i] - starts[i]
        low, high = begun[i], over[i] - size
        if over[i] - begun[i] == lasts[i] - firsts[i]:
            low = high = begun[i] + start - firsts[i]
        if start < 0 or size < 0 or start + size > data.shape[0] or low < 0 or over[i] > before.shape[0]:
            continue
        for at in range(low, min(high, before.shape[0] - size) + 1):
            same = 0
            while same < size and before[at + same] == data[start + same]:
                same += 1
            if same == size:
                found[i] = True
                break
    return 0


def warm() -> None:
    """Run every kernel of this room once."""
    four = [np.zeros(2, np.int64) for _ in range(6)]
    marks = frozen(np.zeros(1, np.uint8))
    near(*four[:4], marks, marks, frozen(np.zeros(1, np.uint64)), 1, np.zeros(2, np.bool_))
    two, three = np.zeros((2, 2), np.int64), np.zeros(3, np.int64)
    pairs, floats, flags = frozen(np.zeros(1, np.uint64)), np.zeros(2, np.float64), np.zeros(2, np.bool_)
    tally(three, two[0], three, two[0], marks, pairs, two[0], two[0], two[1], floats, flags, flags)
    data = frozen(np.zeros(4, np.uint8))
    unchanged(data, *four[:4], data, *four[4:], np.zeros(2, np.bool_))
