"""Which of many texts may say something in another spelling: one pass over their characters, NUL between two texts.

It lets through too many rather than too few: a text that it excuses has no view in `decoders`. Texts are bytes of UTF-8
or code points of 32 bits; places count what they are given in.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean
from envclone.masking.kernels import runs

__all__ = [
    "BLOCK",
    "BLOCKS",
    "CAPITAL",
    "DASH",
    "DIGIT",
    "END",
    "LETTER",
    "MIXED",
    "OTHER",
    "RUN",
    "SIGN",
    "SPACE",
    "SPELLED",
]
__all__ += ["STEPS", "TEXT_KINDS", "TOLD", "mark", "warm"]

OTHER, LETTER, CAPITAL, DIGIT, BLOCK, SPACE, END, SIGN, DASH, TOLD, MIXED = 0, 1, 2, 4, 8, 16, 32, 48, 64, 80, 96
"""Classes of characters: digits of a block are LETTER, CAPITAL, DIGIT and BLOCK, one bit each; SIGN may begin a
spelling, TOLD always may, DASH before a digit or what is not ASCII, MIXED beside a letter of ASCII."""
_OF_BLOCK = LETTER | CAPITAL | DIGIT | BLOCK
SPELLED, BLOCKS, RUN = 1, 2, 4
"""What is told of a text: signs of a spelling may stand in it; a block of a rare form (pairs, lists, encoded words); a
run of digits that can be a block."""

_SHORTEST, _PAIRS, _LISTED, _STRETCH, _ZEROS = 16, 6, 8, 8, 4
_LONG = 32
"""Digits of a run from which on it is passed over by blocks."""
_LONGEST = 96
"""Digits of a run up to which it can be words, and what it holds is looked at here."""
_NONE = -9
_LF, _CR, _NUL, _TAB = 10, 13, 0, 9
_ZERO, _X = ord("0"), ord("x")
_PERCENT, _EQUALS, _QUESTION, _AND, _QUOTE, _LESS, _CLOSE, _OPEN, _BACK, _TICK = map(ord, "%=?&'<][\\`")
_ROUND, _CURLY, _STAR, _TILDE, _AT, _DOT, _BLANK, _SLASH, _EXCLAMATION, _HASH, _MORE, _BAR, _UNDER, _MINUS = map(
    ord, "({*~@. /!#>|_-"
)
_COLON, _PLUS = ord(":"), ord("+")
_A, _T, _D, _O, _P, _U, _N, _K = map(ord, "atdopunk")
_UMLAUT, _FIRST_OF_UMLAUT = 0xE4, 0xC3
_CASE, _ASCII = 32, 128
_PUNKT = 7
_WIDE = 4
_AFTER = np.zeros(_ASCII, np.bool_)
"""What makes a backslash before it a sign."""
_AFTER[[*b"uUx+0123\"'/\\bfnrt@.-\r\n"]] = True
_NAMES = np.zeros(_ASCII, np.bool_)
"""What a word in square brackets begins with."""
_NAMES[[*b"biuscqe/"]] = True
TEXT_KINDS = np.zeros(256, np.uint8)
"""What a byte is in UTF-8: text by itself, a tail, or the first of a character with one, two or three tails."""
TEXT_KINDS[[9, 10, 13, *range(0x20, 0x7F)]] = 1
TEXT_KINDS[0x80:0xC0], TEXT_KINDS[0xC2:0xE0], TEXT_KINDS[0xE0:0xF0], TEXT_KINDS[0xF0:0xF5] = 2, 3, 4, 5
STEPS = np.zeros((4, 6), np.uint8)
"""By tails that are wanted and the kind of a byte: tails wanted next, 4 when a text goes on, 8 when one is there."""
for _state in range(4):
    for _kind in range(6):
        if _state and _kind == 2:
            STEPS[_state, _kind] = _state - 1 | 12
        elif _kind and _kind != 2:
            STEPS[_state, _kind] = max(0, _kind - 2) | (8 if _state else 12)


@lean
def _at(codes: Any, i: Any) -> Any:
    """A character, NUL beyond the end."""
    return np.int64(codes[i]) if 0 <= i < codes.shape[0] else _NUL


@lean
def _is_letter(c: Any) -> Any:
    return _A <= c | _CASE <= _A + 25 and c < _ASCII


@lean
def _is_hex(c: Any) -> Any:
    return _ZERO <= c <= _ZERO + 9 or (_A <= c | _CASE <= _A + 5 and c < _ASCII)


@lean
def _is_word(c: Any) -> Any:
    """A character of a word, or one that may be."""
    return _is_letter(c) or _ZERO <= c <= _ZERO + 9 or c == _UNDER or c >= _ASCII


@lean
def _is_said(codes: Any, i: Any) -> Any:
    """Whether `at`, `dot`, `@` or the like can begin here, a blank before it or not."""
    if _at(codes, i) == _BLANK:
        i += 1
    c, after = _at(codes, i), _at(codes, i + 1)
    low, behind = c | _CASE, after | _CASE
    return (
        c in (_AT, _DOT)
        or (low == _A and behind == _T)
        or c in (_UMLAUT, _FIRST_OF_UMLAUT)
        or (low == _D and behind == _O)
        or (low == _P and behind in (_U, _O))
    )


@lean
def _is_address(codes: Any, i: Any) -> Any:
    """Whether a word with a dot in it, or one before `dot`, stands here."""
    n = codes.shape[0]
    while i < n and (_is_word(codes[i]) or codes[i] == _MINUS):
        i += 1
    if _at(codes, i) == _DOT:
        return _is_word(_at(codes, i + 1))
    if _at(codes, i) == _BLANK or _at(codes, i) in (_OPEN, _ROUND):
        return _is_said(codes, i + 1)
    return False


@lean
def _begins(codes: Any, i: Any) -> Any:
    """Whether a spelling can begin at this sign."""
    c, after = np.int64(codes[i]), _at(codes, i + 1)
    if c == _LF:
        i -= _at(codes, i - 1) == _CR
        return after in (_MORE, _BAR) or (_at(codes, i - 1) == _MINUS and _is_word(_at(codes, i - 2)))
    if c == _PERCENT:
        return (_is_hex(after) or after == _U) and _is_hex(_at(codes, i + 2))
    if c == _EQUALS:
        while after in (_BLANK, _TAB):  # blanks that a transport added behind a line that goes on
            i += 1
            after = _at(codes, i + 1)
        return after in (_LF, _CR, _QUESTION) or (_is_hex(after) and _is_hex(_at(codes, i + 2)))
    if c == _QUESTION:
        return after == _EQUALS
    if c == _AND:
        return after == _HASH or _is_letter(after)
    if c in (_QUOTE, _CLOSE, _TILDE):
        return after == c
    if c == _LESS:
        return _is_letter(after) or after in (_SLASH, _EXCLAMATION) or _is_said(codes, i + 1)
    if c == _OPEN:
        return (after < _ASCII and _NAMES[after]) or _is_said(codes, i + 1)
    if c in (_ROUND, _CURLY):
        return _is_said(codes, i + 1)
    if c == _STAR:
        return after == _STAR or _is_word(after)
    if c == _BACK:
        if _is_hex(after) and _is_hex(_at(codes, i + 2)) and not _is_hex(_at(codes, i + 3)):
            return True
        return after < _ASCII and _AFTER[after]
    return c == _TICK or (c == _AT and after == _BLANK)


@lean
def _speaks(codes: Any, i: Any) -> Any:
    """Whether ` at ` or ` dot ` at this blank can be meant as a sign."""
    one, two = _at(codes, i + 1) | _CASE, _at(codes, i + 2) | _CASE
    if one == _A and two == _T:
        return _at(codes, i + 3) == _BLANK and _is_address(codes, i + 4)
    if one == _D and two == _O:
        return _at(codes, i + 3) | _CASE == _T and _at(codes, i + 4) == _BLANK
    return (
        one == _P
        and two == _U
        and _at(codes, i + 3) == _N
        and _at(codes, i + 4) == _K
        and _at(codes, i + 5) == _T
        and _at(codes, i + _PUNKT - 1) == _BLANK
    )


@lean
def _leading(codes: Any, start: Any, stop: Any) -> Any:
    """How many pairs of hexadecimal digits, a hyphen between two, part of a text begins with."""
    count = 0
    while start + 2 <= stop and _is_hex(codes[start]) and _is_hex(codes[start + 1]):
        count += 1
        start += 2
        if start >= stop or codes[start] != _MINUS:
            break
        start += 1
    return count


@lean
def _is_listed(codes: Any, start: Any, stop: Any) -> Any:
    """How often `0x` stands in part of a text."""
    count = 0
    for i in range(start, stop - 1):
        count += codes[i] == _ZERO and codes[i + 1] == _X
    return count


@lean
def _value(c: Any) -> Any:
    """What a digit of base64 stands for."""
    if _is_letter(c):
        return c - _A + 26 if c & _CASE else c - _A + _CASE
    if c >= _ZERO and c <= _ZERO + 9:
        return c - _ZERO + 52
    return 62 if c in (_PLUS, _MINUS) else 63


@lean
def _decodes(codes: Any, start: Any, stop: Any) -> Any:
    """Whether a run of digits can be a block with a text in it: as base64 at any beginning, hexadecimal or base32."""
    sixteen = thirtytwo = 0
    for i in range(start, stop):
        c = np.int64(codes[i])
        sixteen = sixteen + 1 if _is_hex(c) else 0
        small = _is_letter(c) and c & _CASE
        in_base32 = (_is_letter(c) and not small) or _ZERO + 2 <= c <= _ZERO + 7
        thirtytwo = thirtytwo + 1 if in_base32 else 0
        if sixteen >= _SHORTEST or thirtytwo >= _SHORTEST:
            return True
    for skip in range(4):
        held = filled = run = state = zeros = np.int64(0)
        for i in range(start + skip, stop):
            held = (held << 6 | _value(np.int64(codes[i]))) & 0xFFFF
            filled += 6
            if filled < 8:
                continue
            filled -= 8
            byte = held >> filled & 0xFF
            step = np.int64(STEPS[state, TEXT_KINDS[byte]])
            state = step & 3
            run = run * (step >> 2 & 1) + (step >> 3)
            zeros += byte == 0
            if run >= _STRETCH or zeros >= _ZEROS:
                return True
    return False


@lean
def _of_run(codes: Any, start: Any, stop: Any, seen: Any) -> Any:
    """What a run of many digits of a block tells."""
    if seen & BLOCK:
        pairs, last = 0, _NONE
        for i in range(start, stop):
            if codes[i] == _MINUS:
                pairs = pairs + 1 if i - last == 3 and _is_hex(codes[i - 1]) and _is_hex(codes[i - 2]) else 0
                last = i
                if pairs >= _PAIRS:
                    return BLOCKS
    if _at(codes, start - 1) == _LF or _at(codes, stop) in (_LF, _CR):
        return RUN  # it can go on in another line
    odd = seen & DIGIT != 0
    for i in range(start + 1, stop if seen & CAPITAL and not odd else start):
        odd |= np.int64(codes[i]) < _A and _is_letter(np.int64(codes[i]))
    return RUN if odd and (stop - start > _LONGEST or _decodes(codes, start, stop)) else 0


@lean
def _passed(codes: Any, i: Any, n: Any) -> Any:
    """How far a long run of digits of a block goes on by whole blocks, what it has, and where `0x` can stand again."""
    if codes.itemsize >= _WIDE:
        return i, np.int64(0), i
    at, more = runs.passed(codes, i, n, np.uint8(_OF_BLOCK))
    return at, np.int64(more) & _OF_BLOCK, i if more & np.uint8(runs.X) else at - 1


@lean
def _decoded(codes: Any, i: Any) -> Any:
    """The code point of a character of more bytes than one, and how many bytes it has; -1 and 1 when there is none."""
    c = np.int64(codes[i])
    width = 2 if c < 0xE0 else 3 if c < 0xF0 else 4
    if c < 0xC2 or c > 0xF4 or i + width > codes.shape[0]:
        return np.int64(-1), 1
    c &= 0x7F >> width
    for k in range(1, width):
        c = c << 6 | (np.int64(codes[i + k]) & 0x3F)
    return c, width


@lean
def mark(codes: Any, classes: Any, found: Any) -> Any:
    """Say for each text in which something may be spelled what that is; `classes` are by code point.

    A text that has nothing of that keeps what `found` says.
    """
    n, count, kinds = codes.shape[0], found.shape[0], classes.shape[0]
    if kinds < _ASCII:
        return 0
    text = told = listed = chain = i = 0
    chained = np.int64(_NONE)
    while i <= n:
        c = np.int64(codes[i]) if i < n else np.int64(_NUL)
        width = 1
        if c >= _ASCII and codes.itemsize < _WIDE:
            c, width = _decoded(codes, i)
        kind = np.int64(classes[c]) if 0 <= c < kinds else OTHER
        if kind & _OF_BLOCK:
            start, seen = i, kind
            i += 1
            stop = min(n, start + _LONG)
            while i < stop and codes[i] < _ASCII and classes[codes[i]] & _OF_BLOCK:
                seen |= np.int64(classes[codes[i]])
                i += 1
            begin = start
            if i == stop and i < n:
                i, more, begin = _passed(codes, i, n)
                seen |= more
                listed += _is_listed(codes, start, stop) if begin > stop else 0
                begin = begin if begin > stop else start
                while i < n and codes[i] < _ASCII and classes[codes[i]] & _OF_BLOCK:
                    seen |= np.int64(classes[codes[i]])
                    i += 1
            size = i - start
            if size == 2 or seen & BLOCK:
                pairs = _leading(codes, start, i)
                if start - chained == 1 and _at(codes, start - 1) in (_COLON, _BLANK):
                    chain += pairs
                else:
                    chain = pairs
                if chain >= _PAIRS:
                    told |= BLOCKS
                chained = np.int64(i)
                if 3 * pairs - 1 != size:
                    chain = 0
                    while i - 3 * chain - 3 >= start and codes[i - 3 * chain - 3] == _MINUS:
                        if not (_is_hex(codes[i - 3 * chain - 2]) and _is_hex(codes[i - 3 * chain - 1])):
                            break
                        chain += 1
            if size >= 4 and seen & (LETTER | DIGIT) == LETTER | DIGIT:
                listed += _is_listed(codes, begin, i)
                if listed >= _LISTED:
                    told |= BLOCKS
            if size >= _SHORTEST:
                told |= _of_run(codes, start, i, seen)
            continue
        if kind == SPACE:
            if not told & SPELLED and _speaks(codes, i):
                told |= SPELLED
        elif kind == SIGN:
            if _begins(codes, i):
                told |= SPELLED
            if c == _EQUALS and _at(codes, i + 1) == _QUESTION:
                told |= BLOCKS
        elif kind == END:
            if text < count and told:
                found[text] = told
            text += 1
            told = listed = chain = 0
            chained = np.int64(_NONE)
        elif kind == TOLD:
            told |= SPELLED
        elif kind == MIXED:
            if _is_letter(_at(codes, i - 1)) or _is_letter(_at(codes, i + width)):
                told |= SPELLED
        elif kind == DASH:
            after = _at(codes, i + width)
            if _ZERO <= after <= _ZERO + 9 or after >= _ASCII:
                told |= SPELLED
        i += width
    return 0


def warm() -> None:
    """Run every kernel of this room once."""
    classes, found = np.zeros(_ASCII, np.uint8), np.zeros(2, np.uint8)
    for codes in (np.frombuffer(b"a b", np.uint8), np.frombuffer(b"a\0\0\0b\0\0\0", np.uint32)):
        mark(codes, classes, found)
