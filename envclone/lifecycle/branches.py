"""The project's branches as they are now: their records, in the light of what runs and what was used."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

from envclone import records, registry
from envclone.cow.placing import partial_of
from envclone.errors import EnvcloneError, UsageError
from envclone.interrupts import deferred
from envclone.models import Branch, BranchState
from envclone.pool import Pool, catalog, check_name
from envclone.project import Project

__all__ = [
    "PATIENCE",
    "USED",
    "announce",
    "branches",
    "directory",
    "extended",
    "last_use",
    "load",
    "require_born",
    "save",
    "unreadable",
]

USED = "used"
"""A file beside the record whose time is that of the last use that was seen."""
PATIENCE = 10.0
"""Seconds that removing or protecting a branch waits for its users."""


def directory(pool: Pool, name: str) -> Path:
    """Where a branch's files are."""
    return pool.path_of("branches", name)


def announce(project: Project, branch: Branch) -> None:
    """Make a new branch's directory with its record in it, both at once; the caller owns the branch's lock."""
    place = directory(project.pool, branch.name)
    making = partial_of(place)
    with deferred():
        try:
            project.cow.remove(making)  # of a process that had this number before
            making.mkdir(mode=0o711)
            # nothing of a clone outlasts a power failure: the record is made durable with the branch, by `save`
            project.pool.write_json(making / catalog.BRANCH, records.dump(branch), durable=False)
            project.pool.publish(making, "branches", branch.name, durable=False)
        finally:
            project.cow.remove(making)


def save(pool: Pool, branch: Branch) -> None:
    """Write a branch's record (mode 0600: it holds the branch's own password)."""
    pool.write_json(directory(pool, branch.name) / catalog.BRANCH, records.dump(branch))


def load(project: Project, name: str) -> Branch:
    """The record of a branch, its state as it is now.

    Raises UsageError when there is none of that name or it is another project's, UnsafeError when it is damaged.
    """
    check_name(name)
    if not directory(project.pool, name).is_dir():
        known = ", ".join(one.name for one in catalog.branches(project.pool, project.name)) or "none"
        raise UsageError(f"there is no branch '{name}'; there are: {known}")
    return _present(catalog.branch(project.pool, project.name, name), project.pool)


def require_born(branch: Branch, born: dt.datetime | None) -> None:
    """Check that a branch is the very one that was looked at before its lock was waited for. Raises UsageError.

    One that was removed meanwhile, and made again under its name, can be somebody else's.
    """
    if born is not None and branch.created_at != born:
        raise UsageError(f"the branch '{branch.name}' was removed meanwhile, and made again", hint="envclone ls")


def branches(project: Project) -> list[Branch]:
    """Every branch of the project with a readable record, by name."""
    found = []
    for one in catalog.branches(project.pool, project.name):
        try:
            found.append(_present(one, project.pool))
        except EnvcloneError:
            found.append(replace(one, state=BranchState.FAILED) if one.state is BranchState.CREATING else one)
    return found


def unreadable(project: Project) -> list[str]:
    """Branches whose record is missing or damaged, whosever they are: named, and removed by `rm --force` only."""
    return [flaw.id for flaw in catalog.flaws(project.pool, "branches")]


def last_use(place: Path) -> dt.datetime | None:
    """When a branch was last used, as far as that was written down."""
    try:
        return dt.datetime.fromtimestamp((place / USED).stat().st_mtime, dt.UTC)
    except OSError:
        return None


def _present(branch: Branch, pool: Pool) -> Branch:
    """The record in the light of what runs and what was used: a record alone never calls a branch ready."""
    place = directory(pool, branch.name)
    if branch.state is BranchState.CREATING:
        return branch if pool.in_hand("branches", branch.name) else replace(branch, state=BranchState.FAILED)
    if branch.state is BranchState.RUNNING:
        answers = registry.runtime(branch.runtime).running(branch, place)
        if not all(answers.values()):
            branch = replace(branch, state=BranchState.STOPPED)
    used = last_use(place)
    if branch.ttl is not None and branch.expires_at is not None and used is not None:
        lives = used + dt.timedelta(seconds=branch.ttl)
        branch = replace(branch, expires_at=max(branch.expires_at, lives))
    return branch


def extended(branch: Branch) -> Branch:
    """The branch as it is after it was used now: it lives its time from here on."""
    if branch.ttl is None or branch.expires_at is None:
        return branch
    return replace(
        branch, expires_at=max(branch.expires_at, dt.datetime.now(dt.UTC) + dt.timedelta(seconds=branch.ttl))
    )
