"""Values remembered with their pseudonyms, in memory only, so that what is repeated is computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from envclone.compiled import available
from envclone.masking.packing import by_text
from envclone.packed import TextBlock

if TYPE_CHECKING:
    from envclone.masking.domains import Batch

__all__ = ["BATCH", "GENERATION", "Memo", "Remembered"]

GENERATION = 1 << 16
"""Values remembered before the older half of them is forgotten."""
_CHARACTERS = 1 << 22
"""Characters of values that take as much room as so many values."""
BATCH = 32
"""Distinct values that are worth the way into a compiled loop and back."""


class Remembered:
    """A bounded mapping: of two generations the older is forgotten when the younger is full.

    What is asked for again moves into the younger one. Holds at most about 50 MB.
    """

    __slots__ = ("_older", "_room", "_younger")

    def __init__(self) -> None:
        self._younger: dict[str, str] = {}
        self._older: dict[str, str] = {}
        self._room = _CHARACTERS

    def get(self, value: str) -> str | None:
        """What was put for a value, or None."""
        masked = self._younger.get(value)
        if masked is None:
            masked = self._older.get(value)
            if masked is not None:
                self.put(value, masked)
        return masked

    def put(self, value: str, masked: str) -> None:
        """Remember it."""
        self._room -= len(value)
        if len(self._younger) >= GENERATION or self._room < 0:
            self._older, self._younger, self._room = self._younger, {}, _CHARACTERS
        self._younger[value] = masked


class Memo:
    """A function of one text that remembers; called with a batch, it answers in the same order.

    `many` is the same function of a whole batch, for large ones; it is asked once for equal values. `batch` makes the
    loop that is such a function.
    """

    __slots__ = ("_batch", "_known", "_many", "_one")

    def __init__(
        self,
        one: Callable[[str], str],
        many: Callable[[Sequence[str]], list[str]] | None = None,
        *,
        batch: Callable[[], Batch] | None = None,
    ) -> None:
        self._one = one
        self._batch = batch
        self._many = many if batch is None else lambda values: batch()(values, self.one)
        self._known = Remembered()

    def __call__(self, values: Sequence[str]) -> list[str]:
        """The images of `values`, in order."""
        if self._many is not None and len(values) >= BATCH:
            distinct = set(values)
            if len(distinct) >= BATCH:
                if 2 * len(distinct) > len(values):
                    return self._many(values)
                ordered = list(distinct)
                images = dict(zip(ordered, self._many(ordered), strict=True))
                return [images[value] for value in values]
        one = self.one
        return [one(value) for value in values]

    def packed(self, block: TextBlock) -> TextBlock:
        """The images of a block of texts, as a block; equal ones may be computed more than once."""
        if self._batch is not None and len(block) >= BATCH and available():
            return self._batch().packed(block, self.one)
        return by_text(self, block)

    def one(self, value: str) -> str:
        """The image of one value."""
        masked = self._known.get(value)
        if masked is None:
            masked = self._one(value)
            self._known.put(value, masked)
        return masked
