"""What leaves the service, as exact models: no login but the one that is handed out, no key, no place of the host."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from envclone import rebuilt
from envclone.endpoints import place, public, url
from envclone.models import Branch, Endpoint, Image

__all__ = [
    "AuditSeen",
    "BranchSeen",
    "CollectedSeen",
    "EndpointSeen",
    "EnvironmentSeen",
    "HeldSeen",
    "ImageSeen",
    "ImportSeen",
    "JobSeen",
    "LoginSeen",
    "LogsSeen",
    "ParitySeen",
    "Seen",
    "branch_seen",
    "image_seen",
]


class Seen(BaseModel):
    """An answer."""

    model_config = ConfigDict(extra="forbid")


class WhoSeen(Seen):
    """Who the caller is."""

    name: str
    role: str
    branches: int = Field(description="Branches that they have.")
    branches_most: int


class EndpointSeen(Seen):
    """Where a store or service answers, on the pool's host."""

    store: str
    kind: str
    host: str | None
    port: int | None
    database: str | None
    user: str | None
    note: str


class BranchSeen(Seen):
    """A branch, without its login."""

    name: str
    environment: str
    image: str
    state: str
    created_at: str
    expires_at: str | None
    endpoints: dict[str, EndpointSeen]
    urls: dict[str, str] = Field(description="Without the password.")
    stores: dict[str, str] = Field(description="Stores and their kinds.")
    services: list[str]
    allow: list[str]
    incident: str | None
    runtime: str
    seconds: float
    protected: bool
    fidelity: float | None
    rebuilt: list[str] = Field(description="Stores whose indexes were built again.")
    profile: str
    degraded: list[str]
    warnings: list[str]
    owner: str | None = Field(description="Who made it here; null when it was made on the host.")
    mine: bool
    login: str = Field(description="`once`: it can be asked for, one time; `handed out`; `no`: not for the caller.")


class LoginSeen(Seen):
    """A branch's login, handed out once."""

    name: str
    urls: dict[str, str]
    variables: dict[str, str] = Field(description="For a shell: DATABASE_URL, PGHOST and the others.")
    note: str = "Shown once: keep it. The addresses are of the pool's host."


class ImageSeen(Seen):
    """An image."""

    id: str
    environment: str
    created_at: str
    state_from: str = Field(description="When production was copied for it.")
    consistency: str
    stores: dict[str, str]
    fidelity: float | None
    rebuilt: list[str]
    moment: bool = Field(description="Whether it is of a moment that somebody asked for.")
    bytes: int
    own_bytes: int


class EnvironmentSeen(Seen):
    """An environment."""

    name: str
    stores: dict[str, str]
    services: list[str]
    image: str | None


class JobSeen(Seen):
    """A job: `result` is there when it is done, `error` when it failed."""

    id: str
    verb: str
    arguments: dict[str, Any]
    owner: str
    state: str = Field(description="queued, running, done, failed or cancelled.")
    created_at: str
    started_at: str | None
    ended_at: str | None
    error: dict[str, Any] | None
    result: Any = None


class ImportSeen(Seen):
    """What became of an incident that was sent; nothing of what was sent comes back."""

    incident: str
    state: str = Field(description="`held` until an operator releases it, or `taken`.")
    steps: int


class HeldSeen(Seen):
    """An incident that waits for an operator."""

    incident: str
    environment: str
    by: str
    at: str
    steps: int


class ParitySeen(Seen):
    """One thing of production's, and of the branch's."""

    store: str
    what: str
    production: str | None
    branch: str | None
    parity: str


class LogsSeen(Seen):
    """The last lines of what a part of a branch wrote."""

    part: str
    text: str


class CollectedSeen(Seen):
    """Something that nobody needs any more."""

    kind: str
    name: str
    reason: str
    error: str


class AuditSeen(Seen):
    """A line of the audit log."""

    at: str
    action: str
    details: dict[str, Any]


def branch_seen(branch: Branch, *, owner: str | None, mine: bool, login: str) -> BranchSeen:
    """A branch as it leaves."""
    warnings = [f"{store}: {line}" for store, made in branch.stores.items() for line in made.warnings]
    return BranchSeen(
        name=branch.name,
        environment=branch.environment,
        image=branch.image,
        state=str(branch.state),
        created_at=_time(branch.created_at),
        expires_at=None if branch.expires_at is None else _time(branch.expires_at),
        endpoints={name: _endpoint(one) for name, one in branch.endpoints.items()},
        urls={
            name: url(public(one), reveal=False).replace(":***@", "@")
            for name, one in branch.endpoints.items()
            if one.host is not None
        },
        stores={name: one.kind for name, one in branch.stores.items()},
        services=list(branch.services),
        allow=list(branch.allow),
        incident=branch.incident,
        runtime=branch.runtime,
        seconds=branch.seconds,
        protected=branch.protected,
        fidelity=branch.fidelity,
        rebuilt=list(rebuilt.stores_of(branch.stores)),
        profile=branch.profile,
        degraded=list(branch.degraded),
        warnings=warnings,
        owner=owner,
        mine=mine,
        login=login,
    )


def image_seen(image: Image, size: tuple[int, int]) -> ImageSeen:
    """An image as it leaves; `size` is what it occupies, and what of that is its own."""
    return ImageSeen(
        id=image.id,
        environment=image.environment,
        created_at=_time(image.created_at),
        state_from=_time(image.raw.created_at),
        consistency=str(image.raw.consistency),
        stores={name: one.kind for name, one in image.raw.stores.items()},
        fidelity=image.fidelity,
        rebuilt=list(rebuilt.stores_of(image.raw.stores)),
        moment=image.raw.moment is not None,
        bytes=size[0],
        own_bytes=size[1],
    )


def _endpoint(one: Endpoint) -> EndpointSeen:
    host, port = place(one)
    return EndpointSeen(
        store=one.store,
        kind=one.kind,
        host=host,
        port=port,
        database=one.database,
        user=one.user,
        note=one.note,
    )


def _time(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="seconds")
