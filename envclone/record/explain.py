"""The plans of the statements of a request that is kept: asked afterwards, on a connection and a thread of their own.

Nothing of it touches the application's connections or waits for anything there. A statement is planned and not run, in
a transaction that only reads, with the settings that were in force, for a second at most.
"""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from envclone.record import frames
from envclone.record.sessions import Session, guarded, recorder

__all__ = ["MOST", "Asked", "Explainer", "reads"]

MOST = 100
"""Statements of a request whose plans are asked for."""
_WAITING = 32
"""Requests that wait for it; of more there is no plan."""
_PATIENCE = 60.0
"""Seconds until a connection that could not be made is tried again."""
_READS = re.compile(r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*(select|with|table|values)\b", re.I | re.S)
_LONGEST = 100_000
_BEGIN = "BEGIN READ ONLY; SET LOCAL statement_timeout = '1s'; SET LOCAL lock_timeout = '100ms'; SAVEPOINT setting"


class Asked(NamedTuple):
    """A statement as it ran: its number in the request, and all that decides its plan."""

    number: int
    sql: str
    parameters: Any
    settings: dict[str, str]


def reads(sql: str) -> bool:
    """Whether a statement is one that a plan is asked for."""
    return len(sql) <= _LONGEST and _READS.match(sql) is not None


class Explainer:
    """Asks for plans; `connect` gives a connection of psycopg, for nobody else's use."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._connection: Any = None
        self._again = 0.0
        self.fresh()

    def fresh(self) -> None:
        """No thread and no connection: as after a fork."""
        self._queue: queue.Queue[tuple[Session, list[Asked]] | threading.Event] = queue.Queue(_WAITING)
        self._thread: threading.Thread | None = None
        self._connection = None

    def submit(self, session: Session, asked: list[Asked]) -> None:
        """Take a request that has ended; never waits."""
        try:
            self._queue.put_nowait((session, asked))
        except queue.Full:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="envclone-explain", daemon=True)
            self._thread.start()

    def flush(self, seconds: float) -> bool:
        """Wait until the plans of all requests so far are there; whether they are."""
        if self._thread is None:
            return True
        done = threading.Event()
        try:
            self._queue.put(done, timeout=seconds)
        except queue.Full:
            return False
        return done.wait(seconds)

    def _run(self) -> None:
        while True:
            one = self._queue.get()
            if isinstance(one, threading.Event):
                one.set()
                continue
            guarded(self._request, *one)

    def _request(self, session: Session, asked: list[Asked]) -> None:
        for one in asked:
            plan = self._plan(one)
            writer = recorder.writer
            if plan is not None and writer is not None:
                said = {"t": "plan", "of": one.number, "plan": plan}
                writer.put(frames.CALL, session.id, next(session.numbers), said, only_kept=True)

    def _plan(self, one: Asked) -> Any:
        connection = self._open()
        if connection is None:
            return None
        try:
            connection.execute(_BEGIN)
            try:
                settings = list(one.settings.items())
                if not _set(connection, settings):  # one that this role may not set, or that is none
                    for each in settings:
                        if _set(connection, [each]):
                            connection.execute("SAVEPOINT setting")  # what is set so far stays
                with connection.cursor() as cursor:
                    cursor.execute(f"EXPLAIN (FORMAT JSON) {one.sql}", one.parameters)
                    return cursor.fetchone()[0]
            finally:
                connection.execute("ROLLBACK")
        except Exception:  # noqa: BLE001 - a statement without a plan; what failed is the plan's alone
            if connection.closed or connection.broken:
                self._connection = None
            return None

    def _open(self) -> Any:
        if self._connection is None and time.monotonic() >= self._again:
            try:
                self._connection = self._connect()
                self._connection.autocommit = True
                self._connection.row_factory = tuple_of
            except Exception:  # noqa: BLE001
                self._connection, self._again = None, time.monotonic() + _PATIENCE
                recorder.errors += 1
        return self._connection


def _set(connection: Any, settings: list[tuple[str, str]]) -> bool:
    """Set settings until the transaction ends; whether all could be set."""
    if not settings:
        return True
    try:
        calls = ", ".join(["pg_catalog.set_config(%s, %s, true)"] * len(settings))
        connection.execute(f"SELECT {calls}", [part for each in settings for part in each])
    except Exception:  # noqa: BLE001
        connection.execute("ROLLBACK TO SAVEPOINT setting")
        return False
    return True


def tuple_of(_: Any) -> Callable[[Any], Any]:
    """Rows as they are, whatever the application's connections make of them."""
    return tuple
