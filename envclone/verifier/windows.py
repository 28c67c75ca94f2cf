"""Millions of byte strings searched for in one pass, in little memory: each by the eight bytes of it that are rarest.

For every pattern the window of eight bytes that the fewest patterns share is its anchor. A filter of hashed anchors, of
two to four bytes a pattern but never more than 32 MB, says of every window of the data whether it can be one; what
passes (of what is no anchor less than one in fifty) is looked up in a list in the order of hashes. That has 48 bits of
a keyed hash of the whole pattern, and its length: of the many names that share a window with pseudonyms none is looked
at where it lies, which would bring a page of the shelf into memory for each. Patterns of 255 bytes and more are
compared as a whole. The list has 13 bytes a pattern and lies on the shelf; what passes is looked up in the list's
order, a part of it at a time, so that each part is in memory once. Compiled where loops are (`kernels`), else by numpy
(`windowplain`).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from envclone.compiled import available
from envclone.shelf import Shelf
from envclone.verifier.windowplain import PlainWindows

__all__ = ["AS_IT_IS", "WIDTH", "Patterns", "Seen", "WindowSearch"]

WIDTH = 8
"""Bytes of an anchor; shorter patterns are not for this search."""
AS_IT_IS = bytes(range(256))
"""The table that changes no byte."""

_PLAIN = np.frombuffer(AS_IT_IS, np.uint8)
_HITS = 4096
"""How many hits have room at first."""
_COUNTERS = 22
_COUNTED = 1 << 19
"""Patterns whose windows are counted at least, of many: which are rare a sample tells as well."""
_BITS = 4
"""The filter has 16 to 32 bits a pattern."""
_MOST_BITS = 28
"""But not more than 2**28, for it is in memory all the time: of 30 million patterns one window in 25 passes."""
_PART_BITS, _MOST_PART_BITS = 6, 22
"""The filter of the parts of windows has 64 to 128 bits a pattern, but not more than 2**22: it stays near the
processor, and of so many patterns that it is full nothing can be passed over."""
_IN_SLOT = 4
"""A slot of the list has 8 to 16 patterns: 2**(n-1) to 2**n of them."""
_FILLED = 1 << 21
"""Patterns that are put in order together."""
_LISTED = 13
"""Bytes of a pattern in the list."""
_PART = 8 * 2**20
"""Bytes of the lists that are looked at before the shelf may rest."""
_PLACES, _FEWEST = 1 << 18, 256
"""Places that are looked up together, and in one part of the lists at least."""
_GOLDEN, _TOP = np.uint64(0x9E3779B97F4A7C15), np.uint64(48)
"""The order of the list is that of a window's number multiplied by this, of which the 16 highest bits tell enough."""
_AT_ONCE = 1 << 18
"""Patterns that are read together."""
_LOOKED = 1 << 18
"""Bytes that are looked through before the shelf may rest."""


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

    def numbers(self, first: int, end: int) -> Any:
        """Which strings the patterns from one place to another are (uint32)."""
        end = min(end, len(self))
        return np.arange(first, end, dtype=np.uint32) if self._all else self.which[first:end]

    @classmethod
    def of(cls, texts: list[bytes]) -> Patterns:
        """Some byte strings as patterns, numbered as they come."""
        bounds = np.cumsum([0, *map(len, texts)], dtype=np.int64)
        return cls(np.frombuffer(b"".join(texts), np.uint8), bounds)

    def longest(self) -> int:
        """The bytes of the longest one."""
        longest = 0
        for first in range(0, len(self), _AT_ONCE):
            which = self.numbers(first, first + _AT_ONCE).astype(np.int64)
            lengths = self.bounds[which + 1].astype(np.int64) - self.bounds[which]
            longest = max(longest, int(lengths.max()))
        return longest

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


class Seen:
    """What stands in little data, to be told before many patterns are indexed to be searched for in it."""

    def __init__(self, data: bytes) -> None:
        self._bits = max(16, len(data).bit_length() + _BITS)
        self._filter: Any = None
        if available():
            from envclone.verifier import kernels

            self._filter = np.zeros(1 << (self._bits - 6), np.uint64)
            kernels.enter(np.frombuffer(data, np.uint8), self._filter, self._bits)

    def beginning(self, patterns: Patterns, shelf: Shelf | None = None) -> Patterns:
        """The patterns whose first window stands in the data, and a few more; all where loops are not compiled. They
        lie on the `shelf`, if one is given.

        Raises ValueError for a pattern that is too short.
        """
        if self._filter is None or not len(patterns):
            return patterns
        from envclone.verifier import kernels

        kept, fold, shelf = list[Any](), np.frombuffer(patterns.fold, np.uint8), shelf or Shelf()
        for first in range(0, len(patterns), _AT_ONCE):
            which = patterns.numbers(first, first + _AT_ONCE)
            found = np.zeros(len(which), np.bool_)
            wrong = kernels.beginning(patterns.block, patterns.bounds, which, fold, self._filter, self._bits, found)
            if wrong >= 0:
                raise ValueError(f"pattern {first + wrong} is shorter than {WIDTH} bytes")
            kept.append(which[found])
            shelf.rest()
        return Patterns(patterns.block, patterns.bounds, np.concatenate(kept), patterns.fold)


class WindowSearch:
    """Finds patterns of at least WIDTH bytes, whose `which` ascends. `compiled` None: where loops are.

    Raises ValueError for a pattern that is too short.
    """

    def __init__(self, patterns: Patterns, shelf: Shelf | None = None, *, compiled: bool | None = None) -> None:
        self._patterns = patterns
        self._others: list[WindowSearch] = []
        self._plain: PlainWindows | None = None
        if not (available() if compiled is None else compiled):
            self._plain = PlainWindows(*patterns.joined())
            return
        from envclone.verifier import kernels

        self._shelf = shelf = shelf or Shelf()
        self._looked = 0
        count = len(patterns)
        self._fold = np.frombuffer(patterns.fold, np.uint8)
        self._hits = np.zeros((_HITS, 3), np.int64)
        self._places = np.zeros(_LOOKED + 1, np.int32)
        self._bits = min(_MOST_BITS, max(16, count.bit_length() + _BITS))
        self._slots = max(2, count.bit_length() - _IN_SLOT)
        self._filter = shelf.zeros(np.uint64, 1 << (self._bits - 6), everywhere=True)
        self._part_bits = min(_MOST_PART_BITS, max(16, count.bit_length() + _PART_BITS))
        self._in_parts = np.zeros(1 << (self._part_bits - 6), np.uint64)
        self._heads = shelf.zeros(np.uint32, (1 << self._slots) + 1)
        self._tags, self._order = shelf.zeros(np.uint64, count), shelf.zeros(np.uint32, count)
        self._key = np.uint64(secrets.randbits(64))
        self._shifts = shelf.zeros(np.uint8, count)
        offsets, counters = shelf.zeros(np.uint8, count), np.zeros(1 << _COUNTERS, np.uint32)
        for counting in (True, False):
            every = max(1, count // _COUNTED) if counting else 1
            for first, strings, its in self._parts(offsets, every):
                wrong = kernels.choose(*strings, counters, _COUNTERS, its, counting)
                if wrong >= 0:
                    raise ValueError(f"pattern {first + wrong * every} is shorter than {WIDTH} bytes")
        del counters
        for _, strings, its in self._parts(offsets):
            filters = self._filter, self._bits, self._in_parts, self._part_bits
            kernels.count(*strings, its, *filters, self._heads, self._slots)
        np.cumsum(self._heads, out=self._heads)
        shelf.rest()
        step = max(1, (len(self._heads) - 1) * _FILLED // max(_FILLED, count))
        lists = self._tags, self._order, self._shifts
        for begin in range(0, len(self._heads) - 1, step):
            places = self._heads[begin : min(begin + step, len(self._heads) - 1)].copy()
            for _, strings, its in self._parts(offsets):
                if kernels.fill(*strings, its, self._slots, begin, places, *lists, self._key) < 0:
                    raise ValueError("the room for patterns is too small")

    def _parts(self, offsets: Any, every: int = 1) -> Iterator[tuple[int, tuple[Any, ...], Any]]:
        """Some of the patterns at a time, as loops take them: where the first stands among them, their strings, and
        their part of `offsets`; of those that are chosen by number one in so many."""
        held = self._patterns
        if not len(held.which):
            yield 0, (held.block, held.bounds, held.which, self._fold), offsets
            return
        for first in range(0, len(offsets), _AT_ONCE):
            end = first + _AT_ONCE
            which = np.ascontiguousarray(held.which[first:end:every])
            yield first, (held.block, held.bounds, which, self._fold), offsets[first : first + len(which)]
            self._shelf.rest()

    def also(self, other: WindowSearch) -> None:
        """Look for another's patterns in the same pass."""
        self._others.append(other)
        if other._plain is None and len(other._patterns):
            from envclone.verifier import kernels

            held = other._patterns
            strings = held.block, held.bounds, other._fold
            filters = self._filter, self._bits, self._in_parts, self._part_bits
            kernels.share(*strings, other._order, other._shifts, *filters)
            other._filter = other._in_parts = np.zeros(0, np.uint64)

    def find(self, data: bytes | memoryview) -> Any:
        """Where patterns stand in the data: rows of which, start, end (int64), in no order."""
        return self.find_all(data)[0]

    def find_all(self, data: bytes | memoryview) -> list[Any]:
        """The same of this search's patterns, and of those of each that is looked for in the same pass."""
        if self._plain is not None:
            return [one._found_plain(bytes(data)) for one in (self, *self._others)]
        seen = np.frombuffer(data, np.uint8)
        every = [one for one in (self, *self._others) if len(one._patterns)]
        counts = self._find(seen, every)
        if any(count > len(one._hits) for one, count in zip(every, counts, strict=True)):
            for one, count in zip(every, counts, strict=True):
                one._hits = np.zeros((max(count, len(one._hits)), 3), np.int64)
            counts = self._find(seen, every)
        found = {id(one): one._hits[:count].copy() for one, count in zip(every, counts, strict=True)}
        return [found.get(id(one), np.zeros((0, 3), np.int64)) for one in (self, *self._others)]

    def _found_plain(self, data: bytes) -> Any:
        assert self._plain is not None
        return np.array(list(self._plain.find(data)), np.int64).reshape(-1, 3)

    def _find(self, seen: Any, every: Sequence[WindowSearch]) -> list[int]:
        """How many there are of each; as many as there is room for are in its list of hits."""
        from envclone.verifier import sievekernels

        counts, held, waiting = [0] * len(every), 0, list[Any]()
        size = _LISTED * sum(len(one._patterns) for one in every)
        filters = self._filter, self._bits, self._in_parts, self._part_bits
        for first in range(0, len(seen) if every else 0, _LOOKED):
            filled = sievekernels.sieve(seen, first, first + _LOOKED, *filters, self._places)
            self._looked += min(_LOOKED, len(seen))
            if size <= _PART:
                self._look(seen, self._places[:filled], every, counts)
                continue
            waiting.append(self._places[:filled].copy())
            held += filled
            if held >= _PLACES:
                self._look_in_order(seen, np.concatenate(waiting), every, counts, size)
                held, waiting = 0, []
        if held:
            self._look_in_order(seen, np.concatenate(waiting), every, counts, size)
        if self._looked >= _LOOKED:
            self._looked = 0
            self._shelf.rest()
        return counts

    def _look_in_order(
        self, seen: Any, places: Any, every: Sequence[WindowSearch], counts: list[int], size: int
    ) -> None:
        """Look up what passed the filter in the order of the lists, which are of so many bytes: a part of them at a
        time, so that no more of them is in memory."""
        windows = np.ndarray((len(seen) - WIDTH + 1,), np.uint64, seen, strides=(1,))
        tops = ((windows[places - (WIDTH - 1)] * _GOLDEN) >> _TOP).astype(np.uint16)
        order = np.argsort(tops, kind="stable")
        tops, places = tops[order], places[order]
        parts = min(-(-size // _PART), len(places) // _FEWEST + 1)
        edges = np.searchsorted(tops, np.arange(1, parts) * (1 << 16) // parts)
        for some in np.split(places, edges):
            self._look(seen, some, every, counts)
            self._shelf.rest()

    def _look(self, seen: Any, places: Any, every: Sequence[WindowSearch], counts: list[int]) -> None:
        """Look up the windows that end at some places, and count what was found."""
        from envclone.verifier import kernels

        for which, one in enumerate(every) if len(places) else ():
            held, lists = one._patterns, (one._heads, one._slots, one._tags, one._order, one._shifts, one._key)
            strings = held.block, held.bounds, one._fold
            counts[which] = int(kernels.look(seen, places, *strings, *lists, _PLAIN, one._hits, counts[which]))
