"""Replay: run a masked incident's steps in a branch and judge what they return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from envclone.errors import UnreachableError, UnsafeError, UsageError
from envclone.incidents.bundle import Incident, Step
from envclone.incidents.compare import ReplayReport, verdict
from envclone.incidents.links import not_run
from envclone.models import StepResult
from envclone.protocols import StepRunner

__all__ = ["replay"]


def replay(incident: Incident, runners: Mapping[str, StepRunner]) -> ReplayReport:
    """Run every step in order, each on its store's runner, and compare with what production returned.

    A store that goes away during a step is that step's result. Raises UnsafeError for a raw bundle, UsageError when a
    step was not recorded or its store is not there.
    """
    if incident.masked is None:
        raise UnsafeError(
            f"incident {incident.incident} is raw: a branch may only see its masked bundle",
            hint="envclone replay masks it with the key of the branch's image",
        )
    if not incident.steps:
        raise UsageError(
            f"incident {incident.incident} has nothing that can be run again: its trace holds no whole query",
            hint=f"envclone incident show {incident.incident} says what it lacks",
        )
    if missing := sorted({step.store for step in incident.steps} - runners.keys()):
        raise UsageError(
            f"incident {incident.incident} names the store '{missing[0]}', which the branch does not have",
            hint=f"it has: {', '.join(sorted(runners)) or 'none'}",
        )
    if unrecorded := next((step.id for step in incident.steps if step.expect is None), None):
        raise UsageError(
            f"the step '{unrecorded}' of incident {incident.incident} does not say what production returned",
            hint="envclone incident record BUNDLE",
        )
    report = verdict(incident, {step.id: _run(runners[step.store], step) for step in incident.steps})
    return replace(report, not_run=tuple(not_run(incident)))


def _run(runner: StepRunner, step: Step) -> StepResult:
    try:
        return runner.run(step)
    except UnreachableError as exc:  # it answered before: going away is what the step did to it
        return StepResult(error=exc.message)
