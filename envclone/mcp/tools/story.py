"""The tool that brings together what is known of an incident: as the page of `envclone report` has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from envclone.mcp.tools.base import Arguments, BranchName, Data, Done, Incident, Result, Tell, Tool
from envclone.mcp.tools.rerun import incident_of

if TYPE_CHECKING:
    from envclone.mcp.session import Session
    from envclone.pages.report.values import Answer, Report, Retrieval

__all__ = ["REPORT", "TELLS", "shown"]

TELLS = "running the incident's steps, with and without their indexes"

_HITS = 20
"""The most hits of an answer that are shown."""


class ReportArguments(Arguments):
    """Which incident, in which branch."""

    incident: Incident | None = Field(default=None, description="The incident; without it the one of the branch.")
    branch: BranchName


class HitSeen(Result):
    """One result."""

    id: str
    score: str
    text: str


class AnswerSeen(Result):
    """What one side gave."""

    hits: list[HitSeen] = Field(description="In order, at most 20.")
    error: str
    absent: str = Field(description="Why there is no answer of this side.")


class RetrievalSeen(Result):
    """One step, side by side."""

    step: str
    of: str
    query: str
    settings: dict[str, str]
    production: AnswerSeen
    branch: AnswerSeen
    exact: AnswerSeen | None = Field(description="What it gives without its index; null where that has no meaning.")
    same: bool | None = Field(description="Whether the branch gave what production gave.")
    reasons: list[str]


class CauseSeen(Result):
    """A cause, or a candidate."""

    layer: str
    says: str
    certain: bool
    evidence: list[str]


class HeldSeen(Result):
    """Something of production's that the branch has otherwise."""

    of: str
    what: str
    production: str
    branch: str


class ReportSeen(Data):
    """What is known of an incident."""

    incident: str
    branch: str
    outcome: str
    asked: str
    happened: list[str]
    causes: list[CauseSeen]
    retrievals: list[RetrievalSeen]
    state: list[str] = Field(description="Of which moment the branch is, what changed in it, what limits did.")
    differs: list[HeldSeen] = Field(description="What of production's the branch has otherwise.")
    unknown: list[str] = Field(description="What could differ and was not recorded, and what that hides.")


def _report(session: Session, given: ReportArguments, tell: Tell) -> Done:
    from envclone.lifecycle.report import gather

    name = session.mine(given.branch)
    ident = incident_of(session, name, given.incident)
    with session.alone(name):
        tell(TELLS)
        found = gather(session.stack.project, ident, session.branch(name))
    return shown(found, name)


def shown(found: Report, name: str) -> Done:
    """What was gathered in a branch, in short."""
    story, state = found.story, found.state
    result = ReportSeen(
        incident=story.incident,
        branch=name,
        outcome=str(story.outcome),
        asked=story.asked,
        happened=list(story.happened),
        causes=[
            CauseSeen(
                layer=one.layer, says=one.says, certain=one.certain, evidence=[fact.says for fact in one.evidence]
            )
            for one in story.causes
        ],
        retrievals=[_retrieval(one) for one in found.retrievals],
        state=[*state.moment, *(f"changed: {line}" for line in state.changed), *state.limits, *state.warnings],
        differs=[
            HeldSeen(of=one.of, what=one.what, production=one.production, branch=one.branch)
            for one in found.parity or ()
            if one.parity == "differs"
        ],
        unknown=[f"{one.name}: {one.hides}" for one in found.missing],
    )
    return Done(result, f"incident {story.incident}: {story.outcome} ({story.steps[0]} of {story.steps[1]} steps)")


def _retrieval(one: Retrieval) -> RetrievalSeen:
    return RetrievalSeen(
        step=one.step,
        of=one.of,
        query=one.query,
        settings=dict(one.settings),
        production=_answer(one.production),
        branch=_answer(one.branch),
        exact=None if one.exact is None else _answer(one.exact),
        same=one.same,
        reasons=list(one.reasons),
    )


def _answer(one: Answer) -> AnswerSeen:
    hits = [HitSeen(id=hit.id, score=hit.score, text=hit.text) for hit in one.hits[:_HITS]]
    return AnswerSeen(hits=hits, error=one.error, absent=one.absent)


REPORT = Tool(
    name="report",
    title="What is known of an incident",
    description="Bring together what is known of an incident in a branch: what was asked and what happened, each "
    "step's answer in production, in the branch and without its index, how the branch differs from production, and "
    "what is unknown. It runs the incident's steps again.",
    arguments=ReportArguments,
    result=ReportSeen,
    run=_report,
    read_only=True,
    idempotent=True,
    long=True,
)
