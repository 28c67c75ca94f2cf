"""Addresses of rows as the server writes them, compiled: many at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean

__all__ = ["LONGEST", "TID", "addresses", "warm"]

TID = 6
"""Bytes of an address as the server sends it: its page in four, its line pointer in two, the highest first."""
LONGEST = 18
"""Bytes of the longest address as text, and of a zero."""
_OPEN, _COMMA, _CLOSE, _ZERO = 40, 44, 41, 48


@lean
def _decimal(number: Any, out: Any, at: Any) -> Any:
    """Write a number; returns where it ends."""
    last = at
    rest = number
    while True:
        last += 1
        rest //= 10
        if rest == 0:
            break
    for k in range(last - 1, at - 1, -1):
        out[k] = np.uint8(_ZERO + number % 10)
        number //= 10
    return last


@lean
def addresses(tids: Any, prefix: Any, out: Any, starts: Any, stops: Any) -> Any:
    """Write `prefix` and the address of each row into `out`, a zero before and behind each; -1 without the room."""
    count = min(starts.shape[0], stops.shape[0])
    if tids.shape[0] < TID * count or out.shape[0] < count * (prefix.shape[0] + LONGEST) + 1:
        return -1
    out[0] = 0
    at = np.int64(1)
    for i in range(count):
        starts[i] = at
        for k in range(prefix.shape[0]):
            out[at] = prefix[k]
            at += 1
        block, number = np.int64(0), np.int64(0)
        for k in range(4):
            block = block << 8 | np.int64(tids[TID * i + k])
        for k in range(4, TID):
            number = number << 8 | np.int64(tids[TID * i + k])
        out[at] = _OPEN
        at = _decimal(block, out, at + 1)
        out[at] = _COMMA
        at = _decimal(number, out, at + 1)
        out[at] = _CLOSE
        at += 1
        stops[i] = at
        out[at] = 0
        at += 1
    return at


def warm() -> None:
    """Run the kernel once."""
    places = np.zeros((2, 1), np.int64)
    addresses(np.frombuffer(bytes(TID), np.uint8), np.frombuffer(b"p", np.uint8), np.zeros(40, np.uint8), *places)
