"""Who asks a branch's store what a search would have given otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from envclone.models import Asked, Hits, Record, Retrieval

if TYPE_CHECKING:
    from envclone.incidents.bundle import Step

__all__ = ["Examiner"]


class Examiner(Protocol):
    """Asks about an incident's searches in a branch; nothing is written.

    A store's adapter that has one gives it by a method `examiner(endpoint)`, a context manager.
    """

    def retrieval(self, step: Step) -> Retrieval:
        """What a step searches; `why_not` says what keeps it from being asked otherwise."""
        ...

    def parts(self, step: Step, ident: str) -> Sequence[Step]:
        """The searches that a step puts together, each as a step of its own; none of a plain search.

        Of a search in groups it is the search in each group that the id is in.
        """
        ...

    def search(self, step: Step, asked: Asked) -> Hits:
        """What the search gives when it is asked so; its own failure is a result."""
        ...

    def records(self, step: Step, ids: Sequence[str]) -> Sequence[Record]:
        """Those of the ids that are there, whatever the search's conditions."""
        ...

    def sample(self, step: Step, most: int) -> Sequence[Record]:
        """So many records of what the step searches, the same each time, whatever its conditions."""
        ...

    def having(self, address: str, values: Sequence[str]) -> Sequence[Record]:
        """Records whose field at an address (`schema.table.column`, `collection.key`) has one of the values as text."""
        ...

    def near(self, step: Step, ident: str) -> Sequence[str]:
        """Ids beside one that is not there: the one before and the one behind, where ids are counted."""
        ...

    def namesakes(self, step: Step, ident: str) -> Sequence[str]:
        """Other places of the searched one's name that have the id, where the name alone led to this one."""
        ...

    def look(self, step: Step, ident: str) -> str:
        """What somebody types to see a record of what the step searches."""
        ...
