"""Verbs on branches: made, looked at, handed out, started, stopped, removed."""

from __future__ import annotations

import datetime as dt
import re
import secrets
from typing import Any

from envclone.endpoints import public, url, variables
from envclone.errors import UsageError
from envclone.lifecycle import branches as there
from envclone.pool import check_name
from envclone.serve.answering import Answering
from envclone.serve.calls import verb
from envclone.serve.refusals import Forbidden, NotFound
from envclone.serve.roles import Principal, Role
from envclone.serve.seen import BranchSeen, EnvironmentSeen, JobSeen, LoginSeen, LogsSeen, ParitySeen, WhoSeen

__all__ = ["Branching"]


class Branching(Answering):
    """What is done to branches."""

    @verb("whoami", Role.VIEWER, quiet=True)
    def whoami(self, who: Principal) -> WhoSeen:
        """Who the caller is."""
        return WhoSeen(
            name=who.name,
            role=str(who.role),
            branches=self.ledger.count(who.subject),
            branches_most=self.options.branches,
        )

    @verb("environments", Role.VIEWER, quiet=True)
    def environments(self, who: Principal) -> list[EnvironmentSeen]:
        """The environments of the stack file."""
        from envclone.lifecycle import images

        found = []
        for name, config in sorted(self.stack.project.loaded.stack.environments.items()):
            image = images.find(self.stack.project, name)
            stores = {store: one.kind for store, one in config.stores.items()}
            found.append(
                EnvironmentSeen(
                    name=name, stores=stores, services=sorted(config.services), image=image.id if image else None
                )
            )
        return found

    @verb("branch.list", Role.VIEWER, quiet=True)
    def branches(self, who: Principal) -> list[BranchSeen]:
        """The branches that the caller may see: an engineer their own, others all."""
        return [self._seen(who, one) for one in self.stack.branches() if self._sees(who, one)]

    @verb("branch.show", Role.VIEWER)
    def branch(self, who: Principal, name: str) -> BranchSeen:
        """One branch."""
        return self._seen(who, self._look(who, name))

    @verb("branch.login", Role.ENGINEER)
    def login(self, who: Principal, name: str) -> LoginSeen:
        """A branch's login, for its owner, once."""
        one = self._own(who, name)
        entry = self.ledger.of(one)
        if entry is None or entry.owner != who.subject:
            raise Forbidden(
                f"the login of '{name}' is its owner's", hint=f"on the host an operator reads it: envclone show {name}"
            )
        if not one.endpoints:
            raise UsageError(f"the branch '{name}' does not run", hint=f"envclone start {name}")
        self.ledger.hand(one)
        ends = {store: public(end) for store, end in one.endpoints.items()}
        urls = {store: url(end) for store, end in ends.items() if end.host is not None}
        plain = {key: value for key, value in variables(ends).items() if not key.endswith("_PATH")}
        given = {key: value for key, value in plain.items() if not value.startswith("file://")}
        return LoginSeen(name=name, urls=urls, variables=given)

    @verb("branch.create", Role.ENGINEER)
    def create(
        self,
        who: Principal,
        environment: str,
        *,
        incident: str | None = None,
        name: str | None = None,
        ttl: dt.timedelta | None = None,
        fresh: bool = False,
        profile: str | None = None,
        allow_degraded: bool = False,
        runtime: str | None = None,
    ) -> JobSeen:
        """Have a branch made; the job's result is the branch."""
        self.stack.project.environment(environment)
        if incident is not None:
            self._require_incident(incident)
        operator = who.role is Role.OPERATOR
        if fresh and not operator:
            raise Forbidden("a new snapshot reads production, which is an operator's to decide", hint="leave out fresh")
        if not operator:
            default = self.stack.project.loaded.stack.branches.ttl
            ttl = min(ttl if ttl is not None else default or self.options.ttl, self.options.ttl)
            ttl = ttl or self.options.ttl
        chosen = check_name(name or self._name(environment, incident))
        if there.directory(self.state.pool, chosen).exists():
            raise UsageError(f"the name '{chosen}' is taken", hint="choose another name")
        arguments: dict[str, Any] = {
            "environment": environment,
            "incident": incident,
            "name": chosen,
            "ttl": None if ttl is None else ttl.total_seconds(),
            "profile": profile,
            "allow_degraded": allow_degraded,
            "runtime": runtime,
            "fresh": fresh,
            "makes": operator or self.options.images,
        }
        job = self.jobs.new_id()
        self.ledger.reserve(chosen, who, job, most=None if operator else self.options.branches)
        try:
            return self._job(self.jobs.submit(who, "branch", arguments, ident=job))
        except BaseException:
            self.ledger.drop(chosen, job)
            raise

    @verb("branch.start", Role.ENGINEER)
    def start(self, who: Principal, name: str) -> BranchSeen:
        """Start a stopped branch."""
        one = self._own(who, name)
        return self._seen(who, self.stack.start(name, born=one.created_at))

    @verb("branch.stop", Role.ENGINEER)
    def stop(self, who: Principal, name: str) -> BranchSeen:
        """Stop a branch, its data kept."""
        one = self._own(who, name)
        return self._seen(who, self.stack.stop(name, born=one.created_at))

    @verb("branch.reset", Role.ENGINEER)
    def reset(self, who: Principal, name: str) -> BranchSeen:
        """A branch as it was born."""
        one = self._own(who, name)
        return self._seen(who, self.stack.reset(name, born=one.created_at))

    @verb("branch.extend", Role.ENGINEER)
    def extend(self, who: Principal, name: str, ttl: dt.timedelta | None = None) -> BranchSeen:
        """Have a branch live its time from now on, or another time: an engineer's at most the longest there is.

        A `ttl` of zero keeps it until it is removed, which is an operator's to say.
        """
        one = self._own(who, name)
        if ttl is None:
            self.stack.touch(name, born=one.created_at)
        else:
            if who.role is not Role.OPERATOR:
                ttl = min(ttl or self.options.ttl, self.options.ttl)
            self.stack.extend(name, ttl or None, born=one.created_at)
        return self._seen(who, self._own(who, name))

    @verb("branch.remove", Role.ENGINEER)
    def remove(self, who: Principal, name: str) -> dict[str, Any]:
        """Remove a branch and all of it."""
        one = self._own(who, name)
        entry = self.ledger.of(one)
        removed = self.stack.remove(name, born=one.created_at)
        if entry is not None:  # by now the name can be reserved for another one
            self.ledger.drop(name, entry.job)
        return {"removed": {name: removed}}

    @verb("branch.parity", Role.VIEWER)
    def parity(self, who: Principal, name: str) -> list[ParitySeen]:
        """What of production a running branch has."""
        one = self._look(who, name)
        rows = self.stack.parity(name)
        self._still(who, one)
        return [
            ParitySeen(
                store=row.store, what=row.what, production=row.production, branch=row.branch, parity=str(row.parity)
            )
            for row in rows
        ]

    @verb("branch.logs", Role.ENGINEER)
    def logs(self, who: Principal, name: str, part: str, lines: int = 100) -> LogsSeen:
        """The last lines of what a store or service of a branch wrote."""
        one = self._own(who, name)
        if part not in {*one.stores, *one.services}:
            known = ", ".join([*one.stores, *one.services])
            raise NotFound(f"the branch '{name}' has no such part", hint=f"it has: {known}")
        text = self.stack.insight(name).logs(part, max(1, min(lines, 2000)))
        self._still(who, one)
        return LogsSeen(part=part, text="\n".join(self.outgoing.text(line) for line in text.splitlines()))

    @verb("replay.last", Role.VIEWER)
    def last_replay(self, who: Principal, name: str) -> dict[str, Any] | None:
        """The newest replay in a branch, as it may be shown; None when there was none."""
        from envclone.mcp.shown import report_of

        one = self._look(who, name)
        kept = self.stack.last_replay(name)
        self._still(who, one)
        return None if kept is None else report_of(self._seat([name]), name, kept).result.model_dump(mode="json")

    def _name(self, environment: str, incident: str | None) -> str:
        tail = re.sub(r"[^a-z0-9]+", "-", incident.lower()).strip("-") if incident else secrets.token_hex(2)
        wanted = re.sub(r"[^a-z0-9-]+", "-", f"{environment}-{tail}".lower())[:36].strip("-")
        taken = there.directory(self.state.pool, wanted).exists() or self.ledger.reserved(wanted) is not None
        return f"{wanted}-{secrets.token_hex(2)}" if taken else wanted
