"""A clone of a base backup, recovered to a moment by PostgreSQL itself, with the log that the pool holds.

What the server may read is laid into its own pg_wal before it starts: the recovery's restore_command is `false`, the
same for everybody, and in the cage the shell that would run it does nothing either. So nothing is composed into a
command, and the pool is not to be seen by the server. It takes no connection before it has ended its recovery, and
nobody connects to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from envclone.accounts import account_of, hand_over
from envclone.errors import EnvcloneError, UnsafeError
from envclone.models import StoreSnapshot
from envclone.models.moments import By, Reached, Target
from envclone.stores.postgres.server import control, engine, private, server, settings
from envclone.stores.postgres.snapshot.crashed import last_transaction, tidy
from envclone.stores.postgres.track import segments
from envclone.stores.postgres.track.lsn import lsn_text, parse
from envclone.stores.postgres.track.segments import Segment

__all__ = ["Missed", "Supply", "TooEarly", "recover"]

_SETTING = {By.TIME: "time", By.LSN: "lsn", By.XID: "xid", By.POINT: "name"}
_LONGEST = 24 * 3600.0
"""Seconds that a recovery may take."""


class Missed(EnvcloneError):
    """The log that was given ended before the moment."""

    exit_code = 2


class TooEarly(EnvcloneError):
    """The moment is before the end of the base backup."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Supply:
    """The log for one recovery: segments of `size` bytes from the base backup's first on, and timelines' histories."""

    found: Sequence[Segment]
    histories: Sequence[Path]
    size: int
    timeline: int


def recover(
    directory: Path, snapshot: StoreSnapshot, target: Target | None, supply: Supply, *, log: Path
) -> tuple[StoreSnapshot, Reached]:
    """Recover the clone of a base backup in `directory`; without a target to the end of the log that is given.

    Afterwards the cluster is cleanly shut down, on a timeline of its own, and holds no log but what a start needs.
    Raises Missed, TooEarly, or what a server's start raises; the clone is of no use then.
    """
    data = directory / "data"
    found = engine.for_snapshot(snapshot)
    settings.write_configuration(data, found, snapshot.details.get("settings", ()), snapshot.details.get("overrides"))
    wal = data / "pg_wal"
    segments.lay(supply.found, wal, supply.size, str(snapshot.details["system_identifier"]))
    for history in supply.histories:
        segments.lay_history(history, wal)
    (data / "recovery.signal").touch(mode=0o600)
    hand_over(data, account_of(directory))
    before = set(segments.histories(wal))
    try:
        server.start(
            found,
            data,
            socket_dir=server.socket_dir_for(data),
            log=log,
            options=private.options(found.major) | _options(target, supply.timeline),
            timeout=_LONGEST,
            recovering=True,
        )
    except EnvcloneError as exc:
        if "recovery ended before configured recovery target was reached" in exc.message:
            raise Missed(f"the log ends before {target}") from exc
        if "recovery stop point is before consistent recovery point" in exc.message:
            raise TooEarly(f"{target} is before the end of the base backup") from exc
        raise
    finally:
        stopped = server.stop(data, timeout=600.0)
        with suppress(OSError):
            server.socket_dir_for(data).rmdir()
    if not stopped.clean:
        raise UnsafeError(f"the recovering server on {data} did not stop cleanly", hint=f"see {log}, and try again")
    reached = _reached(snapshot, wal, before, log)
    tidy(directory, found.major)
    recovered = replace(
        snapshot,
        consistent_at=reached.at,
        position=reached.position,
        details={
            **snapshot.details,
            "wal": {"start": reached.position, "end": reached.position, "timeline": control.read(data).timeline},
        },
    )
    return recovered, reached


def _options(target: Target | None, timeline: int) -> dict[str, str]:
    wanted = {} if target is None else {f"recovery_target_{_SETTING[target.by]}": target.value}
    inclusive = "on" if target is None or target.inclusive else "off"
    return {
        "restore_command": "false",
        "recovery_target_timeline": str(timeline),
        "recovery_target_action": "promote",
        "recovery_target_inclusive": inclusive,
        "hot_standby": "off",
        "lc_messages": "C",
        "log_timezone": "UTC",
        "log_min_messages": "log",
        **wanted,
    }


def _reached(snapshot: StoreSnapshot, wal: Path, before: set[int], log: Path) -> Reached:
    """Where the recovery ended, by the history file of the timeline that it made, and by the server's log."""
    made = {timeline: path for timeline, path in segments.histories(wal).items() if timeline not in before}
    lines = made[max(made)].read_text(errors="replace").splitlines() if made else []
    parts = next((line.split("\t") for line in reversed(lines) if line.strip() and not line.startswith("#")), [])
    if len(parts) < 3:
        raise UnsafeError("the recovery left no word of where it ended", hint=f"see {log}")
    at = last_transaction(log) or snapshot.consistent_at
    return Reached(lsn_text(parse(parts[1])), at, int(parts[0]), parts[2].strip())
