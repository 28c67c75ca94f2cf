"""The cycle on large domains that `fpe` describes, compiled: the same numbers, for halves below 2**61.

A number x < N is held as its halves, left·b + right. A row has the six words of `fpe.parameters`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import frozen, lean

__all__ = ["V0", "V1", "V2", "V3", "below", "cycle", "draws", "shuffle", "sip_round", "warm"]

_U = np.uint64
V0, V1, V2, V3 = _U(0x736F6D6570736575), _U(0x646F72616E646F6D), _U(0x6C7967656E657261), _U(0x7465646279746573)
_WIDE, _FIRST, _SECOND = _U(0xEE), _U(0xEE), _U(0xDD)
_TAIL = _U(10 << 56)
"""Ten bytes: the number, the round, the block."""
_LOW = _U(0xFFFFFFFF)
_SHORT, _SEVEN, _ONLY = _U(1 << 32), _U(7 << 56), _U(0xFF)
"""Halves up to here are hashed with the round as seven bytes, into 64 bits."""
_0, _1, _8, _32 = _U(0), _U(1), _U(8), _U(32)
_13, _51, _16, _48, _21, _43, _17, _47 = _U(13), _U(51), _U(16), _U(48), _U(21), _U(43), _U(17), _U(47)


@lean
def sip_round(a: Any, b: Any, c: Any, d: Any) -> Any:
    """One round of SipHash."""
    a = a + b
    b = ((b << _13) | (b >> _51)) ^ a
    a = (a << _32) | (a >> _32)
    c = c + d
    d = ((d << _16) | (d >> _48)) ^ c
    a = a + d
    d = ((d << _21) | (d >> _43)) ^ a
    c = c + b
    b = ((b << _17) | (b >> _47)) ^ c
    c = (c << _32) | (c >> _32)
    return a, b, c, d


@lean
def _high(x: Any, y: Any) -> Any:
    """The upper 64 bits of a product."""
    xl, xh, yl, yh = x & _LOW, x >> _32, y & _LOW, y >> _32
    low = xl * yl
    one = xh * yl + (low >> _32)
    two = xl * yh + (one & _LOW)
    return xh * yh + (one >> _32) + (two >> _32)


@lean
def _draw(k0: Any, k1: Any, number: Any, step: Any, modulus: Any, short: Any) -> Any:
    """SipHash-2-4 over a number and a round, scaled to a number below the modulus: of 64 bits when it is `short`."""
    if short:
        a, b, c, d = k0 ^ V0, k1 ^ V1, k0 ^ V2, k1 ^ V3
        word = number | (step << _48) | _SEVEN
        d ^= word
        a, b, c, d = sip_round(a, b, c, d)
        a, b, c, d = sip_round(a, b, c, d)
        a ^= word
        c ^= _ONLY
        for _ in range(4):
            a, b, c, d = sip_round(a, b, c, d)
        low = a ^ b ^ c ^ d
        return ((low >> _32) * modulus + (((low & _LOW) * modulus) >> _32)) >> _32
    a, b, c, d = k0 ^ V0, k1 ^ V1 ^ _WIDE, k0 ^ V2, k1 ^ V3 ^ number
    a, b, c, d = sip_round(a, b, c, d)
    a, b, c, d = sip_round(a, b, c, d)
    a ^= number
    tail = _TAIL | step
    d ^= tail
    a, b, c, d = sip_round(a, b, c, d)
    a, b, c, d = sip_round(a, b, c, d)
    a ^= tail
    c ^= _FIRST
    for _ in range(4):
        a, b, c, d = sip_round(a, b, c, d)
    low = a ^ b ^ c ^ d
    b ^= _SECOND
    for _ in range(4):
        a, b, c, d = sip_round(a, b, c, d)
    high = a ^ b ^ c ^ d
    carry = _high(low, modulus)
    return _high(high, modulus) + (_1 if high * modulus + carry < carry else _0)


@lean
def below(left: Any, right: Any, row: Any) -> Any:
    """Whether a number is one of the domain."""
    return left < row[2] or (left == row[2] and right < row[3])


@lean
def cycle(left: Any, right: Any, row: Any) -> Any:
    """The halves of what follows a number on the keyed cycle; the number is one of the domain."""
    a, b, k0, k1 = row[0], row[1], row[4], row[5]
    short = a <= _SHORT
    while True:
        for i in range(5):
            step = _U(2 * i)
            left = left + _draw(k0, k1, right, step, a, short)
            if left >= a:
                left -= a
            right = right + _draw(k0, k1, left, step | _1, b, short)
            if right >= b:
                right -= b
        if below(left, right, row):
            break
    right += _1
    if right == b:
        right = _0
        left += _1
    if not below(left, right, row):
        left, right = _0, _0
    while True:
        for i in range(5):
            step = _U(8 - 2 * i)
            right = right + b - _draw(k0, k1, left, step | _1, b, short)
            if right >= b:
                right -= b
            left = left + a - _draw(k0, k1, right, step, a, short)
            if left >= a:
                left -= a
        if below(left, right, row):
            return left, right


@lean
def draws(key: Any, words: Any, out: Any) -> Any:
    """SipHash-2-4 with 128 bits of the words of a number for rounds of any width: see `fpe`.

    `out` has two words a block; `words` ends with the round in its lowest byte.
    """
    size = words.shape[0] - 1
    tail = _U((8 * size + 2) & 0xFF) << _U(56)
    for block in range(out.shape[0] // 2):
        a, b, c, d = key[0] ^ V0, key[1] ^ V1 ^ _WIDE, key[0] ^ V2, key[1] ^ V3
        for i in range(size + 1):
            word = words[i] if i < size else tail | words[i] | (_U(block) << _8)
            d ^= word
            a, b, c, d = sip_round(a, b, c, d)
            a, b, c, d = sip_round(a, b, c, d)
            a ^= word
        c ^= _FIRST
        for _ in range(4):
            a, b, c, d = sip_round(a, b, c, d)
        out[2 * block] = a ^ b ^ c ^ d
        b ^= _SECOND
        for _ in range(4):
            a, b, c, d = sip_round(a, b, c, d)
        out[2 * block + 1] = a ^ b ^ c ^ d
    return 0


@lean
def shuffle(drawn: Any, order: Any, following: Any) -> Any:
    """The cycle of `fpe.shuffled` from 32-bit draws, in the order in which they are used; 0 when they are too few."""
    size = min(order.shape[0], following.shape[0])
    at = 0
    for i in range(size):
        order[i] = i
    for i in range(size - 1, 0, -1):
        limit = (1 << 32) - (1 << 32) % (i + 1)
        draw = np.int64(limit)
        while draw >= limit:  # rejection keeps the shuffle unbiased
            if at >= drawn.shape[0]:
                return 0
            draw = np.int64(drawn[at])
            at += 1
        j = draw % (i + 1)
        order[i], order[j] = order[j], order[i]
    for i in range(size):
        following[order[i]] = order[i + 1 if i + 1 < size else 0]
    return 1


def warm() -> None:
    """Run every kernel of this room once."""
    row = np.array([2, 2, 2, 0, 1, 1], np.uint64)
    cycle(_1, _1, row)
    shuffle(np.zeros(2, np.uint32), np.zeros(2, np.int64), np.zeros(2, np.uint16))
    draws(row[4:6], frozen(np.zeros(3, np.uint64)), np.zeros(4, np.uint64))
