"""Tools that rerun an incident in a branch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from envclone.errors import UsageError
from envclone.mcp.shown import ReplaySeen, report_of
from envclone.mcp.tools.base import Arguments, BranchName, Done, Incident, Tell, Tool
from envclone.mcp.tools.look import require_incident

if TYPE_CHECKING:
    from envclone.mcp.session import Session

__all__ = ["REPLAY"]


class ReplayArguments(Arguments):
    """What to rerun, and where."""

    incident: Incident | None = Field(default=None, description="The incident; without it the one of the branch.")
    branch: BranchName


def incident_of(session: Session, branch: str, incident: str | None) -> str:
    """The incident that is meant. Raises UsageError."""
    chosen = incident or session.branch(branch).incident
    if chosen is None:
        raise UsageError("say which incident", hint="the branch was made for none; `status` lists the incidents")
    require_incident(session, chosen)
    return chosen


def _replay(session: Session, given: ReplayArguments, tell: Tell) -> Done:
    from envclone.lifecycle.replay import replay

    name = session.mine(given.branch)
    incident = incident_of(session, name, given.incident)
    with session.alone(name):
        tell("running the incident's steps")
        report = replay(session.stack.project, incident, session.branch(name))
    return report_of(session, name, report.to_json())


REPLAY = Tool(
    name="replay",
    title="Replay an incident",
    description="Rerun an incident's steps in a branch, as the role and with the settings of production, and compare "
    "with what production returned: reproduced or not, and every difference.",
    arguments=ReplayArguments,
    result=ReplaySeen,
    run=_replay,
    read_only=True,
    idempotent=True,
    long=True,
)
