"""What masks values, and who is shown them while a clone is compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from envclone.models import Accounted, FieldRule, Rows

__all__ = ["FieldMask", "Ledger", "Look", "Mask", "Masks"]


@runtime_checkable
class Mask(Protocol):
    """The mask of one domain: a pure function of the key, the domain and the value."""

    def mask(self, values: Sequence[str]) -> list[str]:
        """The pseudonyms of `values`, in order."""
        ...


FieldMask = Callable[[Sequence[Any]], Sequence[Any]]
"""Masks a batch of one field's values as its FieldKind gives them; None stays None.

A block of texts (`packed.TextBlock`) comes back as one where its mask can."""


class Masks(Protocol):
    """All masks of one image: one key, one corpus of identities, every store."""

    @property
    def key_id(self) -> str:
        """The id of the masking key; never the key."""
        ...

    def field(self, rule: FieldRule) -> FieldMask:
        """What masks a field under this rule."""
        ...

    def separable(self, rule: FieldRule) -> bool:
        """Whether a copy of this process can mask the field as well: nothing outside the process takes part."""
        ...


class Look(Protocol):
    """Who is shown every value while a clone is compared; copies of the process look at parts of it."""

    def batch(self, address: str, before: list[Any], after: list[Any], places: Sequence[str] = ()) -> None:
        """Values beside any row (definitions, large objects), and what the clone has in their places.

        `places` says of each where it is, as it may be shown, when the address does not.
        """
        ...

    def batches(self, many: Iterable[tuple[str, list[Any], Sequence[str]]]) -> None:
        """The same of values that nothing changed, of many addresses with few values each, and where each is."""
        ...

    def numbers(self, address: str, values: list[Any], places: Sequence[str]) -> None:
        """Numbers beside any row, of one kind, and where each is: few digits say nothing alone, so they are counted."""
        ...

    def rows(self, rows: Rows, made: Mapping[str, Sequence[Any]]) -> None:
        """Whole rows as production has them, and what the masks made of those fields that they change."""
        ...

    def by_others(self, address: str, made: Sequence[Any]) -> None:
        """What a mask made of a field by the value of another one, some rows at a time."""
        ...

    def found(self) -> Any:
        """What was found since this was asked last, as it can be sent from one process to another."""
        ...

    def take(self, found: Any) -> None:
        """Take in what was found, here or in a copy of this process."""
        ...


class Ledger(Protocol):
    """Who is told what the bytes of a closed clone's files are, piece by piece, by every copy of the process."""

    def enter(self, piece: Accounted) -> None:
        """Count a piece of a file, and search what is to be searched in it."""
        ...

    def found(self) -> Any:
        """What was entered since this was asked last, as it can be sent from one process to another."""
        ...

    def take(self, found: Any) -> None:
        """Take in what was entered in a copy of this process."""
        ...
