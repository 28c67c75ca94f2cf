"""A copy of a frozen file system's data directory: PostgreSQL recovers it, as after a crash of the machine.

All that was committed at the moment of the freeze is in the log that lies beside the tables. What was not synced to
disk by then is torn at worst, and the log holds the whole pages (full_page_writes). It happens in the cage in which
clones are sanitized, with no connection taken; afterwards the copy is that of a cleanly stopped server.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from envclone.accounts import account_of, hand_over, take_back
from envclone.errors import UnsafeError
from envclone.stores.intake import keep_only
from envclone.stores.postgres.server import control, private, server, settings
from envclone.stores.postgres.server.engine import Engine
from envclone.stores.postgres.snapshot import enginefiles

__all__ = ["RECOVERABLE", "last_transaction", "recover", "tidy"]

RECOVERABLE = (control.State.IN_PRODUCTION, control.State.SHUTTING_DOWN, control.State.IN_CRASH_RECOVERY)
"""States of a primary that a start recovers from by the log in its own pg_wal."""

_LAST = re.compile(r"last completed transaction was at log time (\S+ \S+)")
_LOG_FILE = re.compile(r"[0-9A-F]{24}")
_LONGEST = 24 * 3600.0
"""Seconds that a recovery may take."""


def recover(
    engine: Engine, into: Path, captured: Sequence[Mapping[str, Any]], overrides: Mapping[str, str] | None
) -> dt.datetime | None:
    """Recover `into`/data to the end of its log and stop it; returns when its last transaction there ended.

    Raises what a server's start raises, UnsafeError when it does not stop cleanly.
    """
    data, log = into / "data", into / "recovery.log"
    settings.write_configuration(data, engine, captured, overrides)
    hand_over(into, account_of(into))
    options = private.options(engine.major) | {"lc_messages": "C", "log_timezone": "UTC"}
    try:
        server.start(engine, data, socket_dir=server.socket_dir_for(data), log=log, options=options, timeout=_LONGEST)
    finally:
        stopped = server.stop(data, timeout=600.0)
        with suppress(OSError):
            server.socket_dir_for(data).rmdir()
    if not stopped.clean:
        raise UnsafeError("the server that recovered the copy did not stop cleanly", hint="take the snapshot again")
    said = last_transaction(log)
    log.unlink()
    tidy(into, engine.major)
    take_back(into)
    return said


def last_transaction(log: Path) -> dt.datetime | None:
    """When the last transaction ended that a recovery replayed, by the server's log (in UTC); None when it had none."""
    said = _LAST.findall(log.read_text(errors="replace"))
    return dt.datetime.fromisoformat(said[-1]).astimezone(dt.UTC) if said else None


def tidy(directory: Path, major: int) -> None:
    """Leave what a snapshot has: no log beyond what the next start reads, nothing that the server made for itself."""
    data = directory / "data"
    state = control.read(data)
    needed = control.wal_segment(state, state.redo)
    for entry in list((data / "pg_wal").iterdir()):
        if _LOG_FILE.fullmatch(entry.name) and entry.name != needed:
            entry.unlink()
    spaces = sorted(entry.name for entry in (data / "pg_tblspc").iterdir())
    keep_only(data, enginefiles.judge_data(major))
    for name in spaces:
        (data / "pg_tblspc" / name).symlink_to(Path("../../tablespaces") / name)
