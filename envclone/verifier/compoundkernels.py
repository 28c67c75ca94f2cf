"""Words and numbers of a text by their hashes, compiled: whole words, and digits however they are grouped."""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import kernel

__all__ = [
    "BASE",
    "FEWEST_BEHIND",
    "LONGEST_CODE",
    "LONGEST_JOINT",
    "MOST_DIALLED",
    "PARTED",
    "PLACES",
    "SHORTEST_PARTED",
    "SHORTEST_SIDE",
]
__all__ += ["digits", "enter", "hashes", "marks", "numbers", "warm", "words"]

_U = np.uint64
BASE = _U(0x9E3779B97F4A7C55)
"""Odd, so that no byte is lost in 64 bits."""
_GROUPS = 24
LONGEST_CODE, FEWEST_BEHIND, MOST_DIALLED = 3, 8, 18
"""Digits of the code of a country, of what stands behind it, and of all that is dialled, with zeros."""
_ROW, _STRETCH, _MOST_WAIT = 8, 256, 64
SHORTEST_PARTED, PARTED, SHORTEST_SIDE, LONGEST_JOINT = 9, 40, 3, 4
"""Bytes of a word that is looked at as two names with a joint between them (`janexdoe`), of each name, of the joint."""
PLACES = 40
"""Bits of a place: above them stand where the second name of such a word begins (8 bits), and how long the joint is."""
_u = np.uint8


_6, _63, _64 = _U(6), _U(63), _U(64)


@kernel
def _marks(mixed: Any, bits: Any) -> Any:
    """The bits of a mixed hash in its word of a filter of 2**bits bits."""
    first, second = (mixed >> (_64 - _U(bits))) & _63, (mixed >> (_64 - _U(bits) - _6)) & _63
    return (_U(1) << first) | (_U(1) << second)


def marks(keys: Any, bits: int) -> tuple[Any, Any]:
    """Per hash its word in a filter of 2**bits bits, and which bits of that it sets."""
    with np.errstate(over="ignore"):
        mixed = keys * BASE
    first, second = (mixed >> _U(64 - bits)) & _63, (mixed >> _U(58 - bits)) & _63
    return mixed >> _U(70 - bits), (_U(1) << first) | (_U(1) << second)


@kernel
def enter(keys: Any, wanted: Any, bits: Any) -> Any:
    """Enter hashes into a filter of 2**bits bits."""
    for i in range(keys.shape[0]):
        mixed = keys[i] * BASE
        wanted[mixed >> (_64 - _U(bits) + _6)] |= _marks(mixed, bits)
    return 0


@kernel
def numbers(block: Any, bounds: Any, which: Any, sizes: Any, signs: Any, hashed: Any) -> Any:
    """Of some strings how many digits each has, whether other signs stand among them, and the hash of the digits.

    Where a letter or a byte that is not ASCII stands, there are -1 digits.
    """
    for i in range(which.shape[0]):
        sizes[i], signs[i], hashed[i] = 0, False, _U(0)
        at = np.int64(which[i])
        if not 0 <= at < bounds.shape[0] - 1:
            continue
        first, last = np.int64(bounds[at]), np.int64(bounds[at + 1])
        if first < 0 or last > block.shape[0]:
            continue
        value, count = _U(0), 0
        for k in range(first, last):
            byte = block[k]
            if 48 <= byte <= 57:
                value = value * BASE + _U(byte) + _U(1)
                count += 1
            elif byte >= 128 or 97 <= (byte | 32) <= 122:
                count = -1
                break
        sizes[i], signs[i], hashed[i] = count, count != last - first, value
    return 0


@kernel
def hashes(block: Any, starts: Any, ends: Any, out: Any, powers: Any) -> Any:
    """Of each text its hash, and the base to the power of its length."""
    for i in range(starts.shape[0]):
        value, power = _U(0), _U(1)
        for k in range(max(0, starts[i]), min(ends[i], block.shape[0])):
            value = value * BASE + _U(block[k]) + _U(1)
            power = power * BASE
        out[i], powers[i] = value, power
    return 0


@kernel
def _in_a_row(part: Any, flags: Any) -> Any:
    """Whether eight letters stand in a row among some bytes; `flags` are as many."""
    size, found = part.shape[0], _u(0)
    its = flags[:size]
    for i in range(size):
        c = part[i]
        its[i] = (_u(c - _u(97)) < _u(26)) | (_u(c - _u(128)) < _u(127))
    for i in range(size - 1):
        its[i] &= its[i + 1]
    for i in range(size - 3):
        its[i] &= its[i + 2]
    for i in range(size - 7):
        found = _u(found | _u(its[i] & its[i + 4]))
    return found != 0


@kernel
def _parted(
    data: Any, start: Any, end: Any, prefix: Any, powers: Any, wanted: Any, bits: Any, out: Any, count: Any
) -> Any:
    """A word as two names with one to four bytes between them, as `words` gives them; returns how many there are."""
    size = end - start
    value = _U(0)
    for k in range(size):
        value = value * BASE + _U(data[start + k]) + _U(1)
        prefix[k + 1] = value
    for second in range(SHORTEST_SIDE + 1, size - SHORTEST_SIDE + 1):
        power = powers[size - second]
        suffix = value - prefix[second] * power
        for joint in range(1, min(LONGEST_JOINT, second - SHORTEST_SIDE) + 1):
            both = prefix[second - joint] * power + suffix
            mixed = both * BASE
            its = _marks(mixed, bits)
            if wanted[mixed >> (_64 - _U(bits) + _6)] & its == its:
                if count < out.shape[0]:
                    out[count, 0], out[count, 1] = both, _U(start)
                    out[count, 2] = _U(end) | _U(second) << _U(PLACES) | _U(joint) << _U(PLACES + 8)
                count += 1
    return count


@kernel
def words(data: Any, least: Any, most: Any, wanted: Any, bits: Any, out: Any) -> Any:
    """Runs of letters of some length whose hash may be wanted: hash, start and end of each; returns how many.

    So are those that may be wanted when something within is left out: at their ends stands what (`PLACES`).

    `wanted` is a filter of 2**bits bits, two bits of one word for each hash; `out` has room for `shape[0]` of them.
    """
    count, i, size, seen, wait = 0, 0, data.shape[0], 0, 1
    flags = np.zeros(_STRETCH, np.uint8)
    prefix, powers = np.zeros(PARTED + 1, np.uint64), np.ones(PARTED + 1, np.uint64)
    for k in range(PARTED):
        powers[k + 1] = powers[k] * BASE
    while i + least <= size:
        if i >= seen and least >= _ROW and i + _STRETCH <= size:  # noise has few letters in a row
            if not _in_a_row(data[i : i + _STRETCH], flags):
                i += _STRETCH - _ROW + 1
                wait = 1
                continue
            seen, wait = i + wait * _STRETCH, min(2 * wait, _MOST_WAIT)
        last = i + least - 1  # a run that begins here goes over it; most are shorter, and none is seen then
        if not (97 <= data[last] <= 122 or 128 <= data[last] < 255):
            i = last + 1
            continue
        while last > i and (97 <= data[last - 1] <= 122 or 128 <= data[last - 1] < 255):
            last -= 1
        value, start = _U(0), last
        i = last
        while i < size and (97 <= data[i] <= 122 or 128 <= data[i] < 255):
            value = value * BASE + _U(data[i]) + _U(1)
            i += 1
        if least <= i - start <= most:
            mixed = value * BASE
            its = _marks(mixed, bits)
            if wanted[mixed >> (_64 - _U(bits) + _6)] & its == its:
                if count < out.shape[0]:
                    out[count, 0], out[count, 1], out[count, 2] = value, _U(start), _U(i)
                count += 1
        if SHORTEST_PARTED <= i - start <= PARTED:
            count = _parted(data, start, i, prefix, powers, wanted, bits, out, count)
    return count


@kernel
def digits(data: Any, lengths: Any, wanted: Any, bits: Any, out: Any) -> Any:
    """Runs of digits in groups, one or two signs between two, whose hash may be wanted: as `words` gives them.

    A run begins and ends with a group, and is tried without the zeros before it too, and one that can be dialled
    without the first one to three digits behind these; `lengths` tells which numbers of digits there are.
    """
    count, i, size = 0, 0, data.shape[0]
    longest = lengths.shape[0] - 1
    begins = np.zeros(_GROUPS, np.int64)
    ends = np.zeros(_GROUPS, np.int64)
    while i < size:
        if not 48 <= data[i] <= 57:
            i += 1
            continue
        groups = 0
        while i < size and groups < _GROUPS:
            begins[groups] = i
            while i < size and 48 <= data[i] <= 57:
                i += 1
            ends[groups] = i
            groups += 1
            k = i
            while k < size and k - i < 2 and (data[k] == 32 or data[k] == 47 or 39 <= data[k] <= 41):
                k += 1
            if k == i or k >= size or not 48 <= data[k] <= 57:
                break
            i = k
        whole = np.int64(0)
        for each in range(groups):
            whole += ends[each] - begins[each]
        for way in range(2 * groups + (LONGEST_CODE if FEWEST_BEHIND < whole <= MOST_DIALLED else 0)):
            first, skipped = way // 2 if way < 2 * groups else 0, np.int64(0)
            if way & 1 or way >= 2 * groups:  # without the zeros before it
                while begins[first] + skipped < ends[first] - 1 and data[begins[first] + skipped] == 48:
                    skipped += 1
                if skipped == 0 and way < 2 * groups:
                    continue
            if way >= 2 * groups:  # nor the code of a country
                skipped += way - 2 * groups + 1
                if skipped >= ends[first] - begins[first] or whole - skipped < FEWEST_BEHIND:
                    break
            value, total = _U(0), -skipped
            for last in range(first, groups):
                total += ends[last] - begins[last]
                if total > longest:
                    break
                for k in range(begins[last] + (skipped if last == first else 0), ends[last]):
                    value = value * BASE + _U(data[k]) + _U(1)
                if not lengths[total]:
                    continue
                mixed = value * BASE
                its = _marks(mixed, bits)
                if wanted[mixed >> (_64 - _U(bits) + _6)] & its == its:
                    if count < out.shape[0]:
                        out[count, 0], out[count, 1], out[count, 2] = value, _U(begins[first]), _U(ends[last])
                    count += 1
    return count


def warm() -> None:
    """Run each kernel once."""
    data = np.frombuffer(b"\x00ab 12 3", np.uint8)
    out = np.zeros((4, 3), np.uint64)
    hashes(data, np.zeros(1, np.int64), np.ones(1, np.int64), np.zeros(1, np.uint64), np.zeros(1, np.uint64))
    words(data, 2, 9, np.zeros(16, np.uint64), 10, out)
    digits(data, np.zeros(5, np.bool_), np.zeros(16, np.uint64), 10, out)
    enter(np.zeros(1, np.uint64), np.zeros(16, np.uint64), 10)
    sizes, signs = np.zeros(1, np.int64), np.zeros(1, np.bool_)
    numbers(data, np.array([0, 8], np.uint32), np.zeros(1, np.int64), sizes, signs, np.zeros(1, np.uint64))
