"""Search for many values in one pass over text or bytes.

A short or common word counts only where it stands as a word. What tells of a person by itself counts wherever its bytes
are: in a binary file the byte before or after a value is a length or a tag, and can look like a letter.
"""

from __future__ import annotations

import math
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from ahocorasick_rs import BytesAhoCorasick, Implementation

from envclone.forked import fork_map, processors
from envclone.verifier.originals import Original, Originals, spellings
from envclone.verifier.windows import WIDTH, Patterns, WindowSearch

__all__ = ["ByteSearch", "Found", "Hit", "shortest"]

CHUNK = 4 * 2**20
"""Bytes of a file looked at at once; chunks overlap by the longest value."""


PIECE = 16 * CHUNK
"""Bytes of a file that one process looks at."""

FEW = 20_000
"""Originals up to which an automaton is the faster search, and small enough."""

TELLING = 9
"""Bytes from which a full name is not an accident inside other words ('coastal lights' holds 'al li')."""
_INFLECTED = 6
"""Bytes from which a name with an s behind it is the name still."""


_LOWER = np.arange(256, dtype=np.uint8)
_LOWER[ord("A") : ord("Z") + 1] += 32


class Boundary(Enum):
    """What must not stand right beside a value."""

    NONE = 0
    DIGIT = 1
    WORD = 2
    NAME = 3
    """as WORD, but for a genitive's s"""


@dataclass(frozen=True, slots=True)
class Hit:
    """One original value found: its number, the offset in bytes, and where it ends."""

    original: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Found:
    """A piece of a file, from `first`, `size` bytes, and what was found in it."""

    path: Path
    first: int
    size: int
    hits: tuple[Hit, ...] = ()


def shortest(total_bytes: int, values: int) -> int:
    """The length in bytes from which a hit in so many random bytes is not an accident (chance of one below 0.1 %).

    Expected accidental hits of v values of n bytes in b random bytes: b * v / 256**n.
    """
    return max(5, math.ceil(math.log(max(total_bytes, 1) * max(values, 1) * 1000, 256)))


class ByteSearch:
    """A search for every spelling of the originals that is long enough.

    `spell` gives the byte strings of a value; of one that `Originals.plain` names these must be itself and its lower
    case, or with `fold`, a table of 256 bytes as `bytes.translate` takes it, itself translated by that. Few patterns,
    and short ones, are looked for by an Aho-Corasick automaton, many by their rarest windows (`windows`).
    """

    def __init__(
        self,
        originals: Originals,
        *,
        minimum: int,
        spell: Callable[[str], Iterable[bytes]] = spellings,
        fold: bytes | None = None,
    ) -> None:
        self.skipped = self.searched = 0
        few: list[bytes] = []
        owners = array("L")
        many = Patterns()
        large = len(originals) > FEW
        self._originals = originals
        longest = 1
        taken = _take_plain(originals, many, max(minimum, WIDTH), fold) if large else np.zeros(0, np.bool_)
        self.searched += int(taken.sum())
        for number in np.flatnonzero(~taken).tolist() if large else range(len(originals)):
            wanted = [spelling for spelling in spell(originals.value(number)) if len(spelling) >= minimum]
            self.skipped += not wanted
            self.searched += bool(wanted)
            for spelling in wanted:
                longest = max(longest, len(spelling))
                if large and len(spelling) >= WIDTH:
                    many.add(spelling, number)
                else:
                    few.append(spelling)
                    owners.append(number)
        longest = max(longest, many.longest)
        self._owners = owners
        self._longest = longest
        self._automaton = BytesAhoCorasick(few, implementation=Implementation.ContiguousNFA) if few else None
        self._windows = WindowSearch(many) if len(many) else None

    def find(self, data: bytes) -> Iterator[Hit]:
        """Every occurrence in `data`; a weak value only where it is not part of a longer word or number."""
        if self._automaton is not None:
            owners = self._owners
            for index, start, end in self._automaton.find_matches_as_indexes(data, overlapping=True):
                if self._bounded(data, owners[index], start, end):
                    yield Hit(owners[index], start, end)
        if self._windows is not None:
            for number, start, end in self._windows.find(data):
                if self._bounded(data, number, start, end):
                    yield Hit(number, start, end)

    def _bounded(self, data: bytes, number: int, start: int, end: int) -> bool:
        return _bounded(data, start, end, _boundary(self._originals[number], end - start))

    def find_in_file(self, path: Path) -> Iterator[Hit]:
        """Every occurrence in a file; memory stays flat."""
        for piece in _pieces([path]):
            yield from self._find_in_piece(piece).hits

    def find_in_files(self, paths: Sequence[Path]) -> Iterator[Found]:
        """Every occurrence in many files, by all processors: what each piece of a file held, in no order."""
        yield from fork_map(self._find_in_piece, list(_pieces(paths)), processors())

    def _find_in_piece(self, piece: Found) -> Found:
        """The hits whose last byte lies in the piece."""
        if not piece.size:
            return piece
        hits: list[Hit] = []
        with piece.path.open("rb", buffering=0) as file:
            for offset in _written(file.fileno(), piece.first, piece.first + piece.size):
                end = min(offset + CHUNK, piece.first + piece.size)
                begin = max(0, offset - self._longest - 1)
                # one byte more than the chunk, to see whether the word goes on behind it
                data = os.pread(file.fileno(), end + 1 - begin, begin)
                for hit in self.find(data):
                    if offset < begin + hit.end <= end:
                        hits.append(Hit(hit.original, begin + hit.start, begin + hit.end))
        return replace(piece, hits=tuple(hits))


def _pieces(paths: Sequence[Path]) -> Iterator[Found]:
    for path in paths:
        size = path.stat().st_size
        for first in range(0, size, PIECE):
            yield Found(path, first, min(PIECE, size - first))


def _take_plain(originals: Originals, patterns: Patterns, least: int, fold: bytes | None) -> Any:
    """Take in the plain originals of at least so many bytes, all at once; returns per original whether it was one."""
    taken = np.zeros(len(originals), np.bool_)
    numbers, block, ends = originals.plain(least)
    if not len(numbers):
        return taken
    taken[numbers] = True
    if fold is not None:
        patterns.extend(block.tobytes().translate(fold), ends, numbers)
        return taken
    patterns.extend(block.tobytes(), ends, numbers)
    lower = _LOWER[block]
    starts = np.concatenate((np.zeros(1, np.int64), ends[:-1].astype(np.int64)))
    other = np.logical_or.reduceat(lower != block, starts)
    lengths = np.diff(ends, prepend=np.uint64(0)).astype(np.int64)
    lower = lower[np.repeat(other, lengths)]
    patterns.extend(lower.tobytes(), np.cumsum(lengths[other]).astype(np.uint64), numbers[other])
    return taken


def _written(descriptor: int, offset: int, size: int) -> Iterable[int]:
    """Offsets of the chunks that hold data; the holes of a sparse file are not read."""
    while offset < size:
        try:
            data = os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError:
            return
        offset = max(offset, data // CHUNK * CHUNK)
        if offset < size:
            yield offset
        offset += CHUNK


def _boundary(original: Original, length: int) -> Boundary:
    """What may not stand beside a value of `length` bytes for it to count."""
    if original.kind == "email" and original.strong:
        return Boundary.NONE
    if original.kind == "phone":
        return Boundary.DIGIT
    if original.strong and length >= TELLING:
        return Boundary.NONE
    return Boundary.NAME if original.kind == "person" and length >= _INFLECTED else Boundary.WORD


def _bounded(data: bytes, start: int, end: int, boundary: Boundary) -> bool:
    """Whether neither neighbour continues the word or number: 'Ann' is not found in 'Annual'."""
    if boundary is Boundary.NONE:
        return True
    before, after = data[start - 1 : start], data[end : end + 1]
    if boundary is Boundary.DIGIT:
        return not (before.isdigit() or after.isdigit())
    if boundary is Boundary.NAME and after == b"s":  # 'Quenzelmanns Antrag'
        after = data[end + 1 : end + 2]
    return not (
        (before.isalnum() and data[start : start + 1].isalnum()) or (after.isalnum() and data[end - 1 : end].isalnum())
    )
