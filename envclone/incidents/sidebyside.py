"""An incident replayed in two ways: how the two stand to production, and to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from envclone.incidents.bundle import Expected, Step
from envclone.incidents.compare import compare
from envclone.incidents.verdicts import ReplayReport, StepVerdict

__all__ = ["SideBySide", "beside"]


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Two replays, and of each step whether the second gave what the first gave."""

    first: ReplayReport
    second: ReplayReport
    between: tuple[StepVerdict, ...]

    @property
    def same(self) -> bool:
        """Whether both gave the same, whatever production gave."""
        return all(one.reproduced for one in self.between)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        between = ReplayReport("", "", self.same, self.between).to_json()["steps"]
        return {
            "same": self.same,
            "first": self.first.to_json(),
            "second": self.second.to_json(),
            "between": between,
        }


def beside(first: ReplayReport, second: ReplayReport, steps: Sequence[Step]) -> SideBySide:
    """Two replays of an incident side by side; `steps` are those that both ran."""
    between = [
        compare(step, Expected.of(step, first.results[step.id]), second.results[step.id])
        for step in steps
        if step.id in first.results and step.id in second.results
    ]
    return SideBySide(first, second, tuple(between))
