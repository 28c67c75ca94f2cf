"""Station 9: find what nobody needs any more (expired, abandoned, over a limit) and remove it.

Everything is removed under its exclusive lock, taken without a wait, and only if the reason still holds then: what
somebody uses is left for the next time. Other projects' objects are not looked at; what a killed process left half
made is nobody's.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from envclone import registry
from envclone.cage import gatekeeper
from envclone.errors import EnvcloneError
from envclone.lifecycle import branch as station_5
from envclone.lifecycle import branches, elsewhere, leases, owed, tenure, track, tracks
from envclone.lifecycle.teardown import demolish
from envclone.models import Branch, BranchState, RawSnapshot
from envclone.pool import catalog, is_id, pins
from envclone.pool import collect as leftovers
from envclone.pool.locks import named
from envclone.pool.times import counted
from envclone.pool.workdir import discard
from envclone.project import Project

__all__ = ["Garbage", "collect", "find"]


@dataclass(frozen=True, slots=True)
class Garbage:
    """One thing to remove, and why; `error` says why it could not be.

    What is `left` is in use: nothing is done to it now.
    """

    kind: str
    name: str
    reason: str
    path: Path
    error: str | None = None
    left: bool = False
    _remove: Callable[[], bool] = field(default=lambda: False, repr=False, compare=False)
    """Removes it under its lock; False when somebody took it up, or the reason is gone."""


def find(
    project: Project, *, now: dt.datetime | None = None, note: bool = False, older: bool = False
) -> Iterator[Garbage]:
    """What `collect` would remove. What envclone did not make, or cannot read, is never among it.

    With `note`, a branch that somebody is connected to is written down as used; without, nothing is changed. `older`
    also finds snapshots and images that were made before records named their project.
    """
    moment = now or dt.datetime.now(dt.UTC)
    yield from _branches(project, moment, note=note)
    yield from _half_made(project)
    yield from _orphans(project)
    yield from _strays(project)
    yield from _quarantine(project, moment)
    yield from _tracks(project, moment)
    yield from _superseded(project)
    yield from _owed(project)
    if older:
        yield from _older(project)
    yield from _held(project)


def collect(project: Project, *, older: bool = False) -> list[Garbage]:
    """Remove what `find` finds; a failure is kept in the item's `error` and the rest goes on."""
    done: list[Garbage] = []
    for item in list(find(project, note=True, older=older)):
        if item.left:
            continue
        try:
            if not item._remove():
                continue
            project.log("collect", {"kind": item.kind, "name": item.name})
        except (EnvcloneError, OSError) as exc:
            item = replace(item, error=str(exc))
        done.append(item)
    with contextlib.suppress(EnvcloneError, OSError):
        leftovers.sweep_locks(project.pool)
        gatekeeper.sweep()
    with contextlib.suppress(EnvcloneError, OSError):
        done += _held(project)
    return done


def _branches(project: Project, moment: dt.datetime, *, note: bool) -> Iterator[Garbage]:
    for branch in branches.branches(project):
        found = _judged(project, branch, moment, note=note)
        if found is not None and _free(project, "branches", branch.name):
            yield replace(found, _remove=partial(_end, project, found, moment))


def _judged(project: Project, branch: Branch, moment: dt.datetime, *, note: bool = False) -> Garbage | None:
    """Why a branch is to be removed or stopped; None when it is to stay as it is."""
    idle = project.loaded.stack.branches.idle
    path = branches.directory(project.pool, branch.name)
    if branch.state in (BranchState.FAILED, BranchState.REMOVING):
        return Garbage("branch", branch.name, "half made by a process that is gone", path)
    if branch.protected or branch.state is BranchState.CREATING:
        return None
    if leases.ended(project.pool, branch.name):
        return Garbage("branch", branch.name, "the agent's session that it was made for has ended", path)
    if branch.state is BranchState.RUNNING and _in_use(branch):
        if note:
            with contextlib.suppress(EnvcloneError):
                tenure.touch(project, branch.name)
        return None
    used = tenure.used(branch, path)
    until = branch.expires_at
    if until is not None and until <= moment:
        return Garbage("branch", branch.name, f"expired at {until:%Y-%m-%d %H:%M} UTC", path)
    if idle is not None and branch.state is BranchState.RUNNING and moment - used > idle:
        return Garbage("idle", branch.name, f"not used since {used:%Y-%m-%d %H:%M} UTC: stopped, its data stays", path)
    return None


def _end(project: Project, found: Garbage, moment: dt.datetime) -> bool:
    """Remove or stop a branch, if what was found of it is still so."""
    with project.pool.owned("branches", found.name) as free:
        if not free or not found.path.exists():
            return False
        branch = branches.load(project, found.name)
        if branch.state is BranchState.CREATING:  # by us, as it seems: we hold its lock
            branch = replace(branch, state=BranchState.FAILED)
        now = _judged(project, branch, moment)
        if now is None or now.kind != found.kind:
            return False
        if found.kind == "branch":
            demolish(project, found.name, found.path)
        else:
            station_5.halt(project, branch)
    return True


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
            if not is_id(name):
                continue
            path = branches.directory(project.pool, name)

            def remove(runtime: str = runtime, name: str = name, path: Path = path) -> bool:
                with project.pool.owned("branches", name) as free:
                    gone = free and not path.exists()
                    if gone:
                        registry.runtime(runtime).remove(name, path)
                return gone

            if not path.exists() and _free(project, "branches", name):
                yield Garbage(runtime, name, f"{what} of a branch that is gone", path, _remove=remove)


def _strays(project: Project) -> Iterator[Garbage]:
    """What is left elsewhere of snapshots and images that the pool has no record of: a killed command made it."""
    for kind, ident, what in elsewhere.strays(project):
        path = project.pool.path_of(kind, ident)

        def remove(kind: str = kind, ident: str = ident, path: Path = path) -> bool:
            with project.pool.owned(kind, ident) as free:
                gone = free and not path.exists()
                if gone:
                    elsewhere.sweep(project, kind, ident)
            return gone

        if _free(project, kind, ident):
            reason = f"{what} of {'a snapshot' if kind == 'raw' else 'an image'} that is gone"
            yield Garbage("kubernetes", ident, reason, path, _remove=remove)


def _half_made(project: Project) -> Iterator[Garbage]:
    """Work that no process is at: its lock can be taken."""
    reason = "left by a process that is gone"
    for flaw in catalog.flaws(project.pool, "branches"):
        if _empty(flaw.path) and _free(project, "branches", flaw.id):  # killed between its directory and its record
            yield Garbage(
                "partial",
                flaw.id,
                reason,
                flaw.path,
                _remove=_removing(project, "branches", flaw.id, partial(_empty, flaw.path)),
            )
    for one in leftovers.leftovers(project.pool):
        yield Garbage(
            "partial",
            one.path.name,
            reason,
            one.path,
            _remove=partial(leftovers.remove, project.pool, project.cow, one),
        )


def _held(project: Project) -> Iterator[Garbage]:
    """Work that somebody is at: a command that runs, or the copies of one that was killed and are still ending."""
    for one, pids in leftovers.held(project.pool):
        who = ", ".join(f"process {pid} ({named(pid)})" for pid in pids) or "a process that cannot be seen"
        yield Garbage("in use", one.path.name, f"in use by {who}", one.path, left=True)


def _quarantine(project: Project, moment: dt.datetime) -> Iterator[Garbage]:
    """Raw snapshots beyond `quarantine.keep`, or older than `quarantine.max_age`, per environment.

    Those of a moment are counted by themselves: they do not drive out the newest.
    """
    limits = project.loaded.stack.quarantine
    by_environment: dict[tuple[str, bool], list[RawSnapshot]] = {}
    for raw in catalog.snapshots(project.pool, project.name):
        by_environment.setdefault((raw.environment, raw.moment is None), []).append(raw)
    for raws in by_environment.values():
        for position, raw in enumerate(reversed(raws)):
            if position >= limits.keep:
                reason = f"more than {limits.keep} in quarantine"
            elif moment - raw.created_at > limits.max_age:
                reason = "older than quarantine.max_age"
            else:
                continue
            if _free(project, "raw", raw.id):
                yield _object(project, "raw", raw.id, "raw", reason)


def _tracks(project: Project, moment: dt.datetime) -> Iterator[Garbage]:
    """Tracks that the stack file no longer declares, slots at their limit that nobody reads, bases that are too old."""
    environments = project.loaded.stack.environments
    for record in tracks.all_of(project):
        path = project.pool.path_of("tracks", record.id)
        config = environments[record.environment].track if record.environment in environments else None
        if tracks.running(project, record.environment):
            continue
        if config is None:
            drop = partial(_given_up, project, record.environment)
            yield Garbage("track", record.id, "the stack file no longer declares it", path, _remove=drop)
            continue
        for one in tracks.of_store(project, record):
            with contextlib.suppress(EnvcloneError, KeyError):  # production cannot be asked: the next time
                if track.beyond(project, record, one, config.held):
                    reason = "production holds back more for it than track.held, and nobody follows"
                    drop = partial(track.let_go, project, record, one, config.held)
                    yield Garbage("slot", one.feed.slot, reason, one.place, _remove=drop)
    most = project.loaded.stack.quarantine.max_age
    for raw in catalog.bases(project.pool, project.name):
        if moment - raw.created_at > most and _free(project, "bases", raw.id):
            yield _object(project, "bases", raw.id, "base", "older than quarantine.max_age")


def _given_up(project: Project, environment: str) -> bool:
    track.stop(project, environment)
    return True


def _superseded(project: Project) -> Iterator[Garbage]:
    """Images that a newer one of the same environment replaces, that no branch was cloned from and no case needs."""
    images = catalog.images(project.pool, project.name)
    newest: dict[tuple[str, bool], dt.datetime] = {}
    for image in images:
        kind = image.environment, image.raw.moment is None
        if not image.imported:  # it replaces nothing of this pool's own
            made = counted(image.created_at)
            newest[kind] = max(newest.get(kind, made), made)
    used = _used(project)  # once: with so many images, so many branches would be read for each
    for image in images:

        def needless(ident: str = image.id) -> bool:
            now = _used(project)
            return now is not None and ident not in now

        kind = image.environment, image.raw.moment is None
        replaced = not image.imported and counted(image.created_at) < newest[kind]
        kept = used is None or image.id in used
        if (replaced or image.imported) and not kept and _free(project, "images", image.id):
            reason = "a newer image replaces it" if replaced else "it was imported, and no case needs it"
            yield _object(project, "images", image.id, "image", reason, needless)


def _used(project: Project) -> frozenset[str] | None:
    """The images that a branch was cloned from or a case needs; None when a pin cannot be read: it may be any."""
    try:
        pinned = pins.images(project.pool, project.name)
    except EnvcloneError:
        return None
    return pinned | {branch.image for branch in catalog.branches(project.pool, project.name)}


def _owed(project: Project) -> Iterator[Garbage]:
    """What killed commands left on production's servers."""
    for note in owed.told(project):
        name, path = note.owner.get("store", ""), note.path

        def remove(path: Path = path) -> bool:
            return any(owed.pay(project, again) for again in owed.told(project) if again.path == path)

        reason = "left on production's server by a process that is gone"
        yield Garbage("on a server", name, reason, path, _remove=remove)


def _older(project: Project) -> Iterator[Garbage]:
    """Snapshots and images whose record names no project."""
    for kind, what in (("raw", "raw"), ("images", "image")):
        for flaw in catalog.flaws(project.pool, kind):
            if flaw.older and _free(project, kind, flaw.id):
                yield _object(project, kind, flaw.id, what, flaw.reason)


def _object(
    project: Project, kind: str, ident: str, what: str, reason: str, still: Callable[[], bool] = lambda: True
) -> Garbage:
    return Garbage(
        what, ident, reason, project.pool.path_of(kind, ident), _remove=_removing(project, kind, ident, still)
    )


def _removing(project: Project, kind: str, ident: str, still: Callable[[], bool]) -> Callable[[], bool]:
    """What removes an object under its lock, if `still` says so then."""

    def remove() -> bool:
        path = project.pool.path_of(kind, ident)
        with project.pool.owned(kind, ident) as free:
            if not free or not os.path.lexists(path) or not still():
                return False
            if kind in ("raw", "images") and elsewhere.is_elsewhere(project, kind, ident):
                elsewhere.forget(project, kind, ident)
            discard(project.cow, path)
        return True

    return remove


def _free(project: Project, kind: str, ident: str) -> bool:
    with project.pool.owned(kind, ident) as free:
        return free


def _empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
