"""Pages written where they belong; those that an earlier image has there share its blocks instead."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from envclone.cow.reflink import share_range
from envclone.stores.postgres.format.page import Pages
from envclone.stores.postgres.format.segments import Extent

__all__ = ["put"]

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def put(extent: Extent, pages: Pages, numbers: Any, earlier: Path | None) -> int:
    """Put those pages of an extent (ascending `numbers`) into its file; returns how many of them share their blocks.

    `earlier` is the directory in which an image has the file under the same name. What is the same there, to the byte,
    takes the blocks of it where the file system can share them, and is written where it cannot.
    """
    size = pages.shape[1]
    with extent.path.open("r+b", buffering=0) as file:
        target, view = file.fileno(), memoryview(pages.reshape(-1))  # type: ignore[arg-type]
        shared = 0
        left = numbers
        if earlier is not None and (source := _opened(earlier / extent.path.name)) is not None:
            try:
                alike = _alike(source, extent, pages, numbers)
                for first, last in _runs(numbers[alike]):
                    if not share_range(source, target, extent.offset + first * size, (last - first) * size):
                        break
                    shared += last - first
            finally:
                os.close(source)
            left = np.concatenate((numbers[alike][shared:], numbers[~alike]))
        for first, last in _runs(np.sort(left)):
            _write(target, view[first * size : last * size], extent.offset + first * size)
    return shared


def _opened(path: Path) -> int | None:
    """An ordinary file to be read; None when there is none."""
    try:
        return os.open(path, _FLAGS)
    except OSError:
        return None


def _alike(source: int, extent: Extent, pages: Pages, numbers: Any) -> Any:
    """Which of the pages the earlier file has in their places."""
    size = pages.shape[1]
    there = os.pread(source, extent.pages * size, extent.offset)
    theirs = np.frombuffer(there, np.uint8, len(there) // size * size).reshape(-1, size)
    found = np.zeros(len(numbers), np.bool_)
    known = numbers < len(theirs)
    its = numbers[known]
    found[known] = (pages[its].view(np.uint64) == theirs[its].view(np.uint64)).all(axis=1)
    return found


def _runs(numbers: Any) -> Iterator[tuple[int, int]]:
    """Successive numbers, ascending: the first and the one behind the last."""
    if len(numbers):
        for run in np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1):
            yield int(run[0]), int(run[-1]) + 1


def _write(target: int, data: memoryview, offset: int) -> None:
    while data:
        written = os.pwrite(target, data, offset)
        data, offset = data[written:], offset + written
