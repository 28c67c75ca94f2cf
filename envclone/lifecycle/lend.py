"""Lend a branch's services other variables for a while: they restart, the data stays."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from envclone.errors import BusyError, UsageError
from envclone.interrupts import deferred
from envclone.lifecycle.branches import directory, load
from envclone.lifecycle.reprofile import restarted
from envclone.models import BranchState
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.incidents.variation import Variation
    from envclone.lifecycle.clock import Shown

__all__ = ["lent", "taken_back"]

_MARK = "lent"
"""A file of a branch whose services have other variables; who lent them holds a lock on it, which ends with it."""


@contextmanager
def lent(project: Project, name: str, wanted: Variation | None, clock: Shown | None = None) -> Iterator[None]:
    """For the time of the block, and no longer, the services of a branch have a variation's variables, and a clock.

    A branch without services is left as it is. Raises UsageError when it has none, and variables are named.
    """
    branch = load(project, name)
    environment = wanted.environment if wanted is not None else {}
    if any(change.startswith("env.") for change in (wanted.changes if wanted else ())) and not branch.services:
        raise UsageError(
            f"the branch '{name}' has no services whose variables could be set",
            hint=f"envclone start {name} --runtime docker",
        )
    if not (environment or clock) or not branch.services:
        yield
        return
    taken_back(project, name)
    with _marked(directory(project.pool, name) / _MARK) as mark:
        with project.pool.owning("branches", name):
            try:
                restarted(project, load(project, name), environment, clock)
            except BaseException:
                with deferred():
                    restarted(project, load(project, name))
                    mark.unlink(missing_ok=True)
                raise
        try:
            yield
        finally:
            with deferred(), project.pool.owning("branches", name):
                restarted(project, load(project, name))
                mark.unlink(missing_ok=True)


def taken_back(project: Project, name: str) -> bool:
    """Take back what was lent by somebody who was killed meanwhile; whether there was such a thing."""
    mark = directory(project.pool, name) / _MARK
    if not mark.exists():
        return False
    with project.pool.owned("branches", name) as mine, mark.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False  # it is lent now
        branch = load(project, name)
        if not mine or branch.state is not BranchState.RUNNING:
            return False
        with deferred():
            restarted(project, branch)
            mark.unlink(missing_ok=True)
        return True


@contextmanager
def _marked(mark: Path) -> Iterator[Path]:
    with mark.open("ab") as file:
        mark.chmod(0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(
                f"somebody else replays in the branch '{mark.parent.name}' with other variables", hint="try again later"
            ) from None
        yield mark
