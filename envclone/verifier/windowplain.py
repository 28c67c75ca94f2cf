"""The search by windows without compiled loops: by numpy, in eight passes at eight offsets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["PlainWindows"]

_WIDTH = 8
_COUNTERS = 22
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
"""2**64 divided by the golden ratio: Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4)."""
_AT_ONCE = 1 << 15
"""Patterns whose windows are looked at together."""


class PlainWindows:
    """Finds patterns of at least 8 bytes, which lie one behind the other in `block`: where each ends, and its owner."""

    def __init__(self, block: bytes, ends: Any, owners: Any) -> None:
        self._block, self._ends, self._owners = block, ends, owners
        self._bits = max(16, len(self._ends).bit_length() + 5)
        self._bitmap = np.zeros(1 << (self._bits - 3), np.uint8)
        anchors, offsets = self._choose()
        self._order = np.argsort(anchors).astype(np.uint32)
        self._anchors = anchors[self._order]
        self._offsets = offsets
        del anchors
        for begin in range(0, len(self._anchors), _AT_ONCE):
            hashed = self._hashed(self._anchors[begin : begin + _AT_ONCE], self._bits)
            bits = np.uint8(1) << (hashed & np.uint64(7)).astype(np.uint8)
            np.bitwise_or.at(self._bitmap, hashed >> np.uint64(3), bits)

    def find(self, data: bytes) -> Iterator[tuple[int, int, int]]:
        """Where patterns stand in the data: `(owner, start, end)`, in no order."""
        view = memoryview(data)
        for offset in range(_WIDTH):
            count = (len(view) - offset) // _WIDTH
            if count <= 0:
                return
            windows = np.frombuffer(view, "<u8", count, offset)
            hashed = self._hashed(windows, self._bits)
            maybe = np.flatnonzero(
                self._bitmap[hashed >> np.uint64(3)] & (np.uint8(1) << (hashed & np.uint64(7)).astype(np.uint8))
            )
            if len(maybe):
                values = windows[maybe]
                low = np.searchsorted(self._anchors, values, "left")
                low[low == len(self._anchors)] = 0
                sure = np.flatnonzero(self._anchors[low] == values)
                high = np.searchsorted(self._anchors, values[sure], "right")
                places = maybe[sure] * _WIDTH + offset
                yield from self._compare(view, places.tolist(), low[sure].tolist(), high.tolist())

    def _compare(
        self, view: memoryview, places: list[int], low: list[int], high: list[int]
    ) -> Iterator[tuple[int, int, int]]:
        block, size = self._block, len(view)
        for place, first, last in zip(places, low, high, strict=True):
            for i in range(first, last):
                pattern = int(self._order[i])
                begin = int(self._ends[pattern - 1]) if pattern else 0
                start, length = place - int(self._offsets[pattern]), int(self._ends[pattern]) - begin
                if start < 0 or start + length > size:
                    continue
                if view[start : start + length] == block[begin : begin + length]:
                    yield int(self._owners[pattern]), start, start + length

    def _choose(self) -> tuple[Any, Any]:
        """Each pattern's anchor and where in the pattern it stands."""
        counters = np.zeros(1 << _COUNTERS, np.uint32)
        for _, windows, _ in self._windows():
            numbers, how_often = np.unique(self._hashed(windows, _COUNTERS), return_counts=True)
            counters[numbers.astype(np.int64)] += how_often.astype(np.uint32)
        anchors = np.zeros(len(self._ends), np.uint64)
        offsets = np.zeros(len(self._ends), np.uint16)
        for patterns, windows, firsts in self._windows():
            how_many = counters[self._hashed(windows, _COUNTERS).astype(np.int64)].astype(np.int64)
            # the rarest, and of several the first: one number holds both
            place = np.arange(len(windows)) - np.repeat(firsts, np.diff(np.append(firsts, len(windows))))
            best = np.minimum.reduceat((how_many << 16) | np.minimum(place, 0xFFFF), firsts) & 0xFFFF
            offsets[patterns] = best
            anchors[patterns] = windows[firsts + best]
        return anchors, offsets

    def _windows(self) -> Iterator[tuple[slice, Any, Any]]:
        """For some patterns at a time all their windows, and which of those is each pattern's first."""
        for begin in range(0, len(self._ends), _AT_ONCE):
            patterns = slice(begin, begin + _AT_ONCE)
            ends = self._ends[patterns].astype(np.int64)
            low, high = int(self._ends[begin - 1]) if begin else 0, int(ends[-1])
            starts = np.concatenate((np.array([low]), ends[:-1]))
            lengths = ends - starts
            part = np.frombuffer(bytes(self._block[low:high]), np.uint8)
            every = np.zeros(len(part) - _WIDTH + 1, np.uint64)
            for i in range(_WIDTH):
                every |= part[i : len(part) - _WIDTH + 1 + i].astype(np.uint64) << np.uint64(8 * i)
            counts = np.minimum(lengths - _WIDTH + 1, 0xFFFF)
            firsts = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)[:-1]))
            inside = np.repeat(starts - low - firsts, counts) + np.arange(int(counts.sum()))
            yield patterns, every[inside], firsts

    @staticmethod
    def _hashed(windows: Any, bits: int) -> Any:
        with np.errstate(over="ignore"):
            return (windows * _MULTIPLIER) >> np.uint64(64 - bits)
