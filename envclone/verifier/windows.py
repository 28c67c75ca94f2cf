"""Millions of byte strings searched for in one pass, in little memory: each by the eight bytes of it that are rarest.

For every pattern the window of eight bytes that the fewest patterns share is its anchor. A bitmap of hashed anchors
says of every window of the data whether it can be one; what passes is looked up among the anchors, and the whole
pattern is compared. Compiled where loops are (`kernels`), else by numpy, in eight passes at eight offsets.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

import numpy as np

from envclone.compiled import available

__all__ = ["WIDTH", "Patterns", "WindowSearch"]

WIDTH = 8
"""Bytes of an anchor; shorter patterns are not for this search."""

_HITS = 4096
"""How many hits have room at first."""

_COUNTERS = 22
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
"""2**64 divided by the golden ratio: Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4)."""
_AT_ONCE = 1 << 15
"""Patterns whose windows are looked at together."""


class Patterns:
    """Byte strings one behind the other, with where each ends and whose it is."""

    def __init__(self) -> None:
        self.block = bytearray()
        self.ends = array("Q")
        self.owners = array("I")
        self.longest = 0

    def __len__(self) -> int:
        return len(self.ends)

    def add(self, pattern: bytes, owner: int) -> None:
        """One more pattern; `owner` is whatever its finder is to be told."""
        self.block += pattern
        self.ends.append(len(self.block))
        self.owners.append(owner)
        self.longest = max(self.longest, len(pattern))

    def extend(self, block: bytes, ends: Any, owners: Any) -> None:
        """Many more patterns at once: their bytes, where each ends in these (uint64), and their owners (uint32)."""
        if not len(ends):
            return
        self.ends.frombytes((ends.astype(np.uint64) + np.uint64(len(self.block))).tobytes())
        self.owners.frombytes(owners.astype(np.uint32).tobytes())
        self.block += block
        self.longest = max(self.longest, int(np.diff(ends, prepend=0).max()))


class WindowSearch:
    """Finds patterns of at least WIDTH bytes; takes them over. `compiled` None: where loops are."""

    def __init__(self, patterns: Patterns, *, compiled: bool | None = None) -> None:
        self._block = patterns.block
        self._ends: Any = _small(patterns.ends)
        self._owners: Any = np.array(patterns.owners, np.uint32)
        patterns.ends, patterns.owners = array("Q"), array("I")
        self.longest = patterns.longest
        self._bits = max(16, len(self._ends).bit_length() + 5)
        self._bitmap = np.zeros(1 << (self._bits - 3), np.uint8)
        self._compiled = available() if compiled is None else compiled
        self._hits = np.zeros((_HITS, 2), np.int64)
        if self._compiled:
            self._index()
            return
        anchors, offsets = self._choose()
        self._order = np.argsort(anchors).astype(np.uint32)
        self._anchors = anchors[self._order]
        self._offsets = offsets
        del anchors
        for begin in range(0, len(self._anchors), _AT_ONCE):
            hashed = self._hashed(self._anchors[begin : begin + _AT_ONCE], self._bits)
            bits = np.uint8(1) << (hashed & np.uint64(7)).astype(np.uint8)
            np.bitwise_or.at(self._bitmap, hashed >> np.uint64(3), bits)

    def find(self, data: bytes | memoryview) -> Iterator[tuple[int, int, int]]:
        """Where patterns stand in the data: `(owner, start, end)`, in no order."""
        if not len(self._anchors):
            return
        view = memoryview(data)
        if self._compiled:
            yield from self._found(view)
            return
        for offset in range(WIDTH):
            count = (len(view) - offset) // WIDTH
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
                places = maybe[sure] * WIDTH + offset
                yield from self._compare(view, places.tolist(), low[sure].tolist(), high.tolist())

    def _index(self) -> None:
        """The anchors and the tables that compiled loops look them up in."""
        from envclone.verifier import kernels

        count = len(self._ends)
        self._ends = self._ends.astype(np.int64)
        self._anchors, self._offsets = np.zeros(count, np.uint64), np.zeros(count, np.uint16)
        self._slots = max(4, count.bit_length())
        self._heads, self._chain = np.full(1 << self._slots, -1, np.int32), np.zeros(count, np.int32)
        counters = np.zeros(1 << _COUNTERS, np.uint32)
        self._bytes = np.frombuffer(bytes(self._block), np.uint8)
        self._block = bytearray()
        wrong = kernels.choose(self._bytes, self._ends, counters, _COUNTERS, self._anchors, self._offsets)
        if wrong >= 0:
            raise ValueError(f"pattern {wrong} is shorter than {WIDTH} bytes")
        kernels.index(self._anchors, self._bitmap, self._bits, self._heads, self._slots, self._chain)

    def _found(self, view: memoryview) -> Iterator[tuple[int, int, int]]:
        from envclone.verifier import kernels

        data = np.frombuffer(view, np.uint8)
        while True:
            count = kernels.find(
                *(data, self._bytes, self._ends, self._anchors, self._offsets, self._bitmap, self._bits),
                *(self._heads, self._slots, self._chain, self._hits),
            )
            if count <= len(self._hits):
                break
            self._hits = np.zeros((count, 2), np.int64)
        if not count:
            return
        which, starts = self._hits[:count, 0], self._hits[:count, 1].tolist()
        ends = self._ends[which]
        firsts = np.where(which > 0, self._ends[which - 1], 0)
        owners, lengths = self._owners[which].tolist(), (ends - firsts).tolist()
        for owner, start, length in zip(owners, starts, lengths, strict=True):
            yield owner, start, start + length

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
            every = np.zeros(len(part) - WIDTH + 1, np.uint64)
            for i in range(WIDTH):
                every |= part[i : len(part) - WIDTH + 1 + i].astype(np.uint64) << np.uint64(8 * i)
            counts = np.minimum(lengths - WIDTH + 1, 0xFFFF)
            firsts = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)[:-1]))
            inside = np.repeat(starts - low - firsts, counts) + np.arange(int(counts.sum()))
            yield patterns, every[inside], firsts

    @staticmethod
    def _hashed(windows: Any, bits: int) -> Any:
        with np.errstate(over="ignore"):
            return (windows * _MULTIPLIER) >> np.uint64(64 - bits)


def _small(numbers: array[int]) -> Any:
    """Numbers in 32 bits each where they fit."""
    held = np.frombuffer(numbers, np.uint64) if len(numbers) else np.zeros(0, np.uint64)
    return held.astype(np.uint32) if not len(held) or held.max() < 1 << 32 else held.copy()
