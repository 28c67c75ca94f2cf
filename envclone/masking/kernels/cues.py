"""Words near digits that can say that these are a number to be called, as `numbers.phones_in` knows them.

It says so too often rather than once too rarely: where it says no, none of them stands there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean

__all__ = ["BEFORE", "BEHIND", "may_be_cued", "warm"]

BEFORE = (
    *("tel", "phone", "telephone", "mobile", "cell", "fax", "call", "calling", "dial", "reach", "reached", "ring"),
    *("sms", "text", "whatsapp", "answering", "telefon", "telefono", "handy", "rappeler", "anrufen"),
)
"""Those before a number; before others, with another letter than these have, everything may be one."""
BEHIND = ("office", "fax", "mobile", "cell", "home", "work", "tel")
"""Those behind a number."""

_ASCII, _CASE = 128, 32
_ZERO, _NINE, _A, _Z, _UNDER = map(ord, "09az_")
_BLANK, _MINUS, _COMMA, _OPEN = map(ord, " -,(")
_AROUND = 40
"""Characters before a number in which a word can stand."""
_NO_LETTER, _LONGEST = 31, 9


def _packed(word: str) -> int:
    """A word of up to twelve letters as a number: five bits for each."""
    number = 0
    for letter in word:
        number = number << 5 | (ord(letter) - ord("a") + 1)
    return number


_BEFORE = np.array([_packed(word) for word in BEFORE], np.int64)
_BEHIND = np.array([_packed(word[:2]) for word in BEHIND], np.int64)


@lean
def _letter(c: Any) -> Any:
    """What a character of a word adds to its number."""
    low = c | _CASE
    return low - _A + 1 if _A <= low <= _Z else np.int64(_NO_LETTER)


@lean
def _among(number: Any, those: Any) -> Any:
    for i in range(those.shape[0]):  # noqa: SIM110 - a kernel knows no `any`
        if those[i] == number:
            return True
    return False


@lean
def _behind(codes: Any, stop: Any) -> Any:
    """Whether one may stand behind digits."""
    n, i = codes.shape[0], stop
    while i < n and i - stop < 2 and np.int64(codes[i]) in (_BLANK, _MINUS, _COMMA, _OPEN):
        i += 1
    if i + 1 >= n:
        return False
    one, two = np.int64(codes[i]), np.int64(codes[i + 1])
    return one >= _ASCII or two >= _ASCII or (i > stop and _among(_letter(one) << 5 | _letter(two), _BEHIND))


@lean
def may_be_cued(codes: Any, start: Any, stop: Any) -> Any:
    """Whether one of the words may stand near the digits from one place to another, in the same text."""
    if start < 0 or stop > codes.shape[0] or _behind(codes, stop):
        return True
    number, length = np.int64(0), 0
    for j in range(max(0, start - _AROUND), start):
        c = np.int64(codes[j])
        if c >= _ASCII:
            return True
        if _A <= c | _CASE <= _Z or _ZERO <= c <= _NINE or c == _UNDER:
            length += 1
            number = (number << 5 | _letter(c)) if length <= _LONGEST else np.int64(0)
            continue
        if c != 0 and length and _among(number, _BEFORE):
            return True
        number, length = np.int64(0), 0
    return length > 0 and _among(number, _BEFORE)


def warm() -> None:
    """Run every kernel of this room once."""
    for codes in (np.frombuffer(b"a12", np.uint8), np.frombuffer(b"a\0\0\0001\0\0\0002\0\0\0", np.uint32)):
        may_be_cued(codes, 1, 3)
