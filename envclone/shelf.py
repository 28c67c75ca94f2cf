"""Large arrays that take no memory while nobody looks at them: they lie in files of a private directory.

The files have no name (`growing`), so they go with the process, and copies of the process share them. What is in order,
or in a hash's order, is read in few places, and those are put down again when they have become many.
"""

from __future__ import annotations

import mmap
import threading
import weakref
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from envclone.growing import Growing

__all__ = ["Column", "Shelf", "Sorter"]

_MOST = 24 * 2**20
"""Bytes of files that this process has in memory before they are put down; twice as much when all is laid."""
_ALL = 4.0
"""Times so many bytes, with what is read everywhere, when all is laid."""
_AT_ONCE = 1 << 18
"""Numbers that are worked on together."""
_FEW = 1 << 18
"""Numbers up to which they are sorted as they are; of more as many parts are made as have about so many each."""
_TOUCHED = 256
"""Places of an array that are looked at between two rests: with each the kernel brings 64 kB of it into memory."""
_SMALL = 4 * 2**20
"""Bytes of an array that may be in memory as a whole."""
_SAMPLED = 1 << 16
"""Numbers that tell where the parts begin."""


class Shelf:
    """Where arrays lie. Without a directory that is memory; a directory must be private (0700).

    What lies `beside` it, on another shelf that is used by the same work, rests when this one does.
    """

    def __init__(self, directory: Path | None = None, beside: Shelf | None = None) -> None:
        self.directory = directory
        self._beside = beside
        self._maps: list[weakref.ref[mmap.mmap]] = []
        self._hot: list[weakref.ref[mmap.mmap]] = []
        self._lock = threading.Lock()
        self._enough = 0
        self._share = 1.0

    def growing(self, kind: Any, count: int, *, everywhere: bool = False) -> Growing:
        """An array of zeros that grows. One that is read `everywhere` all the time is not put down by `rest`."""
        made = Growing(kind, count, self.directory)
        if self.directory is not None:
            with self._lock:
                maps = self._hot if everywhere else self._maps
                maps[:] = [one for one in maps if one() is not None] + [weakref.ref(made.map)]
        return made

    def zeros(self, kind: Any, count: int, *, everywhere: bool = False) -> Any:
        """An array of zeros, which may be read `everywhere`."""
        return self.growing(kind, count, everywhere=everywhere).array[:count]

    def lay(self, array: Any, kind: Any = None) -> Any:
        """A copy of an array, of another type where one is given."""
        made = self.zeros(array.dtype if kind is None else kind, len(array))
        for first in range(0, len(array), _AT_ONCE):
            made[first : first + _AT_ONCE] = array[first : first + _AT_ONCE]
            self.rest()
        return made

    def sought(self, ordered: Any, wanted: Any) -> tuple[Any, Any]:
        """Of some numbers where each is, or would be, among ordered ones, and whether it is: of many ordered ones no
        more than a part is in memory."""
        places, order = np.zeros(len(wanted), np.int64), np.argsort(wanted, kind="stable")
        same = np.zeros(len(wanted), np.bool_)
        for some in self._few(ordered, order):
            places[some] = np.searchsorted(ordered, wanted[some])
            there = some[places[some] < len(ordered)]
            same[there] = ordered[places[there]] == wanted[there]
        return places, same

    def picked(self, array: Any, places: Any) -> Any:
        """The numbers at some places, which lie anywhere: no more than a part of the array is in memory."""
        if array.nbytes <= _SMALL:
            return array[places]
        found, order = np.zeros(len(places), array.dtype), np.argsort(places, kind="stable")
        for some in self._few(array, order):
            found[some] = array[places[some]]
        return found

    def _few(self, array: Any, order: Any) -> Iterator[Any]:
        """Some at a time, with a rest between them where the array is not small."""
        if array.nbytes <= _SMALL:
            yield order
            return
        for first in range(0, len(order), _TOUCHED):
            yield order[first : first + _TOUCHED]
            self.rest()

    def put_away(self) -> None:
        """Let go of what lies in files until somebody looks at it."""
        self._put_down(self._maps)
        self._put_down(self._hot)

    def laid(self) -> None:
        """All is laid down, and read from now on: more of it may be in memory, for it is read in the same places again
        and again; less of it the more is read everywhere."""
        self.put_away()
        hot = sum(len(one) for held in self._hot if (one := held()) is not None)
        self._share = min(2.0, max(1.0, _ALL - hot / _MOST))

    def _put_down(self, maps: list[weakref.ref[mmap.mmap]]) -> None:
        with self._lock:
            for held in maps:
                if (one := held()) is not None:
                    one.madvise(mmap.MADV_DONTNEED)

    def rest(self) -> None:
        """The same when it has become much."""
        if self.directory is None:
            return
        held = _of_files()
        if held > self._enough + self._share * _MOST:
            self._put_down(self._maps)
            if self._beside is not None:
                self._beside._put_down(self._beside._maps)
            self._enough = _of_files()


class Column:
    """Numbers that come a batch at a time."""

    def __init__(self, shelf: Shelf, kind: Any) -> None:
        self._held = shelf.growing(kind, 1 << 10)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def extend(self, numbers: Any) -> None:
        """Take in more."""
        after = self._count + len(numbers)
        self._held.grow(after)
        self._held.array[self._count : after] = numbers
        self._count = after

    @property
    def array(self) -> Any:
        """All of them; while it is held no more can be taken in."""
        return self._held.array[: self._count]


class Sorter:
    """Puts numbers in order, each with its owner where there are `owners`, a part of them at a time."""

    def __init__(self, shelf: Shelf, kind: Any, owners: Any = None) -> None:
        self._shelf = shelf
        self._keys = Column(shelf, kind)
        self._owners = None if owners is None else Column(shelf, owners)

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, keys: Any, owners: Any = None) -> None:
        """Take in numbers and their owners."""
        self._keys.extend(keys)
        if self._owners is not None:
            self._owners.extend(owners)
        self._shelf.rest()

    def done(self, *, once: bool) -> tuple[Any, Any]:
        """All of them in order, with their owners (None where there are none); of equal ones, which stay in the order
        of their coming, with `once` only the first."""
        keys = self._keys.array
        owners = None if self._owners is None else self._owners.array
        places = [0, len(keys)]
        if len(keys) > _FEW:
            keys, owners, places = self._parted(keys, owners)
        total = 0
        for first, end in pairwise(places):
            part, whose = _sorted(keys[first:end], None if owners is None else owners[first:end], once=once)
            keys[total : total + len(part)] = part
            if owners is not None:
                owners[total : total + len(part)] = whose
            total += len(part)
            self._shelf.rest()
        return keys[:total], None if owners is None else owners[:total]

    def _parted(self, keys: Any, owners: Any) -> tuple[Any, Any, list[int]]:
        """The same numbers, those of each part behind those of the one before, and where the parts begin and end."""
        every, drawn = max(1, len(keys) // _SAMPLED), list[Any]()
        for first in range(0, len(keys), _AT_ONCE):
            drawn.append(keys[first : first + _AT_ONCE : every].copy())
            self._shelf.rest()
        some = np.sort(np.concatenate(drawn))
        step = max(1, len(some) * _FEW // len(keys))
        bounds = some[step::step]
        counts = np.zeros(len(bounds) + 1, np.int64)
        for first in range(0, len(keys), _AT_ONCE):
            which = np.searchsorted(bounds, keys[first : first + _AT_ONCE], "right")
            counts += np.bincount(which, minlength=len(counts))
            self._shelf.rest()
        places = [0, *np.cumsum(counts).tolist()]
        made = self._shelf.zeros(keys.dtype, len(keys))
        whose = None if owners is None else self._shelf.zeros(owners.dtype, len(keys))
        at = list(places[:-1])
        for first in range(0, len(keys), _AT_ONCE):
            some = keys[first : first + _AT_ONCE]
            which = np.searchsorted(bounds, some, "right").astype(np.uint16)
            order = np.argsort(which, kind="stable")
            some = some[order]
            its = None if owners is None else owners[first : first + _AT_ONCE][order]
            position = 0
            for part, count in enumerate(np.bincount(which, minlength=len(counts)).tolist()):
                made[at[part] : at[part] + count] = some[position : position + count]
                if its is not None and whose is not None:
                    whose[at[part] : at[part] + count] = its[position : position + count]
                at[part] += count
                position += count
            self._shelf.rest()
        return made, whose, places


def _sorted(keys: Any, owners: Any, *, once: bool) -> tuple[Any, Any]:
    if owners is None:
        keys = np.sort(keys)
    else:
        order = np.argsort(keys, kind="stable")
        keys, owners = keys[order], owners[order]
    if once and len(keys):
        new = np.ones(len(keys), np.bool_)
        new[1:] = keys[1:] != keys[:-1]
        keys, owners = keys[new], None if owners is None else owners[new]
    return keys, owners


def _of_files() -> int:
    """Bytes of mapped files that this process has in memory."""
    return int(Path("/proc/self/statm").read_bytes().split()[2]) * mmap.PAGESIZE
