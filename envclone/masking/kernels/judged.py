"""Whether words that are somebody's names mean a person where they stand, in a whole batch of texts: what `judge` says
of each, with the longer spellings that a word leads to.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from envclone.compiled import frozen, lean
from envclone.masking.kernels import texts
from envclone.masking.kernels.texts import (
    ALNUM,
    BASIS,
    CAPITAL,
    CUE,
    GIVEN,
    KNOWN,
    LETTER,
    LOWER,
    NAME,
    NEAR,
    PARTED,
    PRIME,
    SAID,
    SMALL,
    SPACE,
    SPELLED,
    TAKEN,
    TEXT,
    UPPER,
    folded,
    is_pair,
    mixed,
    place_of,
)

__all__ = ["NAMED", "PERSON", "Spellings", "judge", "no_spellings", "warm"]

PERSON, NAMED = 0, 2
"""The kind of a name; greater ones are those of spellings, and this that of a person's."""
_TOKEN, _NAME_TOO = 1, 2
_ASCII = 128
_NBSP, _HIGH_QUOTE = 0xA0, 0x2019
_BLANK, _COMMA, _DOT, _QUOTE = map(ord, " ,.'")
_PARTICLE = 3
_FARTHEST = 2
_GAPS = np.array([ord(c) for c in " -._+\u00a0\n,'\u2019"], np.int64)
_GAPS_OF_TWO = np.array([ord(c) for c in " ,."], np.int64)
_OPENING = np.array(sorted(map(ord, " \t\"'\u201c\u201d\u2018\u2019\u00ab\u00bb()[]{}*_>#\u00a0")), np.int64)
_SENTENCE_END = np.array(sorted(map(ord, ".!?:;\n\r\x00\u2022\u2013\u2014|/\u2026\u3002\u00bf\u00a1-")), np.int64)


class Spellings(NamedTuple):
    """Longer spellings: the letters of all, in lower case; the first of those of a row; and of each where its letters
    begin, how many letters stand before its anchor, and its kind. The arrays have one place more than there are."""

    letters: Any
    rows: Any
    starts: Any
    offsets: Any
    kinds: Any


@lean
def _among(c: Any, those: Any) -> Any:
    for i in range(those.shape[0]):  # noqa: SIM110
        if those[i] == c:
            return True
    return False


@lean
def _close(codes: Any, end: Any, start: Any) -> Any:
    """Whether what stands between two words can stand inside a name."""
    if start - end == 1:
        return _among(np.int64(codes[end]), _GAPS)
    return start - end == 2 and np.int64(codes[end + 1]) == _BLANK and _among(np.int64(codes[end]), _GAPS_OF_TWO)


@lean
def _seen(codes: Any, start: Any, stop: Any, classes: Any) -> Any:
    seen = np.int64(0)
    for j in range(start, stop):
        seen |= np.int64(classes[codes[j]])
    return seen & (UPPER | LOWER)


@lean
def _is_of_one(codes: Any, left: Any, classes: Any, fold: Any, words: Any, found: Any) -> Any:
    """Whether a known word and the one behind it are names of one person."""
    start, end = np.int64(found.starts[left]), np.int64(found.ends[left])
    begin, stop = np.int64(found.starts[left + 1]), np.int64(found.ends[left + 1])
    one, two = np.int64(found.told[left]), np.int64(found.told[left + 1])
    if (
        one & KNOWN != _TOKEN
        and two & KNOWN != _TOKEN
        and (np.int64(codes[end]) == _COMMA or np.int64(codes[begin - 1]) == _COMMA)
        and _seen(codes, start, stop, classes) == LOWER
    ):
        return False  # 'brown, may' is rather an enumeration than May Brown
    h = (folded(BASIS, codes, start, end, fold) ^ SPACE) * PRIME
    if not is_pair(mixed(folded(h, codes, begin, stop, fold)), words.pairs):
        return False
    return one & KNOWN == two & KNOWN or one & CAPITAL == two & CAPITAL


@lean
def _is_somebody(codes: Any, i: Any, count: Any, classes: Any, found: Any) -> Any:
    """Whether a capitalised word that can be a name is one here: inside a sentence, or before what persons do."""
    start, end = np.int64(found.starts[i]), np.int64(found.ends[i])
    if end - start > 1 and _seen(codes, start, end, classes) == UPPER:
        return False  # capitals say nothing in a text of capitals
    if i + 1 < count and found.starts[i + 1] - end == 1:
        gap, after = np.int64(codes[end]), np.int64(found.told[i + 1])
        begin = np.int64(found.starts[i + 1])
        if (
            gap == _BLANK
            and found.ends[i + 1] - begin >= 2
            and np.int64(classes[codes[begin]]) & UPPER
            and after & NAME == 0
        ):
            return False  # a title
        if gap in (_BLANK, _QUOTE, _HIGH_QUOTE) and after & SAID:
            return True
    at = start - 1
    while at >= 0 and _among(np.int64(codes[at]), _OPENING):
        at -= 1
    return at >= 0 and not _among(np.int64(codes[at]), _SENTENCE_END)


@lean
def _is_found(i: Any, count: Any, found: Any) -> Any:
    """Whether a word that is looked for is looked at: one in small letters only beside another one."""
    if np.int64(found.told[i]) & SMALL == 0:
        return True
    if i and np.int64(found.told[i - 1]) & NEAR:
        return True
    return i + 1 < count and np.int64(found.told[i + 1]) & NEAR != 0


@lean
def _is_person(codes: Any, i: Any, count: Any, classes: Any, fold: Any, words: Any, found: Any) -> Any:
    told = np.int64(found.told[i])
    capital = told & CAPITAL != 0
    if capital and told & KNOWN == _TOKEN:
        return True
    if not _is_found(i, count, found):
        return False
    if i and _close(codes, np.int64(found.ends[i - 1]), np.int64(found.starts[i])):
        before = np.int64(found.told[i - 1])
        if before & KNOWN and (
            (capital and before & KNOWN == _TOKEN and before & CAPITAL)
            or _is_of_one(codes, i - 1, classes, fold, words, found)
        ):
            return True
    if i + 1 < count and _close(codes, np.int64(found.ends[i]), np.int64(found.starts[i + 1])):
        after = np.int64(found.told[i + 1])
        if after & KNOWN and (
            (capital and after & KNOWN == _TOKEN and after & CAPITAL)
            or _is_of_one(codes, i, classes, fold, words, found)
        ):
            return True
    return capital and told & KNOWN == _NAME_TOO and _is_somebody(codes, i, count, classes, found)


@lean
def _stands_alone(codes: Any, start: Any, stop: Any, classes: Any, kind: Any) -> Any:
    """Whether a spelling is no part of a longer word; names are words of letters, so digits may follow one."""
    n = codes.shape[0]
    its = LETTER if kind == NAMED else ALNUM
    if start and classes[codes[start - 1]] & classes[codes[start]] & its:
        return False
    return not (stop < n and classes[codes[stop]] & classes[codes[stop - 1]] & its)


@lean
def _spelling(codes: Any, start: Any, row: Any, classes: Any, blank: Any, spellings: Any) -> Any:
    """The first spelling of a row that stands around an anchor; -1 for none."""
    n = codes.shape[0]
    if row < 0 or row + 1 >= spellings.rows.shape[0]:
        return -1
    last = min(spellings.rows[row + 1], spellings.kinds.shape[0], spellings.starts.shape[0] - 1)
    for i in range(spellings.rows[row], last):
        first = np.int64(spellings.starts[i])
        size = np.int64(spellings.starts[i + 1]) - first
        begin = start - np.int64(spellings.offsets[i])
        if begin < 0 or size <= 0 or begin + size > n or first + size > spellings.letters.shape[0]:
            continue
        j = 0
        while j < size and blank[codes[begin + j]] == spellings.letters[first + j]:
            j += 1
        if j == size and _stands_alone(codes, begin, begin + size, classes, spellings.kinds[i]):
            return i
    return -1


@lean
def _is_before_capital(codes: Any, i: Any, count: Any, classes: Any, found: Any) -> Any:
    """Whether a capitalised word follows, as close as behind a title or an introduction."""
    if i + 1 >= count or found.starts[i + 1] - found.ends[i] > _FARTHEST:
        return False
    return classes[codes[found.starts[i + 1]]] & UPPER != 0


@lean
def judge(
    codes: Any, classes: Any, fold: Any, blank: Any, words: Any, found: Any, spellings: Any, spans: Any, asked: Any
) -> Any:
    """Of texts that `look` has seen: the spans of names and of spellings (begin, minus the end, kind), the numbers of
    cues from the front of `asked`, those of words that may hold a name from its end; their counts in `found`. `blank`
    is `fold` with a blank for what joins.

    Returns 1, or 0 when there is no room.
    """
    count = np.int64(found.counts[0])
    if count > min(found.starts.shape[0], found.ends.shape[0], found.told.shape[0], asked.shape[0]):
        return 0
    for i in range(count):
        if np.int64(found.told[i]) & KNOWN and _is_person(codes, i, count, classes, fold, words, found):
            found.told[i] |= TAKEN
    i = 0
    for place in range(min(np.int64(found.counts[1]), found.places.shape[0])):
        if found.places[place, 0] == TEXT:  # in small letters throughout, as some people write
            while i < count and found.starts[i] < found.places[place, 1]:
                i += 1
            while i < count and found.starts[i] < found.places[place, 2]:
                if np.int64(found.told[i]) & KNOWN == _TOKEN:
                    found.told[i] |= TAKEN
                i += 1
    size = cues = parted = 0
    for i in range(count):
        told = np.int64(found.told[i])
        if told & (PARTED | NEAR) == PARTED:
            parted += 1
            asked[asked.shape[0] - parted] = i
            continue
        if told & NEAR == 0:
            continue
        if size + 2 > spans.shape[0]:
            return 0
        start, end = np.int64(found.starts[i]), np.int64(found.ends[i])
        if told & TAKEN:
            spans[size, 0], spans[size, 1], spans[size, 2] = start, -end, PERSON
            size += 1
        if told & SPELLED:
            at = place_of(mixed(folded(BASIS, codes, start, end, fold)), words)
            row = np.int64(words.rows[at]) - 1 if at >= 0 else -1
            chosen = _spelling(codes, start, row, classes, blank, spellings)
            if chosen >= 0:
                begin = start - np.int64(spellings.offsets[chosen])
                stop = begin + np.int64(spellings.starts[chosen + 1]) - np.int64(spellings.starts[chosen])
                spans[size, 0], spans[size, 1], spans[size, 2] = begin, -stop, spellings.kinds[chosen]
                size += 1
        if told & (CUE | GIVEN) and _is_found(i, count, found):
            if told & CUE == 0:
                if i + 1 >= count or (told & TAKEN and np.int64(found.told[i + 1]) & TAKEN):
                    continue
                after = np.int64(found.starts[i + 1])
                if after - end != 1:
                    continue
                if np.int64(found.told[i + 1]) & SMALL and np.int64(found.ends[i + 1]) - after > _PARTICLE:
                    continue
            elif told & GIVEN == 0 and not _is_before_capital(codes, i, count, classes, found):
                continue
            asked[cues] = i
            cues += 1
    found.counts[3], found.counts[4], found.counts[5] = size, cues, parted
    return 1


def no_spellings() -> Spellings:
    """No spellings."""
    none = np.zeros(1, np.int32)
    return Spellings(frozen(np.zeros(0, np.uint32)), none, none, none, none)


def warm() -> None:
    """Run every kernel of this room once."""
    classes, fold = np.zeros(_ASCII, np.uint8), np.zeros(_ASCII, np.uint32)
    spans, asked = np.zeros((4, 3), np.int32), np.zeros(4, np.int32)
    for codes in (np.frombuffer(b"ab", np.uint8), np.frombuffer(b"a\0\0\0b\0\0\0", np.uint32)):
        judge(codes, classes, fold, fold, texts.nothing(), texts.room_for(2), no_spellings(), spans, asked)
