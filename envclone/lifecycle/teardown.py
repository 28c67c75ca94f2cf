"""Station 8: stop a branch and remove all of it; what cannot be removed is said, and the rest goes all the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from envclone import audit, registry
from envclone.errors import EnvcloneError, ResourceError, UnsafeError
from envclone.lifecycle import branch as station_5
from envclone.models import BranchState
from envclone.pool import Pool, check_name
from envclone.protocols import CowDriver

__all__ = ["discard", "remove"]


def remove(pool: Pool, cow: CowDriver, name: str, *, force: bool = False) -> bool:
    """Remove a branch: servers, files, record. False when there is none of that name, which is no error.

    `force` removes also one whose record cannot be read. Raises ResourceError listing what could not be removed.
    """
    check_name(name)
    failures: list[str] = []
    with pool.lock(f"branch-{name}", timeout=10, what=f"the branch '{name}'"):
        place = station_5.directory(pool, name)
        if not place.exists():
            return False
        try:
            branch = station_5.load(pool, name)
        except EnvcloneError as exc:
            if not force:
                raise UnsafeError(
                    f"the branch '{name}' has no readable record: {exc.message}",
                    hint=f"envclone rm --force {name} removes its files all the same",
                ) from exc
            _stop_unknown(place, failures)
            for runtime in registry.RUNTIMES:
                try:
                    registry.runtime(runtime).remove(name, place)
                except EnvcloneError as exc:
                    failures.append(exc.message)
        else:
            if branch.protected and not force:
                raise UnsafeError(
                    f"the branch '{name}' is protected", hint=f"envclone protect --off {name}, or envclone rm --force"
                )
            station_5.save(pool, replace(branch, state=BranchState.REMOVING))
            try:
                registry.runtime(branch.runtime).remove(name, place)  # what goes need not stop gently
                registry.runtime(branch.runtime).stop(branch, place)
            except EnvcloneError as exc:
                failures.append(exc.message)
        if not failures:
            try:
                cow.remove(place)
            except OSError as exc:
                failures.append(f"{exc.filename or place}: {exc.strerror}")
    if failures:
        raise ResourceError(f"the branch '{name}' is not gone: {'; '.join(failures)}", hint=f"envclone rm {name}")
    audit.append(pool.path / "audit.jsonl", "remove", {"name": name})
    return True


def discard(cow: CowDriver, directory: Path) -> None:
    """Remove a directory of stores that a process which is gone left behind, and first stop what still runs in it."""
    if directory.is_dir():
        failures: list[str] = []
        _stop_unknown(directory, failures)
        if failures:
            raise ResourceError(f"a server left behind cannot be stopped: {'; '.join(failures)}")
    cow.remove(directory)


def _stop_unknown(place: Path, failures: list[str]) -> None:
    """Stop whatever runs in the directories of stores that no record describes."""
    for store in place.iterdir():
        if store.is_dir() and not store.is_symlink():
            for kind in registry.STORES:
                try:
                    registry.server(kind).stop(store)
                except EnvcloneError as exc:
                    failures.append(exc.message)
