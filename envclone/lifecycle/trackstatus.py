"""What there is of a track: who follows, which moments can be had, what it takes here and in production."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from envclone import registry
from envclone.errors import EnvcloneError
from envclone.lifecycle import track as tracking_of
from envclone.lifecycle import tracks
from envclone.models.tracked import Window
from envclone.project import Project

__all__ = ["Part", "Status", "status"]


@dataclass(frozen=True, slots=True)
class Part:
    """One store: its slot, its windows, and the bytes that production holds back; None when it holds nothing.

    `unasked` says why production could not be asked for that.
    """

    slot: str
    windows: tuple[Window, ...]
    held: int | None = None
    unasked: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """A track; `running` says whether a process follows now, `log` is what the received log takes in bytes."""

    environment: str
    running: bool
    bases: tuple[str, ...] = ()
    log: int = 0
    stores: Mapping[str, Part] = field(default_factory=dict)


def status(project: Project, environment: str) -> Status:
    """What there is; production is asked for what it holds back, and need not answer."""
    project.environment(environment)
    record = tracks.found(project, environment)
    if record is None:
        return Status(environment, running=False)
    windows = tracks.windows(project, environment)
    parts = {}
    for one in tracks.of_store(project, record):
        tracking, held, unasked = registry.tracking(one.feed.kind), None, ""
        try:
            if tracking is not None:
                held = tracking.held(one.name, tracks.source(project, environment, one.name), one.feed)
        except (EnvcloneError, KeyError) as exc:
            unasked = exc.message if isinstance(exc, EnvcloneError) else "the stack file no longer has the store"
        parts[one.name] = Part(one.feed.slot, tuple(windows.get(one.name, ())), held, unasked)
    return Status(
        environment,
        tracks.running(project, environment),
        tuple(raw.id for raw in tracks.bases(project, environment)),
        tracking_of.log_bytes(project, record),
        parts,
    )
