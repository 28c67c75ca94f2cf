"""Beside station 1: how well the stores of a snapshot agree on the moment, and how they are brought to one.

A store with a log that is followed can be had at any moment, others only at that of their copy. So these are copied
first, and the ones with a log are recovered to that moment. One snapshot of one file system has all of them at once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envclone import registry
from envclone.accounts import account_of, hand_over, take_back
from envclone.errors import EnvcloneError, UsageError
from envclone.models import Consistency, StoreSnapshot
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.config.schema import StoreConfig
    from envclone.models.moments import Target
    from envclone.protocols import Tracking

__all__ = ["Agreement", "followed", "of", "recovered"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """What may be claimed of several stores' moments: no more than their own clocks show."""

    consistency: Consistency
    skew_ms: int = 0
    skew_wal: int | None = None


def followed(project: Project, environment: str) -> frozenset[str]:
    """The stores that can be had at the moment of the others' copies: a process follows them. Empty without others."""
    from envclone.lifecycle import tracks

    track = tracks.found(project, environment)
    if track is None or not tracks.running(project, environment):
        return frozenset()
    names = frozenset(project.environment(environment).stores)
    there = names & track.feeds.keys()
    return there if there < names else frozenset()


def recovered(
    project: Project, environment: str, name: str, config: StoreConfig, copied: Mapping[str, StoreSnapshot], into: Path
) -> StoreSnapshot | None:
    """A store as it was when the others were copied, in `into`; None, with a line that says why, when it cannot be had.

    Production's own clock counts: how far it is from ours is asked.
    """
    from envclone.lifecycle import moment

    tracking = registry.tracking(config.kind)
    assert tracking is not None  # it has a feed
    try:
        ahead = tracking.now(config).ahead
        at = max(one.consistent_at for one in copied.values()) + ahead
        target = moment.of_time(at)
        moment.wait_for(project, environment, target)
        found = _from_a_base(project, environment, name, tracking, target, into)
    except EnvcloneError as exc:
        project.tell(f"{name} is copied as it is now: {exc.message}")
        return None
    if found is None:
        project.tell(f"{name} is copied as it is now: no base backup leads to the moment of the others")
    return found


def _from_a_base(
    project: Project, environment: str, name: str, tracking: Tracking, target: Target, into: Path
) -> StoreSnapshot | None:
    from envclone.lifecycle import tracks

    track = tracks.found(project, environment)
    if track is None:
        raise UsageError("its track was given up")
    with project.pool.using("tracks", track.id):
        [part] = [one for one in tracks.of_store(project, track) if one.name == name]
        raws = {raw.id: raw.stores[name] for raw in tracks.bases(project, environment) if name in raw.stores}
        for candidate in tracking.candidates(part.place, raws, target):
            with project.pool.using("bases", candidate.base) as place:
                if not place.is_dir():
                    continue
                project.cow.remove(into)
                project.cow.clone(place / name, into)
                hand_over(into, account_of(into))
                project.tell(f"recovering {name} to the moment of the others")
                log = into.with_name(f"{name}.log")
                done = tracking.recover(into, raws[candidate.base], target, candidate, part.place, log=log)
                log.unlink(missing_ok=True)
                take_back(into)
                if done is not None:
                    return done[0]
    return None


def of(
    configs: Mapping[str, StoreConfig], stores: Mapping[str, StoreSnapshot], brought: frozenset[str] = frozenset()
) -> Agreement:
    """What may be claimed of these stores; `brought` were recovered to the moment of the others."""
    if len(stores) < 2:
        return Agreement(Consistency.SINGLE)
    devices = {one.frozen for one in stores.values()}
    if len(devices) == 1 and devices != {""}:
        return Agreement(Consistency.ATOMIC, 0, 0)  # nobody could write there: what they hold is of one moment
    ahead, written = _asked(configs, stores)
    moments = {name: one.consistent_at - ahead.get(name, dt.timedelta()) for name, one in stores.items()}
    if brought and brought.issuperset(name for name, config in configs.items() if registry.tracking(config.kind)):
        others = [moments[name] for name in stores if name not in brought]
        return Agreement(Consistency.BARRIER, _apart(others), 0)
    return Agreement(Consistency.SKEWED, _apart(list(moments.values())), written)


def _asked(
    configs: Mapping[str, StoreConfig], stores: Mapping[str, StoreSnapshot]
) -> tuple[dict[str, dt.timedelta], int | None]:
    """How far each source's clock is ahead of ours, and what their logs grew by since; None when one was not asked."""
    ahead, written, asked = {}, 0, False
    for name, store in stores.items():
        tracking = registry.tracking(configs[name].kind)
        if tracking is None or tracking.unfit(name, configs[name]):
            continue
        with suppress(EnvcloneError):
            now = tracking.now(configs[name], store)
            ahead[name], written, asked = now.ahead, written + now.written, True
    return ahead, written if asked else None


def _apart(moments: list[dt.datetime]) -> int:
    return round((max(moments) - min(moments)).total_seconds() * 1000)
