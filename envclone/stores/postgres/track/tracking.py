"""How a PostgreSQL is tracked: what `protocols.Tracking` asks for, handed to the modules that do it."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from envclone.errors import UnsafeError
from envclone.models.moments import By, Reached, Target
from envclone.models.tracked import Feed, Now, Window

if TYPE_CHECKING:
    from envclone.config.schema import StoreConfig
    from envclone.models import StoreSnapshot
    from envclone.protocols import Candidate, Follower, Limits

__all__ = ["PostgresTracking"]


class PostgresTracking:
    """A slot, a program that receives the log by it, and base backups that PostgreSQL recovers with it."""

    def unfit(self, name: str, config: StoreConfig) -> str:
        """Only a running server can be followed."""
        if config.source.method == "physical":
            return ""
        return f"{name} is taken by the method {config.source.method}, and the log of a running server is followed"

    @contextlib.contextmanager
    def follow(
        self, name: str, config: StoreConfig, feed: Feed, place: Path, limits: Limits, tell: Callable[[str], None]
    ) -> Iterator[Follower]:
        """Receive the log until the context ends; the slot stays."""
        from envclone.stores.postgres.track.follow import LogFollower

        follower = LogFollower(lambda: _dsn(config), feed.slot, place, limits, lambda text: tell(f"{name}: {text}"))
        try:
            follower.start()
            yield follower
        finally:
            follower.stop()

    def let_go(self, name: str, config: StoreConfig, feed: Feed) -> bool:
        """Drop the slot."""
        from envclone.stores.postgres.track import slot

        return slot.drop(_dsn(config), feed.slot)

    def held(self, name: str, config: StoreConfig, feed: Feed) -> int | None:
        """What the slot holds back."""
        from envclone.stores.postgres.snapshot.source import open_source
        from envclone.stores.postgres.track import slot

        with contextlib.closing(open_source(_dsn(config), application_name=slot.APPLICATION)) as conn:
            seen = slot.look(conn, feed.slot)
        return seen.held if seen.there else None

    def now(self, config: StoreConfig, since: StoreSnapshot | None = None) -> Now:
        """One statement; the half of its way is taken for the way there."""
        from envclone.stores.postgres.snapshot.source import open_source
        from envclone.stores.postgres.track import lsn, slot

        with contextlib.closing(open_source(_dsn(config), application_name=slot.APPLICATION)) as conn:
            began = dt.datetime.now(dt.UTC)
            seen = slot.look(conn, "")
            ahead = seen.at - began - (dt.datetime.now(dt.UTC) - began) / 2
        written = seen.position - lsn.parse(since.position) if since is not None and since.position else 0
        return Now(ahead, max(0, written))

    def windows(self, place: Path, bases: Mapping[str, StoreSnapshot]) -> Sequence[Window]:
        """By the files, and by what was seen of the time."""
        from envclone.stores.postgres.track.windows import windows

        return windows(place, bases)

    def candidates(self, place: Path, bases: Mapping[str, StoreSnapshot], target: Target) -> Sequence[Candidate]:
        """The nearest first."""
        from envclone.stores.postgres.track.windows import candidates

        return candidates(place, bases, target)

    def recover(
        self, directory: Path, snapshot: StoreSnapshot, target: Target, candidate: Candidate, place: Path, *, log: Path
    ) -> tuple[StoreSnapshot, Reached] | None:
        """By PostgreSQL itself; when the log ends before a time that production was seen at later, to the log's end."""
        from envclone.stores.postgres.track import recover, segments
        from envclone.stores.postgres.track.follow import about, folders
        from envclone.stores.postgres.track.windows import needed

        known = about(place)
        found = needed(place, snapshot, candidate.until)
        if known is None or not found:
            return None
        system, size = known
        if system != str(snapshot.details["system_identifier"]):
            raise UnsafeError(
                f"the base backup is of the cluster {snapshot.details['system_identifier']}, and the log of {system}",
                hint="envclone track stop --drop, and begin again",
            )
        histories = segments.histories(folders(place)[1]) | segments.histories(folders(place)[0])
        youngest = max(one.timeline for one in found)
        timeline = candidate.timeline or youngest
        supply = recover.Supply(found, [histories[one] for one in sorted(histories) if one <= youngest], size, timeline)
        try:
            return recover.recover(directory, snapshot, target, supply, log=log)
        except recover.TooEarly:
            return None
        except recover.Missed:
            if target.by not in (By.TIME, By.LSN):
                return None
        # production was seen later than that, and the log up to then lies beside the clone's files by now
        recovered, reached = recover.recover(
            directory, snapshot, None, replace(supply, found=(), histories=()), log=log
        )
        return recovered, replace(reached, reason="at the end of the log: nothing was written up to the moment")

    def prune(self, place: Path, bases: Sequence[StoreSnapshot]) -> None:
        """Segments before the first that the oldest base needs, and what was seen before it."""
        from envclone.stores.postgres.track import marks, segments
        from envclone.stores.postgres.track.follow import about, folders
        from envclone.stores.postgres.track.windows import start_of

        known = about(place)
        if known is None or not bases:
            return
        oldest = min(bases, key=start_of)
        for segment in segments.segments(folders(place)[1], known[1]):
            if segment.number < start_of(oldest) // known[1]:
                segment.path.unlink(missing_ok=True)
        marks.keep(place, oldest.consistent_at)


def _dsn(config: StoreConfig) -> str:
    """The DSN, with the password that it is to be reached by now. Raises what its command raises."""
    from envclone.stores.postgres.snapshot.access import dsn_of

    return dsn_of(config.source)
