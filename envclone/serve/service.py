"""The library's verbs for people who are not on the host: each checked, counted, cleaned and written down."""

from __future__ import annotations

from envclone.serve.branching import Branching
from envclone.serve.calls import verb
from envclone.serve.jobs import Event, Job
from envclone.serve.refusals import NotFound
from envclone.serve.roles import Principal, Role
from envclone.serve.seen import JobSeen
from envclone.serve.tending import Tending

__all__ = ["Service"]


class Service(Branching, Tending):
    """All verbs; of its own those on jobs. Every verb takes who asks first; used by many threads at once."""

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

    def told_all(self, ident: str) -> bool:
        """Whether a job has ended and told so: its end is written down before it is told."""
        job = self.jobs.get(ident)
        return job.ended and job.settled

    def recover(self) -> list[str]:
        """Take up what an earlier service left; a line for each job that it did not finish."""
        waiting = self.webhooks.start() if self.webhooks is not None else 0
        said = [f"{waiting} webhooks were not delivered yet: they are tried again"] if waiting else []
        return [*said, *self.jobs.recover(self._clean)]

    def close(self) -> None:
        """End the jobs."""
        self.jobs.close()
        if self.webhooks is not None:
            self.webhooks.close()

    def _sees_job(self, who: Principal, job: Job) -> bool:
        return who.role is not Role.ENGINEER or job.owner == who.subject

    def _one_job(self, who: Principal, ident: str) -> Job:
        job = self.jobs.get(ident)
        if not self._sees_job(who, job):
            raise NotFound("there is no such job", hint="envclone's answer to what you asked for names it")
        return job

    def _clean(self, job: Job) -> None:
        """Remove the branch that a job had half made when its program was killed."""
        name = str(job.arguments.get("name", ""))
        reserved = self.ledger.reserved(name) if job.verb == "branch" and name else None
        if reserved is not None and reserved.job == job.id:
            self.stack.remove(name, force=True)
            self.ledger.drop(name, job.id)
