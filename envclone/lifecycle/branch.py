"""Station 5: clone an image, start its stores, hand out fresh credentials."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import secrets
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from envclone import attestation, registry
from envclone.accounts import account_of
from envclone.errors import BusyError, EnvcloneError, UnsafeError, UsageError
from envclone.interrupts import deferred, made
from envclone.lifecycle import limits
from envclone.lifecycle import preview as previews
from envclone.lifecycle import profile as profiles
from envclone.lifecycle.branches import announce, branches, directory, extended, load, require_born, save
from envclone.models import Branch, BranchState, Credentials, Image, ProgressEvent, Secret
from envclone.pool import Pool, catalog, check_name
from envclone.project import Project

if TYPE_CHECKING:
    from pathlib import Path

    from envclone.models import Account
    from envclone.profiles.profile import Profile
    from envclone.protocols import CowDriver

__all__ = ["create", "credentials_of", "halt", "plain", "require_free", "reset", "start", "stop"]

ROLE = "envclone"
"""The role that a branch's user gets in its servers."""


def create(
    project: Project,
    image: Image,
    name: str,
    *,
    ttl: dt.timedelta | None = None,
    incident: str | None = None,
    port: int | None = None,
    profile: str | None = None,
    allow_degraded: bool = False,
    runtime: str | None = None,
) -> Branch:
    """Clone an image into the branch `name`, start it and wait until it answers; nothing is left on failure.

    `ttl` None keeps it until it is removed. Its stores get the stack file's resource profiles, or the one called
    `profile`. `runtime` None is the stack file's choice, or docker when there are services.

    Raises BusyError when the name or the port is taken, ResourceError at a limit of branches, or when this host cannot
    give what a profile says and `allow_degraded` is not said.
    """
    began = time.monotonic()
    pool = project.pool
    with ExitStack() as held:
        place = held.enter_context(pool.owning("branches", name))
        held.enter_context(pool.using("images", image.id))
        require_free(project, name)
        chosen = previews.runtime_for(project, image.environment, runtime)
        if not registry.runtime(chosen).elsewhere:
            _require_here(pool, image, chosen)
        # two at once are not to find room for one
        counting = held.enter_context(ExitStack())
        counting.enter_context(pool.lock(f"room.{project.name}", timeout=60, what="the count of branches"))
        mine = branches(project)
        limits.require_room(project, mine)
        given, degraded = profiles.chosen(
            project, image.environment, image.raw.stores, profile, allow_degraded=allow_degraded, runtime=chosen
        )
        limits.require_memory(project, mine, given)
        now = dt.datetime.now(dt.UTC)
        branch = Branch(
            name=name,
            environment=image.environment,
            image=image.id,
            state=BranchState.CREATING,
            created_at=now,
            expires_at=now + ttl if ttl else None,
            stores=image.raw.stores,
            incident=incident,
            fidelity=image.fidelity,
            profiles=plain(given),
            profile=profile or "",
            degraded=degraded,
            pid=os.getpid(),
            runtime=chosen,
            ttl=ttl.total_seconds() if ttl else None,
            project=project.name,
            attested=attestation.digest(pool.path_of("images", image.id)),
        )
        branch = previews.planned(project, branch)
        logged = False
        try:
            announce(project, branch)  # before anything is made, so that a killed process leaves nothing unknown
            counting.close()
            branch = _clone_and_start(project.cow, pool, branch, project, port)
            branch = replace(branch, seconds=round(time.monotonic() - began, 3))
            with deferred():  # a branch that runs is in the log, or it is none
                save(pool, branch)
                project.log(
                    "branch",
                    {"name": name, "image": image.id, "incident": incident, "expires_at": branch.expires_at},
                )
                logged = True
                made()
        except BaseException:
            # what cannot be removed now keeps its record, for `rm` and `gc`
            with deferred(), contextlib.suppress(EnvcloneError):
                registry.runtime(branch.runtime).remove(name, place)
                registry.runtime(branch.runtime).stop(branch, place)
                project.cow.remove(place)
                if logged:
                    project.log("remove", {"name": name})
            raise
    return branch


def _require_here(pool: Pool, image: Image, runtime: str) -> None:
    """Check that an image's files are in the pool. Raises UsageError."""
    if (pool.path_of("images", image.id) / attestation.ELSEWHERE).is_file():
        raise UsageError(
            f"the image {image.id} is in the cluster that its production is in: no branch of it runs here",
            hint=f"--runtime kubernetes, not {runtime}; a source of another method copies production here",
        )


def require_free(project: Project, name: str) -> None:
    """Check that no branch has this name. Raises UsageError for a malformed one, BusyError for a taken one."""
    check_name(name)
    if directory(project.pool, name).exists():
        owner = catalog.owner(project.pool, "branches", name)
        if owner and owner != project.name:
            raise BusyError(
                f"the name '{name}' is taken: a branch of the project '{owner}' has it",
                hint="choose another with --name; names are the pool's, which both projects use",
            )
        raise BusyError(
            f"a branch '{name}' exists already",
            hint=f"envclone show {name}, envclone rm {name}, or choose another with --name",
        )


def reset(project: Project, name: str, *, born: dt.datetime | None = None) -> Branch:
    """Throw away what was changed in a branch: clone its image again, with the same name and credentials' role.

    `born` says which one is meant. It takes only the image that the branch was made from, and its containers' images
    by their digests. Raises UnsafeError, UsageError or ResourceError when one of them is gone or was made again; the
    branch is then as it was.
    """
    pool = project.pool
    with ExitStack() as held:
        place = held.enter_context(pool.owning("branches", name))
        branch = load(project, name)
        require_born(branch, born)
        image = _of(project, branch, held)
        pinned = {name: one for name, one in branch.images.items() if name in branch.stores or name in branch.services}
        registry.runtime(branch.runtime).have(pinned, project.progress)
        ports = [endpoint.port for endpoint in branch.endpoints.values() if endpoint.port]
        registry.runtime(branch.runtime).remove(name, place)  # what goes need not stop gently
        registry.runtime(branch.runtime).stop(branch, place)
        credentials = credentials_of(branch)
        branch = replace(branch, state=BranchState.CREATING, pid=os.getpid(), stores=image.raw.stores, endpoints={})
        branch = previews.planned(project, branch)
        branch = replace(branch, images={**branch.images, **pinned})
        save(pool, branch)
        for store in branch.stores:
            project.cow.remove(place / store)
        branch = _clone_and_start(
            project.cow, pool, branch, project, ports[0] if ports else None, credentials=credentials
        )
        save(pool, branch)
    project.log("reset", {"name": name})
    return branch


def start(project: Project, name: str, *, runtime: str | None = None, born: dt.datetime | None = None) -> Branch:
    """Start a stopped branch again, in another `runtime` if that is wanted; one that runs as wanted stays as it is.

    Its data and its login stay; what was edited in a compose file stays, too, while the runtime does.
    """
    pool = project.pool
    check_name(name)
    with pool.using("branches", name):  # a running branch may be in use meanwhile
        branch = load(project, name)
        require_born(branch, born)
        if _runs(project, branch, runtime):
            return branch
    with pool.owning("branches", name) as place:
        branch = load(project, name)
        require_born(branch, born)
        if branch.state not in (BranchState.RUNNING, BranchState.STOPPED):
            raise UnsafeError(f"the branch '{name}' is half made", hint=f"envclone rm {name}")
        wanted = runtime or branch.runtime
        if _runs(project, branch, runtime):
            return branch
        credentials = credentials_of(branch)
        if wanted != branch.runtime:
            # an unknown one is refused before anything is stopped
            if registry.runtime(wanted).elsewhere or registry.runtime(branch.runtime).elsewhere:
                raise UsageError(
                    f"the branch '{name}' cannot go from {branch.runtime} to {wanted}: its data is where it runs",
                    hint=f"envclone branch {branch.environment} --runtime {wanted} makes another",
                )
            registry.runtime(branch.runtime).stop(branch, place)
            registry.runtime(branch.runtime).remove(name, place)
            branch = previews.planned(project, replace(branch, runtime=wanted, state=BranchState.STOPPED))
            branch = previews.prepare(project, branch, place, credentials)
            save(pool, branch)
        endpoints = registry.runtime(branch.runtime).start(branch, place, credentials)
        branch = extended(replace(branch, endpoints=endpoints, state=BranchState.RUNNING))
        save(pool, branch)
        return branch


def _runs(project: Project, branch: Branch, runtime: str | None) -> bool:
    """Whether every store of a branch answers, in the runtime that is wanted."""
    if branch.state is not BranchState.RUNNING or not branch.endpoints or runtime not in (None, branch.runtime):
        return False
    return all(registry.runtime(branch.runtime).running(branch, directory(project.pool, branch.name)).values())


def plain(given: Mapping[str, Profile]) -> dict[str, dict[str, Any]]:
    """Profiles as a branch's record has them."""
    return {name: one.model_dump(mode="json", exclude_none=True, exclude_defaults=True) for name, one in given.items()}


def stop(project: Project, name: str, *, born: dt.datetime | None = None) -> Branch:
    """Stop a branch's servers and keep its data."""
    with project.pool.owning("branches", name):
        branch = load(project, name)
        require_born(branch, born)
        if branch.state not in (BranchState.RUNNING, BranchState.STOPPED):
            raise UnsafeError(f"the branch '{name}' is half made", hint=f"envclone rm {name}")
        return halt(project, branch)


def halt(project: Project, branch: Branch) -> Branch:
    """Stop a branch that the caller owns the lock of."""
    registry.runtime(branch.runtime).stop(branch, directory(project.pool, branch.name))
    branch = replace(branch, state=BranchState.STOPPED)
    save(project.pool, branch)
    return branch


def _clone_and_start(
    cow: CowDriver,
    pool: Pool,
    branch: Branch,
    project: Project,
    port: int | None,
    credentials: Credentials | None = None,
) -> Branch:
    image = pool.path_of("images", branch.image)
    place = directory(pool, branch.name)
    project.begin("starting the branch")
    for store in () if registry.runtime(branch.runtime).elsewhere else branch.stores:
        project.progress(ProgressEvent(f"cloning {store}", 0))
        cow.clone(image / store, place / store, given=_given(branch, place, store))
    project.progress(ProgressEvent("starting", 0))
    credentials = credentials or credentials_of(branch)
    branch = previews.prepare(project, branch, place, credentials)
    endpoints = registry.runtime(branch.runtime).start(branch, place, credentials, port=port)
    return replace(branch, endpoints=endpoints, state=BranchState.RUNNING, pid=None)


def _given(branch: Branch, place: Path, store: str) -> dict[str, Account]:
    """Whose the files of a store become while they are cloned; containers' are handed over when they are made."""
    if branch.runtime != "local":
        return {}
    account = account_of(place / store)
    return dict.fromkeys(registry.server(branch.stores[store].kind).works_on, account)


def _of(project: Project, branch: Branch, held: ExitStack) -> Image:
    """The image that a branch was made from, held until the stack ends. Raises UnsafeError when it is another now."""
    from envclone.lifecycle.images import using

    remedy = f"envclone rm {branch.name}, then: envclone branch {branch.environment} --name {branch.name}"
    try:
        image = held.enter_context(using(project, branch.image))
    except UsageError as exc:
        raise UnsafeError(
            f"the image {branch.image} that the branch '{branch.name}' was made from is gone; the branch is as it was",
            hint=remedy,
        ) from exc
    place = project.pool.path_of("images", branch.image)
    if branch.attested and attestation.digest(place) != branch.attested:
        raise UnsafeError(
            f"the image {branch.image} was made again after the branch '{branch.name}'; the branch is as it was",
            hint=remedy,
        )
    return image


def credentials_of(branch: Branch) -> Credentials:
    """The branch's own login: the one it has, or a new one that exists nowhere else."""
    for endpoint in sorted(branch.endpoints.values(), key=lambda one: not one.user):  # a key alone has no user
        if endpoint.password:
            return Credentials(endpoint.user or ROLE, endpoint.password)
    return Credentials(ROLE, Secret(secrets.token_urlsafe(18)))
