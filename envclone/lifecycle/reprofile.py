"""Lend a branch another resource profile for a while: its servers restart, its data stay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from envclone import registry
from envclone.errors import UnsafeError
from envclone.interrupts import deferred
from envclone.lifecycle import preview as previews
from envclone.lifecycle import profile as profiles
from envclone.lifecycle.branch import credentials_of, halt, plain
from envclone.lifecycle.branches import directory, load, save
from envclone.models import Branch, BranchState
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.lifecycle.clock import Shown

__all__ = ["put_back", "reprofile", "restarted"]


def reprofile(project: Project, name: str, profile: str, *, allow_degraded: bool = False) -> Branch:
    """Restart a branch's servers under another profile.

    Raises ResourceError when this host cannot give what it says and `allow_degraded` is not said; the branch is then as
    it was.
    """
    with project.pool.owning("branches", name):
        branch = load(project, name)
        if branch.state not in (BranchState.RUNNING, BranchState.STOPPED):
            raise UnsafeError(f"the branch '{name}' is {branch.state}", hint=f"envclone rm {name}")
        given, degraded = profiles.chosen(
            project,
            branch.environment,
            branch.stores,
            profile,
            allow_degraded=allow_degraded,
            runtime=branch.runtime,
        )
        return restarted(project, replace(branch, profiles=plain(given), degraded=degraded, profile=profile))


@contextmanager
def put_back(project: Project, name: str) -> Iterator[None]:
    """At the end of the block a branch runs under the profile that it has now, also after an error or a signal."""
    before = load(project, name)
    try:
        yield
    finally:
        with deferred(), project.pool.owning("branches", name):
            now = load(project, name)
            if (now.profiles, now.degraded, now.profile) != (before.profiles, before.degraded, before.profile):
                now = replace(now, profiles=before.profiles, degraded=before.degraded, profile=before.profile)
                now = restarted(project, now)
                if before.state is BranchState.STOPPED:
                    halt(project, now)


def restarted(
    project: Project, branch: Branch, environment: Mapping[str, str] | None = None, clock: Shown | None = None
) -> Branch:
    """Restart the servers of a branch as its record now says; the caller owns its lock.

    `environment` are variables that its services get beside those of the stack file, `clock` is what the clocks show
    that are to be an incident's.
    """
    place = directory(project.pool, branch.name)
    ports = [endpoint.port for endpoint in branch.endpoints.values() if endpoint.port]
    credentials = credentials_of(branch)
    runtime = registry.runtime(branch.runtime)
    runtime.stop(branch, place)
    branch = replace(branch, state=BranchState.STOPPED)
    branch = previews.prepare(project, previews.planned(project, branch), place, credentials, environment, clock)
    save(project.pool, branch)
    endpoints = runtime.start(branch, place, credentials, port=ports[0] if ports else None)
    branch = replace(branch, endpoints=endpoints, state=BranchState.RUNNING)
    save(project.pool, branch)
    return branch
