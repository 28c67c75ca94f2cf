"""The library's verbs for people who are not on the host: each checked, counted, cleaned and written down."""

from __future__ import annotations

import datetime as dt
import re
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from envclone.endpoints import url, variables
from envclone.errors import EnvcloneError, UsageError
from envclone.lifecycle import branches as there
from envclone.mcp import secret
from envclone.pool import check_name
from envclone.serve import intake
from envclone.serve.calls import Meters, verb
from envclone.serve.jobs import Event, Job, Jobs, command
from envclone.serve.ledger import Ledger
from envclone.serve.metrics import Counts
from envclone.serve.options import Options
from envclone.serve.refusals import Forbidden, NotFound, TooMany
from envclone.serve.roles import Principal, Role
from envclone.serve.seat import Seat, outgoing_of
from envclone.serve.seen import (
    BranchSeen,
    EnvironmentSeen,
    HeldSeen,
    ImageSeen,
    ImportSeen,
    JobSeen,
    LoginSeen,
    LogsSeen,
    ParitySeen,
    WhoSeen,
    branch_seen,
    image_seen,
)
from envclone.serve.state import State
from envclone.serve.tokens import Tokens

if TYPE_CHECKING:
    from envclone.api import Stack
    from envclone.models import Branch
    from envclone.serve.webhooks import Webhooks

__all__ = ["Service"]

_INCIDENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class Service:
    """The verbs. Every method takes who asks first; used by many threads at once.

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
        urls = {store: url(end) for store, end in one.endpoints.items() if end.host is not None}
        plain = {key: value for key, value in variables(one.endpoints).items() if not key.endswith("_PATH")}
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
            if self.ledger.count(who.subject) >= self.options.branches:
                raise TooMany(
                    f"'{who.name}' has {self.options.branches} branches, which is the limit",
                    retry_after=60,
                    hint="remove one: envclone rm NAME",
                )
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
        self.ledger.reserve(chosen, who, job)
        try:
            return self._job(self.jobs.submit(who, "branch", arguments, ident=job))
        except BaseException:
            self.ledger.drop(chosen, job)
            raise

    @verb("branch.start", Role.ENGINEER)
    def start(self, who: Principal, name: str) -> BranchSeen:
        """Start a stopped branch."""
        self._own(who, name)
        return self._seen(who, self.stack.start(name))

    @verb("branch.stop", Role.ENGINEER)
    def stop(self, who: Principal, name: str) -> BranchSeen:
        """Stop a branch, its data kept."""
        self._own(who, name)
        return self._seen(who, self.stack.stop(name))

    @verb("branch.reset", Role.ENGINEER)
    def reset(self, who: Principal, name: str) -> BranchSeen:
        """A branch as it was born."""
        self._own(who, name)
        return self._seen(who, self.stack.reset(name))

    @verb("branch.extend", Role.ENGINEER)
    def extend(self, who: Principal, name: str) -> BranchSeen:
        """Have a branch live its time from now on."""
        self._own(who, name)
        self.stack.touch(name)
        return self._seen(who, self.stack.show(name))

    @verb("branch.remove", Role.ENGINEER)
    def remove(self, who: Principal, name: str) -> dict[str, Any]:
        """Remove a branch and all of it."""
        self._own(who, name)
        removed = self.stack.remove(name)
        self.ledger.drop(name)
        return {"removed": {name: removed}}

    @verb("branch.parity", Role.VIEWER)
    def parity(self, who: Principal, name: str) -> list[ParitySeen]:
        """What of production a running branch has."""
        self._look(who, name)
        return [
            ParitySeen(
                store=one.store, what=one.what, production=one.production, branch=one.branch, parity=str(one.parity)
            )
            for one in self.stack.parity(name)
        ]

    @verb("branch.logs", Role.ENGINEER)
    def logs(self, who: Principal, name: str, part: str, lines: int = 100) -> LogsSeen:
        """The last lines of what a store or service of a branch wrote."""
        one = self._own(who, name)
        if part not in {*one.stores, *one.services}:
            known = ", ".join([*one.stores, *one.services])
            raise NotFound(f"the branch '{name}' has no such part", hint=f"it has: {known}")
        text = self.stack.insight(name).logs(part, max(1, min(lines, 2000)))
        return LogsSeen(part=part, text="\n".join(self.outgoing.text(line) for line in text.splitlines()))

    @verb("image.list", Role.VIEWER, quiet=True)
    def images(self, who: Principal) -> list[ImageSeen]:
        """The images that there are."""
        project = self.stack.project
        return [
            image_seen(one, project.cow.usage(project.pool.path_of("images", one.id))) for one in self.stack.images()
        ]

    @verb("image.show", Role.VIEWER)
    def attestation(self, who: Principal, image: str) -> dict[str, Any]:
        """What is attested of an image, its signature checked."""
        if image not in {one.id for one in self.stack.images()}:
            raise NotFound("there is no such image", hint="envclone images")
        return dict(self.stack.attestation(image))

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

    @verb("replay.last", Role.VIEWER)
    def last_replay(self, who: Principal, name: str) -> dict[str, Any] | None:
        """The newest replay in a branch, as it may be shown; None when there was none."""
        from envclone.mcp.shown import report_of

        self._look(who, name)
        kept = self.stack.last_replay(name)
        return None if kept is None else report_of(self._seat([name]), name, kept).result.model_dump(mode="json")

    @verb("image.build", Role.OPERATOR)
    def build_image(self, who: Principal, environment: str, *, fresh: bool = False, again: bool = False) -> JobSeen:
        """Have an image made."""
        self.stack.project.environment(environment)
        given = {"environment": environment, "fresh": fresh, "again": again}
        return self._job(self.jobs.submit(who, "image", given))

    @verb("snapshot", Role.OPERATOR)
    def snapshot(self, who: Principal, environment: str) -> JobSeen:
        """Have production's stores copied into quarantine."""
        self.stack.project.environment(environment)
        return self._job(self.jobs.submit(who, "snapshot", {"environment": environment}))

    @verb("gc", Role.OPERATOR)
    def collect(self, who: Principal, *, dry_run: bool = False) -> JobSeen:
        """Have removed what nobody needs any more."""
        return self._job(self.jobs.submit(who, "gc", {"dry_run": dry_run}))

    @verb("audit", Role.OPERATOR)
    def events(self, who: Principal, *, last: int = 200) -> list[dict[str, Any]]:
        """The newest lines of the audit log."""
        return [dict(one) for one in self.stack.events()[-max(1, min(last, 2000)) :]]

    @verb("job.list", Role.VIEWER, quiet=True)
    def job_list(self, who: Principal) -> list[JobSeen]:
        """The jobs that the caller may see, the newest first."""
        return [self._job(one, bare=True) for one in reversed(self.jobs.all()) if self._sees_job(who, one)]

    @verb("job.show", Role.VIEWER, quiet=True)
    def job(self, who: Principal, ident: str, *, wait: float = 0) -> JobSeen:
        """A job with its result, after at most so many seconds of waiting for its end."""
        self._one_job(who, ident)
        return self._job(self.jobs.wait(ident, min(wait, 30.0)) if wait > 0 else self.jobs.get(ident))

    @verb("job.cancel", Role.ENGINEER)
    def cancel(self, who: Principal, ident: str) -> JobSeen:
        """End a job; what it had half made is removed."""
        self._one_job(who, ident)
        return self._job(self.jobs.cancel(ident))

    @verb("job.events", Role.VIEWER, quiet=True)
    def job_events(self, who: Principal, ident: str, after: int = 0) -> list[Event]:
        """What a job told behind that number."""
        return self.told(who, ident, after)

    def told(self, who: Principal, ident: str, after: int) -> list[Event]:
        """The same for a reader that was let in before: it is neither counted nor written down again."""
        self._one_job(who, ident)
        return [Event(one.number, self.outgoing.value(one.data)) for one in self.jobs.events(ident, after)]

    def over(self, ident: str) -> bool:
        """Whether a job has ended."""
        return self.jobs.get(ident).ended

    def recover(self) -> list[str]:
        """Take up what an earlier service left; a line for each job that it did not finish."""
        return self.jobs.recover(self._clean)

    def close(self) -> None:
        """End the jobs."""
        self.jobs.close()
        if self.webhooks is not None:
            self.webhooks.close()

    def _sees(self, who: Principal, branch: Branch) -> bool:
        if who.role is not Role.ENGINEER:
            return True
        entry = self.ledger.of(branch)
        return entry is not None and entry.owner == who.subject

    def _look(self, who: Principal, name: str) -> Branch:
        """A branch that the caller may see; of another one nothing is told, not even that it is there."""
        check_name(name)
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

    def _none(self, name: str) -> NotFound:
        return NotFound(f"there is no branch '{name}' for you", hint="envclone ls")

    def _seen(self, who: Principal, branch: Branch) -> BranchSeen:
        self.outgoing.learn(*secret.of_branch(branch))
        entry = self.ledger.of(branch)
        mine = entry is not None and entry.owner == who.subject
        login = "no" if entry is None or not mine else "handed out" if entry.handed else "once"
        return branch_seen(branch, owner=entry.owner_name if entry else None, mine=mine, login=login)

    def _seat(self, names: list[str]) -> Seat:
        return Seat(self.stack, names, self.outgoing)

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

    def _sees_job(self, who: Principal, job: Job) -> bool:
        return who.role is not Role.ENGINEER or job.owner == who.subject

    def _one_job(self, who: Principal, ident: str) -> Job:
        job = self.jobs.get(ident)
        if not self._sees_job(who, job):
            raise NotFound("there is no such job", hint="envclone's answer to what you asked for names it")
        return job

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
            self.webhooks.tell("job", self.outgoing.value({**about, "owner": job.owner_name, **names}))

    def _clean(self, job: Job) -> None:
        """Remove the branch that a job had half made when its program was killed."""
        name = str(job.arguments.get("name", ""))
        reserved = self.ledger.reserved(name) if job.verb == "branch" and name else None
        if reserved is not None and reserved.job == job.id:
            self.stack.remove(name, force=True)
            self.ledger.drop(name, job.id)

    def _name(self, environment: str, incident: str | None) -> str:
        tail = re.sub(r"[^a-z0-9]+", "-", incident.lower()).strip("-") if incident else secrets.token_hex(2)
        wanted = re.sub(r"[^a-z0-9-]+", "-", f"{environment}-{tail}".lower())[:36].strip("-")
        taken = there.directory(self.state.pool, wanted).exists() or self.ledger.reserved(wanted) is not None
        return f"{wanted}-{secrets.token_hex(2)}" if taken else wanted
