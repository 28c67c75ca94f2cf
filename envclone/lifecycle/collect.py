"""Station 9: find what nobody needs any more (expired, abandoned, over a limit) and remove it."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from envclone import audit, registry
from envclone.errors import EnvcloneError
from envclone.lifecycle import branch as station_5
from envclone.lifecycle import images as station_4
from envclone.lifecycle import keep
from envclone.lifecycle import snapshot as station_1
from envclone.lifecycle.teardown import discard, remove
from envclone.models import Branch, BranchState, RawSnapshot
from envclone.project import Project

__all__ = ["Garbage", "collect", "find"]


@dataclass(frozen=True, slots=True)
class Garbage:
    """One thing to remove, and why; `error` says why it could not be."""

    kind: str
    name: str
    reason: str
    path: Path
    error: str | None = None


def find(project: Project, *, now: dt.datetime | None = None, note: bool = False) -> Iterator[Garbage]:
    """What `collect` would remove. What envclone did not make, or cannot read, is never among it.

    With `note`, a branch that somebody is connected to is written down as used; without, nothing is changed.
    """
    moment = now or dt.datetime.now(dt.UTC)
    yield from _branches(project, moment, note=note)
    yield from _half_made(project)
    yield from _orphans(project)
    yield from _quarantine(project, moment)
    yield from _superseded(project)


def collect(project: Project) -> list[Garbage]:
    """Remove what `find` finds; a failure is kept in the item's `error` and the rest goes on."""
    done: list[Garbage] = []
    for item in list(find(project, note=True)):
        try:
            if item.kind == "branch":
                remove(project.pool, project.cow, item.name)
            elif item.kind == "idle":
                station_5.stop(project.pool, item.name)
            elif item.kind in registry.RUNTIMES:
                registry.runtime(item.kind).remove(item.name, item.path)
                audit.append(project.pool.path / "audit.jsonl", "collect", {"kind": item.kind, "name": item.name})
            elif (
                item.kind == "partial"
                and item.path.is_dir()
                and any(item.path.iterdir())
                and item.path not in project.pool.partials()
            ):
                continue  # somebody is at it again since it was found
            else:
                discard(project.cow, item.path)
                audit.append(project.pool.path / "audit.jsonl", "collect", {"kind": item.kind, "name": item.name})
        except (EnvcloneError, OSError) as exc:
            item = Garbage(item.kind, item.name, item.reason, item.path, error=str(exc))
        done.append(item)
    return done


def _branches(project: Project, moment: dt.datetime, *, note: bool) -> Iterator[Garbage]:
    idle = project.loaded.stack.branches.idle
    for branch in station_5.branches(project.pool):
        path = station_5.directory(project.pool, branch.name)
        if branch.state in (BranchState.FAILED, BranchState.REMOVING):
            yield Garbage("branch", branch.name, "half made by a process that is gone", path)
            continue
        if branch.protected:
            continue
        if branch.state is BranchState.RUNNING and _in_use(branch):
            if note:
                keep.touch(project.pool, branch.name)
            continue
        used = _used(branch, path)
        until = branch.expires_at
        if until is not None and branch.ttl is not None:
            until = max(until, used + dt.timedelta(seconds=branch.ttl))
        if until is not None and until <= moment:
            yield Garbage("branch", branch.name, f"expired at {until:%Y-%m-%d %H:%M} UTC", path)
        elif idle is not None and branch.state is BranchState.RUNNING and moment - used > idle:
            yield Garbage(
                "idle", branch.name, f"not used since {used:%Y-%m-%d %H:%M} UTC: stopped, its data stays", path
            )


def _used(branch: Branch, path: Path) -> dt.datetime:
    """When a branch was last used: by a command, or by a connection from this host."""
    try:
        return dt.datetime.fromtimestamp((path / keep.USED).stat().st_mtime, dt.UTC)
    except OSError:
        return branch.created_at


def _in_use(branch: Branch) -> bool:
    """Whether somebody is connected to one of a branch's servers now."""
    for name in branch.stores:
        with contextlib.suppress(EnvcloneError, KeyError):
            if registry.server(branch.endpoints[name].kind).in_use(branch.endpoints[name]):
                return True
    return False


def _orphans(project: Project) -> Iterator[Garbage]:
    """What a runtime still keeps of branches that are gone, as when their directory was removed by hand."""
    for runtime in registry.RUNTIMES:
        for name, what in registry.observer(runtime).orphans(project.pool.path).items():
            path = station_5.directory(project.pool, name)
            if not path.exists():
                yield Garbage(runtime, name, f"{what} of a branch that is gone", path)


def _half_made(project: Project) -> Iterator[Garbage]:
    """Work that no process is at: the lock of its maker can be taken."""
    for name in station_5.unreadable(project.pool):
        path = station_5.directory(project.pool, name)
        if path.is_dir() and not any(path.iterdir()):  # killed between its directory and its record
            yield Garbage("partial", name, "left by a process that is gone", path)
    for partial in project.pool.partials():
        yield Garbage("partial", partial.name, "left by a process that is gone", partial)


def _quarantine(project: Project, moment: dt.datetime) -> Iterator[Garbage]:
    """Raw snapshots beyond `quarantine.keep`, or older than `quarantine.max_age`, per environment."""
    limits = project.loaded.stack.quarantine
    by_environment: dict[str, list[RawSnapshot]] = {}
    for entry in project.pool.path_of("raw", "").iterdir():
        if (entry / station_1.MANIFEST).exists():
            raw = station_1.load(project, entry.name)
            by_environment.setdefault(raw.environment, []).append(raw)
    for raws in by_environment.values():
        for position, raw in enumerate(sorted(raws, key=lambda raw: raw.created_at, reverse=True)):
            path = project.pool.path_of("raw", raw.id)
            if position >= limits.keep:
                yield Garbage("raw", raw.id, f"more than {limits.keep} in quarantine", path)
            elif moment - raw.created_at > limits.max_age:
                yield Garbage("raw", raw.id, "older than quarantine.max_age", path)


def _superseded(project: Project) -> Iterator[Garbage]:
    """Images that a newer one of the same environment replaces and that no branch was cloned from."""
    used = {branch.image for branch in station_5.branches(project.pool)}
    newest: dict[str, dt.datetime] = {}
    images = list(station_4.images(project))
    for image in images:
        newest[image.environment] = max(newest.get(image.environment, image.created_at), image.created_at)
    for image in images:
        if image.id not in used and image.created_at < newest[image.environment]:
            yield Garbage("image", image.id, "a newer image replaces it", project.pool.path_of("images", image.id))
