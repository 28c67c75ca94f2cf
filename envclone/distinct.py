"""Many distinct texts in little memory: their bytes in one block, and 64 bits of each to know it again."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

__all__ = ["Distinct", "Seen"]


class Seen:
    """A set of 64-bit numbers as sorted runs, each at least twice as long as the next (a log-structured merge)."""

    def __init__(self) -> None:
        self._runs: list[Any] = []

    def fresh(self, numbers: Any) -> Any:
        """The places of the numbers not seen before, each number once, ascending; from now on they are seen."""
        unique, places = np.unique(numbers, return_index=True)
        known = np.zeros(len(unique), bool)
        for run in self._runs:
            at = np.searchsorted(run, unique)
            at[at == len(run)] = 0
            known |= run[at] == unique
        added = unique[~known]
        if len(added):
            self._runs.append(added)
            while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
                last = self._runs.pop()
                self._runs[-1] = np.sort(np.concatenate((self._runs[-1], last)), kind="stable")
        return np.sort(places[~known])


class Distinct:
    """Texts, each once, numbered in the order of their coming.

    Two texts with the same 64 bits of Python's own hash count as one: with ten million texts the chance that there are
    two such is below three in a million.
    """

    def __init__(self) -> None:
        self._seen: Seen | None = Seen()
        self._block = bytearray()
        self._ends = array("Q", (0,))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> str:
        return self._block[self._ends[number] : self._ends[number + 1]].decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        return (self[i] for i in range(len(self)))

    def packed(self) -> tuple[Any, Any]:
        """The texts' bytes one behind the other (UTF-8), and where each begins and the last one ends; to be read only.

        While they are held no more texts can be taken in.
        """
        return np.frombuffer(self._block, np.uint8), np.array(self._ends, np.uint64)

    @classmethod
    def unpacked(cls, block: bytes, bounds: Any) -> Distinct:
        """What `packed` gave, as texts that take in no more. Raises ValueError when the bounds are not the block's."""
        held = cls()
        if not len(bounds) or bounds[0] or bounds[-1] != len(block) or (bounds[1:] < bounds[:-1]).any():
            raise ValueError("the bounds are not of this block")
        held._block, held._ends = bytearray(block), array("Q", bounds.astype(np.uint64).tobytes())
        held.seal()
        return held

    def seal(self) -> None:
        """Take in no more, and let go of what only that needs."""
        self._seen = None
        if len(self._block) < 1 << 32:
            self._ends = array("I", self._ends)

    def add(self, texts: Sequence[str]) -> list[str]:
        """Take in texts; returns those that were new, in their order, which get the next numbers."""
        if not texts:
            return []
        if self._seen is None:
            raise ValueError("no more texts are taken in")
        fresh = [texts[i] for i in self._seen.fresh(np.fromiter(map(hash, texts), np.int64, len(texts))).tolist()]
        for text in fresh:
            self._block += text.encode("utf-8", "surrogatepass")
            self._ends.append(len(self._block))
        return fresh
