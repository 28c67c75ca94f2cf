"""Verbs on incidents: shown masked, let in, replayed, diagnosed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from envclone.errors import UsageError
from envclone.serve import intake
from envclone.serve.base import Base
from envclone.serve.calls import verb
from envclone.serve.refusals import Forbidden, NotFound
from envclone.serve.roles import Principal, Role
from envclone.serve.seen import HeldSeen, ImportSeen, JobSeen

__all__ = ["Answering"]

_INCIDENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class Answering(Base):
    """What is asked of incidents."""

    @verb("incident.list", Role.VIEWER, quiet=True)
    def incidents(self, who: Principal) -> list[str]:
        """The ids of the incidents that there are."""
        from envclone.mcp.tools.look import incident_ids

        return incident_ids(self._seat([]))

    @verb("incident.show", Role.VIEWER)
    def incident(self, who: Principal, ident: str, environment: str | None = None) -> dict[str, Any]:
        """An incident as it may be shown: masked, without the rows that production returned."""
        from envclone.mcp.tools.look import INCIDENT_SHOW

        self._require_incident(ident)
        given = {"incident": ident, **({"environment": environment} if environment else {})}
        done = INCIDENT_SHOW.run(self._seat([]), INCIDENT_SHOW.arguments.model_validate(given), lambda text: None)
        return done.result.model_dump(mode="json")

    @verb("incident.import", Role.ENGINEER)
    def send(
        self, who: Principal, ident: str, environment: str, content: str, *, bundle: bool = False,
        allow_chosen: bool = False,
    ) -> ImportSeen:  # fmt: skip
        """Take an incident: an operator's is let in and masked, an engineer's is held until an operator releases it."""
        operator = who.role is Role.OPERATOR
        if allow_chosen and not operator:
            raise Forbidden("which values become pseudonyms is an operator's to decide", hint="leave out allow_chosen")
        found = intake.read(self.stack, self.state, ident, environment, content, bundle=bundle)
        if operator:
            intake.let_in(self.stack, found, allow_chosen=allow_chosen)
        else:
            intake.hold(self.stack, self.state, found, who)
        return ImportSeen(incident=ident, state="taken" if operator else "held", steps=len(found.steps))

    @verb("incident.held", Role.OPERATOR)
    def held(self, who: Principal) -> list[HeldSeen]:
        """The incidents that wait for an operator."""
        return [
            HeldSeen(incident=one.incident, environment=one.environment, by=one.by, at=one.at, steps=one.steps)
            for one in intake.held(self.state)
        ]

    @verb("incident.release", Role.OPERATOR)
    def release(self, who: Principal, ident: str, *, allow_chosen: bool = False) -> ImportSeen:
        """Let an incident in that waits."""
        self._require_held(ident)
        steps = intake.release(self.stack, self.state, ident, allow_chosen=allow_chosen)
        return ImportSeen(incident=ident, state="taken", steps=steps)

    @verb("incident.refuse", Role.OPERATOR)
    def refuse(self, who: Principal, ident: str) -> dict[str, Any]:
        """Throw away an incident that waits."""
        self._require_held(ident)
        return {"removed": {ident: intake.drop(self.state, ident)}}

    @verb("replay", Role.ENGINEER)
    def replay(self, who: Principal, incident: str, branch: str | None = None) -> JobSeen:
        """Have an incident replayed in a branch, by default the newest that was made for it."""
        return self._in_branch(who, "replay", incident, branch)

    @verb("diagnose", Role.ENGINEER)
    def diagnose(
        self,
        who: Principal,
        incident: str,
        branch: str | None = None,
        *,
        expected: Sequence[str] = (),
        sweeps: bool = False,
    ) -> JobSeen:
        """Have it found out why an incident failed."""
        return self._in_branch(who, "diagnose", incident, branch, expected=list(expected), sweeps=sweeps)

    @verb("report", Role.ENGINEER)
    def report(self, who: Principal, incident: str, branch: str | None = None) -> JobSeen:
        """Have brought together what is known of an incident."""
        return self._in_branch(who, "report", incident, branch)

    def _require_incident(self, ident: str) -> None:
        from envclone.mcp.tools.look import incident_ids

        if not _INCIDENT.fullmatch(ident) or ident not in incident_ids(self._seat([])):
            raise NotFound("there is no such incident", hint="envclone incident ls")

    def _require_held(self, ident: str) -> None:
        if not _INCIDENT.fullmatch(ident) or ident not in {one.incident for one in intake.held(self.state)}:
            raise NotFound("no incident of that id waits", hint="GET /api/v1/held lists those that do")

    def _in_branch(self, who: Principal, work: str, incident: str, branch: str | None, **more: Any) -> JobSeen:
        self._require_incident(incident)
        if branch is None:
            made_for = [one for one in self.stack.branches() if one.incident == incident and self._sees(who, one)]
            if not made_for:
                raise UsageError(
                    f"no branch of yours was made for incident {incident}",
                    hint=f"envclone branch ENVIRONMENT --incident {incident}, or name one with --branch",
                )
            branch = max(made_for, key=lambda one: one.created_at).name
        self._own(who, branch)
        return self._job(self.jobs.submit(who, work, {"incident": incident, "branch": branch, **more}))
