"""What every verb of the service stands on: the stack, the records, who may see what, and the line in the audit log."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envclone.errors import EnvcloneError, UsageError
from envclone.lifecycle import branches as there
from envclone.mcp import secret
from envclone.pool import check_name
from envclone.serve.calls import Meters
from envclone.serve.jobs import Job, Jobs, command
from envclone.serve.ledger import Ledger
from envclone.serve.metrics import Counts
from envclone.serve.options import Options
from envclone.serve.refusals import NotFound
from envclone.serve.roles import Principal, Role
from envclone.serve.seat import Seat, outgoing_of
from envclone.serve.seen import BranchSeen, JobSeen, branch_seen
from envclone.serve.state import State
from envclone.serve.tokens import Tokens

if TYPE_CHECKING:
    from envclone.api import Stack
    from envclone.models import Branch
    from envclone.serve.webhooks import Webhooks

__all__ = ["Base"]


class Base:
    """What is behind the verbs. Used by many threads at once.

    What is asked for in a branch of somebody else's is not there, but for operators; a viewer sees all branches and
    changes none.
    """

    def __init__(self, stack: Stack, options: Options | None = None, webhooks: Webhooks | None = None) -> None:
        self.stack = stack
        self.webhooks = webhooks
        self.options = options or Options()
        self.state = State(stack.project.pool, stack.project.name)
        self.tokens = Tokens(self.state)
        self.ledger = Ledger(self.state)
        self.counts = Counts()
        self.meters = Meters(self.options.calls_per_minute)
        self.outgoing = outgoing_of(stack)
        file, pool = stack.project.loaded.path.absolute(), stack.project.pool.path
        self.jobs = Jobs(
            self.state, lambda job, place: command(file, pool, place), at_once=self.options.jobs, after=self._ended
        )

    def audit(self, who: Principal, name: str, object: str, outcome: str) -> None:
        """Write a call down: who, in which role, what was done to what, and how it ended."""
        shown = object if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}", object) else "?" if object else ""
        self.stack.project.log(
            "serve",
            {"who": who.name, "as": who.subject.partition(":")[0], "role": str(who.role), "verb": name}
            | ({"object": shown} if shown else {})
            | {"outcome": outcome},
        )

    def _sees(self, who: Principal, branch: Branch) -> bool:
        if who.role is not Role.ENGINEER:
            return True
        entry = self.ledger.of(branch)
        return entry is not None and entry.owner == who.subject

    def _look(self, who: Principal, name: str) -> Branch:
        """A branch that the caller may see; of another one nothing is told, not even that it is there.

        Whose it is stands in the ledger. That is read first: a branch of somebody else's is neither asked nor waited
        for, so that how long the answer takes tells nothing of it.
        """
        check_name(name)
        if who.role is Role.ENGINEER and not self.ledger.owns(who.subject, name):
            raise self._none(name)
        if there.directory(self.state.pool, name).is_dir():
            try:
                one = self.stack.show(name)
            except UsageError:
                raise self._none(name) from None
            if self._sees(who, one):
                self.outgoing.learn(*secret.of_branch(one))
                return one
        raise self._none(name)

    def _own(self, who: Principal, name: str) -> Branch:
        """A branch that the caller may change."""
        return self._look(who, name)

    def _still(self, who: Principal, one: Branch) -> None:
        """Check that what was just read is of the branch that the caller may see, and of none made in its place."""
        if self._look(who, one.name).created_at != one.created_at:
            raise self._none(one.name)

    def _none(self, name: str) -> NotFound:
        return NotFound(
            f"there is no branch '{name}' for you: it was removed, or is somebody else's", hint="envclone ls"
        )

    def _seen(self, who: Principal, branch: Branch) -> BranchSeen:
        self.outgoing.learn(*secret.of_branch(branch))
        entry = self.ledger.of(branch)
        mine = entry is not None and entry.owner == who.subject
        login = "no" if entry is None or not mine else "handed out" if entry.handed else "once"
        return branch_seen(branch, owner=entry.owner_name if entry else None, mine=mine, login=login)

    def _seat(self, names: list[str]) -> Seat:
        return Seat(self.stack, names, self.outgoing)

    def _job(self, job: Job, *, bare: bool = False) -> JobSeen:
        hidden = {"makes", "allow_degraded"}
        return JobSeen(
            id=job.id,
            verb=job.verb,
            arguments={key: value for key, value in job.arguments.items() if key not in hidden and value is not None},
            owner=job.owner_name,
            state=job.state,
            created_at=job.created_at,
            started_at=job.started_at,
            ended_at=job.ended_at,
            error=None if job.error is None else dict(job.error),
            result=None if bare or job.state != "done" else self.jobs.result(job.id),
        )

    def _ended(self, job: Job) -> None:
        """A job is over: what it made is known as secret, what it reserved and did not make is let go."""
        if job.verb == "branch":
            try:
                one = self.stack.show(str(job.arguments["name"]))
            except EnvcloneError:
                self.ledger.drop(str(job.arguments["name"]), job.id)
            else:
                self.outgoing.learn(*secret.of_branch(one))
        self.counts.ended(job.verb, job.state)
        who = Principal(job.owner, job.owner_name, Role(job.role))
        self.audit(who, f"job.{job.verb}", job.id, job.state)
        if self.webhooks is not None:
            names = {
                key: job.arguments[key]
                for key in ("environment", "incident", "name", "branch")
                if job.arguments.get(key)
            }
            about = {"project": self.state.project, "job": job.id, "verb": job.verb, "state": job.state}
            said = self.outgoing.value({**about, "owner": job.owner_name, **names})
            self.webhooks.tell("job", said, key=job.id)
