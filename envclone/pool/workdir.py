"""Working directories: a directory, its lock, and its removal, in one context manager."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from envclone import registry
from envclone.errors import EnvcloneError, ResourceError
from envclone.interrupts import deferred
from envclone.pool.layout import Pool, check_name
from envclone.protocols import CowDriver

__all__ = ["discard", "stop_servers", "workdir"]


@contextmanager
def workdir(pool: Pool, cow: CowDriver, purpose: str, *, kind: str = "work") -> Iterator[Path]:
    """A new directory that is this process's alone: locked, and removed at the end with the servers that run in it.

    What was moved elsewhere (a published image) stays. When the process is killed, its lock can be taken, and that
    alone makes the directory abandoned.
    """
    ident = f"{check_name(purpose)}-{secrets.token_hex(6)}"
    with pool.owning(kind, ident) as place:
        try:
            place.mkdir(mode=0o700)
            if kind == "work":
                place.chmod(0o711)  # servers run there as an account of their own
            yield place
        finally:
            with deferred():
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
