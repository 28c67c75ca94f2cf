"""What keeps a branch: its use, which extends its time to live, and protection."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from envclone.lifecycle import branches
from envclone.models import Branch
from envclone.pool import catalog
from envclone.project import Project

__all__ = ["extend", "protect", "touch", "used"]


def touch(project: Project, name: str, *, born: dt.datetime | None = None) -> None:
    """Write down that a branch is used now: a file's time, so that nobody who uses the branch is waited for."""
    with project.pool.using("branches", name) as place:
        if born is not None:
            branches.require_born(catalog.branch(project.pool, project.name, name), born)
        if (place / catalog.BRANCH).exists():
            (place / branches.USED).touch(mode=0o600)


def used(branch: Branch, path: Path) -> dt.datetime:
    """When a branch was last used: by a command, or by a connection that `gc` saw."""
    return branches.last_use(path) or branch.created_at


def extend(project: Project, name: str, ttl: dt.timedelta | None, *, born: dt.datetime | None = None) -> Branch:
    """Have a branch live so long from now on, and from each further use; None keeps it until it is removed."""
    with project.pool.owning("branches", name, timeout=branches.PATIENCE):
        branch = branches.load(project, name)
        branches.require_born(branch, born)
        until = None if ttl is None else dt.datetime.now(dt.UTC) + ttl
        branch = replace(branch, ttl=None if ttl is None else ttl.total_seconds(), expires_at=until)
        with suppress(FileNotFoundError):  # a use that was before would count with the new time
            (branches.directory(project.pool, name) / branches.USED).unlink()
        branches.save(project.pool, branch)
    project.log("ttl", {"name": name, "expires_at": until})
    return branch


def protect(project: Project, name: str, *, on: bool) -> Branch:
    """Keep a branch from `gc` and from `rm` without force, or no longer."""
    with project.pool.owning("branches", name, timeout=branches.PATIENCE):
        branch = replace(branches.load(project, name), protected=on)
        branches.save(project.pool, branch)
    project.log("protect", {"name": name, "on": on})
    return branch
