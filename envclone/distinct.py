"""Many distinct texts in little memory: their bytes in one block, each with a number."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from envclone.compiled import available, frozen
from envclone.growing import Growing
from envclone.packed import Packed, pack
from envclone.shelf import Shelf

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["Distinct", "Hashes"]

_FIRST = 1 << 10
_SMALL = 1 << 32
_AT_ONCE = 1 << 17
"""Texts that are entered together."""
_REFILLED = 1 << 20
"""Texts that are put into a larger table together."""
_PART = 1 << 20
"""Places of the table (8 MB) that are looked at before the shelf may rest."""


class Distinct:
    """Texts, each once, numbered in the order of their coming (those that come together, when there are many, in any):
    equal are those whose bytes (UTF-8) are.

    While it takes texts in, and until `seal`, a table of 11 to 22 bytes a text finds them again. All of it lies on the
    shelf. A large table is looked at in the order of its places, a part at a time: texts come in no order, and each
    would bring a page of the table into memory.
    """

    def __init__(self, shelf: Shelf | None = None) -> None:
        self._count = 0
        self.shelf = shelf = shelf or Shelf()
        self._texts: Growing | None = shelf.growing(np.uint8, _FIRST)
        self._ends: Growing | None = shelf.growing(np.int64, _FIRST)
        self._block: Any = self._texts.array
        self._bounds: Any = self._ends.array
        self._table: Any = self._gaps(2 * _FIRST)
        self._seed = np.uint64(secrets.randbits(64))
        self._known: dict[bytes, int] = {}
        self._sealed = False

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> str:
        if not 0 <= number < self._count:
            raise IndexError(number)
        return bytes(self._block[int(self._bounds[number]) : int(self._bounds[number + 1])]).decode(
            "utf-8", "surrogatepass"
        )

    def __iter__(self) -> Iterator[str]:
        block = memoryview(self._block)
        start = 0
        for end in self._bounds[1 : self._count + 1].tolist():
            yield str(block[start:end], "utf-8", "surrogatepass")
            start = end

    def packed(self) -> tuple[Any, Any]:
        """The texts' bytes one behind the other (UTF-8), and where each begins and the last one ends; to be read only.

        While they are held no more texts can be taken in.
        """
        bounds = self._bounds[: self._count + 1]
        return self._block[: int(bounds[-1])], bounds.astype(np.uint64)

    def held(self) -> tuple[Any, Any]:
        """The same as they lie there: bounds of 32 bits where they fit, once it is sealed."""
        bounds = self._bounds[: self._count + 1]
        return self._block[: int(bounds[-1])], bounds

    @classmethod
    def unpacked(cls, block: bytes, bounds: Any) -> Distinct:
        """What `packed` gave, as texts that take in no more. Raises ValueError when the bounds are not the block's."""
        held = cls()
        if not len(bounds) or bounds[0] or bounds[-1] != len(block) or (bounds[1:] < bounds[:-1]).any():
            raise ValueError("the bounds are not of this block")
        held._texts = held._ends = None
        held._block, held._bounds = np.frombuffer(block, np.uint8), bounds.astype(np.int64)
        held._count = len(bounds) - 1
        held.seal()
        return held

    def seal(self) -> None:
        """Take in no more, and let go of what only that needs."""
        if self._sealed:
            return
        self._sealed = True
        self._table, self._known = None, {}
        used = int(self._bounds[self._count])
        self._bounds = self.shelf.lay(self._bounds[: self._count + 1], np.uint32 if used < _SMALL else np.int64)
        self._ends = None
        if self._texts is not None:
            self._block = None
            self._texts.cut(used)
            self._block = self._texts.array

    def add(self, texts: Sequence[str]) -> list[str]:
        """Take in texts; returns those that were new, in their order, which get the next numbers."""
        if not texts:
            return []
        before = self._count
        numbers = self.take(pack(texts))
        new = np.flatnonzero(numbers >= before)
        return [texts[new[i]] for i in np.unique(numbers[new], return_index=True)[1].tolist()]

    def take(self, values: Packed) -> Any:
        """Take in texts; returns the number of each (int64), -1 where there is no value."""
        if self._sealed:
            raise ValueError("no more texts are taken in")
        numbers = np.full(len(values), -1, np.int64)
        if not available():
            self._take_one_by_one(values, numbers)
            return numbers
        self._make_room(len(values), int((values.stops - values.starts).sum()))
        if len(self._table) <= _PART:
            self._enter(values, values.starts, values.stops, numbers)
            return numbers
        hashed = np.zeros(len(values), np.int64)
        _loops().hashes(values.block, values.starts, values.stops, self._seed, hashed)
        for some in _parts(hashed, len(self._table)):
            found = np.full(len(some), -1, np.int64)
            self._enter(values, values.starts[some], values.stops[some], found)
            numbers[some] = found
        return numbers

    def _enter(self, values: Packed, starts: Any, stops: Any, numbers: Any) -> None:
        held = self._block, self._bounds, self._count, self._table, self._seed
        count = _loops().enter(values.block, starts, stops, *held, numbers)
        if count < 0:
            raise ValueError("the room for texts is too small")
        self._count = int(count)
        self.shelf.rest()

    def numbers(self, values: Packed) -> Any:
        """The number of each text (int64), -1 of one that was not taken in; before `seal` only."""
        found = np.full(len(values), -1, np.int64)
        if not available():
            for i, start in enumerate(values.starts.tolist()):
                if start >= 0:
                    found[i] = self._known.get(bytes(values.block[start : values.stops[i]]), -1)
            return found
        held = self._block, self._bounds, self._table, self._seed
        _loops().seek(values.block, values.starts, values.stops, *held, found)
        return found

    def _make_room(self, texts: int, size: int) -> None:
        """Larger arrays where so many more texts, all of them new, would not go in."""
        used = int(self._bounds[self._count])
        assert self._texts is not None and self._ends is not None
        self._block = self._bounds = None
        self._texts.grow(used + size)
        self._ends.grow(self._count + texts + 2)
        self._block, self._bounds = self._texts.array, self._ends.array
        if available() and 4 * (self._count + texts) >= 3 * len(self._table):
            self._table = None
            self._table = self._gaps(1 << (4 * (self._count + texts) // 3).bit_length())
            self._refill()

    def _refill(self) -> None:
        """Enter all texts into a table of gaps."""
        for first in range(0, self._count, _REFILLED):
            last = min(first + _REFILLED, self._count)
            hashed = np.zeros(last - first, np.int64)
            for begin in range(first, last, _AT_ONCE):
                bounds = self._bounds[begin : min(begin + _AT_ONCE, last) + 1]
                its = hashed[begin - first : begin - first + len(bounds) - 1]
                _loops().hashes(frozen(self._block), bounds[:-1], bounds[1:], self._seed, its)
                self.shelf.rest()
            for some in _parts(hashed, len(self._table)):
                _loops().put(hashed[some], some + first, self._table)
                self.shelf.rest()

    def _gaps(self, count: int) -> Any:
        """A table with nothing in it."""
        return self.shelf.zeros(np.int64, count)

    def _take_one_by_one(self, values: Packed, numbers: Any) -> None:
        """The same without compiled loops."""
        data = values.block.tobytes()
        self._make_room(len(values), int((values.stops - values.starts).sum()))
        for i, (start, stop) in enumerate(zip(values.starts.tolist(), values.stops.tolist(), strict=True)):
            if start < 0:
                continue
            text = data[start:stop]
            number = self._known.setdefault(text, self._count)
            if number == self._count:
                first = int(self._bounds[number])
                self._block[first : first + len(text)] = np.frombuffer(text, np.uint8)
                self._count += 1
                self._bounds[self._count] = first + len(text)
            numbers[i] = number


class Hashes:
    """64 bits of texts under a seed of this process; copies of it have the same."""

    def __init__(self) -> None:
        self._seed = np.uint64(secrets.randbits(64))

    def of(self, values: Packed) -> Any:
        """Those of each value (int64), 0 where there is none."""
        found = np.zeros(len(values), np.int64)
        if available():
            _loops().hashes(values.block, values.starts, values.stops, self._seed, found)
            return found
        for i, start in enumerate(values.starts.tolist()):
            if start >= 0:
                found[i] = hash(values.block[start : values.stops[i]].tobytes())
        return found

    def one(self, text: str) -> int:
        """Those of one text."""
        data = text.encode("utf-8", "surrogatepass")
        if not available():
            return hash(data)
        found = np.zeros(1, np.int64)
        _loops().hashes(np.frombuffer(data, np.uint8), _START, np.array([len(data)]), self._seed, found)
        return int(found[0])


def _parts(hashed: Any, size: int) -> Iterator[Any]:
    """Which of some hashes have their places in one part of a table, of each part in turn."""
    # the place is of the bits above the lowest (`kernels.sets`)
    part = (((hashed.view(np.uint64) >> np.uint64(1)) & np.uint64(size - 1)) // np.uint64(_PART)).astype(np.uint16)
    order = np.argsort(part, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(part[order])) + 1)


_START = np.zeros(1, np.int64)


@cache
def _loops() -> ModuleType:
    """The compiled loops, loaded when they are first needed."""
    return import_module("envclone.masking.kernels.sets")
