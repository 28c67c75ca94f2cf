"""Texts inside bytes, and bytes inside texts, compiled: what base64, hexadecimal and base32 hold.

A sieve for `masking.decoders`: it lets through too much rather than too little. Every offset is checked before it is
read: the bytes are whatever production holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean
from envclone.masking.kernels import runs
from envclone.masking.kernels.spelled import STEPS, TEXT_KINDS
from envclone.verifier.noise import (
    BASE32,
    HEXADECIMAL,
    alphabet,
    eights,
    following,
    fours,
    joined,
    sixes,
    sixteens,
    telling,
    twos,
)

__all__ = ["unpack", "warm"]

_STRETCH, _SHORTEST = 8, 16
_NEAR = 32
"""Digits of a run from which on it is passed over by blocks."""
_OF_BLOCK = np.uint8(runs.LETTER | runs.CAPITAL | runs.DIGIT | runs.SIGN)
_NONE = 255
_64 = np.full(256, _NONE, np.uint8)
for _i, _c in enumerate(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"):
    _64[_c] = _i
_64[ord("-")], _64[ord("_")] = 62, 63
_16 = np.full(256, _NONE, np.uint8)
for _i, _c in enumerate(b"0123456789abcdef"):
    _16[_c] = _i
    _16[bytes((_c,)).upper()[0]] = _i
_32 = np.full(256, _NONE, np.uint8)
for _i, _c in enumerate(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"):
    _32[_c] = _i
_TEXT = np.zeros(256, np.bool_)
_TEXT[[9, 10, 13, *range(0x20, 0x7F)]] = True
_TELLS = np.zeros(256, np.bool_)
"""Digits of base64 that words in small letters do not have."""
_TELLS[[*b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"]] = True


@lean
def _width(data: Any, at: Any, end: Any) -> Any:
    """The bytes of the character of a text at a place; 0 when there is none."""
    byte = data[at]
    if byte < 0x80:
        return 1 if _TEXT[byte] else 0
    if byte < 0xC2 or byte > 0xF4:
        return 0
    width = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
    if at + width > end:
        return 0
    for k in range(1, width):
        if data[at + k] & 0xC0 != 0x80:
            return 0
    return width


@lean
def _stretches(
    data: Any, begin: Any, end: Any, flags: Any, out: Any, used: Any, cuts: Any, count: Any, owner: Any
) -> Any:
    """Append the texts in some bytes to `out`: of eight bytes and more, or the whole; and what is of two bytes each.

    Noise is passed over many bytes at a time; only where eight bytes can be of a text each is looked at.
    """
    if end - begin < _STRETCH:
        stop = _stop(data, begin, end)
        if stop == end and end - begin >= 4:
            used, count = _append(data, begin, end, out, used, cuts, count, owner, end - begin)
        return used, count
    part = data[begin:end]
    there = eights(part, flags)
    last = end - begin - _STRETCH + 1
    at = following(flags[:last], 0) if there & 1 else last
    while at < last:
        first = at
        while at < last and flags[at]:
            at += 1
        stop = begin + at + _STRETCH - 1
        used, count = _texts(data, begin + first, stop, out, used, cuts, count, owner, end - begin)
        at = following(flags[:last], at)
    if there & 2 and _zeros(part):
        used, count = _wide(data, begin, end, out, used, cuts, count, owner)
    return used, count


@lean
def _texts(data: Any, begin: Any, end: Any, out: Any, used: Any, cuts: Any, count: Any, owner: Any, of: Any) -> Any:
    """Append the texts of eight bytes and more among bytes each of which can follow the one before it in a text."""
    run = state = np.int64(0)
    for at in range(begin, end):
        step = STEPS[state, TEXT_KINDS[data[at]]]
        state = np.int64(step & 3)
        run = run * np.int64(step >> 2 & 1) + np.int64(step >> 3)
        if run == _STRETCH:
            start = at + 1 - _STRETCH
            stop = _stop(data, start, end)
            if stop - start >= _STRETCH:
                used, count = _append(data, start, stop, out, used, cuts, count, owner, of)
    return used, count


@lean
def _zeros(part: Any) -> Any:
    """Whether zeros stand at every other place, as many as characters in a text."""
    before = zeros = np.int64(0)
    wide: Any = False
    for byte in part:
        before, zeros = zeros, (before + 1) * np.int64(byte == 0)
        wide |= zeros >= _STRETCH - 1
    return wide


@lean
def _stop(data: Any, at: Any, end: Any) -> Any:
    """Where a text that begins at a place ends."""
    while at < end:
        width = _width(data, at, end)
        if width == 0:
            break
        at += width
    return at


@lean
def _wide(data: Any, begin: Any, end: Any, out: Any, used: Any, cuts: Any, count: Any, owner: Any) -> Any:
    """Append the texts of two bytes a character, one of which is zero."""
    at = begin
    while at + 1 < end:
        if data[at + 1] != 0 or not (_TEXT[data[at]] or data[at] >= 0xA0):
            at += 1
            continue
        start = at
        while at + 1 < end and data[at + 1] == 0 and (_TEXT[data[at]] or data[at] >= 0xA0):
            at += 2
        if at < end and _TEXT[data[at]] and start > begin and data[start - 1] == 0:
            at += 2  # the other order: the last character has its zero before it
        if at - start >= 2 * _STRETCH:
            first = used
            for k in range(start, min(at, end), 2):
                byte = data[k]
                if used + 2 <= out.shape[0]:
                    if byte < 0x80:
                        out[used] = byte
                    else:
                        out[used] = 0xC0 | byte >> 6
                        out[used + 1] = 0x80 | byte & 0x3F
                used += 1 if byte < 0x80 else 2
            count = _cut(cuts, count, owner, first, used, (end - begin) // 2)
            if used < out.shape[0]:
                out[used] = 0
            used += 1
    return used, count


@lean
def _append(data: Any, start: Any, end: Any, out: Any, used: Any, cuts: Any, count: Any, owner: Any, of: Any) -> Any:
    size = end - start
    if used + size < out.shape[0]:
        for k in range(size):
            out[used + k] = data[start + k]
        out[used + size] = 0
    count = _cut(cuts, count, owner, used, used + size, of)
    return used + size + 1, count


@lean
def _cut(cuts: Any, count: Any, owner: Any, start: Any, end: Any, of: Any) -> Any:
    if count < cuts.shape[0]:
        cuts[count, 0], cuts[count, 1], cuts[count, 2], cuts[count, 3] = owner, start, end, of
    return count + 1


@lean
def _digits(part: Any, room: Any) -> Any:
    """Decode digits of base32; returns how many bytes they are."""
    held = filled = size = np.int64(0)
    for digit in part:
        held = (held << 5 | np.int64(_32[digit])) & 0xFFFF
        filled += 5
        if filled >= 8:
            filled -= 8
            room[size] = held >> filled & 0xFF
            size += 1
    return size


@lean
def _run(data: Any, start: Any, end: Any, rooms: Any, out: Any, used: Any, cuts: Any, count: Any, owner: Any) -> Any:
    """What a run of digits holds: base64 at each of four beginnings, and its parts as hexadecimal and base32."""
    run, values, room, flags = data[start:end], rooms[0], rooms[1], rooms[2]
    kind = telling(run)
    if not kind & 1:
        return used, count
    if kind & 2:  # of digits that are all hexadecimal no text in base64 is made
        size = sixes(run, values)
        for skip in range(4):
            its = joined(values[:size], skip, room)
            used, count = _stretches(room, 0, its, flags, out, used, cuts, count, owner)
    for which, table in ((HEXADECIMAL, _16), (BASE32, _32)):
        if which == BASE32 or kind & 2:
            alphabet(run, which, flags)
            if not sixteens(flags[: end - start]):
                continue
        at = start
        while at < end:
            if table[data[at]] == _NONE:
                at += 1
                continue
            first = at
            if not kind & 2:  # all of it is hexadecimal
                at = end
            while at < end and table[data[at]] != _NONE:
                at += 1
            if at - first < _SHORTEST:
                continue
            if which == BASE32:
                size = _digits(data[first:at], room)
                used, count = _stretches(room, 0, size, flags, out, used, cuts, count, owner)
                continue
            fours(data[first:at], values)
            for skip in range(2):
                size = twos(values[: at - first], skip, room)
                used, count = _stretches(room, 0, size, flags, out, used, cuts, count, owner)
    return used, count


@lean
def _beyond(data: Any, at: Any, stop: Any, end: Any) -> Any:
    """Where digits and line ends between two are no more; when that is not before `stop`, a place not before it."""
    while at < stop:
        if _64[data[at]] != _NONE or (data[at] == 10 and at + 1 < end and _64[data[at + 1]] != _NONE):
            at += 1
        elif data[at] == 13 and at + 2 < end and data[at + 1] == 10 and _64[data[at + 2]] != _NONE:
            at += 2
        else:
            break
    return at


@lean
def unpack(data: Any, starts: Any, ends: Any, first: Any, raw: Any, rooms: Any, out: Any, cuts: Any, state: Any) -> Any:
    """Append what the values from `first` on hold to `out`, a zero behind each; rows (value, start, end, bytes that it
    stands among) of `cuts` say what is where.

    With `raw` the values are bytes that may hold texts, else texts that may hold blocks. Returns the value to go on
    with when there was no room left for it; `state` is how much of `out` and of `cuts` was filled. The three `rooms`
    must have as many bytes as the longest value each.
    """
    used = count = np.int64(0)
    state[0] = state[1] = 0
    for i in range(first, min(starts.shape[0], ends.shape[0])):
        at, end = max(0, starts[i]), min(ends[i], data.shape[0])
        if raw:
            used, count = _stretches(data, at, end, rooms[2], out, used, cuts, count, i)
            at = end
        while at < end:
            if _64[data[at]] == _NONE:
                at += 1
                continue
            start = at
            stop = min(end, at + _NEAR)
            at = _beyond(data, at, stop, end)
            if at >= stop:
                at, _ = runs.passed(data, at, end, _OF_BLOCK)
                at = _beyond(data, at, end, end)
            if at - start >= _SHORTEST:
                used, count = _run(data, start, at, rooms, out, used, cuts, count, i)
        if used > out.shape[0] or count > cuts.shape[0]:
            return i
        state[0], state[1] = used, count
    return starts.shape[0]


def warm() -> None:
    """Run every kernel of this room once."""
    data = np.frombuffer(b"SmFuZSBEb2UgSmFuZSBEb2U= & %40 6a616e65406a616e", np.uint8)
    starts, ends = np.array([0, 28], np.int64), np.array([24, 47], np.int64)
    rooms, out, cuts = np.zeros((3, 64), np.uint8), np.zeros(512, np.uint8), np.zeros((8, 4), np.int64)
    for raw in (False, True):
        unpack(data, starts, ends, 0, raw, rooms, out, cuts, np.zeros(2, np.int64))
