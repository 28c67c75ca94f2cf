"""What a project's branches may come to on this machine: how many, how much memory, how much space.

A stack file speaks for its own project: the branches of others in the same pool are not counted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from envclone.cow.sizes import format_size
from envclone.errors import ResourceError
from envclone.models import Branch, BranchState
from envclone.pool.catalog import BRANCH
from envclone.private import write_private
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.profiles.profile import Profile

__all__ = ["require_memory", "require_room"]

_KEPT = "own"
"""A file beside a stopped branch's record: the record's time, and the bytes that the branch alone occupies."""
_HINT = "envclone ls shows them; envclone rm NAME, envclone stop NAME or envclone gc makes room"


def require_room(project: Project, branches: Iterable[Branch]) -> None:
    """Check that one more branch may be made. Raises ResourceError with the numbers."""
    limits, pool = project.loaded.stack.branches, project.pool
    there = list(branches)
    if len(there) >= limits.max:
        raise ResourceError(
            f"there are {len(there)} branches already, and the stack file allows {limits.max} (branches.max)",
            hint=_HINT,
        )
    if limits.disk is not None:
        own = sum(_own(project, pool.path_of("branches", branch.name), branch) for branch in there)
        if own >= limits.disk:
            raise ResourceError(
                f"the branches occupy {format_size(own)}, and the stack file allows {format_size(limits.disk)}"
                " (branches.disk)",
                hint=_HINT,
            )


def _own(project: Project, place: Path, branch: Branch) -> int:
    """Bytes that a branch alone occupies. Every extent of every file is looked at for that, so of a stopped branch
    the figure is kept: it holds as long as its record is the same, which is written at each start and stop."""
    kept = place / _KEPT
    stamp = _stamp(place) if branch.state is BranchState.STOPPED else None
    if stamp is not None:
        with contextlib.suppress(OSError, ValueError):
            found, own = map(int, kept.read_text().split())
            if found == stamp:
                return own
    own = project.cow.usage(place)[1]
    if stamp is not None:
        with contextlib.suppress(OSError):  # a branch that is just removed
            write_private(kept, f"{stamp} {own}\n")
    return own


def _stamp(place: Path) -> int | None:
    try:
        return (place / BRANCH).stat().st_mtime_ns
    except OSError:
        return None


def require_memory(project: Project, branches: Iterable[Branch], profiles: Mapping[str, Profile]) -> None:
    """Check that the memory of one more branch fits beside that of those that run. Raises ResourceError."""
    limit = project.loaded.stack.branches.memory
    if limit is None:
        return
    running = [branch for branch in branches if branch.state in (BranchState.RUNNING, BranchState.CREATING)]
    held = sum(_memory(one.get("memory")) for branch in running for one in branch.profiles.values())
    wanted = sum(one.memory or 0 for one in profiles.values())
    if held + wanted > limit:
        raise ResourceError(
            f"the profiles of the running branches come to {format_size(held)} memory and this one's to"
            f" {format_size(wanted)}; the stack file allows {format_size(limit)} (branches.memory)",
            hint=_HINT,
        )


def _memory(value: object) -> int:
    return value if isinstance(value, int) else 0
