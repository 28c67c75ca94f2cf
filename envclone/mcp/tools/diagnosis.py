"""The tool that says why an incident failed, by experiments in its branch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from envclone.mcp.tools.base import Arguments, BranchName, Data, Done, Incident, Result, Tell, Tool
from envclone.mcp.tools.rerun import incident_of

if TYPE_CHECKING:
    from envclone.mcp.session import Session

__all__ = ["DIAGNOSE"]


class DiagnoseArguments(Arguments):
    """What to diagnose, and where."""

    incident: Incident | None = Field(default=None, description="The incident; without it the one of the branch.")
    expected: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default_factory=list, max_length=50, description="The ids of the records that should have come, when known."
    )
    sweeps: bool = Field(default=False, description="Also ask each search under other settings.")
    branch: BranchName


class FindingSeen(Result):
    """A cause, with what shows it."""

    layer: str
    cause: str
    certainty: str = Field(description="shown by an experiment, likely by a measurement, or only possible.")
    evidence: str
    step: str
    records: list[str]


class CandidateSeen(Result):
    """A record that may have been expected."""

    step: str
    record: str
    rank: int
    why: str


class DiagnosisSeen(Data):
    """Why an incident failed, as far as experiments tell."""

    incident: str
    branch: str
    layer: str | None = Field(description="The first failing layer; null when none was found.")
    cause: str | None
    findings: list[FindingSeen] = Field(description="In the order of the layers, at most 50.")
    expected: list[str]
    missing: list[str] = Field(description="Those of the expected ids that no step returned.")
    candidates: list[CandidateSeen] = Field(description="When nobody said what was expected, at most 50.")
    unknown: list[str] = Field(description="What could not be tested, and why.")
    sweeps: list[dict[str, Any]] = Field(description="Each search under other settings, at most 100 points.")
    seconds: float


def _diagnose(session: Session, given: DiagnoseArguments, tell: Tell) -> Done:
    from envclone.lifecycle.diagnose import diagnose

    name = session.mine(given.branch)
    ident = incident_of(session, name, given.incident)
    with session.alone(name):
        tell("testing hypotheses in the branch")
        found = diagnose(
            session.stack.project,
            ident,
            session.branch(name),
            expected=given.expected,
            sweeps=given.sweeps,
            for_others=True,
        )
    plain = found.to_json()
    result = DiagnosisSeen(
        incident=found.incident,
        branch=name,
        layer=plain["layer"],
        cause=plain["cause"],
        findings=[
            FindingSeen(
                layer=str(one.layer),
                cause=one.cause,
                certainty=str(one.certainty),
                evidence=one.evidence,
                step=one.step,
                records=list(one.records[:50]),
            )
            for one in found.findings[:50]
        ],
        expected=list(found.expected),
        missing=list(found.missing),
        candidates=[
            CandidateSeen(step=one.step, record=one.record, rank=one.rank, why=one.why) for one in found.candidates[:50]
        ],
        unknown=list(found.unknown),
        sweeps=[dict(one) for one in plain["sweeps"][:100]],
        seconds=found.seconds,
    )
    said = "nothing was found that failed" if result.layer is None else f"{result.layer}: {result.cause}"
    return Done(result, f"incident {ident}: {said}")


DIAGNOSE = Tool(
    name="diagnose",
    title="Why it failed",
    description="Find out why an incident failed, by experiments in its branch: the first failing layer "
    "(infrastructure, state, index, filter, semantic, ranking, assembly, tools, formatting, grounding, chance, drift) "
    "with its evidence. Say which records should have come where you know it; else candidates are listed.",
    arguments=DiagnoseArguments,
    result=DiagnosisSeen,
    run=_diagnose,
    read_only=True,
    idempotent=True,
    long=True,
)
