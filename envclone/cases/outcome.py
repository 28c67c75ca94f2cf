"""What a run of the pinned cases found: values only, and how they are said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["CaseOutcome", "Outcome", "Status", "lines"]


class Status(StrEnum):
    """What a case is now."""

    FIXED = "fixed"
    """all that `fixed` asks for holds"""
    FAILING = "still failing"
    """it gives what was recorded in production"""
    BROKEN = "broken"
    """neither: something else changed"""
    FLAKY = "flaky"
    """repetitions differ"""
    CANNOT = "cannot run"


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """A case, what it is now and why; `runs` counts the repetitions by what they were.

    `holds` says of bundle, image, key, schema and engine what is still as it was pinned. `passed` is whether it is what
    the case wants. `seconds` are those of the steps, the shortest and the longest run of them.
    """

    case: str
    status: Status
    wants: str
    passed: bool
    reasons: tuple[str, ...] = ()
    runs: Mapping[str, int] = field(default_factory=dict)
    holds: Mapping[str, str] = field(default_factory=dict)
    image: str = ""
    seconds: tuple[float, float] = (0.0, 0.0)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "status": str(self.status)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """All cases of a run, in their order; `seconds` is how long all of it took."""

    cases: Sequence[CaseOutcome]
    seconds: float
    repeat: int = 1

    @property
    def exit_code(self) -> int:
        """0 when every case is what it wants to be, 5 when one is not, 6 when none is wrong and one could not run."""
        if any(not one.passed and one.status is not Status.CANNOT for one in self.cases):
            return 5
        return 6 if any(not one.passed for one in self.cases) else 0

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        counted = {str(status): sum(one.status is status for one in self.cases) for status in Status}
        return {
            "cases": [one.to_json() for one in self.cases],
            "counts": counted,
            "passed": self.exit_code == 0,
            "seconds": round(self.seconds, 3),
            "repeat": self.repeat,
        }


def lines(outcome: Outcome) -> list[str]:
    """The run for a person: a line for each case, why, and what no longer holds of what it was pinned with."""
    said = []
    for one in outcome.cases:
        runs = f" ({', '.join(f'{n} × {what}' for what, n in one.runs.items())})" if one.status is Status.FLAKY else ""
        mark = "ok  " if one.passed else "FAIL"
        known = ", as it is known to" if one.passed and one.status is Status.FAILING else ""
        said.append(f"{mark} {one.case}: {one.status}{runs}{known}")
        said += [f"       {reason}" for reason in one.reasons]
        said += [f"       {what}: {how}" for what, how in one.holds.items() if not how.startswith("as pinned")]
    good = sum(one.passed for one in outcome.cases)
    said.append(f"{good} of {len(outcome.cases)} cases are as they should be, in {outcome.seconds:.1f} s")
    return said
