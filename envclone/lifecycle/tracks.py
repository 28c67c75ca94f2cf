"""The tracks of environments: their records, their base backups, and what moments can be had of them."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envclone import records, registry
from envclone.errors import BusyError, ConfigError, EnvcloneError, UsageError
from envclone.models import RawSnapshot, StoreSnapshot
from envclone.models.tracked import Feed, Track, Window
from envclone.pool import catalog
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.config.schema import StoreConfig, TrackConfig

__all__ = [
    "TRACK", "Held", "all_of", "bases", "complaint", "declared", "found", "ident", "make", "of_store", "running",
    "source", "trackable", "windows",
]  # fmt: skip

TRACK = "track.json"
_SLOT = 40
"""Characters of a slot's name that come from environment and store: 63 is PostgreSQL's limit."""


@dataclass(frozen=True, slots=True)
class Held:
    """One store's part of a track: what leads from its bases to a moment."""

    name: str
    feed: Feed
    place: Path


def ident(project: Project, environment: str) -> str:
    """The id of an environment's track: one for each environment of each project."""
    digest = hashlib.blake2b(f"{project.name}\0{environment}".encode(), digest_size=6).hexdigest()
    return f"{environment}-{digest}"


def declared(project: Project, environment: str) -> TrackConfig:
    """What the stack file says of an environment's track. Raises ConfigError when it says nothing."""
    config = project.environment(environment).track
    if config is None:
        raise ConfigError(
            f"the stack file declares no track of '{environment}'",
            hint=f"environments.{environment}.track: {{every: 1h, window: 12h}}",
        )
    return config


def trackable(project: Project, environment: str) -> dict[str, StoreConfig]:
    """The stores of an environment that can be followed. Raises ConfigError naming why each of the others cannot."""
    followed, unfit = {}, []
    for name, config in project.environment(environment).stores.items():
        tracking = registry.tracking(config.kind)
        why = (
            f"{name} is a {config.kind}, which has snapshots only" if tracking is None else tracking.unfit(name, config)
        )
        if why:
            unfit.append(why)
        else:
            followed[name] = config
    if not followed:
        raise ConfigError(f"none of the stores of '{environment}' can be tracked", problems=unfit)
    return followed


def make(project: Project, environment: str) -> Track:
    """The record of a track, written before production is asked for anything, so that no slot is unknown."""
    there = found(project, environment)
    wanted = trackable(project, environment)
    feeds = dict(there.feeds) if there else {}
    for name, config in wanted.items():
        if name not in feeds:
            said = f"{environment}_{name}".replace("-", "_")[:_SLOT]
            feeds[name] = Feed(config.kind, f"envclone_{said}_{secrets.token_hex(4)}")
    if there is not None and feeds == dict(there.feeds):
        return there
    track = Track(ident(project, environment), environment, dt.datetime.now(dt.UTC), feeds, project.name)
    place = project.pool.path_of("tracks", track.id)
    place.mkdir(mode=0o700, exist_ok=True)
    for name in feeds:
        (place / name).mkdir(mode=0o700, exist_ok=True)
    project.pool.write_json(place / TRACK, records.dump(track))
    return track


def found(project: Project, environment: str) -> Track | None:
    """The record of an environment's track; None when there is none. Raises UnsafeError when it is damaged."""
    place = project.pool.path_of("tracks", ident(project, environment))
    try:
        return records.load(Track, project.pool.read_json(place / TRACK), what=f"the track of '{environment}'")
    except UsageError:
        return None


def all_of(project: Project) -> list[Track]:
    """The tracks of a project, of environments that its stack file no longer has, too; damaged ones are left alone."""
    there = []
    for entry in sorted(project.pool.path_of("tracks", "").iterdir()):
        try:
            record = records.load(Track, project.pool.read_json(entry / TRACK), what=f"the track {entry.name}")
        except EnvcloneError:
            continue
        if record.project == project.name and record.id == entry.name:
            there.append(record)
    return there


def of_store(project: Project, track: Track) -> list[Held]:
    """The parts of a track."""
    place = project.pool.path_of("tracks", track.id)
    return [Held(name, feed, place / name) for name, feed in sorted(track.feeds.items())]


def source(project: Project, environment: str, store: str) -> StoreConfig:
    """A store's declaration with its source read. Raises ConfigError."""
    from envclone.config.load import resolve_source

    config = project.environment(environment).stores[store]
    return config.model_copy(update={"source": resolve_source(project.loaded, environment, store)})


def bases(project: Project, environment: str) -> list[RawSnapshot]:
    """The base backups of an environment, oldest first."""
    return [raw for raw in catalog.bases(project.pool, project.name) if raw.environment == environment]


def windows(project: Project, environment: str) -> Mapping[str, list[Window]]:
    """The stretches of time whose every moment can be had, per store that is tracked."""
    track = found(project, environment)
    if track is None:
        return {}
    raws = bases(project, environment)
    said = {}
    for one in of_store(project, track):
        tracking = registry.tracking(one.feed.kind)
        of: dict[str, StoreSnapshot] = {raw.id: raw.stores[one.name] for raw in raws if one.name in raw.stores}
        said[one.name] = list(tracking.windows(one.place, of)) if tracking else []
    return said


def running(project: Project, environment: str) -> bool:
    """Whether a process follows the environment."""
    try:
        with project.pool.lock(f"following.{ident(project, environment)}"):
            return False
    except BusyError:
        return True


def complaint(exc: EnvcloneError) -> str:
    """An error as one line for a log."""
    return exc.message + (f" ({exc.hint})" if exc.hint else "")
