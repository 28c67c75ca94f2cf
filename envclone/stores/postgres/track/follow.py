"""Production's log, received into the pool: a receiving program, looked after; a slot, never left to grow."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from envclone.errors import EnvcloneError, ResourceError, UnreachableError, UnsafeError
from envclone.private import write_private
from envclone.process import Attendant
from envclone.stores.postgres.server.engine import find
from envclone.stores.postgres.snapshot import client, source
from envclone.stores.postgres.track import marks, segments, slot
from envclone.stores.postgres.track.lsn import file_name

if TYPE_CHECKING:
    import psycopg

    from envclone.protocols import Limits

__all__ = ["ABOUT", "LogFollower", "about", "folders"]

ABOUT = "cluster.json"
"""Which cluster the log in a directory is of, and the size of its files."""

_MARK = 2.0
"""Seconds between two looks at production."""
_LONGEST = 30.0
"""Seconds between two attempts, at most."""
_GONE = re.compile(
    r"has already been removed|is ahead of the WAL flush position|is not in this server's history|"
    r"requested starting point|timeline .* (is not|does not)|invalid segment|exceeds the maximum reserved"
)
"""Why a log cannot be taken up where it stopped."""
_NO_SLOT = re.compile(
    r'replication slot "[^"]*" does not exist|can no longer (access|get changes from) replication slot'
)


def folders(place: Path) -> tuple[Path, Path]:
    """Where the receiving program writes, and where complete segments are."""
    return place / "incoming", place / "wal"


def about(place: Path) -> tuple[str, int] | None:
    """The cluster's identifier and the size of a segment; None before anything was received."""
    try:
        found = json.loads((place / ABOUT).read_text())
        return str(found["system"]), int(found["segment"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as exc:
        raise UnsafeError(f"{place / ABOUT} is damaged", hint="envclone track stop --drop, and begin again") from exc


class LogFollower:
    """Receives one cluster's log by a slot; see `protocols.Follower`."""

    def __init__(
        self, dsn: Callable[[], str], name: str, place: Path, limits: Limits, tell: Callable[[str], None]
    ) -> None:
        self._dsn, self._slot, self._place, self._limits, self._tell = dsn, name, place, limits, tell
        self._incoming, self._wal = folders(place)
        self._conn: psycopg.Connection[object] | None = None
        self._program: Attendant | None = None
        self._segment = 0
        self._system = ""
        self._anew = False
        self._next = self._retry = 0.0
        self._pause = 1.0
        self.trouble = ""
        self.gap = ""

    def start(self) -> None:
        """Begin, or go on where an earlier run stopped. Raises what keeps it from it."""
        for folder in (self._incoming, self._wal):
            folder.mkdir(mode=0o700, exist_ok=True)
        self._launch()
        self._mark()

    def poll(self) -> None:
        """See `protocols.Follower`: what fails is `trouble` and tried again, but for what must end the track."""
        try:
            if self._program is not None and self._program.ended():
                self._ended()
            if self._program is None:
                if time.monotonic() < self._retry:
                    return
                self._launch()
            if time.monotonic() >= self._next:
                if self._mark():
                    self._pause = 1.0
                    self._say("")
                self._put_away()
        except (UnreachableError, OSError) as exc:
            self._wait(exc.message if isinstance(exc, EnvcloneError) else f"{exc.strerror} ({exc.filename})")

    def based(self) -> None:
        """See `protocols.Follower`."""
        self.gap = ""

    def stop(self) -> None:
        """End the program; the slot stays, so that the next run goes on."""
        if self._program is not None:
            self._program.close()
        self._disconnect()

    def _launch(self) -> None:
        """Connect, see to the slot, and have the program receive from where the last one stopped."""
        self._disconnect()
        dsn = self._dsn()  # a password can have changed
        self._conn = conn = source.open_source(dsn, application_name=slot.APPLICATION)
        system = source.system_of(dsn)
        seen = slot.look(conn, self._slot)
        slot.require_not_waited_for(seen.synchronous)
        known = about(self._place)
        if known is None:
            write_private(self._place / ABOUT, json.dumps({"system": system, "segment": seen.segment}))
        elif known != (system, seen.segment):
            raise UnsafeError(
                f"the track is of the cluster {known[0]}, and the DSN leads to {system}",
                hint="correct the DSN; for another production: envclone track stop --drop, and begin again",
            )
        self._system, self._segment = system, seen.segment
        if seen.lost:
            self._say("production invalidated the track's slot: it is made again")
            slot.drop(dsn, self._slot)
        if not seen.there or seen.lost:
            if not (seen.lost or self._anew) and any(True for _ in self._received()):
                self._tell("the track's slot is gone from production: it is made again")
            slot.create(dsn, self._slot)
            self._anew = False
        else:
            self._require_room_there(seen)
        for path in self._incoming.glob("*.partial"):  # cut short when a disk was full: it is received again
            if path.lstat().st_size not in (0, self._segment):
                path.unlink()
        engine = find(conn.info.server_version // 10000)
        program, target, env = client.command(conn, engine, "pg_receivewal", application_name=slot.APPLICATION)
        self._program = Attendant(
            [
                program, "--directory", self._incoming, "--dbname", target, f"--slot={self._slot}",
                "--status-interval=1", "--no-loop", "--no-password", "--verbose",
            ],
            log=self._place / "receive.log",
            env=env,
        )  # fmt: skip
        self._next = 0.0

    def _ended(self) -> None:
        """Judge why the program ended, and say it."""
        said = (self._place / "receive.log").read_text(errors="replace")
        self._program = None
        if _NO_SLOT.search(said):
            return  # `_launch` makes it again
        if _GONE.search(said):
            self.gap = self.gap or "production no longer has the log that comes next"
            self._tell(f"{self.gap}: a new window begins with the next base backup")
            self._put_away(everything=True)
            # what the program asked for moved the slot back to it: it would hold back what nobody can take
            slot.drop(self._dsn(), self._slot)
            self._anew = True
            return
        self._wait(client.explained("pg_receivewal", "receiving production's log", said, "it ended").message)

    def _mark(self) -> bool:
        """Note where production is, and let it go before it holds back too much; whether its log is received."""
        assert self._conn is not None
        seen = slot.look(self._conn, self._slot)
        self._next = time.monotonic() + _MARK
        slot.require_not_waited_for(seen.synchronous)
        self._require_room_there(seen)
        marks.append(self._place, marks.Mark(seen.at, seen.position, seen.timeline, seen.written or 0))
        return seen.written is not None

    def _require_room_there(self, seen: slot.Look) -> None:
        if seen.held <= self._limits.held:
            return
        if self._program is not None:
            self._program.close()
            self._program = None
        slot.drop(self._dsn(), self._slot)
        raise ResourceError(
            f"production held back {seen.held >> 20} MB of log for the track, more than track.held allows "
            f"({self._limits.held >> 20} MB): its slot was dropped, and what it held is lost to the track",
            hint="see why the log was not received, and start the track again: a new window begins then",
        )

    def _put_away(self, *, everything: bool = False) -> None:
        """Check and compress what is complete; what is written to now, and what the program goes on from, stays."""
        found = segments.segments(self._incoming, self._segment)
        for segment in found if everything else found[:-1]:
            if segment.partial and segment.path.stat().st_size == 0:
                segment.path.unlink()
                continue
            segments.pack(segment, self._wal, self._segment, self._system, compress=self._limits.compress)
            if not segment.partial:
                name = file_name(segment.timeline, segment.number, self._segment)
                for half in (f"{name}.partial", f"{name}.partial.gz"):
                    (self._wal / half).unlink(missing_ok=True)
        for timeline, path in segments.histories(self._incoming).items():
            if timeline not in segments.histories(self._wal):
                segments.lay_history(path, self._wal)

    def _received(self) -> list[segments.Segment]:
        return [one for folder in (self._incoming, self._wal) for one in segments.segments(folder, self._segment)]

    def _wait(self, why: str) -> None:
        """Stop, and try again in a while."""
        self.stop()
        self._program = None
        self._retry = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, _LONGEST)
        self._say(why)

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            self._tell(trouble or "production's log is received again")

    def _disconnect(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None
