"""Persons told by their words and their surroundings: each run of capitalised words is scored, part by part.

The score of some words as one name is a sum of weights, one for each feature: what each word is (a given name, a word,
a town, unknown with an ending of names), what stands left and right of them, and where in the line. A text without
capitals, or of nothing else, has weights of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean
from envclone.masking.kernels.texts import BASIS, LETTER, LOWER, UPPER, folded, mixed

__all__ = [
    "FEATURES",
    "LEVEL",
    "MOST",
    "NOUN",
    "ORG",
    "PARTICLE",
    "PLACE",
    "ROOM",
    "TITLE",
    "UNKNOWN",
    "enter",
    "features",
    "look_up",
    "may",
    "names",
    "shapes",
    "spread",
    "stops",
    "warm",
]

LEVEL, NOUN, GIVEN, FAMILY, PLACE, ORG = 3, 4, 8, 16, 32, 64
"""What a word is: how common a word, from 0 to 3; a German noun; a given name; a family name; a town; a firm."""
_CLASS, _CLASS_BITS = 31, 8
_ENDING_BITS = 13
"""Which closed class it is of, and for an unknown word how much its ending is one of names."""
UNKNOWN = 1 << 16
TITLE, PARTICLE = 1, 2
"""The closed classes that are parts of a name."""

_CAPITAL, _CAPITALS, _SINGLE, _PLAIN = 1, 2, 4, 8
"""The shape of a word: a capital first; capitals only; one letter, too many, or of a
script without capitals; in a text without capitals or of nothing else."""
_NONE, _SPACE, _JOINT, _DOT, _COMMA, _LINE, _COLON, _STOP, _OTHER, _DIGIT, _TEXT = range(11)
"""What stands behind a word."""

_NUL, _NEWLINE, _BLANK, _NBSP = 0, 10, 32, 160
_QUOTES = (39, 8217)
_ZERO, _NINE = ord("0"), ord("9")
_ENDS = (46, 33, 63)
_LONGEST_ENDING = 6
MOST = 4
"""Words of one name."""
_NEAR = 3
"""Words behind one that can be part of a name that can be asked for: particles, and what follows."""
_LONGEST = 24
"""Words of one run that are looked at together."""

_TOKEN, _SIDE, _START, _PAIR = 54, 32, 4, 16
_TOKENS = 0
_LEFT = _TOKENS + 2 * 4 * _TOKEN
_RIGHT = _LEFT + 2 * 8 * _SIDE
_BOTH = _RIGHT + 2 * 8 * _SIDE
_PAIRS = _BOTH + 3 * 4 * _SIDE
_REST = _PAIRS + 2 * _PAIR
FEATURES = _REST + 64
"""How many features there are."""
ROOM = 32
"""The most features of some words."""


@lean
def _entry(number: Any, numbers: Any) -> Any:
    """The place of a number in an open table; -1 when it is in none."""
    mask = numbers.shape[0] - 1
    at = np.int64(number >> np.uint64(1)) & mask
    while numbers[at] != np.uint64(0):
        if numbers[at] == number:
            return at
        at = (at + 1) & mask
    return np.int64(-1)


@lean
def enter(given: Any, whats: Any, numbers: Any, tolds: Any) -> Any:
    """Enter numbers into a table that is at least twice as large as there are numbers."""
    mask = numbers.shape[0] - 1
    for i in range(min(given.shape[0], whats.shape[0])):
        at = np.int64(given[i] >> np.uint64(1)) & mask
        while numbers[at] != np.uint64(0) and numbers[at] != given[i]:
            at = (at + 1) & mask
        numbers[at] = given[i]
        tolds[at] = whats[i]
    return 0


@lean
def _told(number: Any, codes: Any, start: Any, end: Any, fold: Any, numbers: Any, tolds: Any) -> Any:
    """What a word is, by its number or by the number of its last letters."""
    at = _entry(number, numbers)
    if at >= 0:
        return np.int64(tolds[at])
    size = min(_LONGEST_ENDING, end - start - 1)
    while size > 1:
        # an ending has a number of its own: that of its letters behind a blank
        ending = (BASIS ^ np.uint64(_BLANK)) * np.uint64(0x100000001B3)
        at = _entry(mixed(folded(ending, codes, end - size, end, fold)), numbers)
        if at >= 0:
            return UNKNOWN | np.int64(tolds[at])
        size -= 1
    return np.int64(UNKNOWN)


@lean
def look_up(
    codes: Any,
    starts: Any,
    ends: Any,
    fold: Any,
    numbers: Any,
    tolds: Any,
    seen: Any,
    seen_told: Any,
    shape: Any,
    what: Any,
) -> Any:
    """What those words are that can be part of a name, or stand near one that can: nothing asks for the others.

    `seen` are the numbers of words that were looked up, `seen_told` what they are.
    """
    count = min(starts.shape[0], ends.shape[0], shape.shape[0], what.shape[0])
    done = 0
    for i in range(count):
        if shape[i] & (_CAPITAL | _PLAIN):
            done = max(done, i - 1)
            while done < min(count, i + _NEAR + 1):
                start, end = max(0, np.int64(starts[done])), min(codes.shape[0], np.int64(ends[done]))
                number = mixed(folded(BASIS, codes, start, end, fold))
                slot = np.int64(number >> np.uint64(1)) & (seen.shape[0] - 1)
                if seen[slot] != number:
                    seen_told[slot] = _told(number, codes, start, end, fold, numbers, tolds)
                    seen[slot] = number
                what[done] = seen_told[slot]
                done += 1
    return 0


@lean
def _gap(codes: Any, start: Any, end: Any) -> Any:
    """What stands between two words."""
    if end - start == 1:
        c = np.int64(codes[start])
        if c in (_BLANK, _NBSP):
            return _SPACE
        if c in (ord("-"), *_QUOTES):
            return _JOINT
    first = _NONE
    for i in range(start, end):  # before all else: what stands in another text of the batch says nothing
        if np.int64(codes[i]) == _NUL:
            return _TEXT
    for i in range(start, end):
        c = np.int64(codes[i])
        if c == _NEWLINE:
            return _COLON if first == _COLON else _LINE
        if _ZERO <= c <= _NINE:
            return _DIGIT if first == _NONE else first
        if first == _NONE and c not in (_BLANK, _NBSP):
            if c == ord(":"):
                first = _COLON
            elif c == ord(","):
                first = _COMMA
            elif c == ord("."):
                # behind an initial or a title it ends nothing
                first = _DOT
            elif c in _ENDS:
                first = _STOP
            else:
                first = _OTHER
    return _SPACE if first == _NONE else first


@lean
def shapes(codes: Any, starts: Any, ends: Any, classes: Any, shape: Any, gap: Any) -> Any:
    """The shape of each word, and what stands behind it; `gap[-1]`, one more than words, is what stands in front."""
    count = min(starts.shape[0], ends.shape[0], shape.shape[0], gap.shape[0] - 1)
    begin = 0
    capitals = smalls = False
    gap[count] = _TEXT
    for i in range(count):
        start, end = np.int64(starts[i]), np.int64(ends[i])
        size = end - start
        told = np.int64(classes[codes[start]])
        if told & LOWER:
            shape[i] = _SINGLE if size == 1 or size > _LONGEST else 0
            smalls = True
            for j in range(start + 1, end if not capitals else start):
                capitals |= np.int64(classes[codes[j]]) & UPPER != 0
        else:
            shape[i] = _shape_of(codes, start, end, classes)
            capitals |= told & UPPER != 0
            for j in range(start + 1, end if not (capitals and smalls) else start):
                capitals |= np.int64(classes[codes[j]]) & UPPER != 0
                smalls |= np.int64(classes[codes[j]]) & LOWER != 0
        following: Any = _TEXT
        if i + 1 < count:
            begins = np.int64(starts[i + 1])
            blank = begins - end == 1 and np.int64(codes[end]) == _BLANK
            following = _SPACE if blank else _gap(codes, end, begins)
        gap[i] = following
        if following == _TEXT:
            if not capitals or (not smalls and i > begin + 1):
                for j in range(begin, i + 1):
                    shape[j] |= _PLAIN
            begin = i + 1
            capitals = smalls = False
    return 0


@lean
def _shape_of(codes: Any, start: Any, end: Any, classes: Any) -> Any:
    """The shape of a word that begins with no small letter."""
    upper, lower = 0, False
    for j in range(start, end):
        kind = np.int64(classes[codes[j]])
        if kind & UPPER:
            upper += 1
        elif kind & LOWER:
            lower = True
            break
    told = _CAPITAL if np.int64(classes[codes[start]]) & UPPER else 0
    if upper > 1 and not lower:
        told |= _CAPITALS
    if end - start == 1 or end - start > _LONGEST or (upper == 0 and not lower):
        told |= _SINGLE
    return told


@lean
def stops(starts: Any, ends: Any, what: Any, gap: Any) -> Any:
    """Make of each dot the end of a sentence that stands behind neither an initial nor a title."""
    for i in range(min(starts.shape[0], ends.shape[0], what.shape[0], gap.shape[0])):
        if gap[i] == _DOT and not (ends[i] - starts[i] == 1 or _class(what[i]) == TITLE):
            gap[i] = _STOP
    return 0


@lean
def _class(what: Any) -> Any:
    return (np.int64(what) >> _CLASS_BITS) & _CLASS


@lean
def _name(what: Any) -> Any:
    """What a word is as a name: no one's, a given one, a family's, both, or unknown with an ending of four degrees."""
    name = (np.int64(what) & (GIVEN | FAMILY)) >> 3
    if name:
        return name
    if np.int64(what) & UNKNOWN:
        return 4 + ((np.int64(what) >> _ENDING_BITS) & 3)
    return np.int64(0)


@lean
def _word(what: Any) -> Any:
    """What a word is as a word: unknown, rare, common, very common, a noun, of a closed class."""
    if _class(what):
        return 5
    if what & NOUN and what & LEVEL < 2:
        return 4
    return np.int64(what) & LEVEL


@lean
def _strength(what: Any) -> Any:
    """How much a word is a name: of the dictionary and no word; of it and a word or a town; unknown; only a word."""
    name, word = _name(what), _word(what)
    if name in (1, 2, 3):
        return 1 if word >= 2 or what & (PLACE | ORG) else 0
    if name >= 4 and not what & (PLACE | ORG):
        return 2
    return np.int64(3)


@lean
def may(what: Any, shape: Any) -> Any:
    """Whether a word may be a part of a name."""
    if shape & _PLAIN:
        if shape & _SINGLE or _class(what):
            return False
        return what & (GIVEN | FAMILY) != 0 or (what & (LEVEL | NOUN) == 0 and what & (PLACE | ORG) == 0)
    return shape & _CAPITAL != 0


@lean
def _side(what: Any, shape: Any, gap: Any, i: Any, back: Any) -> Any:
    """What stands beside some words: word `i` behind (`back` 0) or in front of (1) a gap."""
    if gap in (_SPACE, _DOT) or (gap == _JOINT and back):
        its = _class(what[i])
        if its:
            return its
        if shape[i] & _PLAIN == 0 and shape[i] & _CAPITAL:
            return 23 if np.int64(what[i]) & (PLACE | ORG) else 24
        return np.int64(0)
    if gap == _JOINT:
        return np.int64(25)  # 's
    if gap == _COMMA and back and _class(what[i]) == 3:
        return np.int64(26)  # 'Hello, Anna'
    if gap == _COLON and back and _class(what[i]):
        return np.int64(27)  # 'Name: Anna'
    if gap in (_LINE, _TEXT):
        return np.int64(28)
    if gap in (_STOP, _COLON):
        return np.int64(29)
    if gap == _COMMA:
        return np.int64(30)
    return np.int64(31) if gap == _OTHER else np.int64(22)


@lean
def features(what: Any, shape: Any, gap: Any, i: Any, j: Any, out: Any) -> Any:
    """The numbers of the features of words i to j as one name; returns how many."""
    plain = 1 if shape[i] & _PLAIN else 0
    n = 0
    size = j - i + 1
    for k in range(i, j + 1):
        place = 0 if size == 1 else 1 if k == i else 3 if k == j else 2
        name, word = _name(what[k]), _word(what[k])
        town = 1 if what[k] & PLACE else 2 if what[k] & ORG else 0
        at = _TOKENS + place * _TOKEN
        out[n] = at + name * 6 + word
        out[n + 1] = at + 48 + town * 2 + (1 if 0 < name < 4 else 0)
        n += 2
        if plain:
            out[n] = 4 * _TOKEN + at + name * 6 + word
            n += 1
    before = gap[gap.shape[0] - 1] if i == 0 else gap[i - 1]
    left = _side(what, shape, before, max(0, i - 1), 1)
    right = _side(what, shape, gap[j], min(what.shape[0] - 1, j + 1), 0)
    alone = 1 if size == 1 else 0
    first, last = _strength(what[i]), _strength(what[j])
    out[n] = _LEFT + (alone * 4 + first) * _SIDE + left
    out[n + 1] = _RIGHT + (alone * 4 + last) * _SIDE + right
    n += 2
    if plain:
        out[n] = _LEFT + (8 + alone * 4 + first) * _SIDE + left
        out[n + 1] = _RIGHT + (8 + alone * 4 + last) * _SIDE + right
        n += 2
    start = 0 if left in (28, 29) else 1 if left == 0 else 2
    if alone:
        out[n] = _BOTH + (start * 4 + first) * _SIDE + right
    else:
        out[n] = _PAIRS + first * 4 + last
        if plain:
            n += 1
            out[n] = _PAIRS + _PAIR + first * 4 + last
    n += 1
    out[n] = _REST + size - 1
    out[n + 1] = _REST + 4 + plain
    n += 2
    if shape[i] & _CAPITALS:
        out[n] = _REST + 8 + alone * 4 + first
        n += 1
    if left in (28, 29) and right == 28:
        out[n] = _REST + 16 + alone * 4 + first
        n += 1
    if size == MOST - 2 and gap[i] == _JOINT:
        out[n] = _REST + 25
        n += 1
    # a capitalised word further left or right: titles of things are long
    if i > 1 and gap[i - 2] == _SPACE and shape[i - 2] & _CAPITAL and not plain and left in (23, 24):
        out[n] = _REST + 24
        n += 1
    return n


@lean
def _score(what: Any, shape: Any, gap: Any, i: Any, j: Any, weights: Any, room: Any) -> Any:
    total = 0
    for k in range(features(what, shape, gap, i, j, room)):
        total += weights[room[k]]
    return total


@lean
def names(what: Any, shape: Any, gap: Any, weights: Any, room: Any, best: Any, out: Any) -> Any:
    """The persons of texts, as the numbers of their first and last words; returns how many.

    `room` has ROOM numbers, `best` three rows of as many as a run has words and one more.
    """
    count = min(what.shape[0], shape.shape[0], gap.shape[0] - 1)
    found = i = 0
    while i < count:
        if not may(what[i], shape[i]):
            i += 1
            continue
        stop = i + 1
        while stop < count and stop - i < _LONGEST:
            if gap[stop - 1] not in (_SPACE, _JOINT, _DOT):
                break
            if not may(what[stop], shape[stop]):
                further = stop
                while further < count and further - stop < 2 and _class(what[further]) == PARTICLE:
                    if gap[further] not in (_SPACE, _JOINT):
                        break
                    further += 1
                if further == stop or further >= count or not may(what[further], shape[further]):
                    break
                stop = further
            stop += 1
        found = _best_of(what, shape, gap, weights, room, best, out, i, stop, found)
        i = stop
    return found


@lean
def _best_of(
    what: Any,
    shape: Any,
    gap: Any,
    weights: Any,
    room: Any,
    best: Any,
    out: Any,
    begin: Any,
    stop: Any,
    found: Any,
) -> Any:
    """The parts of a run that together have the highest score."""
    size = min(stop - begin, best.shape[1] - 1)
    best[0, 0] = 0
    for last in range(size):
        best[0, last + 1] = best[0, last]
        best[1, last + 1] = -1
        k = begin + last
        if not may(what[k], shape[k]) or _class(what[k]) == TITLE:
            continue
        words = 0
        for first in range(last, -1, -1):
            at = begin + first
            if not may(what[at], shape[at]):
                continue
            words += 1
            if words > MOST or _class(what[at]) == TITLE:
                break
            if shape[at] & _PLAIN and what[at] & LEVEL > 1:
                continue  # without capitals a common word begins no name
            score = _score(what, shape, gap, at, k, weights, room)
            if score > 0 and best[0, first] + score > best[0, last + 1]:
                best[0, last + 1] = best[0, first] + score
                best[1, last + 1] = first
    last = size
    while last > 0:
        first = best[1, last]
        if first < 0:
            last -= 1
            continue
        if found < out.shape[0]:
            out[found, 0] = begin + first
            out[found, 1] = begin + last - 1
            found += 1
        last = first
    return found


@lean
def spread(found: Any, others: Any, starts: Any, ends: Any, firsts: Any, lasts: Any, kind: Any, out: Any) -> Any:
    """What persons, rows of first and last words in order, leave of them beside spans, which are sorted by where they
    begin: rows of (begin, minus the end, kind); returns how many.

    A word that overlaps a span stays out, and a single one of `others`, which somebody else has judged.
    """
    count = at = 0
    furthest = np.int64(0)
    for i in range(found.shape[0]):
        first, last = np.int64(found[i, 0]), np.int64(found[i, 1])
        if first < 0 or last >= min(starts.shape[0], ends.shape[0], others.shape[0]):
            return -1
        if first == last and others[first]:
            continue
        open_ = False
        for word in range(first, last + 1):
            begin, end = np.int64(starts[word]), np.int64(ends[word])
            while at < min(firsts.shape[0], lasts.shape[0]) and firsts[at] < end:
                furthest = max(furthest, np.int64(lasts[at]))
                at += 1
            if furthest > begin:
                open_ = False
            elif open_:
                out[count - 1, 1] = -end
            elif count < out.shape[0]:
                out[count, 0], out[count, 1], out[count, 2] = begin, -end, kind
                count += 1
                open_ = True
    return count


def warm() -> None:
    """Run every kernel of this room once."""
    numbers, tolds = np.zeros(8, np.uint64), np.zeros(8, np.int32)
    classes, fold = np.full(128, LETTER | UPPER, np.uint8), np.arange(128, dtype=np.uint32)
    places = np.zeros(1, np.int32)
    what, shape, gap = np.zeros(1, np.int32), np.zeros(1, np.uint8), np.zeros(2, np.uint8)
    weights, room = np.ones(FEATURES, np.int32), np.zeros(ROOM, np.int32)
    enter(numbers[:1] + np.uint64(1), tolds[:1], numbers, tolds)
    for codes in (np.frombuffer(b"ab", np.uint8), np.frombuffer(b"a\0\0\0b\0\0\0", np.uint32)):
        shapes(codes, places, places + np.int32(1), classes, shape, gap)
        look_up(codes, places, places + np.int32(1), fold, numbers, tolds, numbers, tolds, shape, what)
    stops(places, places, what, gap)
    spans = np.zeros((1, 3), np.int64)
    spread(spans[:, :2].astype(np.int32), shape > 9, places, places, spans[:, 0].copy(), spans[:, 0].copy(), 0, spans)
    names(what, shape, gap, weights, room, np.zeros((2, _LONGEST + 1), np.int32), np.zeros((2, 2), np.int32))
