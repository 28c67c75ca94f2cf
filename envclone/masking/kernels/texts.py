"""One pass over many texts, NUL between two: their words, which of them are known, and where numbers and forms stand.

What is found here is looked at again: the pass may name places too many, and none too few.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from envclone.compiled import frozen, lean

__all__ = [
    "ADDRESS_4",
    "ADDRESS_6",
    "BITS",
    "CAPITAL",
    "CUE",
    "GIVEN",
    "IBAN",
    "KNOWN",
    "NAME",
    "NEAR",
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
]

KNOWN, SPELLED, GIVEN, CUE, PARTED, CAPITAL, SMALL = 3, 4, 8, 16, 32, 64, 128
SAID, NAME, TAKEN = 256, 512, 1024
NEAR = KNOWN | SPELLED | GIVEN | CUE
"""What is told of a word: the type of a known name plus one; an anchor of a spelling; a given name; a cue; that an
unknown one may hold a name; that its first letter is not a small one; that it is one from a to z; that it is said of
persons; that it is a name of the dictionary; that it is taken for a person."""
ZONE, IBAN, ADDRESS_4, ADDRESS_6, SECRET, UUID, TEXT, EMAIL, AT = 1, 2, 3, 4, 5, 6, 7, 8, 9
"""What is told of a place; TEXT: of a text in small letters, where it begins and ends; AT: of an @ to look at."""
LETTER, DIGIT, UPPER, ODD, FAR, LOWER, ALNUM, HEX = 1, 2, 4, 8, 16, 32, 64, 128
"""Classes of characters: of words; 0 to 9; capitals; what only Python reads right; scripts without spaces; small
letters; letters and digits of any script; hexadecimal digits."""

BASIS, PRIME, _MIX = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3), np.uint64(0x9E3779B97F4A7C15)
_29, _1, _0, _44, _6, _63 = (np.uint64(n) for n in (29, 1, 0, 44, 6, 63))
SPACE = np.uint64(32)
_WITHIN, _DIGITS = 28, 7
_SHORTEST, _LONGEST, _FAMILY = 5, 64, 5
_ENDING = 3
_21 = 21
BITS = 1 << 17
"""Bytes for the bits of known names: as many as the upper 20 bits of a number count."""
_CASE, _ASCII, _NUL = 32, 128, 0
_ZERO, _NINE, _A, _Z = ord("0"), ord("9"), ord("a"), ord("z")
_DOT, _COLON, _MINUS, _UNDER, _PERCENT, _PLUS, _QUOTE, _SIGN_AT = map(ord, ".:-_%+'@")
_OCTETS, _GROUPS = 3, 2
_HEAD, _BARE = 8, 32
_RING = 8
"""Where, among the counts, the places of the last digits are held."""
SEEN = 1 << 13
"""Words that are remembered with what is told of them."""


def packed(text: str) -> int:
    """Up to three characters as one number."""
    return sum(ord(char) << (_21 * i) for i, char in enumerate(text))


_SIGNS = np.array(
    sorted(
        packed(sign)
        for sign in (
            *("sk-", "sk_", "rk_", "pk_", "gho", "ghp", "ghr", "ghs", "ghu", "git", "glp", "xox", "AKI", "ASI", "AIz"),
            *("hf_", "npm", "SG.", "eyJ", "SK-", "SK_", "RK_", "PK_", "GHO", "GHP", "GHR", "GHS", "GHU", "GIT", "GLP"),
            *("XOX", "HF_", "NPM"),
        )
    ),
    np.int64,
)
"""How secrets begin."""
_AT_SIGNS = np.array(
    [sum(1 << at for at in range(3) if np.any(_SIGNS >> (_21 * at) & (1 << _21) - 1 == c)) for c in range(_ASCII)],
    np.uint8,
)
"""Which of the three characters of such a sign an ASCII character can be."""


class Words(NamedTuple):
    """Words looked for.

    An open table of their numbers, what is told of each, and the row of its spellings plus one; one bit by its number
    for each known name, and one for each word; the numbers of pairs of words, sorted; endings of names, packed, with
    how long a name is at least; words seen, with what was told of them.
    """

    numbers: Any
    told: Any
    rows: Any
    bits: Any
    pairs: Any
    endings: Any
    seen: Any
    seen_told: Any


class Found(NamedTuple):
    """Room for what is found: words with their ends and what is told of them; places as (what, begin, end); counts of
    words, of places, whether there is a script without spaces."""

    starts: Any
    ends: Any
    told: Any
    places: Any
    counts: Any


@lean
def mixed(h: Any) -> Any:
    """The number of a word whose letters were folded into this."""
    h = (h ^ (h >> _29)) * _MIX
    return (h ^ (h >> _29)) | _1


@lean
def folded(h: Any, codes: Any, start: Any, stop: Any, fold: Any) -> Any:
    """The letters of a word folded into a number."""
    for j in range(start, stop):
        h = (h ^ np.uint64(fold[codes[j]])) * PRIME
    return h


@lean
def hashes(codes: Any, starts: Any, stops: Any, out: Any) -> Any:
    """The numbers of words."""
    for i in range(min(starts.shape[0], stops.shape[0], out.shape[0])):
        h = BASIS
        for j in range(max(0, starts[i]), min(codes.shape[0], stops[i])):
            h = (h ^ np.uint64(codes[j])) * PRIME
        out[i] = mixed(h)
    return 0


@lean
def enter(numbers: Any, told: Any, which: Any, table: Any, tolds: Any, rows: Any, bits: Any) -> Any:
    """Enter words into a table that is at least twice as large as there are words, and names into the bits."""
    mask = table.shape[0] - 1
    for i in range(min(numbers.shape[0], told.shape[0], which.shape[0])):
        at = np.int64(numbers[i] >> _1) & mask
        while table[at] != _0 and table[at] != numbers[i]:
            at = (at + 1) & mask
        table[at] = numbers[i]
        tolds[at] |= told[i]
        rows[at] = which[i]
        place = np.int64(numbers[i] >> _44)
        bits[1, place >> 3] |= np.uint8(1 << (place & 7))
        if told[i] & KNOWN == 1:
            bits[0, place >> 3] |= np.uint8(1 << (place & 7))
    return 0


@lean
def place_of(number: Any, words: Any) -> Any:
    """The place in the table of the word with this number; -1 for one that is in no list."""
    place = np.int64(number >> _44)
    if (words.bits[1, place >> 3] >> np.uint8(place & 7)) & 1 == 0:
        return -1
    mask = words.numbers.shape[0] - 1
    at = np.int64(number >> _1) & mask
    while words.numbers[at] != _0:
        if words.numbers[at] == number:
            return at
        at = (at + 1) & mask
    return -1


@lean
def _told(number: Any, words: Any) -> Any:
    """What is told of the word with this number; 0 for one that is in no list."""
    at = place_of(number, words)
    return np.int64(words.told[at]) if at >= 0 else 0


@lean
def _is_name(number: Any, words: Any) -> Any:
    place = np.int64(number >> _44)
    return (words.bits[0, place >> 3] >> np.uint8(place & 7)) & 1 == 1 and _told(number, words) & KNOWN == 1


@lean
def is_pair(number: Any, pairs: Any) -> Any:
    """Whether a pair of words with this number is one person's."""
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
    h = BASIS
    for k in range(1, size):
        h = (h ^ np.uint64(fold[codes[start + k - 1]])) * PRIME
        if k == 1:
            if size <= _FAMILY:
                continue
            if not _is_name(mixed(folded(BASIS, codes, start + 1, stop, fold)), words):
                continue
        elif not _is_name(mixed(h), words):
            continue
        elif size - k <= _ENDING and _ends_so(codes, start + k, stop, k, fold, words.endings):
            return True
        pair = folded((h ^ SPACE) * PRIME, codes, start + k, stop, fold)
        if is_pair(mixed(pair), words.pairs):
            return True
    return False


@lean
def _is_sign(codes: Any, at: Any) -> Any:
    if at + 2 >= codes.shape[0]:
        return False
    one, two, three = np.int64(codes[at]), np.int64(codes[at + 1]), np.int64(codes[at + 2])
    if one >= _ASCII or two >= _ASCII or three >= _ASCII:
        return False
    if _AT_SIGNS[one] & 1 == 0 or _AT_SIGNS[two] & 2 == 0 or _AT_SIGNS[three] & 4 == 0:
        return False
    packed = one | two << _21 | three << 2 * _21
    for i in range(_SIGNS.shape[0]):  # noqa: SIM110
        if _SIGNS[i] == packed:
            return True
    return False


@lean
def _is_iban(codes: Any, at: Any) -> Any:
    return (
        at + 3 < codes.shape[0]
        and _ZERO <= np.int64(codes[at + 2]) <= _NINE
        and _ZERO <= np.int64(codes[at + 3]) <= _NINE
        and _A <= np.int64(codes[at + 1]) | _CASE <= _Z
        and np.int64(codes[at + 1]) < _ASCII
    )


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
def _is_local(c: Any, kind: Any) -> Any:
    """Whether a character can stand in the local part of an address."""
    return kind & ALNUM != 0 or c in (_UNDER, _DOT, _PERCENT, _PLUS, _MINUS, _QUOTE)


@lean
def _email(codes: Any, at: Any, classes: Any, found: Any) -> Any:
    """Note the address around an @; the @ alone where a character beyond ASCII is near. False when there is no room."""
    n, room = codes.shape[0], classes.shape[0]
    begin = at
    while begin > 0:
        c = np.int64(codes[begin - 1])
        if c >= _ASCII:
            return _note(found, AT, at, at + 1)
        if c >= room or not _is_local(c, np.int64(classes[c])):
            break
        begin -= 1
    if begin == at or np.int64(codes[at - 1]) in (_DOT, _QUOTE):
        return True
    start = at + 1  # of a label
    end, dots = -1, 0
    while True:
        stop = start
        last = -1
        while stop < n:
            c = np.int64(codes[stop])
            if c >= _ASCII:
                return _note(found, AT, at, at + 1)
            kind = np.int64(classes[c]) if c < room else 0
            if kind & ALNUM:
                last = stop
            elif c not in (_UNDER, _MINUS):
                break
            stop += 1
        if last < start or np.int64(codes[start]) in (_UNDER, _MINUS):
            break
        if start > at + 1:
            dots += 1
        end = last + 1
        if end != stop or stop >= n or np.int64(codes[stop]) != _DOT:
            break
        start = stop + 1
    return dots == 0 or _note(found, EMAIL, begin, end)


@lean
def _told_of(codes: Any, start: Any, stop: Any, number: Any, words: Any, fold: Any) -> Any:
    """What is told of a word, which is remembered."""
    slot = np.int64(number >> _1) & (words.seen.shape[0] - 1)
    if words.seen[slot] == number:
        return np.int64(words.seen_told[slot])
    told = np.int64(_told(number, words))
    if told & NEAR == 0 and _SHORTEST <= stop - start <= _LONGEST and _is_parted(codes, start, stop, words, fold):
        told |= PARTED
    words.seen[slot] = number
    words.seen_told[slot] = told
    return told


@lean
def _of_run(codes: Any, run: Any, i: Any, c: Any, hexes: Any, found: Any) -> Any:
    """Note a UUID that letters and digits begin with; False when there is no room."""
    if hexes & HEX and ((i - run == _HEAD and c == _MINUS) or i - run == _BARE):
        return _note(found, UUID, run, i)
    return True


@lean
def look(codes: Any, classes: Any, fold: Any, words: Any, found: Any) -> Any:
    """Look at texts.

    Returns 1, or 0 when they hold what only Python reads right, or there is no room.
    """
    n = codes.shape[0]
    room = min(classes.shape[0], fold.shape[0])
    if room < _ASCII:
        return 0
    most = min(found.starts.shape[0], found.ends.shape[0], found.told.shape[0])
    run = four = six = -1  # where letters and digits, an IPv4 address, an IPv6 address begin
    zone = np.int64(-1)  # where digits close together begin
    stop = 0
    dots = colons = digits = count = 0
    seen = every = hexes = np.int64(0)
    begin = i = 0
    while i <= n:
        c = np.int64(codes[i]) if i < n else np.int64(_NUL)
        if c >= room:
            return 0
        kind = np.int64(classes[c]) if i < n else np.int64(0)
        if kind & LETTER:
            start = i
            h = BASIS
            first, both, each = kind, np.int64(LETTER | HEX), np.int64(0)
            while kind & LETTER:
                if c >= _ASCII:
                    h = (h ^ np.uint64(fold[c])) * PRIME
                    both &= kind
                    each |= kind
                    if run >= 0 and not _of_run(codes, run, i, c, hexes, found):
                        return 0
                    run = -1
                    i += 1
                else:
                    begun, alike = i, kind
                    while c < _ASCII and kind & LETTER:
                        h = (h ^ np.uint64(fold[c])) * PRIME
                        alike &= kind
                        each |= kind
                        i += 1
                        if i >= n:
                            break
                        c = np.int64(codes[i])
                        kind = np.int64(classes[c]) if c < _ASCII else np.int64(0)
                    both &= alike
                    if run >= 0:
                        hexes &= alike
                    else:
                        run, hexes = begun, alike
                        if begun == 0 or np.int64(codes[begun - 1]) != _UNDER:
                            if _is_sign(codes, begun) and not _note(found, SECRET, begun, begun):
                                return 0
                            if _is_iban(codes, begun) and not _note(found, IBAN, begun, begun):
                                return 0
                if i >= n:
                    break
                c = np.int64(codes[i])
                if c >= room:
                    return 0
                kind = np.int64(classes[c])
            seen |= each
            if seen & ODD:
                return 0
            if six >= 0 and both & HEX == 0:
                end = start
                while end < i and np.int64(classes[codes[end]]) & HEX:
                    end += 1
                if colons >= _GROUPS and not _note(found, ADDRESS_6, six, end):
                    return 0
                six = -1
            if four >= 0:
                if dots >= _OCTETS and not _note(found, ADDRESS_4, four, start):
                    return 0
                four = -1
            if count >= most:
                return 0
            told = _told_of(codes, start, i, mixed(h), words, fold)
            if first & LOWER == 0:
                told |= CAPITAL
            elif _A <= np.int64(codes[start]) <= _Z:
                told |= SMALL
            found.starts[count] = start
            found.ends[count] = i
            found.told[count] = told
            count += 1
            continue
        seen |= kind
        if kind & DIGIT:
            if run < 0:
                run, hexes = i, kind
            else:
                hexes &= kind
            found.counts[_RING + digits % _DIGITS] = i
            digits += 1
            if four < 0:
                four, dots = i, 0
            if digits >= _DIGITS:
                from_ = np.int64(found.counts[_RING + digits % _DIGITS])
                if i - from_ < _WITHIN:
                    if zone < 0 or from_ > stop + _WITHIN:
                        if zone >= 0 and not _note(found, ZONE, zone, stop):
                            return 0
                        zone = from_
                    stop = i + 1
            i += 1
            continue
        if run >= 0:
            if not _of_run(codes, run, i, c, hexes, found):
                return 0
            run = -1
        if four >= 0:
            if c == _DOT:
                dots += 1
            else:
                if dots >= _OCTETS and not _note(found, ADDRESS_4, four, i):
                    return 0
                four = -1
        if c == _COLON:
            if six < 0:
                six, colons = i, 0
                while six > 0 and np.int64(codes[six - 1]) < _ASCII and np.int64(classes[codes[six - 1]]) & HEX:
                    six -= 1
            colons += 1
        elif six >= 0:
            if colons >= _GROUPS and not _note(found, ADDRESS_6, six, i):
                return 0
            six = -1
        if c == _SIGN_AT and not _email(codes, i, classes, found):
            return 0
        if kind & ODD:
            return 0
        if c == _NUL:
            if seen & (UPPER | LOWER) == LOWER and not _note(found, TEXT, begin, i):
                return 0
            every |= seen
            seen = np.int64(0)
            begin = i + 1
        i += 1
    if zone >= 0 and not _note(found, ZONE, zone, stop):
        return 0
    found.counts[0] = count
    found.counts[2] = every & FAR
    return 1


def room_for(size: int) -> Found:
    """Room for what stands in texts of so many characters."""
    words, places = size // 2 + 2, size // 2 + 64
    return Found(
        np.empty(words, np.int32),
        np.empty(words, np.int32),
        np.empty(words, np.uint16),
        np.empty((places, 3), np.int32),
        np.zeros(_RING + 8, np.int64),
    )


def nothing() -> Words:
    """No words."""
    return Words(
        np.zeros(8, np.uint64),
        np.zeros(8, np.uint16),
        np.zeros(8, np.int32),
        np.zeros((2, BITS), np.uint8),
        np.zeros(0, np.int64),
        np.zeros((1, 2), np.int64),
        np.zeros(SEEN, np.uint64),
        np.zeros(SEEN, np.uint16),
    )


def warm() -> None:
    """Run every kernel of this room once."""
    words = nothing()
    places, numbers = np.array([0, 1], np.int64), np.zeros(2, np.uint64)
    hashes(frozen(np.zeros(2, np.uint32)), places, places + 1, numbers)
    enter(numbers[:1], np.ones(1, np.uint16), np.zeros(1, np.int32), *words[:4])
    classes, fold = np.zeros(_ASCII, np.uint8), np.zeros(_ASCII, np.uint32)
    for codes in (np.frombuffer(b"ab", np.uint8), np.frombuffer(b"a\0\0\0b\0\0\0", np.uint32)):
        look(codes, classes, fold, words, room_for(2))
