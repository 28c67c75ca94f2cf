"""What killed processes left in a pool: found and removed under its lock, and nothing else is."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envclone.cow.placing import partial_name, reported
from envclone.pool import locks
from envclone.pool.layout import FOLDERS, Pool, is_id
from envclone.pool.workdir import discard

if TYPE_CHECKING:
    from envclone.protocols import CowDriver

__all__ = ["Leftover", "held", "leftovers", "remove", "sweep_locks"]

_WORK = ("work", "tmp")
_OBJECTS = ("raw", "bases", "images", "branches")


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something half made or half removed. The lock of (`kind`, `id`) guards it; with no `id` the file's own does."""

    path: Path
    kind: str = ""
    id: str = ""


def leftovers(pool: Pool) -> Iterator[Leftover]:
    """What is abandoned now: its lock can be taken. A process id in a name tells nothing, and is not asked."""
    for one in _candidates(pool):
        with _taken(pool, one) as free:
            if not free:
                continue
        yield one


def held(pool: Pool) -> Iterator[tuple[Leftover, tuple[int, ...]]]:
    """What somebody is at, and which processes those are: it may be work, or the end of what was killed."""
    for one in _candidates(pool):
        with _taken(pool, one) as free:
            if free or not os.path.lexists(one.path):
                continue
            at = locks.users(pool.lock_of(one.kind, one.id) if one.id else one.path)
        yield one, tuple(pid for pid in at if pid != os.getpid()) or at


def remove(pool: Pool, cow: CowDriver, leftover: Leftover) -> bool:
    """Remove it while nobody can take it up; False when somebody did since it was found."""
    with _taken(pool, leftover) as free:
        if free:
            discard(cow, leftover.path)
        return free


def sweep_locks(pool: Pool) -> None:
    """Remove the lock files of objects that are gone."""
    folder = pool.path_of("locks", "")
    for file in sorted(folder.glob("*.lock")):
        kind, _, ident = file.stem.partition(".")
        if kind in FOLDERS and is_id(ident) and os.path.lexists(pool.path_of(kind, ident)):
            continue
        with locks.try_exclusive(folder, file.stem) as free:
            if free is not None:
                file.unlink(missing_ok=True)


def _candidates(pool: Pool) -> Iterator[Leftover]:
    for folder in (pool.path, *(pool.path_of(kind, "") for kind in FOLDERS)):
        kind = folder.name if folder != pool.path else ""
        for entry in sorted(folder.iterdir()):
            name = partial_name(entry)
            if name is not None:
                guarded = kind in (*_WORK, *_OBJECTS) and is_id(name)
                yield Leftover(entry, kind, name) if guarded else Leftover(entry)
            elif kind in _WORK and is_id(entry.name):
                yield Leftover(entry, kind, entry.name)
            elif kind in _OBJECTS and is_id(entry.name) and entry.is_dir() and not entry.is_symlink():
                for inner in sorted(entry.iterdir()):
                    if partial_name(inner) is not None:
                        yield Leftover(inner, kind, entry.name)


@contextmanager
def _taken(pool: Pool, leftover: Leftover) -> Iterator[bool]:
    """Hold what guards it; False when somebody else does, or when it is gone."""
    if leftover.id:
        with pool.owned(leftover.kind, leftover.id) as free:
            yield free and os.path.lexists(leftover.path)
        return
    with reported("cannot look at", leftover.path):
        try:
            descriptor = os.open(leftover.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            descriptor = None
    if descriptor is None:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
