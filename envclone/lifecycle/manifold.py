"""An incident replayed on several branches of one image, which tells noise; and with two things set, side by side."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from envclone.errors import UnsafeError, UsageError
from envclone.lifecycle import branches, images, since
from envclone.lifecycle.checked import check
from envclone.lifecycle.clock import shown
from envclone.lifecycle.incidents import masked_incident
from envclone.lifecycle.lend import lent
from envclone.lifecycle.regress import on_image
from envclone.lifecycle.replay import kept, replay, runs
from envclone.models import Branch, BranchState
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.incidents.sidebyside import SideBySide
    from envclone.incidents.variation import Variation
    from envclone.incidents.verdicts import ReplayReport

__all__ = ["on_branches", "side_by_side"]


def on_branches(
    project: Project, ident: str, branch: Branch, count: int, *, variation: Variation | None = None, repeat: int = 1
) -> ReplayReport:
    """One report of `repeat` replays in a branch and in each of `count - 1` others of its image, removed afterwards.

    What one branch matches and another does not is noise: nothing but chance sets two branches of one image apart.
    Raises UsageError when the branch was changed, or has a profile of its own: then something else does.
    """
    from envclone.incidents.layers import within_noise

    branch = branches.load(project, branch.name)
    if branch.state is not BranchState.RUNNING:
        raise UnsafeError(f"the branch '{branch.name}' is {branch.state}", hint=f"envclone start {branch.name}")
    if changed := since.changed(project, branch):
        raise UsageError(
            f"'{branch.name}' was changed, so that it is no second of another branch of its image: {changed[0]}",
            hint=f"envclone reset {branch.name}",
        )
    with ExitStack() as held:
        image = held.enter_context(images.using(project, branch.image))
        others = [held.enter_context(on_image(project, image, branch.runtime)) for _ in range(count - 1)]
        if any(one.profiles != branch.profiles for one in others):
            raise UsageError(
                f"'{branch.name}' runs under a profile of its own, which other branches of its image do not have",
                hint="without --branches, or in a branch without --profile",
            )
        reports, said = [], []
        for one in (branch, *others):
            with lent(project, one.name, variation, shown(project, one, ident)):
                mine = runs(project, ident, one, variation=variation, repeat=repeat)
            good = sum(report.reproduced for report in mine)
            name = one.name if one is branch else "another branch of its image"
            said.append(f"{name}: {good} of {len(mine)} runs gave what production gave")
            reports += mine
        return kept(project, branch, within_noise(reports, said))


def side_by_side(
    project: Project, ident: str, branch: Branch, first: Variation, second: Variation, *, repeat: int = 1
) -> SideBySide:
    """An incident replayed in a branch as `first` has it and then as `second`, and what they gave side by side."""
    from envclone.incidents.sidebyside import beside
    from envclone.incidents.variation import applied

    reports = []
    for wanted in (first, second):
        with lent(project, branch.name, wanted, shown(project, branch, ident)):
            reports.append(replay(project, ident, branch, variation=wanted, repeat=repeat))
    incident = masked_incident(project, ident, check(project, branch.image))
    return beside(reports[0], reports[1], applied(incident, first).steps)
