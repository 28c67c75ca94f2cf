"""The segment files of a relation's main fork, read in ranges of pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from envclone.errors import UnsafeError
from envclone.stores.postgres.format.page import Pages

__all__ = ["Extent", "Range", "extents", "ranges", "read", "segment_of", "segments"]

PAGES_AT_ONCE = 2048
"""Pages held in memory together: 16 MiB, so that the arrays made from them stay below 100 MiB."""


@dataclass(frozen=True, slots=True)
class Range:
    """Some successive pages: where they stand in the file (bytes), the first one's block number in the relation."""

    path: Path
    offset: int
    first_block: int
    pages: Pages

    @property
    def blocks(self) -> npt.NDArray[np.uint32]:
        """The pages' block numbers."""
        return np.arange(self.first_block, self.first_block + len(self.pages), dtype=np.uint32)


def segments(path: Path) -> Iterator[Path]:
    """The relation's segment files in order: `path`, `path.1`, …"""
    number, segment = 0, path
    while segment.exists():
        yield segment
        number += 1
        segment = path.with_name(f"{path.name}.{number}")


def segment_of(path: Path, number: int) -> Path:
    """The file of a relation's segment, counted from 0."""
    return path if number == 0 else path.with_name(f"{path.name}.{number}")


@dataclass(frozen=True, slots=True)
class Extent:
    """Successive pages of a relation: file, offset in it (bytes), how many, and the first one's block number."""

    path: Path
    offset: int
    pages: int
    first_block: int


def extents(path: Path, page_size: int, *, segment_pages: int, at_once: int = PAGES_AT_ONCE) -> Iterator[Extent]:
    """All pages of a relation; `segment_pages` is the number of pages that a full segment holds (RELSEG_SIZE).

    Raises UnsafeError when a file does not end at the end of a page.
    """
    for number, segment in enumerate(segments(path)):
        size = segment.stat().st_size
        if size % page_size:
            raise UnsafeError(f"{segment.name} does not end at the end of a page", hint="take a new snapshot")
        count = size // page_size
        for start in range(0, count, at_once):
            first = number * segment_pages + start
            yield Extent(segment, start * page_size, min(at_once, count - start), first)


def read(extent: Extent, page_size: int) -> Range:
    """The pages of an extent."""
    with extent.path.open("rb", buffering=0) as file:
        file.seek(extent.offset)
        data = file.read(extent.pages * page_size)
    pages = np.frombuffer(data, dtype=np.uint8).reshape(-1, page_size)
    return Range(extent.path, extent.offset, extent.first_block, pages)


def ranges(path: Path, page_size: int, *, segment_pages: int, at_once: int = PAGES_AT_ONCE) -> Iterator[Range]:
    """The pages themselves, an extent at a time."""
    for extent in extents(path, page_size, segment_pages=segment_pages, at_once=at_once):
        yield read(extent, page_size)
