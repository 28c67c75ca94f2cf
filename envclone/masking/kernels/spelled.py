"""Which of many texts may say something in another spelling: one pass over their characters, NUL between two texts.

It lets through too many rather than too few: a text that it excuses has no view in `decoders`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean

__all__ = ["BLOCK", "CAPITAL", "DIGIT", "END", "LETTER", "OTHER", "SIGN", "SPACE", "TOLD", "mark", "warm"]

OTHER, LETTER, CAPITAL, DIGIT, BLOCK, SPACE, END, SIGN, TOLD = 0, 1, 2, 3, 4, 5, 6, 7, 8
"""Classes of characters: digits of a block from LETTER to BLOCK; SIGN may begin a spelling, TOLD always may."""

_SHORTEST, _PAIRS, _PAIR = 16, 6, 3
_FAR = -10
_LF, _CR, _NUL = 10, 13, 0
_ZERO, _X = ord("0"), ord("x")
_PERCENT, _EQUALS, _QUESTION, _AND, _QUOTE, _LESS, _CLOSE, _OPEN = map(ord, "%=?&'<][")
_ROUND, _CURLY, _STAR, _TILDE, _AT, _DOT, _BLANK, _SLASH, _EXCLAMATION, _HASH, _MORE, _BAR, _UNDER, _MINUS = map(
    ord, "({*~@. /!#>|_-"
)
_A, _T, _D, _O, _P, _U, _N, _K = map(ord, "atdopunk")
_UMLAUT = 0xE4
_CASE, _ASCII = 32, 128
_PUNKT = 7


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
        or c == _UMLAUT
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
    if c == _PERCENT:
        return _is_hex(after)
    if c == _EQUALS:
        return _is_hex(after) or after in (_LF, _CR, _QUESTION)
    if c == _QUESTION:
        return after == _EQUALS
    if c == _AND:
        return after == _HASH or _is_letter(after)
    if c == _QUOTE:
        return after == _QUOTE
    if c == _LESS:
        return _is_letter(after) or after in (_SLASH, _EXCLAMATION) or _is_said(codes, i + 1)
    if c == _CLOSE:
        return after == _CLOSE
    if c == _OPEN:
        return _is_letter(after) or after == _SLASH or _is_said(codes, i + 1)
    if c in (_ROUND, _CURLY):
        return _is_said(codes, i + 1)
    if c == _STAR:
        return after == _STAR or _is_word(after)
    if c == _TILDE:
        return after == _TILDE
    if c == _AT:
        return after == _BLANK
    if c == _LF:
        return after in (_MORE, _BAR)
    return _ZERO <= after <= _ZERO + 9 or after >= _ASCII  # a dash


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
def mark(codes: Any, classes: Any, found: Any) -> Any:
    """Set `found` for each text in which something may be spelled; `classes` are by character."""
    n, count, kinds = codes.shape[0], found.shape[0], classes.shape[0]
    text = 0
    run = hexes = 0
    odd = False
    last, pairs = _FAR, 0
    for i in range(n + 1):
        c = _at(codes, i)
        kind = END if i == n else np.int64(classes[c]) if c < kinds else OTHER
        if LETTER <= kind <= BLOCK:
            odd |= kind == DIGIT or (kind == CAPITAL and run > 0)
            run += 1
            if _is_hex(c):
                hexes += 1
                odd |= hexes >= _SHORTEST
                if c == _ZERO and _at(codes, i + 1) == _X and _is_hex(_at(codes, i + 2)) and text < count:
                    found[text] = True
                continue
        elif run:
            if run >= _SHORTEST and (odd or _at(codes, i - run - 1) == _LF or c in (_LF, _CR)) and text < count:
                found[text] = True
            run = 0
            odd = False
        hexes = 0
        pairs = pairs + 1 if i - last == _PAIR else 0
        last = i
        if kind <= BLOCK:
            if pairs >= _PAIRS and text < count:
                found[text] = True
            continue
        if kind == END:
            text += 1
            last, pairs = _FAR, 0
            continue
        if (
            pairs >= _PAIRS
            or kind == TOLD
            or (kind == SIGN and _begins(codes, i))
            or (kind == SPACE and _speaks(codes, i))
        ) and text < count:
            found[text] = True
    return 0


def warm() -> None:
    """Run every kernel of this room once."""
    classes, found = np.zeros(_ASCII, np.uint8), np.zeros(2, np.bool_)
    for codes in (np.frombuffer(b"a b", np.uint8), np.frombuffer(b"a\0\0\0b\0\0\0", np.uint32)):
        mark(codes, classes, found)
