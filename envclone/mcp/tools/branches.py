"""Tools that make, reset and remove the session's branches."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from pydantic import Field

from envclone.mcp.tools.base import Arguments, BranchName, Done, Environment, Incident, Result, Tell, Tool
from envclone.mcp.tools.look import BranchSeen, require_incident, seen

if TYPE_CHECKING:
    from envclone.mcp.session import Session

__all__ = ["BRANCH", "REMOVE", "RESET"]


class BranchArguments(Arguments):
    """What to branch."""

    environment: Environment
    incident: Incident | None = Field(
        default=None, description="The incident that it is for: its bundle is masked now."
    )


class BranchMade(Result):
    """The branch that was made."""

    branch: BranchSeen
    seconds: float
    state: list[str] = Field(description="Of which moment it is, and how old.")


def _branch(session: Session, given: BranchArguments, tell: Tell) -> Done:
    if given.incident is not None:
        require_incident(session, given.incident)
    began = dt.datetime.now(dt.UTC)
    made = session.make(given.environment, given.incident, tell)
    state = [line for line in (*session.stack.moment_of(made), session.stack.state_of(made, began)) if line]
    result = BranchMade(branch=seen(session, made.name), seconds=made.seconds, state=state)
    return Done(result, f"branch {made.name} of {made.environment}: running after {made.seconds:.2f} s")


BRANCH = Tool(
    name="branch",
    title="Make a branch",
    description="Make a running copy of an environment, sanitized, for this session alone; it is removed with the "
    "session. It takes about a second. With an incident it is ready for `replay`.",
    arguments=BranchArguments,
    result=BranchMade,
    run=_branch,
    read_only=False,
    long=True,
)


class OfBranch(Arguments):
    """Which branch."""

    branch: BranchName


class BranchReset(Result):
    """The branch after its reset."""

    branch: BranchSeen


def _reset(session: Session, given: OfBranch, tell: Tell) -> Done:
    name = session.mine(given.branch)
    tell("cloning the image again")
    session.reset(name)
    return Done(BranchReset(branch=seen(session, name)), f"branch {name} is as it was born")


RESET = Tool(
    name="reset",
    title="Reset a branch",
    description="Throw away everything that was changed in a branch.",
    arguments=OfBranch,
    result=BranchReset,
    run=_reset,
    read_only=False,
    destructive=True,
    idempotent=True,
    long=True,
)


class Removed(Result):
    """What was removed."""

    removed: str


def _remove(session: Session, given: OfBranch, tell: Tell) -> Done:
    name = session.mine(given.branch)
    session.remove(name)
    return Done(Removed(removed=name), f"branch {name} is gone")


REMOVE = Tool(
    name="remove",
    title="Remove a branch",
    description="Stop a branch and remove all of it. The end of the session does the same.",
    arguments=OfBranch,
    result=Removed,
    run=_remove,
    read_only=False,
    destructive=True,
    long=True,
)
