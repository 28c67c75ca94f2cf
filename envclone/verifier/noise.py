"""Looking through bytes that are mostly noise, compiled: digits decoded, and where eight bytes of a text can stand.

The loops are over slices and without branches, so that they are made into instructions that take many bytes at once.
numba makes 64 bits of what two bytes give: what is added up is made a byte again, or an instruction takes few at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean

__all__ = ["BASE32", "HEXADECIMAL"]
__all__ += ["alphabet", "eights", "following", "fours", "joined", "sixes", "sixteens", "telling", "twos", "warm"]

_u = np.uint8
_BLOCK = 128
HEXADECIMAL, BASE32 = 4, 5


@lean
def telling(part: Any) -> Any:
    """1 when a digit of base64 is there that words in small letters do not have, 2 when one is not hexadecimal."""
    tells, mixed = _u(0), _u(0)
    for i in range(part.shape[0]):
        c = part[i]
        digit = _u(c - _u(48)) < _u(10)
        tells = _u(tells | _u((_u(c - _u(65)) < _u(26)) | digit))
        mixed = _u(mixed | _u(not (digit | (_u(_u(c | _u(32)) - _u(97)) < _u(6)))))
    return np.int64(tells) | np.int64(mixed) << 1


@lean
def fours(part: Any, out: Any) -> Any:
    """The values of hexadecimal digits."""
    made = out[: part.shape[0]]
    for i in range(made.shape[0]):
        c = part[i]
        made[i] = _u((c & _u(15)) + _u(9) * (c >> _u(6)))


@lean
def twos(values: Any, skip: Any, out: Any) -> Any:
    """Pairs of such values as bytes, from the one numbered `skip` on; returns how many."""
    size = (values.shape[0] - skip) // 2
    part, made = values[skip : skip + 2 * size], out[:size]
    for i in range(made.shape[0]):
        made[i] = _u(part[2 * i] << _u(4)) | part[2 * i + 1]
    return size


@lean
def sixes(part: Any, out: Any) -> Any:
    """The values of base64's digits, line ends left out; returns how many."""
    size, ends = part.shape[0], _u(0)
    made = out[:size]
    for i in range(made.shape[0]):
        c = part[i]
        value = _u(c - _u(65))
        value = _u(c - _u(71)) if _u(c - _u(97)) < _u(26) else value
        value = _u(c + _u(4)) if _u(c - _u(48)) < _u(10) else value
        value = _u(62) if (c == _u(43)) | (c == _u(45)) else value
        value = _u(63) if (c == _u(47)) | (c == _u(95)) else value
        made[i] = value
        ends = _u(ends | _u((c == _u(10)) | (c == _u(13))))
    if not ends:
        return size
    at = 0
    for i in range(size):
        made[at] = made[i]
        at += part[i] not in (10, 13)
    return at


@lean
def joined(values: Any, skip: Any, out: Any) -> Any:
    """Values of six bits as bytes, from the one numbered `skip` on; returns how many."""
    size = max(0, values.shape[0] - skip)
    groups, rest = size // 4, size % 4
    part = values[skip : skip + 4 * groups]
    made = out[: 3 * groups]
    for i in range(groups):
        a, b, c, d = part[4 * i], part[4 * i + 1], part[4 * i + 2], part[4 * i + 3]
        made[3 * i] = _u(a << _u(2)) | b >> _u(4)
        made[3 * i + 1] = _u(b << _u(4)) | c >> _u(2)
        made[3 * i + 2] = _u(c << _u(6)) | d
    at, last = 3 * groups, skip + 4 * groups
    if rest > 1:
        out[at] = _u(values[last] << _u(2)) | values[last + 1] >> _u(4)
        at += 1
    if rest > 2:
        out[at] = _u(values[last + 1] << _u(4)) | values[last + 2] >> _u(2)
        at += 1
    return at


@lean
def alphabet(part: Any, which: Any, flags: Any) -> Any:
    """Flag the digits of hexadecimal, or of base32."""
    its = flags[: part.shape[0]]
    if which == HEXADECIMAL:
        for i in range(its.shape[0]):
            c = part[i]
            its[i] = (_u(c - _u(48)) < _u(10)) | (_u((c | _u(32)) - _u(97)) < _u(6))
    else:
        for i in range(its.shape[0]):
            c = part[i]
            its[i] = (_u(c - _u(65)) < _u(26)) | (_u(c - _u(50)) < _u(6))


@lean
def sixteens(flags: Any) -> Any:
    """Whether sixteen flags stand in a row; the flags are changed."""
    size, found = flags.shape[0], _u(0)
    for i in range(size - 1):
        flags[i] &= flags[i + 1]
    for i in range(size - 3):
        flags[i] &= flags[i + 2]
    for i in range(size - 7):
        flags[i] &= flags[i + 4]
    for i in range(size - 15):
        found = _u(found | _u(flags[i] & flags[i + 8]))
    return found != 0


@lean
def following(flags: Any, at: Any) -> Any:
    """The place of the first flag from a place on; the end when there is none."""
    size = flags.shape[0]
    while at + _BLOCK <= size:
        part, found = flags[at : at + _BLOCK], _u(0)
        for i in range(_BLOCK):
            found = _u(found | part[i])
        if found:
            break
        at += _BLOCK
    while at < size and not flags[at]:
        at += 1
    return at


@lean
def eights(part: Any, flags: Any) -> Any:
    """Flag each byte from which on eight can follow each other in UTF-8. Returns 1 when there is one, and 2 more when
    two zeros have one byte between them."""
    size = part.shape[0] - 1
    if size < 7:
        return 0
    first, second, its = part[:size], part[1 : size + 1], flags[:size]
    for i in range(its.shape[0]):
        a, b = first[i], second[i]
        plain = (_u(a - _u(32)) < _u(95)) | (_u(a - _u(9)) < _u(2)) | (a == _u(13))
        begins = (_u(b - _u(32)) < _u(95)) | (_u(b - _u(9)) < _u(2)) | (b == _u(13)) | (_u(b - _u(0xC2)) < _u(0x33))
        tail = _u(b - _u(0x80)) < _u(0x40)
        opens, within = _u(a - _u(0xC2)) < _u(0x33), _u(a - _u(0x80)) < _u(0x40)
        its[i] = (plain & begins) | (opens & tail) | (within & (tail | begins))
    found, zeros = _u(0), _u(0)
    for i in range(size - 1):
        its[i] &= its[i + 1]
    for i in range(size - 3):
        its[i] &= its[i + 2]
    for i in range(size - 6):
        its[i] &= its[i + 3]
        found = _u(found | its[i])
    near, beyond = part[: size - 1], part[2 : size + 1]
    for i in range(near.shape[0]):
        zeros = _u(zeros | _u(_u(near[i] | beyond[i]) == _u(0)))
    return np.int64(found) | np.int64(zeros) << 1


def warm() -> None:
    """Run every kernel of this room once."""
    part, out = np.frombuffer(b"SmFuZSBEb2UgSmFuZSBEb2U=", np.uint8), np.zeros(32, np.uint8)
    telling(part)
    fours(part, out)
    twos(out, 1, np.zeros(32, np.uint8))
    sixes(part, out)
    joined(out, 1, np.zeros(32, np.uint8))
    for which in (HEXADECIMAL, BASE32):
        alphabet(part, which, out)
    sixteens(out)
    following(out, 0)
    for one in (part, np.zeros(32, np.uint8)):
        eights(one, out)
