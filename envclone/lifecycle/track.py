"""Beside the stations: follow production for as long as it runs, base backups on a schedule, nothing kept too long."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from envclone import registry
from envclone.errors import BusyError, EnvcloneError, ResourceError, UnsafeError, UsageError
from envclone.lifecycle import snapshot, tracks
from envclone.models import ProgressEvent, RawSnapshot
from envclone.models.tracked import Track
from envclone.pool.times import counted
from envclone.pool.workdir import discard
from envclone.project import Project
from envclone.protocols import Follower, Limits

if TYPE_CHECKING:
    from envclone.config.schema import TrackConfig

__all__ = ["beyond", "let_go", "log_bytes", "prune", "remove_base", "stop", "track"]

_POLL = 0.5
_AGAIN = 60.0
"""Seconds between two attempts at a base backup."""


def track(project: Project, environment: str, tell: Callable[[str], None], ended: Callable[[], bool]) -> None:
    """Follow an environment until `ended` says so, or a signal; the next run goes on where this one stopped.

    `tell` is told what a person who reads a service's log wants to know. Raises BusyError when another process follows
    it, what a first connection raises, and ResourceError at the limit of what production may hold back.
    """
    config = tracks.declared(project, environment)
    ident = tracks.ident(project, environment)
    with ExitStack() as held:
        held.enter_context(project.pool.lock(f"following.{ident}", what=f"the track of '{environment}'"))
        record = tracks.make(project, environment)
        project.log(
            "track", {"environment": environment, "id": ident, "slots": [f.slot for f in record.feeds.values()]}
        )
        followers = list(_followers(project, record, config, tell, held))
        tell(f"following {environment}: {', '.join(record.feeds)}")
        _Loop(project, environment, config, followers, tell).run(ended)


def _followers(
    project: Project, record: Track, config: TrackConfig, tell: Callable[[str], None], held: ExitStack
) -> Iterator[Follower]:
    limits = Limits(config.held, config.compress)
    for one in tracks.of_store(project, record):
        tracking = registry.tracking(one.feed.kind)
        assert tracking is not None  # `make` names no other
        source = tracks.source(project, record.environment, one.name)
        yield held.enter_context(tracking.follow(one.name, source, one.feed, one.place, limits, tell))


class _Loop:
    """What is done again and again while production is followed."""

    def __init__(
        self,
        project: Project,
        environment: str,
        config: TrackConfig,
        followers: list[Follower],
        tell: Callable[[str], None],
    ) -> None:
        self._project, self._environment, self._config = project, environment, config
        self._followers, self._tell = followers, tell
        self._polled = self._attempt = self._pruned = -_AGAIN
        self._failure: EnvcloneError | None = None

    def run(self, ended: Callable[[], bool]) -> None:
        """Until the end."""
        while not ended():
            self._poll()
            if self._failure is not None:
                raise self._failure
            if self._due():
                self._take()
            if time.monotonic() - self._pruned >= _AGAIN:
                self._pruned = time.monotonic()
                prune(self._project, self._environment, self._config.window, self._config.log)
            time.sleep(_POLL)

    def _poll(self) -> None:
        """Look after what receives, also while a base backup is copied: what must end the track then waits for it."""
        self._polled = time.monotonic()
        for follower in self._followers:
            try:
                follower.poll()
            except EnvcloneError as exc:
                self._failure = self._failure or exc

    def _due(self) -> bool:
        if any(follower.trouble for follower in self._followers) or time.monotonic() - self._attempt < _AGAIN:
            return False
        there = tracks.bases(self._project, self._environment)
        newest = max((counted(raw.created_at) for raw in there), default=None)
        gap = any(follower.gap for follower in self._followers)
        return gap or newest is None or dt.datetime.now(dt.UTC) - newest >= self._config.every

    def _take(self) -> None:
        gaps = [follower for follower in self._followers if follower.gap]

        def progress(event: ProgressEvent) -> None:
            if time.monotonic() - self._polled >= _POLL:
                self._poll()
            self._project.progress(event)

        try:
            watched = replace(self._project, progress=progress)
            with snapshot.take(watched, self._environment, kind="bases") as raw:
                self._tell(f"base backup {raw.id}: {sum(one.bytes for one in raw.stores.values()) >> 20} MB")
        except EnvcloneError as exc:
            self._attempt = time.monotonic()
            self._tell(f"no base backup: {tracks.complaint(exc)}")
            return
        for follower in gaps:
            follower.based()
        self._attempt = time.monotonic() - _AGAIN
        self._pruned = -_AGAIN


def prune(
    project: Project, environment: str, window: dt.timedelta, most: int, *, now: dt.datetime | None = None
) -> list[str]:
    """Remove base backups that no moment of the window needs, and the log before the oldest; says which.

    The newest base backup older than the window stays: the window's first moments come from it. What somebody uses is
    left for the next time.
    """
    moment = now or dt.datetime.now(dt.UTC)
    there = tracks.bases(project, environment)
    record = tracks.found(project, environment)
    old = [raw for raw in there if moment - _taken(raw) >= window]
    gone = old[:-1]
    if record is not None and not gone and len(there) > 1 and log_bytes(project, record) > most:
        gone = there[:1]
    done = [raw.id for raw in gone if remove_base(project, raw)]
    if record is not None:
        with project.pool.owned("tracks", record.id) as free:
            if free:
                kept = tracks.bases(project, environment)
                for one in tracks.of_store(project, record):
                    tracking = registry.tracking(one.feed.kind)
                    if tracking is not None:
                        tracking.prune(one.place, [raw.stores[one.name] for raw in kept if one.name in raw.stores])
    return done


def remove_base(project: Project, raw: RawSnapshot) -> bool:
    """Remove a base backup that nobody uses; False when somebody does."""
    with project.pool.owned("bases", raw.id) as free:
        if free:
            discard(project.cow, project.pool.path_of("bases", raw.id))
    return free


def _taken(raw: RawSnapshot) -> dt.datetime:
    return max(store.consistent_at for store in raw.stores.values())


def log_bytes(project: Project, record: Track) -> int:
    """What the received log takes in the pool."""
    place = project.pool.path_of("tracks", record.id)
    total = 0
    for path in place.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # it was put away meanwhile
            total += path.lstat().st_blocks * 512
    return total


def beyond(project: Project, record: Track, one: tracks.Held, most: int) -> bool:
    """Whether production holds back more than `most` bytes for a track's store. Raises UnreachableError."""
    tracking = registry.tracking(one.feed.kind)
    if tracking is None:
        return False
    held = tracking.held(one.name, tracks.source(project, record.environment, one.name), one.feed)
    return held is not None and held > most


def let_go(project: Project, record: Track, one: tracks.Held, most: int) -> bool:
    """Drop a slot that is beyond the limit while nobody follows; False when somebody does, or it is not."""
    tracking = registry.tracking(one.feed.kind)
    try:
        with project.pool.lock(f"following.{record.id}"):
            if tracking is None or not beyond(project, record, one, most):
                return False
            return tracking.let_go(one.name, tracks.source(project, record.environment, one.name), one.feed)
    except BusyError:
        return False


def stop(project: Project, environment: str) -> list[str]:
    """Give a track up: its slots in production, its base backups and its log; returns what was removed.

    Raises BusyError while a process follows, UnreachableError when production cannot be asked: nothing is forgotten
    then, for the record is all that names the slot.
    """
    record = tracks.found(project, environment)
    if record is None:
        raise UsageError(f"there is no track of '{environment}'", hint=f"envclone track {environment}")
    done = []
    with (
        project.pool.lock(f"following.{record.id}", what=f"the track of '{environment}'"),
        project.pool.owning("tracks", record.id, timeout=10) as place,
    ):
        for one in tracks.of_store(project, record):
            tracking = registry.tracking(one.feed.kind)
            if tracking is None:
                raise UnsafeError(f"nothing here knows how to track a store of the kind '{one.feed.kind}'")
            if tracking.let_go(one.name, tracks.source(project, environment, one.name), one.feed):
                done.append(f"the slot {one.feed.slot} of production")
        for raw in tracks.bases(project, environment):
            if not remove_base(project, raw):
                raise ResourceError(f"the base backup {raw.id} is in use", hint="try again when it is not")
            done.append(f"the base backup {raw.id}")
        discard(project.cow, place)
        done.append("the log")
    project.log("track dropped", {"environment": environment, "id": record.id})
    return done
