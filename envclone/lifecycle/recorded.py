"""How many of production's recorded answers came out otherwise in the newest replays of a project's branches."""

from __future__ import annotations

from typing import Any

from envclone.lifecycle import branches
from envclone.lifecycle.replay import last
from envclone.models import Branch
from envclone.project import Project

__all__ = ["answers", "changed"]


def answers(project: Project, environment: str) -> tuple[int, int] | None:
    """Over all branches of an environment: how many changed, and how many were compared; None without a replay."""
    return _sum([one for one in branches.branches(project) if one.environment == environment], project)


def changed(project: Project, branch: Branch) -> tuple[int, int] | None:
    """The same of one branch."""
    return _sum([branch], project)


def _sum(some: list[Branch], project: Project) -> tuple[int, int] | None:
    reports: list[dict[str, Any]] = [report for one in some if (report := last(project, one)) is not None]
    steps = [step for report in reports for step in report["steps"]]
    return (sum(not step["reproduced"] for step in steps), len(steps)) if steps else None
