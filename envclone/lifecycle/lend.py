"""Lend a branch's services other variables for a while: they restart, the data stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from envclone.errors import UsageError
from envclone.interrupts import deferred
from envclone.lifecycle.branches import load
from envclone.lifecycle.reprofile import restarted
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.incidents.variation import Variation

__all__ = ["lent"]


@contextmanager
def lent(project: Project, name: str, wanted: Variation | None) -> Iterator[None]:
    """For the time of the block, and no longer, the services of a branch have the variables of a variation.

    A branch without services is left as it is. Raises UsageError when it has none, and variables are named.
    """
    branch = load(project, name)
    environment = wanted.environment if wanted is not None else {}
    if any(change.startswith("env.") for change in (wanted.changes if wanted else ())) and not branch.services:
        raise UsageError(
            f"the branch '{name}' has no services whose variables could be set",
            hint=f"envclone start {name} --runtime docker",
        )
    if not environment or not branch.services:
        yield
        return
    with project.pool.owning("branches", name):
        try:
            restarted(project, load(project, name), environment)
        except BaseException:
            with deferred():
                restarted(project, load(project, name))
            raise
    try:
        yield
    finally:
        with deferred(), project.pool.owning("branches", name):
            restarted(project, load(project, name))
