"""Where the rarest windows of patterns may end in data, compiled: most of it is passed over.

Every offset is checked before it is read: the data are whatever production holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import kernel

__all__ = ["sieve", "warm"]

_U = np.uint64
_WIDTH, _PART = 8, 4
_GOLDEN = _U(0x9E3779B97F4A7C15)
_0, _1, _2, _3, _4, _5, _6, _7, _8, _16, _24, _32, _40, _48, _56, _63, _64 = (
    _U(n) for n in (0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 24, 32, 40, 48, 56, 63, 64)
)
_TRIED, _AWHILE = 1024, 1 << 15
"""Places of which most must be passed over, and how many are looked at each when they are not."""


@kernel
def _eight(data: Any, place: Any) -> Any:
    """The eight bytes from a place on, as a number: one instruction."""
    i = _U(place)
    return (
        _U(data[i])
        | _U(data[i + _1]) << _8
        | _U(data[i + _2]) << _16
        | _U(data[i + _3]) << _24
        | _U(data[i + _4]) << _32
        | _U(data[i + _5]) << _40
        | _U(data[i + _6]) << _48
        | _U(data[i + _7]) << _56
    )


@kernel
def _each(data: Any, low: Any, high: Any, wanted: Any, bits: Any, places: Any, found: Any) -> Any:
    """Look at each place."""
    word, first, second = _64 - _U(bits) + _6, _64 - _U(bits), _64 - _U(bits) - _6
    window = _0
    for k in range(low - _WIDTH + 1, low):
        window = (window >> _8) | (_U(data[k]) << _56)
    for k in range(low, high):
        window = (window >> _8) | (_U(data[k]) << _56)
        hashed = window * _GOLDEN
        its = wanted[hashed >> word]
        places[found] = k
        found += np.int64((its >> ((hashed >> first) & _63)) & (its >> ((hashed >> second) & _63)) & _1)
    return found


@kernel
def sieve(data: Any, begin: Any, end: Any, wanted: Any, bits: Any, parts: Any, its_bits: Any, places: Any) -> Any:
    """Write the places between two at which a window ends that a filter of 2**bits bits has; returns how many.

    Where the last four bytes of a window are part of none (`parts` is a filter of 2**its_bits bits), none ends at the
    next four places either: they are passed over. Where that is seldom so each place is looked at for a while.
    `places` has room for one more than there are between the two.
    """
    word, first, second = _64 - _U(bits) + _6, _64 - _U(bits), _64 - _U(bits) - _6
    its_word, its_first = _64 - _U(its_bits) + _6, _64 - _U(its_bits)
    low, high, found = max(begin, _WIDTH - 1), min(end, data.shape[0]), np.int64(0)
    high = min(high, low + places.shape[0] - 1)
    while low < high:
        k, stop, looked = low, min(high, low + _TRIED), 0
        while k < stop:
            looked += 1
            window = _eight(data, k - _WIDTH + 1)
            part = (window >> _32) * _GOLDEN
            if not (parts[part >> its_word] >> ((part >> its_first) & _63)) & _1:
                k += _WIDTH - _PART + 1
                continue
            hashed = window * _GOLDEN
            its = wanted[hashed >> word]
            places[found] = k
            found += np.int64((its >> ((hashed >> first) & _63)) & (its >> ((hashed >> second) & _63)) & _1)
            k += 1
        low = k
        if 2 * looked > _TRIED:
            stop = min(high, low + _AWHILE)
            found = _each(data, low, stop, wanted, bits, places, found)
            low = max(low, stop)
    return found


def warm() -> None:
    """Run every kernel of this room once."""
    data, filters = np.frombuffer(bytes(range(32)), np.uint8), np.zeros(16, np.uint64)
    sieve(data, 0, 32, filters, 10, filters, 10, np.zeros(33, np.int32))
