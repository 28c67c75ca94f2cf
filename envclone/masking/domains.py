"""The domains that kernels ask for, by number of shape, made as they are met; and batches run through a kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from envclone.compiled import available
from envclone.masking.fpe import SMALL, parameters, shuffled
from envclone.masking.kernels.shapes import DONE, FEISTEL, UNFIT, Domains, Values, empty, values_of
from envclone.packed import TextBlock

__all__ = ["Batch", "DomainTable", "passed", "through"]

_MOST = 1 << 14
"""Domains of one mask; values of others go the way of odd ones."""
_WIDE = 1 << 57
"""Halves that leave room for a digit in one word."""
_CHARACTERS = 1 << 22
"""Characters in one run of a kernel, about."""
_SEPARATOR = "\x00"


class DomainTable:
    """Domains under one key; `shape` gives the tweak and the radices for a number of a shape.

    `wide` says that a mask takes the halves of a number apart itself.
    """

    def __init__(self, key: bytes, shape: Callable[[int], tuple[bytes, Sequence[int]]], *, wide: bool = False) -> None:
        self._key = key
        self._shape = shape
        self._widest = 1 << 62 if wide else _WIDE
        self._known: set[int] = set()
        self._tables = 0
        self.arrays: Domains = empty()

    def grant(self) -> bool:
        """Add what was wanted; False when there is no room for more."""
        arrays = self.arrays
        wanted = dict.fromkeys(arrays.wanted[: int(arrays.count[0])].tolist())
        arrays.count[0] = 0
        for key in wanted:
            if key not in self._known:
                if len(self._known) == _MOST:
                    return False
                self._add(key)
        return True

    def _add(self, key: int) -> None:
        row = len(self._known)
        self._known.add(key)
        if row == len(self.arrays.rows):
            self.arrays = self.arrays._replace(rows=np.concatenate((self.arrays.rows, np.zeros_like(self.arrays.rows))))
            self._widen()
        tweak, radices = self._shape(key)
        size = prod(radices)
        words = self.arrays.rows[row]
        if size <= SMALL:
            table = shuffled(self._key, tweak, size) if size > 1 else [0]
            words[:] = (1, 1 << 20, 0, size, 0, 0, self._tabled(table), size)
        else:
            given = parameters(self._key, tweak, size)
            fits = given[0] < self._widest
            words[:6] = given if fits else 0
            words[6], words[7] = FEISTEL if fits else UNFIT, size if size < 1 << 63 else 0
        _enter(self.arrays, key, row)

    def _tabled(self, table: Sequence[int]) -> int:
        """Where a shuffled table stands now."""
        first = self._tables
        self._tables += len(table)
        if self._tables > len(self.arrays.small):
            small = np.zeros(max(2 * len(self.arrays.small), self._tables), np.uint16)
            small[:first] = self.arrays.small[:first]
            self.arrays = self.arrays._replace(small=small)
        self.arrays.small[first : self._tables] = table
        return first

    def _widen(self) -> None:
        old = self.arrays
        self.arrays = old._replace(
            keys=np.zeros(2 * len(old.keys), np.uint64), places=np.full(2 * len(old.keys), -1, np.int32)
        )
        for key, place in zip(old.keys.tolist(), old.places.tolist(), strict=True):
            if place >= 0:
                _enter(self.arrays, key, place)


def _enter(arrays: Domains, key: int, row: int) -> None:
    mask = len(arrays.keys) - 1
    at = (key * 0x9E3779B97F4A7C15 % (1 << 64) >> 40) & mask
    while arrays.places[at] >= 0:
        at = (at + 1) & mask
    arrays.keys[at], arrays.places[at] = key, row


Rest = Callable[[Sequence[str], Callable[[str], str]], list[str]]
"""Masks many values that a loop left; it is given the mask of one, too."""
_MANY = 32


class Batch:
    """The mask of many values at once: `loop` masks what it knows, and says of each value what became of it; `one`,
    the mask in Python, is given with the values and masks the others, or `rest` does when they are many."""

    def __init__(self, loop: Callable[[Values], object], domains: DomainTable, rest: Rest | None = None) -> None:
        self._loop = loop
        self._domains = domains
        self._rest = rest

    def __call__(self, values: Sequence[str], one: Callable[[str], str]) -> list[str]:
        """The pseudonyms of values, in order."""
        if not available():
            return [one(value) for value in values]
        out: list[str] = []
        start = size = 0
        for i, value in enumerate(values):
            size += len(value)
            if size >= _CHARACTERS:
                out += self._some(values[start : i + 1], one)
                start, size = i + 1, 0
        return out + self._some(values[start:] if start else values, one) if start < len(values) else out

    def packed(self, block: TextBlock, one: Callable[[str], str]) -> TextBlock:
        """The pseudonyms of a block of texts, as a block; only where loops are compiled."""
        batch = values_of(block.block)
        passed(batch, self._loop, self._domains)
        odd: list[int] = np.flatnonzero(batch.states != DONE).tolist()
        masked = TextBlock(batch.out.tobytes(), block.absent)
        return masked.replaced(odd, self._left([block.text(i) for i in odd], one))

    def _left(self, values: Sequence[str], one: Callable[[str], str]) -> list[str]:
        if self._rest is not None and len(values) >= _MANY and not any(_SEPARATOR in value for value in values):
            return self._rest(values, one)
        return [one(value) for value in values]

    def _some(self, values: Sequence[str], one: Callable[[str], str]) -> list[str]:
        out, odd = through(values, self._loop, self._domains)
        for i, masked in zip(odd, self._left([values[i] for i in odd], one), strict=True):
            out[i] = masked
        return out


def passed(batch: Values, loop: Callable[[Values], object], domains: DomainTable | None) -> None:
    """Run a loop over values until it has every shape that it asks for."""
    while True:
        loop(batch)
        if domains is None or not domains.arrays.count[0] or not domains.grant():
            return


def through(
    values: Sequence[str], loop: Callable[[Values], object], domains: DomainTable | None
) -> tuple[list[str], Sequence[int]]:
    """Values through a loop at once, and the places of those that it left."""
    batch = values_of(_SEPARATOR.join(values).encode("utf-8", "surrogatepass"))
    if len(batch.states) != len(values):  # a zero in a value
        return list(values), range(len(values))
    passed(batch, loop, domains)
    out = batch.out.tobytes().decode("utf-8", "surrogatepass").split(_SEPARATOR)
    odd: list[int] = np.flatnonzero(batch.states != DONE).tolist()
    return out, odd
