"""Search for many values in one pass over text or bytes.

A short or common word counts only where it stands as a word. What tells of a person by itself counts wherever its bytes
are: in a binary file the byte before or after a value is a length or a tag, and can look like a letter.
"""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ahocorasick_rs import BytesAhoCorasick, Implementation

from envclone.verifier.originals import Original, spellings

__all__ = ["ByteSearch", "Hit", "shortest"]

CHUNK = 16 * 2**20
"""Bytes of a file looked at at once; chunks overlap by the longest value."""


TELLING = 9
"""Bytes from which a full name is no accident inside other words ('coastal lights' holds 'al li')."""


class Boundary(Enum):
    """What must not stand right beside a value."""

    NONE = 0
    DIGIT = 1
    WORD = 2


@dataclass(frozen=True, slots=True)
class Hit:
    """One original value found: the value itself (never reported), the offset in bytes, and the length."""

    value: str
    start: int
    end: int


def shortest(total_bytes: int, values: int) -> int:
    """The length in bytes from which a hit in so many random bytes is no accident (chance of one below 0.1 %).

    Expected accidental hits of v values of n bytes in b random bytes: b * v / 256**n.
    """
    return max(5, math.ceil(math.log(max(total_bytes, 1) * max(values, 1) * 1000, 256)))


class ByteSearch:
    """An Aho-Corasick automaton over every spelling of the originals that is long enough."""

    def __init__(self, originals: Mapping[str, Original], *, minimum: int) -> None:
        self._patterns: list[bytes] = []
        self._values: list[str] = []
        self._boundaries: list[Boundary] = []
        self.skipped = 0
        for value, original in originals.items():
            wanted = [spelling for spelling in spellings(value) if len(spelling) >= minimum]
            self.skipped += not wanted
            for spelling in wanted:
                self._patterns.append(spelling)
                self._values.append(value)
                self._boundaries.append(_boundary(original, len(spelling)))
        self.searched = len(originals) - self.skipped
        self._longest = max(map(len, self._patterns), default=1)
        self._automaton = (
            BytesAhoCorasick(self._patterns, implementation=Implementation.ContiguousNFA) if self._patterns else None
        )

    def find(self, data: bytes) -> Iterator[Hit]:
        """Every occurrence in `data`; a weak value only where it is not part of a longer word or number."""
        if self._automaton is None:
            return
        for index, start, end in self._automaton.find_matches_as_indexes(data, overlapping=True):
            if _bounded(data, start, end, self._boundaries[index]):
                yield Hit(self._values[index], start, end)

    def find_in_file(self, path: Path) -> Iterator[Hit]:
        """Every occurrence in a file; memory stays flat."""
        size = path.stat().st_size
        if not size:
            return
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            for offset in _written(file.fileno(), size):
                begin = max(0, offset - self._longest - 1)
                # one byte more than the chunk, to see whether the word goes on behind it; a hit belongs to the
                # chunk that its last byte lies in
                for hit in self.find(view[begin : offset + CHUNK + 1]):
                    if offset < begin + hit.end <= offset + CHUNK:
                        yield Hit(hit.value, begin + hit.start, begin + hit.end)


def _written(descriptor: int, size: int) -> Iterable[int]:
    """Offsets of the chunks that hold data; the holes of a sparse file are not read."""
    offset = 0
    while offset < size:
        try:
            data = os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError:
            return
        offset = max(offset, data // CHUNK * CHUNK)
        yield offset
        offset += CHUNK


def _boundary(original: Original, length: int) -> Boundary:
    """What may not stand beside a value of `length` bytes for it to count."""
    if original.kind == "email" and original.strong:
        return Boundary.NONE
    if original.kind == "phone":
        return Boundary.DIGIT
    return Boundary.NONE if original.strong and length >= TELLING else Boundary.WORD


def _bounded(data: bytes, start: int, end: int, boundary: Boundary) -> bool:
    """Whether neither neighbour continues the word or number: 'Ann' is not found in 'Annual'."""
    if boundary is Boundary.NONE:
        return True
    before, after = data[start - 1 : start], data[end : end + 1]
    if boundary is Boundary.DIGIT:
        return not (before.isdigit() or after.isdigit())
    return not (
        (before.isalnum() and data[start : start + 1].isalnum()) or (after.isalnum() and data[end - 1 : end].isalnum())
    )
