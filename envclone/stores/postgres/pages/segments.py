"""The segment files of a relation's main fork, read in ranges of pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from envclone.errors import UnsafeError
from envclone.stores.postgres.pages.page import Pages

__all__ = ["Range", "ranges", "segments"]

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


def ranges(path: Path, page_size: int, *, segment_pages: int, at_once: int = PAGES_AT_ONCE) -> Iterator[Range]:
    """All pages of a relation; `segment_pages` is the number of pages that a full segment holds (RELSEG_SIZE).

    Raises UnsafeError when a file does not end at the end of a page.
    """
    for number, segment in enumerate(segments(path)):
        size = segment.stat().st_size
        if size % page_size:
            raise UnsafeError(f"{segment.name} does not end at the end of a page", hint="take a new snapshot")
        with segment.open("rb") as file:
            offset = 0
            while data := file.read(at_once * page_size):
                pages = np.frombuffer(data, dtype=np.uint8).reshape(-1, page_size)
                yield Range(segment, offset, number * segment_pages + offset // page_size, pages)
                offset += len(data)
