"""What a snapshot may take over from the one before it, so that only what changed is copied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from envclone.models import Cleaned, StorePlan, StoreSnapshot
from envclone.protocols.notes import Notes
from envclone.protocols.progress import Progress

if TYPE_CHECKING:
    from envclone.config.schema import StoreConfig

__all__ = ["Alike", "Following", "Refreshing", "Repeatable", "Same", "Sharing", "Since"]


@dataclass(frozen=True, slots=True)
class Since:
    """An earlier raw snapshot of the same store: its id, its record and its directory, which is only read."""

    id: str
    snapshot: StoreSnapshot
    place: Path


@dataclass(frozen=True, slots=True)
class Same:
    """Whether a store is in the state of an earlier snapshot: `why` it is not, '' when it is.

    Of `files` and `bytes` that were compared, `read` are the bytes that do not lie in the same blocks.
    """

    why: str
    files: int = 0
    bytes: int = 0
    read: int = 0


@dataclass(frozen=True, slots=True)
class Alike:
    """Two stores that were made of one raw snapshot, compared: bytes that are the `same`; `marked`, in files whose
    pages differ in the marks of when the engine wrote them alone; `sampled`, of statistics, which are drawn from a
    sample; `built`, of indexes on masked fields that the engine builds again in an order of its own.

    `own` are the files that the engine writes for itself and that differ; `different` is what makes it another image.
    """

    same: int
    marked: int = 0
    sampled: int = 0
    built: int = 0
    own: tuple[str, ...] = ()
    different: tuple[str, ...] = ()


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

    def same(self, snapshot: StoreSnapshot, place: Path, since: Since) -> Same:
        """Whether the raw snapshot in `place` is in the state of the earlier one: every value, row and address."""
        ...


@runtime_checkable
class Following(Protocol):
    """A session that can share what it writes with an earlier image; the same class as its `StoreSession`."""

    def follow(self, earlier: Path) -> None:
        """What becomes the same bytes as in `earlier`, this store's directory in an image, is to share its blocks.

        Every value is masked all the same, and the result is the same.
        """
        ...


@runtime_checkable
class Sharing(Protocol):
    """A store that can share what it cleans with an earlier image; the same class as its `Store`."""

    def scrub_sharing(
        self, directory: Path, snapshot: StoreSnapshot, plan: StorePlan, earlier: Path
    ) -> Sequence[Cleaned]:
        """What `Store.scrub` does, with the same result; what is the same in `earlier` is to share its blocks."""
        ...


@runtime_checkable
class Repeatable(Protocol):
    """A store that can tell whether it was made a second time as it was the first; the same class as its `Store`."""

    def alike(self, directory: Path, again: Path) -> Alike:
        """Compare the store in `directory`, in an image, with the one that was made `again` of the same snapshot."""
        ...
