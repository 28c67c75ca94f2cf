"""One request of the application, from its beginning to its end; a context variable carries it to every call."""

from __future__ import annotations

import atexit
import contextvars
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from envclone.record import frames
from envclone.record.ring import Ring
from envclone.record.secrets import Secrets
from envclone.record.values import frozen
from envclone.record.writer import Made, Writer

__all__ = ["CURRENT", "INSIDE", "PARENT", "Recorder", "Session", "guarded", "recorder"]

CURRENT: contextvars.ContextVar[Session | None] = contextvars.ContextVar("envclone_session", default=None)
PARENT: contextvars.ContextVar[int | None] = contextvars.ContextVar("envclone_parent", default=None)
INSIDE: contextvars.ContextVar[bool] = contextvars.ContextVar("envclone_inside", default=False)
"""Whether a wrapper farther out records already what a library does for it."""


class Session:
    """A request while it runs."""

    __slots__ = ("asked", "began", "clock", "ended", "failed", "flags", "id", "name", "numbers")

    def __init__(self, id: bytes, name: str) -> None:
        self.id = id
        self.name = name
        self.numbers = itertools.count(1)
        self.began = time.time()
        self.clock = time.perf_counter()
        self.failed = False
        self.flags: list[str] = []
        self.ended = False
        self.asked: list[Any] = []
        """Statements whose plans are asked for when the request is kept."""


class Recorder:
    """What `start` made: the writer, and which requests are kept. There is one in a process."""

    def __init__(self) -> None:
        self.writer: Writer | None = None
        self.keep: Callable[[Mapping[str, Any]], bool] | None = None
        self.most_body = 4 << 20
        self.explainer: Any = None
        self.errors = 0
        self._spans: dict[bytes, bytes] = {}
        self._forks = False

    def start(
        self, directory: str, *, recent: int, kept: int, application: Mapping[str, str], most_body: int,
        keep: Callable[[Mapping[str, Any]], bool] | None, explain: Callable[[], Any] | None = None,
    ) -> None:  # fmt: skip
        """Begin to record into a directory."""
        self.explainer = None
        if explain is not None:
            from envclone.record.explain import Explainer

            self.explainer = Explainer(explain)
        secrets = Secrets()
        secrets.learn_environment(os.environ)
        about = {"recorder": 1, "application": dict(application), "python": sys.version.split()[0], "pid": os.getpid(),
                 "zone": _zone()}  # fmt: skip
        self.keep, self.most_body, self.errors = keep, most_body, 0
        self.writer = Writer(Ring(directory, recent=recent, kept=kept), secrets, about)
        self.writer.start()
        if not self._forks:
            self._forks = True
            os.register_at_fork(after_in_child=self._after_fork)
            atexit.register(self._at_exit)

    def stop(self, seconds: float) -> None:
        """Write what is there, and record no more."""
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.stop(seconds)

    def begin(self, name: str, made: Mapping[str, Any] | None = None) -> Session | None:
        """A request begins."""
        writer = self.writer
        if writer is None:
            return None
        session = Session(os.urandom(16), name)
        about = {"t": "start", "at": session.began, "name": name, "thread": threading.get_ident(), **(made or {})}
        writer.put(frames.START, session.id, 0, about)
        return session

    def end(
        self, session: Session, made: Made | None = None, error: BaseException | None = None, cost: int = 0
    ) -> None:
        """A request ends; it is kept when it failed or was flagged."""
        writer = self.writer
        if writer is None or session.ended:
            return
        session.ended = True
        if isinstance(error, Exception):
            session.failed = True
        seconds = time.perf_counter() - session.clock
        said = None if error is None else described(error)
        short = {"name": session.name, "failed": session.failed, "flags": list(session.flags), "seconds": seconds}
        keep = session.failed or bool(session.flags)
        if not keep and self.keep is not None:
            keep = bool(self.keep(short))

        def whole() -> Mapping[str, Any]:
            rest = (made() if callable(made) else made) or {}
            return {"t": "end", "at": session.began + seconds, "s": seconds, "failed": session.failed,
                    "flags": short["flags"], "error": said, **rest}  # fmt: skip

        if not writer.put(frames.END, session.id, next(session.numbers), whole, cost=cost, keep=keep):
            session.ended = False
            writer.put(frames.END, session.id, 0, {"t": "end", "dropped": True, "failed": session.failed}, keep=keep)
        asked, session.asked = session.asked, []
        if keep and asked and self.explainer is not None:
            self.explainer.submit(session, asked)

    def call(self, session: Session, made: Made, cost: int = 0, number: int | None = None) -> None:
        """A call of the request is over."""
        writer = self.writer
        if writer is not None:
            writer.put(frames.CALL, session.id, next(session.numbers) if number is None else number, made, cost=cost)

    def flag(self, why: str, request: str | None) -> bool:
        """Keep a request, the one that runs or one that is over; whether there is a recorder and a request."""
        writer, session = self.writer, CURRENT.get()
        if writer is None:
            return False
        if request is None:
            if session is None:
                return False
            session.flags.append(str(why)[:1000])
            writer.put(
                frames.FLAG, session.id, next(session.numbers), {"t": "flag", "at": time.time(), "why": str(why)}
            )
            return True
        found = bytes.fromhex(request)
        if len(found) != 16:
            return False
        return writer.put(frames.FLAG, found, 0, {"t": "flag", "at": time.time(), "why": str(why)}, keep=True)

    def _after_fork(self) -> None:
        if self.writer is not None:
            self.writer.after_fork()
        if self.explainer is not None:
            self.explainer.fresh()

    def _at_exit(self) -> None:
        if self.writer is not None:
            self.writer.flush(2.0)


def _zone() -> str:
    """The zone of this process's clock, by its name where that is known."""
    try:
        named = os.environ.get("TZ", "").lstrip(":") or os.readlink("/etc/localtime").partition("zoneinfo/")[2]  # noqa: PTH115
    except OSError:
        named = ""
    return named or time.strftime("%z")[:3] + ":" + time.strftime("%z")[3:5]


recorder = Recorder()
"""The one of this process: wrappers of libraries have nobody to hand it to them."""


def guarded(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """The function's result, or None when it fails: nothing of ours breaks the application."""
    try:
        return function(*arguments, **named)
    except Exception:  # noqa: BLE001
        recorder.errors += 1
        return None


def described(error: BaseException) -> str:
    """An error in a line."""
    try:
        text = str(error).strip()
    except Exception:  # noqa: BLE001 - an exception of the application's may not know what to say
        text = ""
    first = text.splitlines()[0][:2000] if text else ""
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def noted(values: Mapping[str, Any]) -> None:
    """Variables of the request that nothing else tells."""
    session = CURRENT.get()
    if session is not None:
        recorder.call(session, {"t": "note", "at": time.time(), "values": frozen(values)})
