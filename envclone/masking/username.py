"""The mask of user names: the parts of a name in them have the pseudonyms of that name."""

from __future__ import annotations

from collections.abc import Sequence

from envclone.masking.tokens import NameTokens
from envclone.packed import TextBlock

__all__ = ["UsernameMask"]


class UsernameMask:
    """`jane.doe`, `Jane_Doe82`, `@jane-doe`: every run of letters and of digits on its own; a bijection."""

    def __init__(self, names: NameTokens) -> None:
        self._names = names

    def mask(self, values: Sequence[str]) -> list[str]:
        """The pseudonyms of `values`, in order."""
        return self._names.mask(values)

    def packed(self, block: TextBlock) -> TextBlock:
        """The pseudonyms of a block of texts."""
        return self._names.packed(block)
