"""Tokens of ASCII letters and digits, masked as `tokens` and `names` define it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from envclone.compiled import lean
from envclone.masking.kernels.shapes import DONE, ODD, TODO, domain, empty, image, permute, span, values_of, wish
from envclone.masking.kernels.words import LONGEST, Dictionary, fill, find, front, joined, letter, slot, split_at, tail

__all__ = ["ANY", "DIGITS", "Scratch", "mask_span", "mask_texts", "sample", "scratch"]

ANY, DIGITS = np.uint64(1 << 40), np.uint64(1 << 41)
"""Beside a length: letters of a token of one or two, digits. Else a shape is a 1 and a bit a letter, set for vowels."""
_LONGEST_RUN = 32
_STEPS = 1000
_REMEMBERED = 1 << 12
_A, _Z, _0, _9, _CASE, _ASCII = 97, 122, 48, 57, 32, 128
_NONE, _ONE, _8, _BYTE = np.uint64(0), np.uint64(1), np.uint64(8), np.uint64(0xFF)
_LETTERS, _VOWELS, _CONSONANTS, _TEN = np.uint64(26), np.uint64(5), np.uint64(21), np.uint64(10)
_IS_VOWEL = np.array([chr(c + 97) in "aeiou" for c in range(26)])
_RANK = np.array(
    [("aeiou" if chr(c + 97) in "aeiou" else "bcdfghjklmnpqrstvwxyz").index(chr(c + 97)) for c in range(26)], np.uint64
)
_VOWEL = np.array([ord(c) for c in "aeiou"], np.uint64)
_CONSONANT = np.array([ord(c) for c in "bcdfghjklmnpqrstvwxyz"], np.uint64)


class Scratch(NamedTuple):
    """Room to work in, and tokens remembered with their pseudonyms."""

    digits: Any
    radices: Any
    tokens: Any
    images: Any


def scratch() -> Scratch:
    """Room for one kernel at a time; it holds tokens, so it is never kept."""
    return Scratch(
        np.zeros(_LONGEST_RUN, np.uint64),
        np.zeros(_LONGEST_RUN, np.uint64),
        np.zeros((_REMEMBERED, 2), np.uint64),
        np.zeros((_REMEMBERED, 2), np.uint64),
    )


@lean
def _letters(first: Any, second: Any, size: Any, room: Any, domains: Any) -> Any:
    """One step of the permutation of letters among letters alike: what became of it, and the token."""
    short = size <= 2
    key = (ANY | np.uint64(size)) if short else _ONE
    for i in range(size):
        place = letter(first, second, i) - _A
        vowel = _IS_VOWEL[place]
        if short:
            room.digits[i], room.radices[i] = np.uint64(place), _LETTERS
        else:
            key = (key << _ONE) | (_ONE if vowel else _NONE)
            room.digits[i], room.radices[i] = _RANK[place], _VOWELS if vowel else _CONSONANTS
    row = domain(key, domains)
    if row < 0:
        return wish(key, domains), first, second
    state = permute(room.digits, room.radices, size, row, domains)
    if state != DONE:
        return state, first, second
    first, second = _NONE, _NONE
    for i in range(size):
        digit = np.int64(room.digits[i])
        char = np.uint64(_A + digit)
        if not short:
            char = _VOWEL[digit] if room.radices[i] == _VOWELS else _CONSONANT[digit]
        if i < 8:
            first |= char << (_8 * np.uint64(i))
        else:
            second |= char << (_8 * np.uint64(i - 8))
    return DONE, first, second


@lean
def _compound(first: Any, second: Any, size: Any, at: Any, names: Any, domains: Any) -> Any:
    """The next compound that is split in the same way; ODD when it is the token itself, which then is none."""
    row = np.int64(0)
    if at == 1:
        key = ANY | _ONE
        row = domain(key, domains)
        if row < 0:
            return wish(key, domains), first, second
    one, two = front(first, second, at)
    three, four = tail(first, second, at)
    for _ in range(_STEPS * _STEPS):
        if at == 1:
            _, right = image(_NONE, np.uint64(np.int64(one) - _A), row, domains)
            one = np.uint64(_A + np.int64(right))
        else:
            number = find(one, two, names)
            one, two = names.rows[number, 2], names.rows[number, 3]
        number = find(three, four, names)
        three, four = names.rows[number, 2], names.rows[number, 3]
        fresh, more = joined(one, two, three, four, at)
        if fresh == first and more == second:
            return ODD, first, second
        # a compound may turn into a known name, which is split nowhere
        if find(fresh, more, names) < 0 and split_at(fresh, more, size, names) == at:
            return DONE, fresh, more
    return ODD, first, second


@lean
def _unknown(first: Any, second: Any, size: Any, room: Any, names: Any, domains: Any) -> Any:
    """What became of a token of letters that is not a known name, and its pseudonym."""
    at = split_at(first, second, size, names)
    if at:
        state, one, two = _compound(first, second, size, at, names, domains)
        if state != ODD:
            return state, one, two
    for _ in range(_STEPS):
        state, first, second = _letters(first, second, size, room, domains)
        if state != DONE:
            return state, first, second
        if find(first, second, names) >= 0:
            continue
        at = split_at(first, second, size, names)
        if at == 0:
            return DONE, first, second
        state, _, _ = _compound(first, second, size, at, names, domains)
        if state == TODO:
            return TODO, first, second
        if state == ODD:
            return DONE, first, second
    return ODD, first, second


@lean
def _token(source: Any, start: Any, size: Any, out: Any, room: Any, names: Any, domains: Any) -> Any:
    first, second, upper, more = _NONE, _NONE, _NONE, _NONE
    for i in range(size):
        char = np.uint64(source[start + i])
        low = char | np.uint64(_CASE)
        by = _8 * np.uint64(i & 7)
        if i < 8:
            first |= low << by
            upper |= (char ^ low) << by
        else:
            second |= low << by
            more |= (char ^ low) << by
    number = find(first, second, names)
    if number >= 0:
        first, second = names.rows[number, 2], names.rows[number, 3]
    else:
        held = slot(first, second, _REMEMBERED)
        if room.tokens[held, 0] == first and room.tokens[held, 1] == second:
            first, second = room.images[held, 0], room.images[held, 1]
        else:
            state, one, two = _unknown(first, second, size, room, names, domains)
            if state != DONE:
                return state
            room.tokens[held, 0], room.tokens[held, 1] = first, second
            room.images[held, 0], room.images[held, 1] = one, two
            first, second = one, two
    first ^= upper
    second ^= more
    for i in range(min(size, 8)):
        out[start + i] = np.uint8(first & _BYTE)
        first >>= _8
    for i in range(8, size):
        out[start + i] = np.uint8(second & _BYTE)
        second >>= _8
    return DONE


@lean
def _digits(source: Any, start: Any, size: Any, out: Any, room: Any, domains: Any) -> Any:
    key = DIGITS | np.uint64(size)
    row = domain(key, domains)
    if row < 0:
        return wish(key, domains)
    for i in range(size):
        room.digits[i], room.radices[i] = np.uint64(np.int64(source[start + i]) - _0), _TEN
    state = permute(room.digits, room.radices, size, row, domains)
    if state == DONE:
        for i in range(size):
            out[start + i] = np.uint8(_0 + np.int64(room.digits[i]))
    return state


@lean
def mask_span(source: Any, start: Any, stop: Any, out: Any, room: Any, names: Any, domains: Any) -> Any:
    """Every run of letters and of digits between two places; ODD when anything is not ASCII or too long."""
    if start < 0 or stop > source.shape[0] or stop > out.shape[0]:
        return ODD
    p = start
    while p < stop:
        c = np.int64(source[p])
        q = p + 1
        state = DONE
        if _A <= c | _CASE <= _Z:
            while q < stop and _A <= np.int64(source[q]) | _CASE <= _Z:
                q += 1
            state = _token(source, p, q - p, out, room, names, domains) if q - p <= LONGEST else ODD
        elif _0 <= c <= _9:
            while q < stop and _0 <= np.int64(source[q]) <= _9:
                q += 1
            state = _digits(source, p, q - p, out, room, domains) if q - p <= _LONGEST_RUN else ODD
        elif c >= _ASCII:
            state = ODD
        if state != DONE:
            return state
        p = q
    return DONE


@lean
def mask_texts(values: Any, room: Any, names: Any, domains: Any) -> Any:
    """Mask values token by token."""
    for i in range(values.states.shape[0]):
        if values.states[i] == TODO:
            start, stop = span(values, i)
            values.states[i] = mask_span(values.source, start, stop, values.out, room, names, domains)
    return 0


def sample() -> Dictionary:
    """A dictionary of two names, to warm kernels with."""
    words = np.array([[0x656E616A, 0], [0x656F64, 0]], np.uint64)
    names = Dictionary(np.zeros((8, 4), np.uint64), np.ones(8, np.bool_))
    places = np.zeros(2, np.int64)
    fill(words, names.rows, places)
    names.rows[places, 2:] = words
    return names


def warm() -> None:
    """Run every kernel of this room once."""
    mask_texts(values_of(b"jane\x00jdoe\x00xyzzy\x0042"), scratch(), sample(), empty())
