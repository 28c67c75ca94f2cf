"""The mask of persons' names."""

from __future__ import annotations

from collections.abc import Sequence

from envclone.masking.tokens import NameTokens
from envclone.packed import TextBlock

__all__ = ["PersonMask"]


class PersonMask:
    """Names in any order and script: every token becomes its pseudonym, whatever stands around it."""

    def __init__(self, names: NameTokens) -> None:
        self._names = names

    def mask(self, values: Sequence[str]) -> list[str]:
        """The pseudonyms of `values`, in order."""
        return self._names.mask(values)

    def packed(self, block: TextBlock) -> TextBlock:
        """The pseudonyms of a block of texts."""
        return self._names.packed(block)
