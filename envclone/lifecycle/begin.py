"""The first command: look at production read-only, and write a stack file that an image can be made with."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envclone.config.beginning import Beginning
from envclone.lifecycle import scan
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.protocols import Progress
    from envclone.scan.propose import Proposal

__all__ = ["Begun", "begin"]


@dataclass(frozen=True, slots=True)
class Begun:
    """The stack file that was written: its rules per store, those that are left to a person, and a variable to set."""

    path: Path
    proposals: Mapping[str, Sequence[Proposal]]
    variable: str

    @property
    def undecided(self) -> Sequence[Proposal]:
        """Fields that nothing here can decide: without them there is no image."""
        from envclone.masking.guesses import UNDECIDED

        return [one for its in self.proposals.values() for one in its if one.domain == UNDECIDED]


def begin(path: Path, start: Beginning, environment: str, *, pool: Path | None, progress: Progress) -> Begun:
    """Snapshot production, scan it, and write the stack file `path`; nothing is written when any of it fails."""
    from envclone.config.load import load
    from envclone.cow.choose import choose
    from envclone.pool import Pool, default_path

    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(start.text, encoding="utf-8")
    try:
        loaded = load(temporary, {**os.environ, **start.env})
        opened = Pool.open(pool or loaded.stack.pool.path or default_path())
        project = Project(loaded, opened, choose(loaded.stack.pool.driver, opened.path), progress)
        found = scan.scan(project, environment, fresh=True)
        scan.write(project, found)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    unset = start.variable if start.env else ""
    return Begun(path, found, unset)
