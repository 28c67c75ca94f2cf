"""Where in a text a spelling can begin: the few places at which `escapes` tries its patterns.

A pattern of forty branches that is tried at each character of a text takes a microsecond each; nearly all of them are
letters, with which none of it begins.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np

from envclone.masking.characters import ALIKE, COMPATIBLE, DIGITS, FANCY, INVISIBLE, SMALL_NUMBERS, ZEROS

__all__ = ["WIDE_SPACES", "beside_latin", "codes_of", "firsts", "places"]

_PLANE, _PLANES = 0x10000, 0x110000
_LAST_LATIN = 0x7F
WIDE_SPACES = "\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f"
_FIRST = (
    rf"[%=?&\\\\'{INVISIBLE}{COMPATIBLE}{DIGITS}{FANCY}{SMALL_NUMBERS}{ALIKE}{WIDE_SPACES}"
    r"\u2010-\u2015\u2212\u0300-\u036f\u00c2-\u00f4<\]\[*`~({@\n\x1b\-]"
)
"""The characters that a piece can begin with, but for blanks."""
_BLANKS = " \t\r\n\u3000"
_LINES = "\t\r\n"
_SPOKEN = tuple((*map(ord, pair),) for pair in ("at", "AT", "At", "\u00e4t", "do", "DO", "Do", "pu", "Pu", "po"))
"""How a word for a sign begins behind a blank."""
_INNER = " @.aA\u00e4dDpP"
_BEHIND = {"'": "'", "-": "\r\n", "?": "=", "@": " ", "]": "]", "~": "~", "(": _INNER, "{": _INNER}
"""Signs that are frequent, each with what stands behind it where it begins a piece."""


def places(text: str) -> Any:
    """Where a piece of a text can begin, in order: nowhere else one does."""
    codes = codes_of(text)
    begins = firsts()[codes]
    if codes.itemsize > 1:
        begins &= ~_alike(codes)
    blank = _in(_BLANKS)[codes]
    if (blanks := np.flatnonzero(blank)).size:
        one, two = (_following(codes, blanks, step) for step in (1, 2))
        told = _in(_LINES)[codes[blanks]] | _white()[one]
        for first, second in _SPOKEN:
            told |= (one == first) & (two == second)
        begins[blanks[told]] = True
    found = np.flatnonzero(begins)
    its, behind = codes[found], _following(codes, found, 1)
    kept = np.ones(len(found), bool)
    for sign, those in _BEHIND.items():
        kept &= (its != ord(sign)) | _in(those)[behind]
    return found[kept]


def _following(codes: Any, at: Any, step: int) -> Any:
    """The characters so far behind some places; zero beyond the end."""
    return np.where(at + step < len(codes), codes[np.minimum(at + step, len(codes) - 1)], 0)


@cache
def _in(signs: str) -> Any:
    """For every code point whether it is one of these."""
    table = np.zeros(_PLANES, bool)
    table[[ord(sign) for sign in signs]] = True
    return table


@cache
def _white() -> Any:
    """For every code point whether it is a blank of any kind."""
    return _in(_BLANKS) | _matching(f"[{WIDE_SPACES}]")


def _matching(pattern: str) -> Any:
    """For every code point whether it matches."""
    digits = (code for zero in ZEROS if ord(zero) >= _PLANE for code in range(ord(zero), ord(zero) + 10))
    beyond = (*range(0x1D400, 0x1D800), *range(0x1F100, 0x1F200), *range(0xE0000, 0xE0080), *digits)
    table = np.zeros(_PLANES, bool)
    table[[ord(char) for char in re.findall(pattern, "".join(map(chr, (*range(_PLANE), *beyond))))]] = True
    return table


def _alike(codes: Any) -> Any:
    """Which characters look like Latin letters, are others, and stand in a row of such beside no Latin one."""
    alike = np.append(_in(ALIKE)[codes], False)
    steps = np.flatnonzero(np.diff(alike, prepend=False))
    if not len(steps):
        return alike[:-1]
    latin = np.append(_latin()[np.minimum(codes, _LAST_LATIN)], False)
    starts, ends = steps[::2], steps[1::2]
    beside = latin[ends] | (latin[starts - 1] & (starts > 0))
    for start, end in zip(starts[beside].tolist(), ends[beside].tolist(), strict=True):
        alike[start:end] = False
    return alike[:-1]


def beside_latin(codes: Any) -> Any:
    """Whether characters that look like Latin letters and are others stand beside one; any other one passes."""
    latin = np.append(_latin()[np.minimum(codes, _LAST_LATIN)], False)
    return ~_in(ALIKE)[codes] | latin[1:] | np.append(False, latin[:-2])


@cache
def firsts() -> Any:
    """For every code point whether a piece can begin with it."""
    return _matching(_FIRST)


@cache
def _latin() -> Any:
    table = np.zeros(_LAST_LATIN + 1, bool)
    table[[*range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1)]] = True
    return table


def codes_of(text: str) -> Any:
    """The code points of a text, as an array of 8 bits each where it is ASCII, else of 32."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
