"""One pass over many texts, NUL between two: their words, which of them are known, and where numbers and forms stand.

What is found here is looked at again: the pass may name places too many, and none too few.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from envclone.compiled import lean

__all__ = [
    "ADDRESS_4",
    "ADDRESS_6",
    "BITS",
    "CAPITAL",
    "CUE",
    "GIVEN",
    "IBAN",
    "KNOWN",
    "NEAR", "PAIRED",
    "PARTED",
    "SECRET",
    "SMALL",
    "SPELLED",
    "TEXT",
    "UUID",
    "ZONE",
    "Found",
    "Words",
    "enter",
    "hashes",
    "look",
    "nothing",
    "packed",
    "room_for",
    "warm",
]  # fmt: skip

KNOWN, SPELLED, GIVEN, CUE, PARTED, CAPITAL, SMALL = 3, 4, 8, 16, 32, 64, 128
NEAR = KNOWN | SPELLED | GIVEN | CUE
"""What is told of a word: the type of a known name plus one; an anchor of a spelling; a given name; a cue; that an
unknown one may hold a name; that it begins with a letter from A to Z or a to z."""
PAIRED = PARTED
"""What is told of a known word that is beside one of the same person."""
ZONE, IBAN, ADDRESS_4, ADDRESS_6, SECRET, UUID, TEXT = 1, 2, 3, 4, 5, 6, 7
"""What is told of a place; TEXT: of a text without capitals, where it begins and ends."""
LETTER, DIGIT, UPPER, ODD, FAR = 1, 2, 4, 8, 16
"""Classes of characters: of words; 0 to 9; capitals; what only Python reads right; scripts without spaces."""

_BASIS, _PRIME, _MIX = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3), np.uint64(0x9E3779B97F4A7C15)
_29, _1, _0, _44, _6, _63 = (np.uint64(n) for n in (29, 1, 0, 44, 6, 63))
_SPACE = np.uint64(32)
_WITHIN, _DIGITS = 28, 7
_SHORTEST, _LONGEST, _FAMILY = 5, 64, 5
_ENDING = 3
_21 = 21
BITS = 1 << 17
"""Bytes for the bits of known names: as many as the upper 20 bits of a number count."""
_CASE, _ASCII, _NUL = 32, 128, 0
_ZERO, _NINE, _A, _Z, _F = ord("0"), ord("9"), ord("a"), ord("z"), ord("f")
_DOT, _COLON, _MINUS, _UNDER = map(ord, ".:-_")
_OCTETS, _GROUPS = 3, 2
_HEAD, _BARE = 8, 32
_GAP = 2
"""Characters between two names of one person."""
_TEXT, _RING = 3, 8
"""Where, among the counts, the beginning of a text and the last digits are held."""


def packed(text: str) -> int:
    """Up to three characters as one number."""
    return sum(ord(char) << (_21 * i) for i, char in enumerate(text))


_SIGNS = np.array(
    sorted(
        packed(sign)
        for sign in (
            *("sk-", "sk_", "rk_", "pk_", "gho", "ghp", "ghr", "ghs", "ghu", "git", "glp", "xox", "AKI", "ASI", "AIz"),
            *("hf_", "npm", "SG.", "eyJ"),
        )
    ),
    np.int64,
)
"""How secrets begin."""


class Words(NamedTuple):
    """Words looked for.

    An open table of their numbers and what is told of each; one bit by its number for each known name, and one for each
    word; the numbers of pairs of words, sorted; endings of names, packed, with how long a name is at least.
    """

    numbers: Any
    told: Any
    bits: Any
    pairs: Any
    endings: Any


class Found(NamedTuple):
    """Room for what is found: words with their ends and what is told of them; places as (what, begin, end); counts of
    words, of places, whether there is a script without spaces."""

    starts: Any
    ends: Any
    told: Any
    places: Any
    counts: Any


@lean
def _mixed(h: Any) -> Any:
    h = (h ^ (h >> _29)) * _MIX
    return (h ^ (h >> _29)) | _1


@lean
def hashes(codes: Any, starts: Any, stops: Any, out: Any) -> Any:
    """The numbers of words."""
    for i in range(min(starts.shape[0], stops.shape[0], out.shape[0])):
        h = _BASIS
        for j in range(max(0, starts[i]), min(codes.shape[0], stops[i])):
            h = (h ^ np.uint64(codes[j])) * _PRIME
        out[i] = _mixed(h)
    return 0


@lean
def enter(numbers: Any, told: Any, table: Any, tolds: Any, bits: Any) -> Any:
    """Enter words into a table that is at least twice as large as there are words, and names into the bits."""
    mask = table.shape[0] - 1
    for i in range(min(numbers.shape[0], told.shape[0])):
        at = np.int64(numbers[i] >> _1) & mask
        while table[at] != _0 and table[at] != numbers[i]:
            at = (at + 1) & mask
        table[at] = numbers[i]
        tolds[at] |= told[i]
        place = np.int64(numbers[i] >> _44)
        bits[1, place >> 3] |= np.uint8(1 << (place & 7))
        if told[i] & KNOWN == 1:
            bits[0, place >> 3] |= np.uint8(1 << (place & 7))
    return 0


@lean
def _told(number: Any, words: Any) -> Any:
    """What is told of the word with this number; 0 for one that is in no list."""
    place = np.int64(number >> _44)
    if (words.bits[1, place >> 3] >> np.uint8(place & 7)) & 1 == 0:
        return 0
    mask = words.numbers.shape[0] - 1
    at = np.int64(number >> _1) & mask
    while words.numbers[at] != _0:
        if words.numbers[at] == number:
            return np.int64(words.told[at])
        at = (at + 1) & mask
    return 0


@lean
def _is_name(number: Any, words: Any) -> Any:
    place = np.int64(number >> _44)
    return (words.bits[0, place >> 3] >> np.uint8(place & 7)) & 1 == 1 and _told(number, words) & KNOWN == 1


@lean
def _is_pair(number: Any, pairs: Any) -> Any:
    wanted = np.int64(number >> _1)
    low, high = 0, pairs.shape[0]
    while low < high:
        middle = (low + high) >> 1
        if pairs[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low < pairs.shape[0] and pairs[low] == wanted


@lean
def _ends_so(codes: Any, at: Any, stop: Any, size: Any, fold: Any, endings: Any) -> Any:
    """Whether what follows the first `size` letters of a word is an ending of a name of this length."""
    rest = np.int64(0)
    for j in range(stop - at):
        rest |= np.int64(fold[codes[at + j]]) << (_21 * j)
    for i in range(endings.shape[0]):  # noqa: SIM110
        if endings[i, 0] == rest and size >= endings[i, 1]:
            return True
    return False


@lean
def _is_parted(codes: Any, start: Any, stop: Any, words: Any, fold: Any) -> Any:
    """Whether a word can be two names of one person, an initial and a name, or a name with an ending."""
    size = stop - start
    h = _BASIS
    for k in range(1, size):
        h = (h ^ np.uint64(fold[codes[start + k - 1]])) * _PRIME
        if k == 1:
            if size <= _FAMILY:
                continue
            other = _BASIS
            for j in range(start + 1, stop):
                other = (other ^ np.uint64(fold[codes[j]])) * _PRIME
            if not _is_name(_mixed(other), words):
                continue
        elif not _is_name(_mixed(h), words):
            continue
        elif size - k <= _ENDING and _ends_so(codes, start + k, stop, k, fold, words.endings):
            return True
        pair = (h ^ _SPACE) * _PRIME
        for j in range(start + k, stop):
            pair = (pair ^ np.uint64(fold[codes[j]])) * _PRIME
        if _is_pair(_mixed(pair), words.pairs):
            return True
    return False


@lean
def _is_sign(codes: Any, at: Any) -> Any:
    if at + 2 >= codes.shape[0]:
        return False
    packed = np.int64(codes[at]) | np.int64(codes[at + 1]) << _21 | np.int64(codes[at + 2]) << 2 * _21
    for i in range(_SIGNS.shape[0]):  # noqa: SIM110
        if _SIGNS[i] == packed:
            return True
    return False


@lean
def _is_hex(c: Any) -> Any:
    return _ZERO <= c <= _NINE or (_A <= c | _CASE <= _F and c < _ASCII)


@lean
def _is_ascii_letter(c: Any) -> Any:
    return _A <= c | _CASE <= _Z and c < _ASCII


@lean
def _note(found: Any, what: Any, begin: Any, end: Any) -> Any:
    """Note a place; False when there is no room."""
    count = found.counts[1]
    if count >= found.places.shape[0]:
        return False
    found.places[count, 0] = what
    found.places[count, 1] = begin
    found.places[count, 2] = end
    found.counts[1] = count + 1
    return True


@lean
def _finished(codes: Any, start: Any, stop: Any, h: Any, words: Any, fold: Any, found: Any) -> Any:
    """Note a word; False when there is no room."""
    count = found.counts[0]
    if count >= min(found.starts.shape[0], found.ends.shape[0], found.told.shape[0]):
        return False
    told = _told(_mixed(h), words)
    if told == 0 and _SHORTEST <= stop - start <= _LONGEST and _is_parted(codes, start, stop, words, fold):
        told = PARTED
    first = np.int64(codes[start])
    if _A <= first <= _Z:
        told |= SMALL
    elif _A <= first | _CASE <= _Z and first < _ASCII:
        told |= CAPITAL
    found.starts[count] = start
    found.ends[count] = stop
    found.told[count] = told
    found.counts[0] = count + 1
    if count and told & KNOWN and start - found.ends[count - 1] <= _GAP and found.told[count - 1] & KNOWN:
        pair = _BASIS
        for j in range(found.starts[count - 1], found.ends[count - 1]):
            pair = (pair ^ np.uint64(fold[codes[j]])) * _PRIME
        pair = (pair ^ _SPACE) * _PRIME
        for j in range(start, stop):
            pair = (pair ^ np.uint64(fold[codes[j]])) * _PRIME
        if _is_pair(_mixed(pair), words.pairs):
            found.told[count - 1] |= PAIRED
            found.told[count] |= PAIRED
    return True


@lean
def look(codes: Any, classes: Any, fold: Any, words: Any, found: Any) -> Any:
    """Look at texts of which every character is below the sizes of `classes` and `fold`.

    Returns 1, or 0 when they hold what only Python reads right, or there is no room.
    """
    n = codes.shape[0]
    room = min(classes.shape[0], fold.shape[0])
    start = run = four = six = -1  # where a word, letters and digits, an address, digits close together begin
    zone = np.int64(-1)
    stop = 0
    h = _BASIS
    hexes = dots = colons = digits = 0
    first = np.int64(0)
    upper = False
    before = np.int64(_NUL)
    for i in range(n + 1):
        c = np.int64(codes[i] if i < n else _NUL)
        if c >= room:
            return 0
        kind = np.int64(classes[c]) if i < n else 0
        if kind & ODD:
            return 0
        if kind & LETTER:
            if start < 0:
                start = i
                h = _BASIS
            h = (h ^ np.uint64(fold[c])) * _PRIME
            upper |= kind & UPPER != 0
            if kind & FAR:
                found.counts[2] = 1
        elif start >= 0:
            if not _finished(codes, start, i, h, words, fold, found):
                return 0
            start = -1
        digit = kind & DIGIT != 0
        if digit or (kind & LETTER and c < _ASCII):
            if run < 0:
                run, hexes = i, 0
                if before != _UNDER and not digit:
                    if _is_sign(codes, i) and not _note(found, SECRET, i, i):
                        return 0
                    if (
                        i + 3 < n
                        and _is_ascii_letter(np.int64(codes[i + 1]))
                        and _ZERO <= np.int64(codes[i + 2]) <= _NINE
                        and _ZERO <= np.int64(codes[i + 3]) <= _NINE
                        and not _note(found, IBAN, i, i)
                    ):
                        return 0
            if _is_hex(c):
                if six < 0:
                    six, colons = i, 0
                if hexes == i - run:
                    hexes += 1
            else:
                if six >= 0 and colons >= _GROUPS and not _note(found, ADDRESS_6, six, i):
                    return 0
                six = -1
        else:
            if (
                run >= 0
                and hexes == i - run
                and ((hexes == _HEAD and c == _MINUS) or hexes == _BARE)
                and not _note(found, UUID, run, i)
            ):
                return 0
            run = -1
            if c == _COLON:
                if six < 0:
                    six, colons = i, 0
                colons += 1
            else:
                if six >= 0 and colons >= _GROUPS and not _note(found, ADDRESS_6, six, i):
                    return 0
                six = -1
        if digit:
            found.counts[_RING + digits % _DIGITS] = i
            digits += 1
            if four < 0:
                four, dots = i, 0
            if digits >= _DIGITS:
                first = np.int64(found.counts[_RING + digits % _DIGITS])
                if i - first < _WITHIN:
                    if zone < 0 or first > stop + _WITHIN:
                        if zone >= 0 and not _note(found, ZONE, zone, stop):
                            return 0
                        zone = first
                    stop = i + 1
        elif c == _DOT and four >= 0:
            dots += 1
        else:
            if four >= 0 and dots >= _OCTETS and not _note(found, ADDRESS_4, four, i):
                return 0
            four = -1
        if c == _NUL:
            if not upper and not _note(found, TEXT, found.counts[_TEXT], i):
                return 0
            found.counts[_TEXT] = i + 1
            upper = False
        before = c
    if zone >= 0 and not _note(found, ZONE, zone, stop):
        return 0
    return 1


def room_for(size: int) -> Found:
    """Room for what stands in texts of so many characters."""
    words, places = size // 2 + 2, size // 2 + 64
    return Found(
        np.empty(words, np.int32),
        np.empty(words, np.int32),
        np.empty(words, np.uint8),
        np.empty((places, 3), np.int32),
        np.zeros(_RING + 8, np.int64),
    )


def nothing() -> Words:
    """No words."""
    return Words(
        np.zeros(8, np.uint64),
        np.zeros(8, np.uint8),
        np.zeros((2, BITS), np.uint8),
        np.zeros(0, np.int64),
        np.zeros((1, 2), np.int64),
    )


def warm() -> None:
    """Run every kernel of this room once."""
    words = nothing()
    places, numbers = np.array([0, 1], np.int64), np.zeros(2, np.uint64)
    hashes(np.zeros(2, np.uint32), places, places + 1, numbers)
    enter(numbers[:1], np.ones(1, np.uint8), words.numbers, words.told, words.bits)
    classes, fold = np.zeros(_ASCII, np.uint8), np.zeros(_ASCII, np.uint32)
    for codes in (np.frombuffer(b"ab", np.uint8), np.frombuffer(b"a\0\0\0b\0\0\0", np.uint32)):
        look(codes, classes, fold, words, room_for(2))
