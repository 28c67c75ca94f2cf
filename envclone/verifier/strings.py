"""Byte strings that are looked for, beside the originals as they lie: each with the number of what it spells.

They lie on the shelf: of millions of UUIDs and of names that are not ASCII no object is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from envclone.shelf import Column, Shelf
from envclone.verifier.originals import Originals
from envclone.verifier.windows import Patterns

__all__ = ["Strings", "uuid_strings"]

_TOGETHER = 1 << 12
"""Strings that are laid down together."""
_AT_ONCE = 1 << 14
"""UUIDs that are looked at together."""
_SMALL = 1 << 32
_DIGITS = np.array([at for at in range(36) if at not in (8, 13, 18, 23)])
"""Where the digits of a UUID stand."""
_VALUES = np.zeros(256, np.uint8)
_VALUES[list(b"0123456789abcdef")] = _VALUES[list(b"0123456789ABCDEF")] = range(16)
"""What a hexadecimal digit stands for."""


class Strings:
    """Byte strings in the order of their coming, each with a number."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._block, self._lengths = Column(shelf, np.uint8), Column(shelf, np.uint32)
        self._numbers = Column(shelf, np.uint32)
        self._fresh: list[tuple[bytes, int]] = []

    def __len__(self) -> int:
        return len(self._numbers) + len(self._fresh)

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        self._lay()
        begin = 0
        for first in range(0, len(self._numbers), _TOGETHER):
            numbers = self._numbers.array[first : first + _TOGETHER].tolist()
            for length, number in zip(self._lengths.array[first : first + _TOGETHER].tolist(), numbers, strict=True):
                yield self._block.array[begin : begin + length].tobytes(), number
                begin += length

    def add(self, text: bytes, number: int) -> None:
        """Take in one string."""
        self._fresh.append((text, number))
        if len(self._fresh) >= _TOGETHER:
            self._lay()

    def add_many(self, texts: Any, numbers: Any) -> None:
        """Take in strings of one length: a row of bytes each."""
        self._lay()
        self._block.extend(texts.reshape(-1))
        self._lengths.extend(np.full(len(texts), texts.shape[1], np.uint32))
        self._numbers.extend(numbers)
        self._shelf.rest()

    def _lay(self) -> None:
        fresh, self._fresh = self._fresh, []
        if fresh:
            self._block.extend(np.frombuffer(b"".join([text for text, _ in fresh]), np.uint8))
            self._lengths.extend([len(text) for text, _ in fresh])
            self._numbers.extend([number for _, number in fresh])
            self._shelf.rest()

    def texts(self) -> list[bytes]:
        """All of them."""
        return [text for text, _ in self]

    def numbers(self) -> Any:
        """Their numbers (uint32); while they are held no more strings can be taken in."""
        self._lay()
        return self._numbers.array

    def patterns(self) -> Patterns:
        """All of them, to be searched for; while it is held no more can be taken in."""
        self._lay()
        block = self._block.array
        bounds = self._shelf.zeros(np.uint32 if len(block) < _SMALL else np.int64, len(self) + 1)
        which = self._shelf.zeros(np.uint32, len(self))
        for first in range(0, len(self), _AT_ONCE):
            some = self._lengths.array[first : first + _AT_ONCE]
            bounds[first + 1 : first + len(some) + 1] = int(bounds[first]) + np.cumsum(some, dtype=np.int64)
            which[first : first + len(some)] = np.arange(first, first + len(some))
            self._shelf.rest()
        return Patterns(block, bounds, which)


def uuid_strings(originals: Originals, numbers: Any, fold: bytes | None) -> Strings:
    """How originals that are UUIDs (`Originals.uuids`) are spelled beside as they lie and in lower case: without their
    dashes, folded, or where nothing is folded as the bytes of a type."""
    block, bounds = originals.held()
    made, table = Strings(originals.shelf), None if fold is None else np.frombuffer(fold, np.uint8)
    for first in range(0, len(numbers), _AT_ONCE):
        some = numbers[first : first + _AT_ONCE]
        digits = block[bounds[some].astype(np.int64)[:, None] + _DIGITS]
        if table is not None:
            made.add_many(table[digits], some)
        else:
            values = _VALUES[digits]
            made.add_many(values[:, ::2] << np.uint8(4) | values[:, 1::2], some)
    return made
