"""Working directories: a directory, its lock, and its removal, in one context manager."""

from __future__ import annotations

import os
import secrets
import weakref
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from envclone import registry
from envclone.errors import EnvcloneError, ResourceError
from envclone.interrupts import deferred
from envclone.pool.layout import Pool, check_name

if TYPE_CHECKING:
    from envclone.protocols import CowDriver

__all__ = ["discard", "stop_servers", "workdir"]


class workdir:
    """A new directory that is this process's alone: locked, and removed at the end with the servers that run in it.

    What was moved elsewhere (a published image) stays. When the process is killed, its lock can be taken, and that
    alone makes the directory abandoned. A signal cuts neither its making nor its removal, and one that comes between
    the two leaves it to the end of the process. Enter it with a `with` of its own: an ExitStack has a gap there.
    """

    def __init__(self, pool: Pool, cow: CowDriver, purpose: str, *, kind: str = "work") -> None:
        self._ident = f"{check_name(purpose)}-{secrets.token_hex(6)}"
        self._place = pool.path_of(kind, self._ident)
        self._lock = ExitStack()
        self._mode = 0o711 if kind == "work" else 0o700  # servers run in `work/` as an account of their own
        self._owning = pool.owning(kind, self._ident)
        self._end = weakref.finalize(self, _end, cow, self._place, self._lock, os.getpid())

    def __enter__(self) -> Path:
        try:
            with deferred():
                self._lock.enter_context(self._owning)
                self._place.mkdir(mode=0o700)
                self._place.chmod(self._mode)
        except BaseException:
            self._end()
            raise
        return self._place

    def __exit__(self, *_: object) -> None:
        with deferred():
            self._end()


def _end(cow: CowDriver, place: Path, lock: ExitStack, maker: int) -> None:
    """Remove a working directory, then let go of its lock; a forked copy of the process does neither."""
    if os.getpid() == maker:
        with deferred(), lock:
            discard(cow, place)


def discard(cow: CowDriver, directory: Path) -> None:
    """Remove a directory of stores, and first stop what still runs in it. Raises ResourceError when that fails."""
    if directory.is_dir() and not directory.is_symlink() and (failures := stop_servers(directory)):
        raise ResourceError(f"a server left behind cannot be stopped: {'; '.join(failures)}")
    cow.remove(directory)


def stop_servers(directory: Path) -> list[str]:
    """Stop whatever runs in the directories of stores that no record describes; returns what went wrong."""
    failures: list[str] = []
    for store in directory.iterdir():
        if store.is_dir() and not store.is_symlink():
            for kind in registry.STORES:
                try:
                    registry.server(kind).stop(store)
                except EnvcloneError as exc:
                    failures.append(exc.message)
    return failures
