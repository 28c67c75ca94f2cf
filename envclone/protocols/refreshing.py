"""What a snapshot may take over from the one before it, so that only what changed is copied."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from envclone.models import StoreSnapshot
from envclone.protocols.notes import Notes
from envclone.protocols.progress import Progress

if TYPE_CHECKING:
    from envclone.config.schema import StoreConfig

__all__ = ["Refreshing", "Since"]


@dataclass(frozen=True, slots=True)
class Since:
    """An earlier raw snapshot of the same store: its id, its record and its directory, which is only read."""

    id: str
    snapshot: StoreSnapshot
    place: Path


@runtime_checkable
class Refreshing(Protocol):
    """A store that can share what is equal with an earlier snapshot; the same class as its `Store`."""

    def snapshot_since(
        self, name: str, config: StoreConfig, into: Path, progress: Progress, notes: Notes, since: Since | None
    ) -> StoreSnapshot:
        """What `Store.snapshot` does, with the same result, at the cost of what changed `since` where that is possible.

        Where it is not, everything is copied, and one line of progress says why.
        """
        ...
