"""Millions of byte strings searched for in one pass, in little memory: each by the eight bytes of it that are rarest.

For every pattern the window of eight bytes that the fewest patterns share is its anchor. A bitmap of hashed anchors
says of every window of the data whether it can be one; what passes is looked up by its hash and compared with the whole
pattern, where that lies: the strings themselves are not copied. That takes some 12 bytes a pattern. Compiled where
loops are (`kernels`), else by numpy (`windowplain`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import available
from envclone.verifier.windowplain import PlainWindows

__all__ = ["AS_IT_IS", "WIDTH", "Patterns", "WindowSearch"]

WIDTH = 8
"""Bytes of an anchor; shorter patterns are not for this search."""
AS_IT_IS = bytes(range(256))
"""The table that changes no byte."""

_HITS = 4096
"""How many hits have room at first."""
_COUNTERS = 22
_BITS = 4
"""The bitmap has 16 to 32 bits a pattern: of the windows that are no anchor up to one in 16 are looked up."""


class Patterns:
    """Byte strings: the `which`-th between the `bounds` of a block, or all, each byte as the table `fold` says."""

    def __init__(self, block: Any, bounds: Any, which: Any = None, fold: bytes = AS_IT_IS) -> None:
        self.block, self.fold = block[:], fold
        self.block.flags.writeable = False
        small = bounds.dtype == np.uint32 or not len(bounds) or int(bounds[-1]) < 1 << 32
        self.bounds = bounds.astype(np.uint32 if small else np.int64, copy=False)
        self.which = np.zeros(0, np.uint32) if which is None else which.astype(np.uint32, copy=False)
        self._all = which is None

    def __len__(self) -> int:
        return max(0, len(self.bounds) - 1) if self._all else len(self.which)

    @classmethod
    def of(cls, texts: list[bytes]) -> Patterns:
        """Some byte strings as patterns, numbered as they come."""
        bounds = np.cumsum([0, *map(len, texts)], dtype=np.int64)
        return cls(np.frombuffer(b"".join(texts), np.uint8), bounds)

    def longest(self) -> int:
        """The bytes of the longest one."""
        lengths = np.diff(self.bounds)
        return int((lengths if self._all else lengths[self.which]).max()) if len(self) else 0

    def joined(self) -> tuple[bytes, Any, Any]:
        """The patterns one behind the other, where each ends (uint64), and which it is."""
        which = np.arange(len(self), dtype=np.uint32) if self._all else self.which
        lengths = np.diff(self.bounds.astype(np.int64))
        chosen = np.zeros(len(lengths), np.bool_)
        chosen[which] = True
        used = self.block[: int(self.bounds[-1])] if len(self.bounds) else self.block[:0]
        return (
            used[np.repeat(chosen, lengths)].tobytes().translate(self.fold),
            np.cumsum(lengths[which]).astype(np.uint64),
            which,
        )


class WindowSearch:
    """Finds patterns of at least WIDTH bytes, whose `which` ascends. `compiled` None: where loops are.

    Raises ValueError for a pattern that is too short.
    """

    def __init__(self, patterns: Patterns, *, compiled: bool | None = None) -> None:
        self._patterns = patterns
        self._plain: PlainWindows | None = None
        if not (available() if compiled is None else compiled):
            self._plain = PlainWindows(*patterns.joined())
            return
        from envclone.verifier import kernels

        count = len(patterns)
        self._fold = np.frombuffer(patterns.fold, np.uint8)
        self._hits = np.zeros((_HITS, 3), np.int64)
        self._bits = max(16, count.bit_length() + _BITS)
        self._slots = max(4, count.bit_length() - 1)
        self._bitmap = np.zeros(1 << (self._bits - 3), np.uint8)
        self._heads, self._chain = np.full(1 << self._slots, -1, np.int32), np.zeros(count, np.int32)
        self._offsets, self._tags = np.zeros(count, np.uint8), np.zeros(count, np.uint8)
        strings = patterns.block, patterns.bounds, patterns.which, self._fold
        counters = np.zeros(1 << _COUNTERS, np.uint32)
        wrong = kernels.choose(*strings, counters, _COUNTERS, self._offsets)
        if wrong >= 0:
            raise ValueError(f"pattern {wrong} is shorter than {WIDTH} bytes")
        tables = self._bitmap, self._bits, self._heads, self._slots, self._chain
        kernels.index(*strings, self._offsets, self._tags, *tables)

    def find(self, data: bytes | memoryview) -> Any:
        """Where patterns stand in the data: rows of which, start, end (int64), in no order."""
        if not len(self._patterns):
            return np.zeros((0, 3), np.int64)
        if self._plain is not None:
            return np.array(list(self._plain.find(bytes(data))), np.int64).reshape(-1, 3)
        from envclone.verifier import kernels

        seen, held = np.frombuffer(data, np.uint8), self._patterns
        while True:
            count = kernels.find(
                *(seen, held.block, held.bounds, held.which, self._fold, self._offsets, self._tags),
                *(self._bitmap, self._bits, self._heads, self._slots, self._chain, self._hits),
            )
            if count <= len(self._hits):
                return self._hits[:count].copy()
            self._hits = np.zeros((count, 3), np.int64)
