"""Arrays that grow in place: nothing is copied, and nothing beyond what is used takes memory.

In a file they are shared by all copies of the process, and what nobody looks at need not lie in memory at all. The file
has no name: it is unlinked as soon as it is open, so that it goes with the process, however that ends.
"""

from __future__ import annotations

import gc
import mmap
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Growing"]


class Growing:
    """An array of numbers of one type, zero where nothing was written. `directory` is where its file lies; None is
    memory of the process."""

    def __init__(self, kind: Any, count: int, directory: Path | None = None) -> None:
        self._kind = np.dtype(kind)
        self.map = _mapped(max(1, count) * self._kind.itemsize, directory)
        self._in_file = directory is not None
        self.array: Any = np.frombuffer(self.map, self._kind)

    def __len__(self) -> int:
        return len(self.array)

    def grow(self, count: int) -> None:
        """Make room for at least so many numbers; no other array of it may be held."""
        if count > len(self.array):
            self._resize(max(2 * len(self.map), count * self._kind.itemsize))
            self.array = np.frombuffer(self.map, self._kind)

    def cut(self, count: int) -> None:
        """Give back what is behind so many numbers."""
        self._resize(max(1, count) * self._kind.itemsize)
        self.array = np.frombuffer(self.map, self._kind)[:count]

    def _resize(self, size: int) -> None:
        self.array = None
        try:
            self.map.resize(size)
        except BufferError:  # numba's compiler leaves arrays that a loop was first called with in cycles
            gc.collect()
            self.map.resize(size)

    def put_away(self) -> None:
        """Let what is in a file lie there until somebody looks at it."""
        if self._in_file:
            self.map.madvise(mmap.MADV_DONTNEED)


def _mapped(size: int, directory: Path | None) -> mmap.mmap:
    if directory is None:
        return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    descriptor, name = tempfile.mkstemp(dir=directory)  # 0600
    try:
        Path(name).unlink()
        os.ftruncate(descriptor, size)
        return mmap.mmap(descriptor, size)
    finally:
        os.close(descriptor)
