"""A store whose changes can be followed, so that any moment between two of its snapshots can be had."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from envclone.models import StoreSnapshot
from envclone.models.moments import Reached, Target
from envclone.models.tracked import Feed, Now, Window

if TYPE_CHECKING:
    from envclone.config.schema import StoreConfig

__all__ = ["Candidate", "Follower", "Limits", "Tracking"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a track may take: `held` bytes of production's disk, and whether what is received is compressed."""

    held: int
    compress: bool = True


@dataclass(frozen=True, slots=True)
class Candidate:
    """A base that a moment may be recovered from; `until` is the position behind which it need not be looked for."""

    base: str
    until: int | None = None
    timeline: int = 0


class Follower(Protocol):
    """What receives one store's changes; the process that made it calls `poll` about once a second."""

    @property
    def trouble(self) -> str:
        """Why nothing is received at the moment; '' when all is well."""
        ...

    @property
    def gap(self) -> str:
        """Why what was received before does not lead to what comes now, so that a new base is due; '' when it does."""
        ...

    def poll(self) -> None:
        """Look after what receives: mark the time, put away what is complete, take it up again where it stopped.

        Raises ResourceError when production held back more than the limit: the hold on production is gone then.
        """
        ...

    def based(self) -> None:
        """A base was taken: what is received from here on leads on from it."""
        ...


class Tracking(Protocol):
    """How a kind of store is tracked; a store's adapter that has none has no method `tracking`."""

    def unfit(self, name: str, config: StoreConfig) -> str:
        """Why a store of this source cannot be tracked, in words; '' when it can."""
        ...

    def follow(
        self, name: str, config: StoreConfig, feed: Feed, place: Path, limits: Limits, tell: Callable[[str], None]
    ) -> AbstractContextManager[Follower]:
        """Receive a store's changes into `place` until the context ends; the hold on production stays.

        What there is of an earlier run goes on. Raises what a first connection can raise, UnsafeError when the source
        is another one than before, ResourceError at the limit.
        """
        ...

    def let_go(self, name: str, config: StoreConfig, feed: Feed) -> bool:
        """Give up the hold on production; False when there was none. Raises UnreachableError."""
        ...

    def held(self, name: str, config: StoreConfig, feed: Feed) -> int | None:
        """How many bytes production holds back for the track; None when it holds nothing. Raises UnreachableError."""
        ...

    def now(self, config: StoreConfig, since: StoreSnapshot | None = None) -> Now:
        """Ask the source where it is, and what its log grew by since a snapshot of it. Raises UnreachableError."""
        ...

    def windows(self, place: Path, bases: Mapping[str, StoreSnapshot]) -> Sequence[Window]:
        """The stretches of time whose every moment can be had of what is in `place` and of these bases."""
        ...

    def candidates(self, place: Path, bases: Mapping[str, StoreSnapshot], target: Target) -> Sequence[Candidate]:
        """The bases that lead to a moment, the nearest first; none when no window has it."""
        ...

    def recover(
        self, directory: Path, snapshot: StoreSnapshot, target: Target, candidate: Candidate, place: Path, *, log: Path
    ) -> tuple[StoreSnapshot, Reached] | None:
        """Bring the clone of a base in `directory` to a moment; None when the base does not lead there after all."""
        ...

    def prune(self, place: Path, bases: Sequence[StoreSnapshot]) -> None:
        """Remove what none of these bases needs."""
        ...
