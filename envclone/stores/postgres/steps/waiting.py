"""Whose lock in production a step waits for: asked in a session beside it, as long as the step runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from envclone.errors import EnvcloneError

if TYPE_CHECKING:
    import psycopg

__all__ = ["Wait", "watched"]

_BLOCKING = """
    SELECT a.pid::pg_catalog.int4, a.usename::pg_catalog.text,
           a.application_name, a.state,
           pg_catalog.to_char(pg_catalog.timezone('UTC', a.xact_start), 'HH24:MI:SS')
    FROM pg_catalog.pg_stat_activity a
    WHERE a.pid OPERATOR(pg_catalog.=) ANY (pg_catalog.pg_blocking_pids(%s::pg_catalog.int4))
    ORDER BY a.xact_start LIMIT 1
"""


class Wait:
    """What is known of a wait: `holder` says who was last seen to hold the lock, '' while nobody was."""

    def __init__(self) -> None:
        self.holder = ""


@contextmanager
def watched(
    pid: int, connect: Callable[[], psycopg.Connection[Any]], told: Callable[[str], None], every: float
) -> Iterator[Wait]:
    """While the block runs, look every so many seconds whether the session `pid` waits for a lock, and tell it.

    Production gets a second session for that only when the block takes longer than the first of these spans; when it
    gives none, nobody is named.
    """
    wait = Wait()
    ended = threading.Event()

    def look() -> None:
        if ended.wait(every):
            return
        with suppress(EnvcloneError), closing(connect()) as conn:
            while not ended.is_set():
                found = _asked(conn, pid)
                if found:
                    wait.holder = found
                    told(f"waiting for a lock of production that {found} holds")
                ended.wait(every)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield wait
    finally:
        ended.set()
        thread.join()


def _asked(conn: psycopg.Connection[Any], pid: int) -> str:
    """Who holds the lock, without the statement, which can hold values."""
    import psycopg

    try:
        row = conn.execute(_BLOCKING, [pid]).fetchone()
    except psycopg.Error:
        return ""
    if row is None:
        return ""
    who, user, application, state, since = row
    words = [f"user {user}" if user else "", application or "", state or "", f"since {since} UTC" if since else ""]
    said = ", ".join(word for word in words if word)
    return f"process {who}" + (f" ({said})" if said else "")
