"""Pages written where they belong; those that an earlier image has there share its blocks instead."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from envclone.cow.reflink import share_range
from envclone.stores.postgres.format.page import Pages

__all__ = ["put"]

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def put(
    path: Path,
    offset: int,
    numbers: Any,
    pages: Pages,
    earlier: Path | None = None,
    later: Callable[[Pages, Any], Pages] | None = None,
) -> int:
    """Put pages into a file, each where its number (ascending) says, counted from `offset`; returns how many share.

    `earlier` is the directory in which an image has the file under the same name. What is the same there, to the byte,
    takes its blocks where the file system can share them, and is written where it cannot. What is not, but becomes so
    by what is done to it `later` (given the pages and their numbers), takes that form at once, if it can be shared.
    """
    size, view = pages.shape[1], memoryview(np.ascontiguousarray(pages).reshape(-1))  # type: ignore[arg-type]
    done = np.zeros(len(numbers), np.bool_)
    with path.open("r+b", buffering=0) as file:
        target = file.fileno()
        if earlier is not None and len(numbers) and (source := _opened(earlier / path.name)) is not None:
            try:
                alike = _alike(source, offset, numbers, pages, later)
                for first, last in _runs(numbers, np.flatnonzero(alike)):
                    start, length = offset + int(numbers[first]) * size, (last - first) * size
                    if not share_range(source, target, start, length):
                        break
                    done[first:last] = True
            finally:
                os.close(source)
        for first, last in _runs(numbers, np.flatnonzero(~done)):
            _write(target, view[first * size : last * size], offset + int(numbers[first]) * size)
    return int(done.sum())


def _opened(path: Path) -> int | None:
    """An ordinary file to be read; None when there is none."""
    try:
        found = os.open(path, _FLAGS)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(found).st_mode):
        return found
    os.close(found)
    return None


def _alike(source: int, offset: int, numbers: Any, pages: Pages, later: Callable[[Pages, Any], Pages] | None) -> Any:
    """Which of the pages the earlier file has in their places, now or later."""
    size, first = pages.shape[1], int(numbers[0])
    there = os.pread(source, (int(numbers[-1]) + 1 - first) * size, offset + first * size)
    theirs = np.frombuffer(there, np.uint8, len(there) // size * size).reshape(-1, size)
    alike = np.zeros(len(numbers), np.bool_)
    known = np.flatnonzero(numbers - first < len(theirs))
    its = theirs[numbers[known] - first]
    alike[known] = _equal(pages[known], its)
    left = ~alike[known]
    if later is not None and left.any():
        alike[known[left]] = _equal(later(pages[known[left]], numbers[known[left]]), its[left])
    return alike


def _equal(one: Pages, other: Pages) -> Any:
    return (one.view(np.uint64) == other.view(np.uint64)).all(axis=1)


def _runs(numbers: Any, places: Any) -> Iterator[tuple[int, int]]:
    """Places whose numbers follow each other: the first and the one behind the last."""
    if len(places):
        for run in np.split(places, np.flatnonzero((np.diff(places) != 1) | (np.diff(numbers[places]) != 1)) + 1):
            yield int(run[0]), int(run[-1]) + 1


def _write(target: int, data: memoryview, offset: int) -> None:
    while data:
        written = os.pwrite(target, data, offset)
        data, offset = data[written:], offset + written
