"""Station 6: the preview stack of a branch: which runtime, which images, and the services with their variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from envclone import registry
from envclone.endpoints import attributes
from envclone.errors import UsageError
from envclone.models import Branch, Credentials, Preview, Secret
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.lifecycle.clock import Shown

__all__ = ["planned", "prepare", "runtime_for"]


def runtime_for(project: Project, environment: str, asked: str | None) -> str:
    """The runtime of a new branch: the one asked for, the stack file's, or docker when there are services."""
    config = project.environment(environment)
    chosen = asked or config.runtime or ("docker" if config.services else "local")
    registry.runtime(chosen)  # an unknown one is refused before anything is made
    return chosen


def planned(project: Project, branch: Branch) -> Branch:
    """The branch with what its stack file says of services, images and destinations; the local runtime has none."""
    if branch.runtime == "local":
        return replace(branch, services=(), images={}, allow=(), cassettes=(), lives=(), settings={})
    config = project.environment(branch.environment)
    images = {name: one.image for name, one in config.stores.items() if one.image and name in branch.stores}
    played, live = (
        tuple(name for name, one in config.services.items() if one.model == how) for how in ("cassette", "live")
    )
    if live and branch.runtime == "kubernetes":
        raise UsageError(
            f"the service '{live[0]}' has live models, whose guard is there in docker branches alone",
            hint="--runtime docker, or `model: none` for what a cluster may let out",
        )
    cluster = config.kubernetes if branch.runtime == "kubernetes" else None
    return replace(
        branch,
        services=tuple(config.services),
        images=images,
        allow=tuple(config.allow),
        cassettes=played,
        lives=live,
        settings=cluster.model_dump(mode="json", exclude_none=True) if cluster is not None else {},
    )


def prepare(
    project: Project,
    branch: Branch,
    directory: Path,
    credentials: Credentials,
    lent: Mapping[str, str] | None = None,
    clock: Shown | None = None,
) -> Branch:
    """Have the runtime write down what it will start; the branch with its images by content.

    `lent` are variables for every service, in place of those of the stack file; options of libpq are added to them.
    `clock` is what the clocks of those show that the stack file says it of.
    Raises ConfigError when a service's variables cannot be filled in, ResourceError when an image cannot be had.
    """
    runtime = registry.runtime(branch.runtime)
    if branch.runtime == "local":
        runtime.prepare(branch, directory, credentials, Preview(), project.progress)
        return branch
    from envclone.config.load import resolve_environment

    config = project.environment(branch.environment)
    inside = runtime.inside(branch, directory, credentials)
    known = {name: attributes(endpoint) for name, endpoint in inside.items()}
    environment: dict[str, Mapping[str, Secret]] = {}
    for service in config.services:
        filled = resolve_environment(project.loaded, branch.environment, service, known)
        both = {**filled, **(lent or {})}
        if lent and "PGOPTIONS" in lent and "PGOPTIONS" in filled:
            both["PGOPTIONS"] = f"{filled['PGOPTIONS']} {lent['PGOPTIONS']}"
        if clock is not None and config.services[service].clock == "incident":
            both = {**clock.variables, **both}
        environment[service] = {name: Secret(value) for name, value in both.items()}
    preview = Preview(
        stores=tuple(branch.stores),
        images=branch.images,
        services=config.services,
        environment=environment,
        embedded={name: end for name, end in inside.items() if end.host is None},
        allow=branch.allow,
        template=project.loaded.directory,
    )
    images = runtime.prepare(branch, directory, credentials, preview, project.progress)
    return replace(branch, images=images)
