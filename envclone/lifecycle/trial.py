"""A branch for as long as a test, and a case replayed in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from envclone.cases import files
from envclone.cases.outcome import CaseOutcome
from envclone.errors import EnvcloneError, UsageError
from envclone.lifecycle import branches, images
from envclone.lifecycle.checked import check
from envclone.lifecycle.holding import require_bundle
from envclone.lifecycle.judging import tools
from envclone.lifecycle.regress import cannot, judged_by, on_image
from envclone.lifecycle.replay import replay
from envclone.models import Branch
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.incidents.verdicts import ReplayReport

__all__ = ["examine", "temporary"]


@contextmanager
def temporary(
    project: Project,
    *,
    environment: str | None = None,
    incident: str | None = None,
    image: str | None = None,
    runtime: str | None = None,
) -> Iterator[Branch]:
    """A running branch as long as the context: of `image`, of a pinned incident's own, or of an environment's newest.

    `environment` may be left out where the stack file has one only. Raises UsageError when nothing says what it is of.
    """
    folder = project.loaded.stack.cases
    if image is None and incident is not None and incident in files.names(folder):
        image = files.load(folder, incident).case.pinned.image
    with ExitStack() as held:
        if image is not None:
            found = held.enter_context(images.using(project, image))
        else:
            known = sorted(project.loaded.stack.environments)
            if environment is None and len(known) != 1:
                raise UsageError("it is not said of what the branch is", hint=f"an environment: {', '.join(known)}")
            found = held.enter_context(images.ready(project, environment or known[0]))
        yield held.enter_context(on_image(project, found, runtime))


def examine(project: Project, name: str, branch: str) -> tuple[CaseOutcome, ReplayReport | None]:
    """A case's verdict on one replay in a running branch, and the replay; none when it cannot run there."""
    kept = files.load(project.loaded.stack.cases, name)
    try:
        there = branches.load(project, branch)
        image = check(project, there.image)
        bundle = require_bundle(project, kept, image)
        report = replay(project, name, there, bundle=bundle)
        with tools(project) as judged:
            return judged_by(kept, bundle, [report], judged), report
    except EnvcloneError as exc:
        return cannot(name, exc, kept.case), None
