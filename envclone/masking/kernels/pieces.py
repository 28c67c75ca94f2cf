"""Pieces of a block of bytes: which of them are taken, taken out, and put back as others."""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean

__all__ = ["leftmost", "splice", "take", "warm"]


@lean
def leftmost(starts: Any, stops: Any, taken: Any) -> Any:
    """Take of pieces, ordered by where they begin and the longest first, those that begin behind the one before."""
    position = np.int64(0)
    for i in range(min(starts.shape[0], stops.shape[0], taken.shape[0])):
        taken[i] = starts[i] >= position
        if taken[i]:
            position = np.int64(stops[i])
    return 0


@lean
def take(block: Any, starts: Any, stops: Any, out: Any) -> Any:
    """Copy pieces into `out` with a zero between two; returns how many bytes that are, -1 when there is no room."""
    at = np.int64(0)
    for i in range(min(starts.shape[0], stops.shape[0])):
        start, stop = np.int64(starts[i]), np.int64(stops[i])
        if start < 0 or stop < start or stop > block.shape[0] or at + stop - start + 1 > out.shape[0]:
            return np.int64(-1)
        if i:
            out[at] = 0
            at += 1
        for k in range(start, stop):
            out[at] = block[k]
            at += 1
    return at


@lean
def splice(block: Any, starts: Any, stops: Any, fresh: Any, begins: Any, ends: Any, out: Any) -> Any:
    """Copy a block into `out` with its pieces, in order and apart, replaced by those of `fresh`.

    Returns how many bytes that are, -1 when there is no room or a piece is none.
    """
    at, position = np.int64(0), np.int64(0)
    count = min(starts.shape[0], stops.shape[0], begins.shape[0], ends.shape[0])
    for i in range(count + 1):
        start = np.int64(starts[i]) if i < count else np.int64(block.shape[0])
        if start < position or start > block.shape[0] or at + start - position > out.shape[0]:
            return np.int64(-1)
        for k in range(position, start):
            out[at] = block[k]
            at += 1
        if i == count:
            break
        begin, end = np.int64(begins[i]), np.int64(ends[i])
        position = np.int64(stops[i])
        if begin < 0 or end < begin or end > fresh.shape[0] or position < start or at + end - begin > out.shape[0]:
            return np.int64(-1)
        for k in range(begin, end):
            out[at] = fresh[k]
            at += 1
    return at


def warm() -> None:
    """Run every kernel of this room once."""
    block, out = np.frombuffer(b"ab cd", np.uint8), np.zeros(8, np.uint8)
    starts, stops = np.array([0, 3], np.int64), np.array([2, 5], np.int64)
    leftmost(starts, stops, np.zeros(2, np.bool_))
    take(block, starts, stops, out)
    splice(block, starts, stops, block, starts, stops, out)
