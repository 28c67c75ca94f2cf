"""Two states side by side: branches, images, an incident's branch, or what there is now; only what differs."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from envclone import attestation, records, registry
from envclone.errors import EnvcloneError, UnsafeError, UsageError
from envclone.interrupts import deferred
from envclone.lifecycle import branch as branching
from envclone.lifecycle import branches, images
from envclone.lifecycle.replay import branch_for
from envclone.lifecycle.teardown import remove
from envclone.lifecycle.verify import kept
from envclone.models import Branch, BranchState, StorePlan
from envclone.pool import catalog
from envclone.project import Project

__all__ = ["NOW", "Differing", "diff", "of_image"]

NOW = "now"
_TTL = dt.timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Differing:
    """One thing that differs: of which store, what it is, and how it is on either side; None where it is not there."""

    store: str
    what: str
    left: str | None
    right: str | None


def diff(project: Project, left: str, right: str, *, content: bool = False) -> list[Differing]:
    """What differs between two states: schema, rows, indexes with their parameters, statistics and settings.

    Each is a branch, an image, an incident that has a branch, or `now`, the newest image of the other's environment.
    Images get a branch for the time of the comparison. With `content` every table's rows are read and summed up.

    Raises UsageError for a name of none, UnsafeError when a branch does not run.
    """
    if left == right == NOW:
        raise UsageError("there is one state that is now", hint="envclone diff BRANCH..now")
    with ExitStack() as held:
        first = held.enter_context(_state(project, left, None)) if left != NOW else None
        second = held.enter_context(_state(project, right, first.environment if first else None))
        if first is None:
            first = held.enter_context(_state(project, left, second.environment))
        return list(_rows(project, first, second, content=content))


def _rows(project: Project, left: Branch, right: Branch, *, content: bool) -> Iterator[Differing]:
    for store in dict.fromkeys((*left.stores, *right.stores)):
        if store not in left.stores or store not in right.stores:
            yield Differing(store, "store", *("there" if store in one.stores else None for one in (left, right)))
            continue
        here, there = (_seen(project, one, store, content=content) for one in (left, right))
        for what in sorted(here.keys() | there.keys()):
            if here.get(what) != there.get(what):
                yield Differing(store, what, here.get(what), there.get(what))


def _seen(project: Project, branch: Branch, store: str, *, content: bool) -> dict[str, str]:
    """All that is compared of one store of a branch."""
    pool, snapshot, endpoint = project.pool, branch.stores[store], branch.endpoints[store]
    statement = attestation.read(pool.path_of("images", branch.image), pool.path_of("keys", ""))
    plan = records.load(StorePlan, statement["stores"][store]["plan"], what=f"the plan of {store}")
    server = registry.server(snapshot.kind)
    return {**server.facts(endpoint, snapshot, kept(plan)), **server.content(endpoint, whole=content)}


@contextmanager
def _state(project: Project, name: str, environment: str | None) -> Iterator[Branch]:
    """A running branch that a name means, held for the time of the block; of an image one of its own."""
    if any(one.name == name for one in branches.branches(project)):
        branch = branches.load(project, name)
    elif any(one.incident == name for one in branches.branches(project)):
        branch = branch_for(project, name)
    else:
        with of_image(project, name, environment) as made:
            yield made
        return
    if branch.state is not BranchState.RUNNING:
        raise UnsafeError(f"the branch '{branch.name}' is {branch.state}", hint=f"envclone start {branch.name}")
    with project.pool.using("branches", branch.name), project.pool.using("images", branch.image):
        yield branches.load(project, branch.name)


@contextmanager
def of_image(project: Project, name: str, environment: str | None) -> Iterator[Branch]:
    """A running branch of an image, or of an environment's newest (`now`), for the time of the block."""
    ident = name
    if name == NOW:
        newest = images.find(project, environment or "")
        if newest is None:
            raise UsageError(f"there is no image of '{environment}'", hint=f"envclone image {environment}")
        ident = newest.id
    elif not any(one.id == name for one in catalog.images(project.pool, project.name)):
        raise UsageError(
            f"'{name}' is no branch, no image, and no incident that has a branch",
            hint="envclone ls and envclone images list them; `now` is the newest image",
        )
    with images.using(project, ident) as image:
        made = branching.create(project, image, f"diff-{secrets.token_hex(4)}", ttl=_TTL, runtime="local")
        try:
            yield made
        finally:
            with deferred(), suppress(EnvcloneError):
                remove(project, made.name, force=True)
