"""The layer of chance: the same step gives another answer in the same branch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from envclone.diagnosis.case import Case, ids_of
from envclone.diagnosis.finding import Certainty, Finding, Layer
from envclone.incidents.bundle import Expected, Incident
from envclone.incidents.compare import verdict
from envclone.models import StepResult

__all__ = ["Chance", "unstable"]


class Chance:
    """Steps whose two runs differ."""

    layer: ClassVar[Layer] = Layer.CHANCE
    causes: ClassVar[tuple[str, ...]] = ("nondeterminism",)

    def test(self, case: Case) -> Iterator[Finding]:
        """One finding for each such step."""
        command = f"envclone replay {case.incident.incident} --branch {case.branch}"
        for name in sorted(case.unstable):
            text = f"the step {name} was run twice in the same branch, and gave two answers"
            certainty = Certainty.SHOWN
            both = [set(ids_of(case.step(name), one)) for one in case.results[name]]
            if case.expected and all(set(case.expected) <= ids for ids in both):
                text += "; what is expected is in both"
                certainty = Certainty.POSSIBLE
            yield Finding(Layer.CHANCE, "nondeterminism", text, command, certainty, name)


def unstable(incident: Incident, results: Mapping[str, tuple[StepResult, ...]]) -> frozenset[str]:
    """The steps that gave two answers, as a replay would judge the second by the first."""
    steps = tuple(
        step.model_copy(update={"expect": Expected.of(step, results[step.id][0])})
        for step in incident.steps
        if len(results.get(step.id, ())) > 1
    )
    if not steps:
        return frozenset()
    judged = verdict(incident.model_copy(update={"steps": steps}), {step.id: results[step.id][1] for step in steps})
    return frozenset(one.step for one in judged.steps if not one.reproduced)
