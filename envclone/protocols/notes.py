"""What a snapshot makes on production's server meanwhile, written down so that it also goes after a killed command."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from envclone.models import StoreSnapshot
from envclone.protocols.progress import Progress

if TYPE_CHECKING:
    from envclone.config.schema import StoreConfig

__all__ = ["Note", "Notes", "Noting"]


class Note(Protocol):
    """One thing on production's server."""

    def add(self, facts: Mapping[str, Any]) -> None:
        """Write down what is known of it by now; it is on the disk when this returns."""
        ...

    def done(self) -> None:
        """It is gone, and the note with it."""
        ...


class Notes(Protocol):
    """The notes of one command, each held as long as its `with` block; one that is not done stays."""

    def begin(self, facts: Mapping[str, Any]) -> AbstractContextManager[Note]:
        """Write down that something is about to be made. No secret stands in a note."""
        ...


@runtime_checkable
class Noting(Protocol):
    """A store that makes something on production's server to be copied; the same class as its `Store`."""

    def snapshot_noting(
        self, name: str, config: StoreConfig, into: Path, progress: Progress, notes: Notes
    ) -> StoreSnapshot:
        """What `Store.snapshot` does, with notes of what it makes there until that is gone."""
        ...

    def settle_note(self, config: StoreConfig, facts: Mapping[str, Any]) -> bool:
        """Remove what a command that is gone made; False when it cannot be there yet, and is asked for again later.

        Raises UnreachableError, and UnsafeError when it cannot be told from what others made.
        """
        ...
