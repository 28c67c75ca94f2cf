"""Volumes of production that are snapshotted, and made images of, where they are: nothing raw comes to this machine."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from envclone.errors import EnvcloneError
from envclone.models import Fenced
from envclone.protocols.progress import Progress

if TYPE_CHECKING:
    from envclone.config.schema import StoreConfig

__all__ = ["Fence", "Fencing", "Order", "Origin", "Quarantine"]


class Fence(Protocol):
    """A server that knows that its volumes are being snapshotted."""

    @property
    def system(self) -> str:
        """Who it is."""
        ...

    @property
    def since(self) -> str:
        """Where its log was when this began."""
        ...

    def end(self) -> Fenced:
        """End it, before the volume with the log is taken."""
        ...


@runtime_checkable
class Fencing(Protocol):
    """A store whose server is told of a snapshot of its volumes; the same class as its `Store`."""

    def fenced(self, config: StoreConfig) -> AbstractContextManager[Fence] | None:
        """For the time of a snapshot; None when the source says no server. Raises UnsafeError for a standby."""
        ...


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose a raw snapshot is: what its objects are found by, wherever they are."""

    pool: Path
    project: str
    environment: str
    raw: str


@dataclass(frozen=True, slots=True)
class Order:
    """What an image is made by, elsewhere: the rules as a stack file and its hooks, and the project's masking key.

    `sources` are the stores; each is read where its snapshot is mounted. `again` asks for another image beside the one.
    """

    stack: Mapping[str, Any]
    files: Mapping[str, str]
    key: bytes = field(repr=False)
    rules: str
    again: bool = False


class Quarantine(Protocol):
    """Where production's volumes are: a runtime in its other role. `settings` are the environment's of that runtime."""

    def obstacles(self, settings: Any, stores: Mapping[str, StoreConfig]) -> Sequence[EnvcloneError]:
        """All that would keep a snapshot from being taken, asked without making anything."""
        ...

    def take(
        self, settings: Any, origin: Origin, stores: Mapping[str, StoreConfig], progress: Progress
    ) -> Mapping[str, Any]:
        """Snapshot the volumes; what is known of them, as plain JSON values. Nothing is left on failure."""
        ...

    def make(
        self, settings: Any, origin: Origin, facts: Mapping[str, Any], order: Order, into: Path, progress: Progress
    ) -> None:
        """Have the image made of them, and bring what was said of it into the directory `into`.

        That is the attestation, signed by a key made for this alone and already checked, the manifest of its files, and
        beside them the identities and the plan. One that is under way already is waited for.
        """
        ...

    def publish(
        self, settings: Any, origin: Origin, image: str, place: Path, stores: Collection[str], keys: Path
    ) -> Mapping[str, Any]:
        """Keep the image whose sealed attestation is in `place`, and remove what made it; what is known of it."""
        ...

    def clear(self, settings: Any, origin: Origin) -> None:
        """Remove what makes, or made, an image of a raw snapshot."""
        ...

    def forget(self, facts: Mapping[str, Any], origin: Origin) -> None:
        """Remove a raw snapshot's own."""
        ...

    def remove(self, facts: Mapping[str, Any], image: str) -> None:
        """Remove an image's own."""
        ...

    def left(self, pool: Path) -> Mapping[tuple[str, str], str]:
        """What there is of a pool's raw snapshots and images: by kind (`raw`, `images`) and id, what it is."""
        ...

    def sweep(self, pool: Path, kind: str, ident: str) -> None:
        """Remove what there is of a raw snapshot or an image that the pool has no record of."""
        ...
