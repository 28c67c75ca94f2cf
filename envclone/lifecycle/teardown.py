"""Station 8: stop a branch and remove all of it; what cannot be removed is said, and the rest goes all the same."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

from envclone import registry
from envclone.errors import EnvcloneError, ResourceError, UnsafeError, UsageError
from envclone.lifecycle import branches
from envclone.models import BranchState
from envclone.pool import check_name
from envclone.pool.workdir import stop_servers
from envclone.project import Project

__all__ = ["demolish", "remove"]


def remove(project: Project, name: str, *, force: bool = False, born: dt.datetime | None = None) -> bool:
    """Remove a branch: servers, files, record. False when there is none of that name, which is not an error.

    `force` removes also one whose record cannot be read; `born` says which one is meant. Raises ResourceError listing
    what could not be removed, UsageError for another project's branch, BusyError while somebody uses it.
    """
    check_name(name)
    with project.pool.owning("branches", name, timeout=branches.PATIENCE) as place:
        if not place.exists():
            return False
        demolish(project, name, place, force=force, born=born)
    project.log("remove", {"name": name})
    return True


def demolish(project: Project, name: str, place: Path, *, force: bool = False, born: dt.datetime | None = None) -> None:
    """Remove a branch that the caller owns the lock of. Raises as `remove` does."""
    failures: list[str] = []
    try:
        branch = branches.load(project, name)
    except UsageError:
        raise  # another project's: force is about damage
    except EnvcloneError as exc:
        if not force:
            raise UnsafeError(
                f"the branch '{name}' has no readable record: {exc.message}",
                hint=f"envclone rm --force {name} removes its files all the same",
            ) from exc
        failures += stop_servers(place)
        for runtime in registry.RUNTIMES:
            try:
                registry.runtime(runtime).remove(name, place)
            except EnvcloneError as exc:
                failures.append(exc.message)
    else:
        branches.require_born(branch, born)
        if branch.protected and not force:
            raise UnsafeError(
                f"the branch '{name}' is protected", hint=f"envclone protect --off {name}, or envclone rm --force"
            )
        branches.save(project.pool, replace(branch, state=BranchState.REMOVING))
        try:
            registry.runtime(branch.runtime).remove(name, place)  # what goes need not stop gently
            registry.runtime(branch.runtime).stop(branch, place)
        except EnvcloneError as exc:
            failures.append(exc.message)
    if not failures:
        try:
            project.cow.remove(place)
        except OSError as exc:
            failures.append(f"{exc.filename or place}: {exc.strerror}")
    if failures:
        raise ResourceError(f"the branch '{name}' is not gone: {'; '.join(failures)}", hint=f"envclone rm {name}")
