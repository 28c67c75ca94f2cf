"""Values remembered with their pseudonyms, in memory only, so that what is repeated is computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ["MEMO", "Memo"]

MEMO = 1 << 14
"""Values remembered by one memo; then it starts again."""


class Memo:
    """A function of one text that remembers; called with a batch, it answers in the same order."""

    __slots__ = ("_known", "_one")

    def __init__(self, one: Callable[[str], str]) -> None:
        self._one = one
        self._known: dict[str, str] = {}

    def __call__(self, values: Sequence[str]) -> list[str]:
        """The images of `values`, in order."""
        one = self.one
        return [one(value) for value in values]

    def one(self, value: str) -> str:
        """The image of one value."""
        masked = self._known.get(value)
        if masked is None:
            masked = self._one(value)
            if len(self._known) >= MEMO:
                self._known.clear()
            self._known[value] = masked
        return masked
