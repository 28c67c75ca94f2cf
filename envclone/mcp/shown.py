"""A replay's report as an agent may see it: verdicts and differences, without what production computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from envclone.incidents.bundle import COMPUTED, HttpStep, Incident, SqlStep
from envclone.mcp.tools.base import Data, Done, Result

if TYPE_CHECKING:
    from envclone.mcp.session import Session

__all__ = ["DifferenceSeen", "ReplaySeen", "StepVerdictSeen", "report_of"]

_DIFFERENCES = 40
"""The most differences of a step that are shown."""


class DifferenceSeen(Result):
    """One difference between production's answer and the branch's."""

    kind: str = Field(description="missing, extra, moved, score, value, columns or error.")
    key: str = Field(description="Which row or hit.")
    position: int | None = Field(description="Its place, from 1.")
    column: str
    production: Any = Field(description="What production gave, masked.")
    branch: Any = Field(description="What the branch gives.")


class StepVerdictSeen(Result):
    """Whether a step gave again what production gave."""

    step: str
    reproduced: bool
    reasons: list[str]
    results: int
    note: str
    differences: list[DifferenceSeen]
    differences_left_out: int


class ReplaySeen(Data):
    """The verdict on an incident."""

    incident: str
    branch: str
    reproduced: bool
    steps: list[StepVerdictSeen]
    changed: list[str] = Field(description="What in the branch was changed before.")
    degraded: list[str] = Field(description="What of production's this host could not give.")
    rebuilt: list[str] = Field(description="Stores whose vector indexes were built again and answer otherwise.")
    fidelity: float | None
    seconds: float


def report_of(session: Session, branch: str, kept: Mapping[str, Any]) -> Done:
    """The report of a replay in plain values, as an agent may see it."""
    from envclone.incidents.handed import handed
    from envclone.lifecycle import images
    from envclone.lifecycle.incidents import masked_incident
    from envclone.lifecycle.sanitize import load_plans

    project = session.stack.project
    one = session.branch(branch)
    with images.using(project, one.image) as image:
        incident = handed(masked_incident(project, str(kept["incident"]), image), load_plans(project, image))
    steps = [_step(step, incident) for step in kept["steps"]]
    good = sum(step.reproduced for step in steps)
    result = ReplaySeen(
        incident=str(kept["incident"]),
        branch=branch,
        reproduced=bool(kept["reproduced"]),
        steps=steps,
        changed=list(kept.get("changed") or ()),
        degraded=list(kept.get("degraded") or ()),
        rebuilt=list(kept.get("rebuilt") or ()),
        fidelity=kept.get("fidelity"),
        seconds=float(kept.get("seconds") or 0.0),
    )
    word = "reproduced" if result.reproduced else "NOT reproduced"
    return Done(result, f"incident {result.incident}: {word} ({good} of {len(steps)} steps gave what production gave)")


def _step(found: Mapping[str, Any], incident: Incident) -> StepVerdictSeen:
    differences: Sequence[Mapping[str, Any]] = found.get("differences") or ()
    hidden = _hidden(incident, str(found["step"]))
    return StepVerdictSeen(
        step=str(found["step"]),
        reproduced=bool(found["reproduced"]),
        reasons=list(found.get("reasons") or ()) if hidden == frozenset() else _reasons(differences),
        results=int(found.get("results") or 0),
        note=str(found.get("note") or ""),
        differences=[
            DifferenceSeen(
                kind=str(one["kind"]),
                key=str(one["key"]),
                position=one.get("position"),
                column=str(one.get("column") or ""),
                production=_production(one, hidden),
                branch=one.get("actual"),
            )
            for one in differences[:_DIFFERENCES]
        ],
        differences_left_out=max(0, len(differences) - _DIFFERENCES),
    )


def _reasons(differences: Sequence[Mapping[str, Any]]) -> list[str]:
    """What differs, by kinds alone: a reason in words can quote what production computed."""
    counts = Counter(str(one["kind"]) for one in differences)
    return [f"{number} differences of the kind {kind}" for kind, number in counts.items()]


def _hidden(incident: Incident, step: str) -> frozenset[str] | None:
    """The columns that a statement computed in production; None when nothing of the answer is a field's."""
    found = next((one for one in incident.steps if one.id == step), None)
    if found is None or isinstance(found, HttpStep):
        return None
    if not isinstance(found, SqlStep) or found.expect is None:
        return frozenset()
    expect = found.expect
    return frozenset(
        column for i, column in enumerate(expect.columns) if any(row[i] == COMPUTED for row in expect.rows)
    )


def _production(one: Mapping[str, Any], hidden: frozenset[str] | None) -> Any:
    """What production gave: masked, and of what it computed numbers only, for a text can spell a name in any way."""
    value = one.get("expected")
    if one["kind"] in ("moved", "score", "columns", "error"):
        return value
    if hidden is None:
        return None if value is None else COMPUTED
    if isinstance(value, dict) and one["kind"] == "missing":
        return {key: _bare(item) if key in hidden else item for key, item in value.items()}
    if not hidden:
        return value
    if one["kind"] == "value" and one.get("column"):
        return _bare(value) if one["column"] in hidden else value
    return [_bare(item) for item in value] if isinstance(value, list) else _bare(value)


def _bare(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float) else COMPUTED
