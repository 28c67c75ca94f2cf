"""Index entries in bulk, compiled: which bytes are theirs, and where their keys stand."""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import frozen, kernel

__all__ = ["claim_entries", "warm"]


@kernel
def claim_entries(
    flat: Any, places: Any, attributes: Any, lengths: Any, units: Any, owners: Any, owner: Any, keys: Any
) -> Any:
    """Claim entries of indexes in the bytes `flat`.

    `places` are where each entry begins, its values begin and end, and where the addresses behind them end. Each has so
    many `attributes`, and a bitmap of nulls behind its header of 8 bytes where its flag 0x8000 is set.
    Per column: `lengths` (-1 a varlena, -2 a C string), `units` of alignment and `owners`. `keys` takes for each entry
    and column where the value's bytes begin and end and whether they are compressed; the beginning is -1 without one.
    Returns -1, or the number of an entry that runs over its end.
    """
    for i in range(places.shape[0]):
        first, at, last, tail = places[i, 0], places[i, 1], places[i, 2], places[i, 3]
        if first < 0 or at < first + 8 or at > last or last > tail:
            return i
        if tail > flat.shape[0] or tail > owner.shape[0]:
            return i
        if attributes[i] > lengths.shape[0] or attributes[i] > 32:
            return i
        nulls = flat[first + 7] & 0x80 != 0
        if nulls and (at < first + 12 or first + 12 > last):
            return i
        owner[first : first + 8] = 1
        owner[last:tail] = 1
        if nulls:
            owner[first + 8 : first + 12] = 1
        for column in range(lengths.shape[0]):
            keys[i, column, 0] = -1
        for column in range(attributes[i]):
            if nulls and not flat[first + 8 + (column >> 3)] >> (column & 7) & 1:
                continue
            size, unit = lengths[column], units[column]
            if size == -1:
                if at >= last:
                    return i
                if flat[at] == 0:
                    at = (at + unit - 1) // unit * unit
                if at >= last:
                    return i
                packed = 0
                if flat[at] & 1:
                    body, stop = at + 1, at + np.int64(flat[at] >> 1)
                else:
                    if at + 4 > last:
                        return i
                    word = np.int64(0)
                    for k in range(4):
                        word |= np.int64(flat[at + k]) << (8 * k)
                    packed = 1 if word & 2 else 0
                    body, stop = at + 4, at + (word >> 2)
                if stop < body or stop > last:
                    return i
                owner[at:body] = 1
                owner[body:stop] = owners[column]
                keys[i, column, 2] = packed
            else:
                at = (at + unit - 1) // unit * unit
                body, stop = at, at + size
                if size == -2:
                    stop = at
                    while stop < last and flat[stop] != 0:
                        stop += 1
                    stop += 1
                if stop > last:
                    return i
                owner[body:stop] = owners[column]
                keys[i, column, 2] = 0
            keys[i, column, 0] = body
            keys[i, column, 1] = stop
            at = stop
    return -1


def warm() -> None:
    """Run the kernel once."""
    flat, one = np.zeros(64, np.uint8), np.zeros(1, np.int64)
    keys = np.zeros((1, 1, 3), np.int64)
    places = np.array([[0, 8, 16, 16]], np.int64)
    claim_entries(frozen(flat), places, one, one + 4, one + 4, one.astype(np.uint8), flat.copy(), keys)
