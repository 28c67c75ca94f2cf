"""Beside station 1: production at a moment, recovered from the base backup before it, as a raw snapshot."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from envclone import records, registry
from envclone.accounts import account_of, hand_over, take_back
from envclone.errors import UnsafeError, UsageError
from envclone.lifecycle import tracks
from envclone.lifecycle.quarantine import newest
from envclone.lifecycle.stages import RECOVERING
from envclone.models import Consistency, RawSnapshot, StoreSnapshot
from envclone.models.moments import By, Moment, Reached, Target
from envclone.models.tracked import Track, Window, spoken
from envclone.pool import catalog, new_id
from envclone.pool.workdir import workdir
from envclone.project import Project
from envclone.protocols import Candidate

__all__ = ["at", "far", "lines", "of_incident", "of_time", "wait_for"]

_PATIENCE = 20.0
"""Seconds to wait for the log of a moment that has just been."""
_LOOK = 0.5


@contextmanager
def at(project: Project, environment: str, target: Target) -> Iterator[RawSnapshot]:
    """The raw snapshot of an environment at a moment, recovered unless it is there; it stays as long as the context.

    Raises UsageError when there is no track, or when the moment is outside its windows, saying which they are.
    """
    with ExitStack() as held:
        there = newest(project, environment, held, target)
        yield there if there is not None else _recovered(project, environment, target, held)


def of_incident(at: dt.datetime | None) -> Target | None:
    """The moment that a bundle names."""
    return None if at is None else of_time(at)


def of_time(at: dt.datetime) -> Target:
    """The moment of a time by production's clock."""
    return Target(By.TIME, at.astimezone(dt.UTC).isoformat())


def lines(moment: Moment) -> list[str]:
    """A moment for people: what was asked for, and what each store reached."""
    said = [f"the state at {moment.asked}, from the base backup {moment.base}"]
    for name, one in sorted(moment.stores.items()):
        where = f"{one.at:%Y-%m-%d %H:%M:%S.%f} UTC" + (f", LSN {one.position}" if one.exact else "")
        why = one.reason if one.exact else f"{one.reason}, {_span(one.apart)} apart"
        said.append(f"{name}: {where} ({why})")
    return said


def far(raw: RawSnapshot, at: dt.datetime) -> str:
    """One line: how far a snapshot is from the moment that was wanted."""
    apart = (max(store.consistent_at for store in raw.stores.values()) - at).total_seconds()
    side = "after" if apart >= 0 else "before"
    when = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    return f"the newest snapshot is used: its state is {_span(abs(apart))} {side} the incident ({when})"


def _recovered(project: Project, environment: str, target: Target, held: ExitStack) -> RawSnapshot:
    track = tracks.found(project, environment)
    if track is None:
        raise UsageError(
            f"there is no track of '{environment}', so that no moment of it can be had",
            hint=f"envclone track {environment} follows it from now on; without --at the newest snapshot is taken",
        )
    project.begin(RECOVERING)
    ident = new_id(environment)
    held.enter_context(project.pool.using("raw", ident))
    with project.pool.using("tracks", track.id):
        wait_for(project, environment, target)
        for candidate in _candidates(project, track, target):
            raw = _attempt(project, track, target, candidate, ident)
            if raw is not None:
                details = {"id": ident, "environment": environment, "asked": str(target), "base": candidate.base}
                project.log("recover", details)
                return raw
    raise _outside(project, environment, target)


def _candidates(project: Project, track: Track, target: Target) -> list[Candidate]:
    """The bases from which every tracked store gets to the moment; the first store's order."""
    raws = {raw.id: raw for raw in tracks.bases(project, track.environment)}
    if target.by is not By.TIME and len(track.feeds) > 1:
        raise UsageError(
            f"'{track.environment}' has {len(track.feeds)} stores with a log, and a {target.by} is one store's own",
            hint="name the moment by its time: --at",
        )
    chosen: list[Candidate] | None = None
    for one in tracks.of_store(project, track):
        tracking = registry.tracking(one.feed.kind)
        if tracking is None:
            raise UnsafeError(f"nothing here knows how to recover a store of the kind '{one.feed.kind}'")
        stores = {ident: raw.stores[one.name] for ident, raw in raws.items() if one.name in raw.stores}
        found = list(tracking.candidates(one.place, stores, target))
        known = {candidate.base for candidate in found}
        chosen = found if chosen is None else [candidate for candidate in chosen if candidate.base in known]
    return chosen or []


def _attempt(project: Project, track: Track, target: Target, candidate: Candidate, ident: str) -> RawSnapshot | None:
    """Recover one base; None when it does not lead to the moment. Nothing is left of an attempt that fails."""
    pool = project.pool
    with pool.using("bases", candidate.base) as place, workdir(pool, project.cow, "moment") as building:
        if not place.is_dir():
            return None
        base = catalog.base(pool, project.name, candidate.base)
        stores: dict[str, StoreSnapshot] = {}
        reached: dict[str, Reached] = {}
        parts = {one.name: one for one in tracks.of_store(project, track)}
        for name, store in base.stores.items():
            project.tell(f"cloning {name}")
            project.cow.clone(place / name, building / name)
            part = parts.get(name)
            tracking = registry.tracking(part.feed.kind) if part else None
            if part is None or tracking is None:
                stores[name] = store
                continue
            hand_over(building / name, account_of(building / name))
            project.tell(f"recovering {name} to {target}")
            log = building / f"{name}.log"
            found = tracking.recover(building / name, store, target, candidate, part.place, log=log)
            if found is None:
                return None
            stores[name], reached[name] = found
            log.unlink(missing_ok=True)
        moment = Moment(target, base.id, {**reached, **_nearest(base, stores, reached)})
        return _publish(project, building, base, stores, moment, ident)


def _nearest(
    base: RawSnapshot, stores: Mapping[str, StoreSnapshot], reached: Mapping[str, Reached]
) -> dict[str, Reached]:
    """What stores without a log are: the snapshot in the base, and how far it is from the moment."""
    moment = max((one.at for one in reached.values()), default=base.created_at)
    return {
        name: Reached(
            store.position, store.consistent_at, reason="the nearest snapshot before it", exact=False,
            apart=round((moment - store.consistent_at).total_seconds(), 3),
        )
        for name, store in stores.items()
        if name not in reached
    }  # fmt: skip


def _publish(
    project: Project, building: Path, base: RawSnapshot, stores: Mapping[str, StoreSnapshot], moment: Moment, ident: str
) -> RawSnapshot:
    moments = [store.consistent_at for store in stores.values()]
    skew = round((max(moments) - min(moments)).total_seconds() * 1000)
    raw = RawSnapshot(
        ident,
        base.environment,
        dt.datetime.now(dt.UTC),
        stores,
        Consistency.SINGLE if len(stores) < 2 else Consistency.SKEWED,
        skew if len(stores) > 1 else 0,
        project=project.name,
        moment=moment,
    )
    take_back(building)
    building.chmod(0o700)
    project.pool.write_json(building / catalog.SNAPSHOT, records.dump(raw))
    project.pool.publish(building, "raw", ident)
    return raw


def wait_for(project: Project, environment: str, target: Target) -> None:
    """A moment that has just been may be on its way to the pool. Raises UsageError when no window will have it."""
    if target.by is not By.TIME:
        return
    moment = dt.datetime.fromisoformat(target.value)
    deadline = time.monotonic() + _PATIENCE
    while not _within(moment, windows := tracks.windows(project, environment)):
        late = any(one and moment > one[-1].until for one in windows.values())
        soon = moment <= dt.datetime.now(dt.UTC) + dt.timedelta(seconds=_PATIENCE)
        if not (late and soon and tracks.running(project, environment)) or time.monotonic() > deadline:
            raise _outside(project, environment, target)
        project.tell("waiting for the log of that moment")
        time.sleep(_LOOK)


def _within(moment: dt.datetime, windows: Mapping[str, list[Window]]) -> bool:
    return all(any(one.since <= moment <= one.until for one in of) for of in windows.values())


def _outside(project: Project, environment: str, target: Target) -> UsageError:
    windows = tracks.windows(project, environment)
    said = "; ".join(f"{name}: {spoken(of)}" for name, of in windows.items())
    return UsageError(
        f"{target} is outside of what the track of '{environment}' has; {said}",
        hint=f"envclone track status {environment} says more; --newest takes the newest snapshot",
    )


def _span(seconds: float) -> str:
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 7200 else f"{whole / 3600:.1f} h"
