"""IP addresses, masked as `network` defines it. An address is two words of 64 bits, the first bit highest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from envclone.compiled import frozen, lean
from envclone.masking.kernels.feistel import draws

__all__ = ["LONGEST", "Networks", "mask_v4", "networks", "permuted", "warm"]

LONGEST = 19
"""Bytes of a masked IPv4 network and the zero behind it."""
_0, _1, _2, _6, _63, _64 = (np.uint64(n) for n in (0, 1, 2, 6, 63, 64))
_ZERO, _NINE, _DOT, _SLASH, _BITS, _OCTET = 48, 57, 46, 47, 32, 255
_V6 = 128
_STEPS = 1000


class Networks(NamedTuple):
    """Networks that stay apart: two words of each and its length; the key, and room for what is hashed and drawn."""

    highs: Any
    lows: Any
    lengths: Any
    key: Any
    words: Any
    drawn: Any


def networks(given: Sequence[tuple[int, int]], key: tuple[int, int]) -> Networks:
    """Networks by their address in 128 bits, the first bit highest, and their length."""
    highs = np.array([address >> 64 for address, _ in given], np.uint64)
    lows = np.array([address & ((1 << 64) - 1) for address, _ in given], np.uint64)
    lengths = np.array([length for _, length in given], np.int64)
    return Networks(highs, lows, lengths, np.array(key, np.uint64), np.zeros(3, np.uint64), np.zeros(4, np.uint64))


@lean
def _alike(high: Any, low: Any, other: Any, more: Any) -> Any:
    """How many leading bits two addresses share."""
    one = high != other
    rest = high ^ other if one else low ^ more
    count = 0 if one else 64
    if rest == _0:
        return np.int64(128)
    while not rest >> _63:
        rest <<= _1
        count += 1
    return np.int64(count)


@lean
def permuted(high: Any, low: Any, bits: Any, apart: Any) -> Any:
    """The prefix-preserving permutation of addresses of 32 or 128 bits."""
    last = np.int64(0)
    for i in range(apart.lengths.shape[0]):
        last = max(last, min(_alike(high, low, apart.highs[i], apart.lows[i]), apart.lengths[i] - 1))
    first, second = _0, _0
    for start in range(0, bits, 8):
        word = high if start < 64 else low
        byte = np.int64(word >> np.uint64(56 - start % 64)) & _OCTET
        if start + 7 > last + 1:
            before = np.uint64(start)
            apart.words[0], apart.words[1] = _0, _0
            if 0 < start <= 64:
                apart.words[0] = high >> (_64 - before)
            elif start > 64:
                apart.words[1] = high >> np.uint64(128 - start)
                apart.words[0] = (low >> np.uint64(128 - start)) | (high << np.uint64(start - 64))
            apart.words[2] = np.uint64(start + (_V6 if bits > _BITS else 0))
            draws(apart.key, apart.words, apart.drawn)
        out = np.int64(0)
        for i in range(8):
            turn = np.int64(0)
            if start + i > last + 1:
                node = np.int64(1) << i | byte >> (8 - i)
                turn = np.int64(apart.drawn[node >> 6] >> np.uint64(node & 63) & _1)
            elif start + i == last + 1:
                turn = np.int64(1)
            out = out << 1 | ((byte >> (7 - i) & 1) ^ turn)
        fresh = np.uint64(out) << np.uint64(56 - start % 64)
        if start < 64:
            first |= fresh
        else:
            second |= fresh
    return first, second


@lean
def _address(number: Any, length: Any, apart: Any) -> Any:
    """The pseudonym of an IPv4 host inside its network, or of the network; -1 when Python has to walk."""
    host = (np.int64(1) << (_BITS - length)) - 1
    network = number & ~host
    kept = np.int64(permuted(np.uint64(network) << np.uint64(_BITS), _0, _BITS, apart)[0] >> np.uint64(_BITS)) & ~host
    if not number & host:
        return kept
    fresh = number
    for _ in range(_STEPS):
        fresh = np.int64(permuted(np.uint64(fresh) << np.uint64(_BITS), _0, _BITS, apart)[0] >> np.uint64(_BITS))
        if fresh & host:
            return kept | (fresh & host)
        fresh = network
    return np.int64(-1)


@lean
def _number(block: Any, p: Any, stop: Any, most: Any) -> Any:
    """A number without a zero before it, and the place behind it; -1 when it is none, or too large."""
    value, first = np.int64(0), p
    while p < stop and p - first < 4 and _ZERO <= np.int64(block[p]) <= _NINE:
        value = value * 10 + np.int64(block[p]) - _ZERO
        p += 1
    if p == first or value > most or (block[first] == _ZERO and p - first > 1):
        return np.int64(-1), p
    return value, p


@lean
def _written(out: Any, at: Any, value: Any) -> Any:
    if value >= 100:
        out[at] = np.uint8(_ZERO + value // 100)
        at += 1
    if value >= 10:
        out[at] = np.uint8(_ZERO + value // 10 % 10)
        at += 1
    out[at] = np.uint8(_ZERO + value % 10)
    return at + 1


@lean
def mask_v4(block: Any, zeros: Any, apart: Any, out: Any, odd: Any) -> Any:
    """Mask values that are an IPv4 address or network, one behind the other into `out` with a zero behind each.

    Any other value is empty there, and `odd`. Returns how many bytes that makes, -1 when there is no room.
    """
    at = np.int64(0)
    for i in range(min(zeros.shape[0] - 1, odd.shape[0])):
        start, stop = max(0, zeros[i] + 1), min(zeros[i + 1], block.shape[0])
        if at + LONGEST > out.shape[0]:
            return np.int64(-1)
        number, p, good = np.int64(0), start, True
        for k in range(4):
            value, p = _number(block, p, stop, _OCTET)
            good = good and value >= 0
            number = number << 8 | (value & _OCTET)
            if k < 3:
                good = good and p < stop and block[p] == _DOT
                p += 1
            if not good:
                break
        length, behind = np.int64(_BITS), p
        if good and p < stop:
            good = block[p] == _SLASH
            length, p = _number(block, p + 1, stop, _BITS)
            good = good and length >= 0 and p == stop
        fresh = _address(number, length, apart) if good else np.int64(-1)
        odd[i] = fresh < 0
        if fresh >= 0:
            for k in range(4):
                at = _written(out, at, fresh >> (24 - 8 * k) & _OCTET)
                if k < 3:
                    out[at] = _DOT
                    at += 1
            for k in range(behind, stop):
                out[at] = block[k]
                at += 1
        out[at] = 0
        at += 1
    return at


def warm() -> None:
    """Run the kernels once."""
    block = frozen(np.frombuffer(b"10.1.2.3/24", np.uint8))
    apart = networks([(10 << 120, 8)], (1, 1))
    mask_v4(block, np.array([-1, len(block)], np.int64), apart, np.zeros(64, np.uint8), np.zeros(1, np.bool_))
    permuted(_1, _1, 128, apart)
