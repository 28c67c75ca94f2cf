"""A text cut into words: maximal runs of letters, with the combining marks behind them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from envclone.masking.letters import mark_codes

__all__ = ["JOINTS", "UNCAPITALIZED", "Runs", "chars", "cut", "in_small", "joined", "letter_table", "lower"]

JOINTS = " _.-+\t\n\r\u00a0\u2002\u2003\u2007\u2009\u202f\u2010\u2011\u2013\u3000"
"""What joins the parts of an identity as a blank does."""
_BLANKS = str.maketrans(dict.fromkeys(JOINTS, " "))

UNCAPITALIZED = range(0x10D0, 0x1100)
"""Georgian: letters that Unicode calls lower case although nobody begins a name with another kind."""
_UNCAPITALIZED = re.compile(f"[{chr(UNCAPITALIZED[0])}-{chr(UNCAPITALIZED[-1])}]+")

_ASCII = 128
_DIGITS = 7
_WITHIN = 28
"""Characters that seven digits and what may separate them take at most."""
_SPACE = 32
_LAST_LETTER = 0x32400
_PLANES = 0x110000


class Runs:
    """The words of a text in lower case, and where each begins and ends in it (`starts`, `ends`).

    `lengths`, an array, are those of the words. `small`, another one, tells of each whether it begins with a letter
    in lower case in the text as it was. `many_digits` are the places where telephone numbers, cards and the like stand.
    """

    __slots__ = ("ends", "lengths", "many_digits", "small", "starts", "text", "words")

    def __init__(
        self, text: str, words: Sequence[str], starts: Sequence[int], ends: Sequence[int], small: Any, many: Any
    ) -> None:
        self.text = text
        self.words = words
        self.starts = starts
        self.ends = ends
        self.small = small
        self.many_digits = many
        self.lengths = np.asarray(ends) - np.asarray(starts)

    def cut_at(self, chosen: Any) -> list[str]:
        """The words that an array of truth values or some numbers choose, in lower case."""
        text = self.text
        starts, ends = np.asarray(self.starts)[chosen].tolist(), np.asarray(self.ends)[chosen].tolist()
        return [lower(text[start:end]) for start, end in zip(starts, ends, strict=True)]

    def gap(self, word: int) -> str:
        """What stands between a word and the one behind it; 'x' when there is none."""
        if not 0 <= word < len(self.lengths) - 1:
            return "x"
        return self.text[self.ends[word] : self.starts[word + 1]]


def lower(text: str) -> str:
    """The text in lower case, character by character, so that places in it stay the same."""
    folded = text.lower()
    if len(folded) == len(text):
        return folded
    return "".join([c if len(c.lower()) != 1 else c.lower() for c in text])


def in_small(text: str) -> bool:
    """Whether a text has letters in lower case, of a script that has capitals, and no capital."""
    return text.islower() and (text.isascii() or _UNCAPITALIZED.sub("", text).islower())


def joined(text: str) -> str:
    """The text with a blank for each sign that joins."""
    return text.translate(_BLANKS)


def cut(text: str, folded: str) -> Runs:
    """Cut a text; `folded` is the same in lower case, character by character."""
    if folded.isascii():
        codes = np.frombuffer(folded.encode("ascii"), np.uint8)
        letters = letter_table()[:_ASCII][codes]
        first = np.frombuffer(text.encode("utf-8"), np.uint8) if text.isascii() else None
    else:
        codes = np.frombuffer(folded.encode("utf-32-le", "surrogatepass"), np.uint32)
        letters = letter_table()[codes]
        first = None
    edges = np.flatnonzero(letters[1:] != letters[:-1]) + 1 if len(codes) else codes
    if len(codes):
        edges = np.concatenate(([0] * int(letters[0]), edges, [len(codes)] * int(letters[-1]))).astype(np.int64)
    spaced = np.where(letters, codes, _SPACE).astype(codes.dtype)
    words = spaced.tobytes().decode("ascii" if codes.dtype == np.uint8 else "utf-32-le", "surrogatepass").split()
    starts, ends = edges[0::2], edges[1::2]
    many = _zones(codes)
    if not words:
        return Runs(text, [], [], [], np.zeros(0, bool), many)
    if first is None:
        first = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    # beyond ASCII every letter may be a capital: what it is, is looked at where it matters
    small = (first[starts] >= ord("a")) & (first[starts] <= ord("z"))
    return Runs(text, words, _numbers(starts), _numbers(ends), small, many)


def _numbers(array: Any) -> Sequence[int]:
    """An array as a sequence of Python's numbers, made one by one when they are asked for."""
    view: Any = np.ascontiguousarray(array)
    return memoryview(view)


def _zones(codes: Any) -> list[tuple[int, int]]:
    """Where seven digits stand so close together that they can be one number: from the first to the last of them.

    Digits of other scripts are not digits of a number here, and ask for the whole text to be searched.
    """
    if codes.dtype != np.uint8 and any(chr(c).isdecimal() for c in np.unique(codes[codes >= _ASCII]).tolist()):
        return [(0, len(codes))]
    digits = np.flatnonzero((codes >= ord("0")) & (codes <= ord("9")))
    if len(digits) < _DIGITS:
        return []
    close = np.flatnonzero(digits[_DIGITS - 1 :] - digits[: 1 - _DIGITS] < _WITHIN)
    zones: list[tuple[int, int]] = []
    for first, last in zip(digits[close].tolist(), digits[close + _DIGITS - 1].tolist(), strict=True):
        if zones and first <= zones[-1][1] + _WITHIN:
            zones[-1] = (zones[-1][0], last + 1)
        else:
            zones.append((first, last + 1))
    return zones


@cache
def chars() -> Any:
    """Every code point as a text of one character, for what numpy tells of many at once; 0 is the empty text."""
    return np.arange(_PLANES, dtype=np.uint32).view("U1")


@cache
def letter_table() -> Any:
    """For every code point whether it is a letter or a combining mark."""
    table = np.zeros(_PLANES, dtype=bool)
    table[:_LAST_LETTER] = np.char.isalpha(chars()[:_LAST_LETTER])
    table[list(mark_codes())] = True
    return table
