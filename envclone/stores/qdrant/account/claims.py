"""The bytes of one file, each claimed at most once; what nobody claims is zero, or not decoded.

A decoder claims stretches for a class and names the values that stand in them. Whether two claims overlap, whether one
leaves the file and what lies between them is told here, for every format alike: so the classes of a file always add up
to its size.
"""

from __future__ import annotations

import mmap
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from envclone.models import ByteClass, Values
from envclone.stores.qdrant.holes import CHUNK, filled

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["Claims", "Damaged"]

_TORN = 4096
"""Zeros that end a stretch which is not decoded; fewer stay in it, so that a text is not cut."""

Array = np.ndarray[Any, Any]


class Damaged(Exception):
    """A file is not what its format says; the message says why, without a value of it."""


class Claims:
    """One open file and what is claimed of it; `data` are its bytes, which must be let go of before the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("rb")
        self.size = os.fstat(self._file.fileno()).st_size
        self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) if self.size else None
        self._parts: list[tuple[ByteClass, Array, Array]] = []
        self.values: list[Values] = []
        """What stands in it and is to be searched."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._map is not None:
            self._map.close()
        self._file.close()

    def read(self, start: int, length: int) -> bytes:
        """Bytes of the file; raises Damaged when it ends before."""
        if start < 0 or length < 0 or start + length > self.size:
            raise Damaged("it ends before what it should hold")
        return self._map[start : start + length] if self._map is not None else b""

    def array(self, dtype: Any, start: int, count: int) -> Array:
        """`count` items from a byte on, copied; raises Damaged when the file ends before."""
        size = np.dtype(dtype).itemsize
        if count < 0 or count > self.size:
            raise Damaged("it counts more items than it has bytes")
        return np.frombuffer(self.read(start, count * size), dtype)

    def number(self, start: int, width: int = 8) -> int:
        """An unsigned little-endian integer."""
        return int.from_bytes(self.read(start, width), "little")

    def claim(self, kind: ByteClass, start: int, length: int) -> None:
        """Bytes that belong to a class."""
        self.claim_many(kind, np.array([start], np.int64), np.array([length], np.int64))

    def claim_many(self, kind: ByteClass, starts: Any, lengths: Any) -> None:
        """Many stretches of one class; raises Damaged when one is not in the file."""
        first, count = np.asarray(starts, np.int64), np.asarray(lengths, np.int64)
        if len(first) and (int(first.min()) < 0 or int(count.min()) < 0 or int((first + count).max()) > self.size):
            raise Damaged("a part of it lies outside of it")
        some = count > 0
        self._parts.append((kind, first[some], first[some] + count[some]))

    def nothing(self) -> None:
        """Take every claim back."""
        self._parts.clear()
        self.values.clear()

    def settle(self) -> tuple[dict[ByteClass, int], list[tuple[int, int]]]:
        """Bytes per class, and where what is neither claimed nor zero stands (offset, length).

        Raises Damaged when two claims overlap.
        """
        counted: Counter[ByteClass] = Counter()
        for kind, starts, ends in self._parts:
            counted[kind] += int((ends - starts).sum())
        starts = np.concatenate([part[1] for part in self._parts] or [np.zeros(0, np.int64)])
        ends = np.concatenate([part[2] for part in self._parts] or [np.zeros(0, np.int64)])
        order = np.argsort(starts, kind="stable")
        starts, ends = starts[order], ends[order]
        if (starts[1:] < ends[:-1]).any():
            raise Damaged("two parts of it overlap")
        left = [(first, last - first) for first, last in self._stale(starts, ends)]
        counted[ByteClass.UNDECODED] += sum(length for _, length in left)
        counted[ByteClass.ZERO] += self.size - sum(counted.values())
        return {kind: count for kind, count in counted.items() if count}, left

    def _stale(self, starts: Array, ends: Array) -> Iterator[tuple[int, int]]:
        """Stretches of bytes that are not zero and that nobody claims; starts and ends are sorted."""
        first = last = -1
        for offset in filled(self._file.fileno(), self.size):
            size = min(CHUNK, self.size - offset)
            low, high = np.searchsorted(ends, offset, "right"), np.searchsorted(starts, offset + size, "left")
            here = np.maximum(starts[low:high] - offset, 0), np.minimum(ends[low:high] - offset, size)
            if int((here[1] - here[0]).sum()) == size:
                continue
            change = np.zeros(size + 1, np.int8)
            np.add.at(change, here[0], 1)  # an end and a start may meet
            np.add.at(change, here[1], -1)
            claimed = np.cumsum(change[:-1], dtype=np.int8) > 0
            chunk = np.frombuffer(self.read(offset, size), np.uint8)
            places = np.flatnonzero((chunk != 0) & ~claimed) + offset
            if not len(places):
                continue
            # a claim lies between two bytes when more claims end before the one than before the other
            gap, before = np.diff(places), np.searchsorted(ends, places, "right")
            cuts = np.flatnonzero((gap >= _TORN) | ((gap > 1) & (np.diff(before) != 0))) + 1
            for begin, end in zip(places[np.r_[0, cuts]].tolist(), places[np.r_[cuts - 1, -1]].tolist(), strict=True):
                if first >= 0 and begin == last + 1:  # it goes on from the chunk before
                    last = end
                    continue
                if first >= 0:
                    yield first, last + 1
                first, last = begin, end
        if first >= 0:
            yield first, last + 1
