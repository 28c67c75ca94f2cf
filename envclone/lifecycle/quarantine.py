"""The raw snapshots in quarantine: the newest of an environment, or of a moment of it, held while somebody uses it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envclone.errors import BusyError
from envclone.models import RawSnapshot
from envclone.pool import catalog
from envclone.pool.times import counted
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.models.moments import Target

__all__ = ["Last", "last_of", "newest", "using"]


@contextmanager
def using(project: Project, environment: str) -> Iterator[RawSnapshot | None]:
    """The newest raw snapshot of an environment that is in quarantine, and stays there as long as the context.

    One that was recovered to a moment is none: its state is older than its making.
    """
    with ExitStack() as held:
        yield newest(project, environment, held)


def newest(project: Project, environment: str, held: ExitStack, target: Target | None = None) -> RawSnapshot | None:
    """The newest raw snapshot of an environment, or of a moment of it, its lock in `held`; None without one."""
    for raw in reversed(catalog.snapshots(project.pool, project.name)):
        wanted = raw.environment == environment and (raw.moment.asked if raw.moment is not None else None) == target
        if wanted and _held(project, "raw", raw.id, held) is not None:
            return raw
    return None


@dataclass(frozen=True, slots=True)
class Last:
    """A snapshot that is in the pool already, and where."""

    raw: RawSnapshot
    place: Path


def last_of(project: Project, environment: str, held: ExitStack) -> Last | None:
    """The newest snapshot or base backup of production as it was copied, its lock in `held`; None without one."""
    there = [
        *(("raw", raw) for raw in catalog.snapshots(project.pool, project.name)),
        *(("bases", raw) for raw in catalog.bases(project.pool, project.name)),
    ]
    for kind, raw in sorted(there, key=lambda one: counted(one[1].created_at), reverse=True):
        if raw.environment == environment and raw.moment is None:
            place = _held(project, kind, raw.id, held)
            if place is not None:
                return Last(raw, place)
    return None


def _held(project: Project, kind: str, ident: str, held: ExitStack) -> Path | None:
    """Where an object is, its lock in `held`; None when it is being removed."""
    with ExitStack() as attempt:
        try:
            place = attempt.enter_context(project.pool.using(kind, ident))
        except BusyError:
            return None
        if not place.is_dir():
            return None
        held.push(attempt.pop_all())
        return place
