"""Long work: a job is a directory with what was asked, its events and its end; a program of its own does the work.

The program is ended with the service, however that ends. What it wrote stays, so that a service which starts again
knows what became of each job: one that waited goes on, one that ran is cleaned up after and marked.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import secrets
import shutil
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from envclone import process
from envclone.errors import EnvcloneError
from envclone.pool import files
from envclone.serve.refusals import NotFound, TooMany
from envclone.serve.roles import Principal
from envclone.serve.state import State

__all__ = ["ENDED", "Event", "Job", "Jobs", "events_of", "tell"]

ENDED = frozenset(("done", "failed", "cancelled"))
_ID = re.compile(r"[0-9]{8}t[0-9]{6}-[0-9a-f]{12}")
_TICK = 0.05
_WAITING = 100
_WAITING_EACH = 20
"""Jobs of one person that may wait: nobody fills the line for the others."""
_KEPT = 500
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is kept. `state` is queued, running, done, failed or cancelled; `arguments` names things only.

    `settled`: who waits for its end was told of it, and what it reserved is let go.
    """

    id: str
    verb: str
    arguments: Mapping[str, Any]
    owner: str
    owner_name: str
    role: str
    state: str
    created_at: str
    started_at: str | None = None
    ended_at: str | None = None
    pid: int | None = None
    error: Mapping[str, Any] | None = None
    settled: bool = True

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a job told: `number` counts from 1."""

    number: int
    data: Mapping[str, Any]


def tell(place: Path, data: Mapping[str, Any]) -> None:
    """Add an event to a job's; one writer at a time."""
    line = json.dumps({"at": _now(), **data}, ensure_ascii=False, default=str) + "\n"
    descriptor = os.open(place / "events.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def events_of(place: Path, after: int = 0) -> list[Event]:
    """The events of a job behind that number; a line that is not whole yet is not there yet."""
    try:
        lines = (place / "events.jsonl").read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    found = []
    for number, line in enumerate(lines, 1):
        if number > after:
            with contextlib.suppress(ValueError):
                found.append(Event(number, json.loads(line)))
    return found


class Jobs:
    """The jobs of a service: so many run at once, the others wait their turn."""

    def __init__(
        self,
        state: State,
        words: Callable[[Job, Path], Sequence[str]],
        *,
        at_once: int = 2,
        after: Callable[[Job], None] = lambda job: None,
    ) -> None:
        """`words` is the command line of a job's program, `after` is told of each job that ended."""
        self._state = state
        self._words = words
        self._at_once = at_once
        self._after = after
        self._changed = threading.Condition()
        self._queue: list[str] = []
        self._owners: dict[str, str] = {}
        self._cancelled: set[str] = set()
        self._running = 0
        self._closed = False

    def recover(self, clean: Callable[[Job], None]) -> list[str]:
        """Take up what an earlier service left; returns a line for each job that it left unfinished.

        `clean` removes what a job that ran may have left half made.
        """
        said = []
        for job in self.all():
            if job.ended:
                if not job.settled:  # the service ended in between
                    self._settle(job)
                continue
            if job.state == "queued":
                with self._changed:
                    self._owners[job.id] = job.owner
                    self._queue.append(job.id)
                said.append(f"job {job.id} ({job.verb}) was waiting when the service ended: it goes on")
                continue
            _await_end(job)
            place = self.place(job.id)
            if (place / "result.json").exists():
                ended = self._end(job, "done")
            else:
                clean(job)
                why = "the service ended while it ran; what it had half made is removed"
                ended = self._end(job, "failed", {"type": "Interrupted", "message": why, "hint": "ask for it again"})
            said.append(f"job {job.id} ({job.verb}) ran when the service ended: {ended.state}")
            self._settle(ended)
        self._start()
        return said

    def submit(self, who: Principal, verb: str, arguments: Mapping[str, Any], *, ident: str | None = None) -> Job:
        """A new job. Raises TooMany when too many wait, of all or of theirs."""
        with self._changed:
            mine = sum(self._owners.get(one) == who.subject for one in self._queue)
            if len(self._queue) >= _WAITING or mine >= _WAITING_EACH:
                whose = "of yours " if mine >= _WAITING_EACH else ""
                said = f"too many jobs {whose}are waiting"
                raise TooMany(said, retry_after=30, hint="ask again when some have ended")
        made = Job(
            ident or self.new_id(), verb, dict(arguments), who.subject, who.name, str(who.role), "queued", _now()
        )
        self.place(made.id).mkdir(mode=0o700)
        self._write(made)
        tell(self.place(made.id), {"event": "queued"})
        with self._changed:
            self._owners[made.id] = who.subject
            self._queue.append(made.id)
        self._start()
        self._forget()
        return made

    @staticmethod
    def new_id() -> str:
        """An id that sorts by time, and that nobody guesses."""
        return f"{dt.datetime.now(dt.UTC):%Y%m%dt%H%M%S}-{secrets.token_hex(6)}"

    def place(self, ident: str) -> Path:
        """A job's directory. Raises NotFound for what cannot be an id."""
        if not _ID.fullmatch(ident):
            raise NotFound("there is no such job", hint="envclone's answer to what you asked for names it")
        return self._state.folder("jobs") / ident

    def get(self, ident: str) -> Job:
        """A job as it is now. Raises NotFound."""
        try:
            return Job(**files.read_json(self.place(ident) / "job.json"))
        except (EnvcloneError, TypeError):
            raise NotFound("there is no such job", hint="envclone's answer to what you asked for names it") from None

    def all(self) -> list[Job]:
        """All jobs, the oldest first."""
        found = []
        for path in sorted(self._state.folder("jobs").iterdir()):
            with contextlib.suppress(NotFound):
                found.append(self.get(path.name))
        return found

    def result(self, ident: str) -> Any:
        """What a job that is done gave; None before."""
        path = self.place(ident) / "result.json"
        return files.read_json(path) if path.exists() else None

    def events(self, ident: str, after: int = 0) -> list[Event]:
        """The events of a job behind that number."""
        return events_of(self.place(ident), after)

    def wait(self, ident: str, seconds: float) -> Job:
        """A job when it has ended, or as it is after so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self.get(ident).ended, seconds)
        return self.get(ident)

    def cancel(self, ident: str) -> Job:
        """End a job: one that waits at once, one that runs after it has cleaned up."""
        with self._changed:
            job = self.get(ident)
            if job.ended:
                return job
            if ident in self._queue:
                self._queue.remove(ident)
                self._owners.pop(ident, None)
                job = self._end(job, "cancelled")
            else:
                self._cancelled.add(ident)
                return job
        return self._settle(job)

    def counts(self) -> dict[str, int]:
        """How many wait and how many run."""
        with self._changed:
            return {"queued": len(self._queue), "running": self._running}

    def close(self) -> None:
        """Take no more; end those that run, cleaned up, and mark them. Those that wait go on when it starts again."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: self._running == 0, _PATIENCE + 10)

    def _start(self) -> None:
        with self._changed:
            while self._queue and self._running < self._at_once and not self._closed:
                ident = self._queue.pop(0)
                self._owners.pop(ident, None)
                self._running += 1
                threading.Thread(target=self._run, args=(ident,), name=f"job {ident}").start()

    def _run(self, ident: str) -> None:
        """Have a job done. This thread lives as long as the program: the kernel ends the one with the other."""
        try:
            self._settle(self._done(self.get(ident)))
        except NotFound:  # it was forgotten meanwhile
            return
        finally:
            with self._changed:
                self._running -= 1
                self._cancelled.discard(ident)
                self._changed.notify_all()
            self._start()

    def _done(self, job: Job) -> Job:
        place = self.place(job.id)
        try:
            attendant = process.Attendant(self._words(job, place), log=place / "log", env=dict(os.environ))
        except (EnvcloneError, OSError) as exc:
            return self._end(job, "failed", {"type": type(exc).__name__, "message": str(exc), "hint": None})
        job = replace(job, state="running", started_at=_now(), pid=attendant.pid)
        self._write(job)
        tell(place, {"event": "running"})
        stopped = False
        pause = threading.Event()
        while not attendant.ended():
            if not stopped and (self._closed or job.id in self._cancelled):
                stopped = True
                attendant.close(_PATIENCE)
                break
            pause.wait(_TICK)
        attendant.close(0)
        if (place / "result.json").exists():
            return self._end(job, "done")
        if job.id in self._cancelled:
            return self._end(job, "cancelled")
        if stopped:
            why = {"type": "Interrupted", "message": "the service was stopped while it ran", "hint": "ask for it again"}
            return self._end(job, "failed", why)
        return self._end(job, "failed", _failure(place))

    def _end(self, job: Job, state: str, error: Mapping[str, Any] | None = None) -> Job:
        ended = replace(job, state=state, ended_at=_now(), error=error, pid=None, settled=False)
        self._write(ended)
        tell(self.place(job.id), {"event": state, **({"error": dict(error)} if error else {})})
        with self._changed:
            self._changed.notify_all()
        return ended

    def _settle(self, job: Job) -> Job:
        """Tell of a job's end, and write down that it was told."""
        self._after(job)
        settled = replace(job, settled=True)
        self._write(settled)
        return settled

    def _write(self, job: Job) -> None:
        files.write_json(self.place(job.id) / "job.json", asdict(job))

    def _forget(self) -> None:
        """Remove the oldest of the jobs that ended, when there are many."""
        over = [job for job in self.all() if job.ended and job.settled]
        for job in over[: max(0, len(over) - _KEPT)]:
            shutil.rmtree(self.place(job.id), ignore_errors=True)


def _failure(place: Path) -> Mapping[str, Any]:
    """What a job's program said of its end; nothing when it was killed."""
    try:
        found = files.read_json(place / "error.json")
        return {str(key): value for key, value in found.items()}
    except (EnvcloneError, AttributeError):
        return {"type": "Interrupted", "message": "its program was ended from outside", "hint": "ask for it again"}


def _await_end(job: Job) -> None:
    """Wait for the program of a job of an earlier service: it was told to end, and cleans up."""
    pause, mine = threading.Event(), job.id.encode()
    for _ in range(round(_PATIENCE / _TICK)):
        try:
            words = Path(f"/proc/{job.pid}/cmdline").read_bytes()
        except OSError:
            return
        if mine not in words:
            return
        pause.wait(_TICK)
    if job.pid is not None:
        process.terminate(job.pid)


def command(file: Path, pool: Path, place: Path) -> list[str]:
    """The command line of a job's program."""
    return [sys.executable, "-m", "envclone.serve.worker", str(file), str(pool), str(place)]


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
