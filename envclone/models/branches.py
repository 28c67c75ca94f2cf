"""Snapshots, images, branches and where they answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from envclone.models.basic import Secret
from envclone.models.moments import Moment

__all__ = [
    "Branch",
    "BranchState",
    "Consistency",
    "Credentials",
    "Endpoint",
    "Fenced",
    "Image",
    "RawSnapshot",
    "StoreSnapshot",
]


@dataclass(frozen=True, slots=True)
class StoreSnapshot:
    """What is known of one store's raw snapshot; `details` is the adapter's own, plain JSON values.

    `consistent_at` is the moment that the files describe; `position` the store's own clock there (an LSN).
    """

    store: str
    kind: str
    method: str
    engine_version: str
    consistent_at: dt.datetime
    seconds: float
    bytes: int
    files: int
    position: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the adapter found doubtful, shown with the snapshot and with what is made from it."""
        return tuple(map(str, self.details.get("warnings") or ()))

    @property
    def ran(self) -> tuple[str, ...]:
        """The programs that read production, with their options, without places and secrets."""
        return tuple(map(str, self.details.get("ran") or ()))

    @property
    def frozen(self) -> str:
        """The device that it was copied from, when nobody could write there; ''."""
        return str(self.details.get("frozen") or "")

    @property
    def rebuilt(self) -> bool:
        """Whether its indexes are not production's own: it was dumped and restored."""
        return self.details.get("fidelity") == "rebuilt"

    @property
    def left_out(self) -> Mapping[str, int]:
        """What the source held and the engine did not make: path, and how many of that name."""
        return dict(self.details.get("left_out") or {})


@dataclass(frozen=True, slots=True)
class Fenced:
    """What a server said around the snapshots of its volumes: where their recovery begins, who it is, and since when.

    `label` is for volumes that are not of one moment; `since` is the store's own clock as the first was begun.
    """

    label: str
    system: str
    since: str


class Consistency(StrEnum):
    """How well several stores of one snapshot agree on the moment; never claim more."""

    SINGLE = "single"
    ATOMIC = "atomic"
    BARRIER = "barrier"
    SKEWED = "skewed"


@dataclass(frozen=True, slots=True)
class RawSnapshot:
    """A physical copy of an environment's stores, in quarantine.

    `skew_ms` is the distance between its stores' moments, `skew_wal` what the databases wrote in it (bytes; None where
    nobody knows). `project` is whose it is; '' in what version 1 wrote.
    `moment` is what it was recovered to; None when it is production's state as it was copied.
    """

    id: str
    environment: str
    created_at: dt.datetime
    stores: Mapping[str, StoreSnapshot]
    consistency: Consistency
    skew_ms: int = 0
    project: str = ""
    moment: Moment | None = None
    skew_wal: int | None = None


class BranchState(StrEnum):
    """Where a branch is in its life."""

    CREATING = "creating"
    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"
    REMOVING = "removing"


@dataclass(frozen=True, slots=True)
class Image:
    """A sanitized and verified snapshot: all that `branch` clones.

    `fidelity` is the least fraction of questions that one of its vector indexes answered as production's does.
    `imported` is the fingerprint of the pool that made it, when a case was imported with it: new branches are not made
    of such an image unless they ask for it.
    """

    id: str
    environment: str
    created_at: dt.datetime
    raw: RawSnapshot
    rules_digest: str
    key_id: str
    fidelity: float | None = None
    project: str = ""
    imported: str = ""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The login that a branch's user gets, made for this branch alone."""

    user: str
    password: Secret


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a branch's store answers.

    A server has `host` and `port`, and for the operator on this machine a Unix socket: `socket` is its directory and
    `socket_port` the number in its name (None: that of `port`). `path` is where the files of a Qdrant are; an embedded
    one has nothing else, and `note` says why. `public` is the `host:port` of a cluster's Service, by which others reach
    it; '' where there is none.
    """

    store: str
    kind: str
    host: str | None = None
    port: int | None = None
    database: str | None = None
    user: str | None = None
    password: Secret | None = None
    socket: Path | None = None
    socket_port: int | None = None
    path: Path | None = None
    pid: int | None = None
    note: str = ""
    public: str = ""


@dataclass(frozen=True, slots=True)
class Branch:
    """A copy-on-write clone of an image with its own running stores.

    `pid` is the process that is making it while the state is `creating`: a killed one can be told from a slow one.
    `profiles` are the resource profiles (plain values) of its stores, `profile` the name that they were asked for by
    ('': those of the stack file); `degraded` says what of them it does not have.
    `services` are those that run beside the stores, in the order of their start; `images` what each container is made
    from, by digest; `allow` the destinations that it may reach. `ttl` (s) is how long it lives after its last use.
    `cassettes` are the services whose models a cassette plays while the branch is replayed, `lives` those whose real
    models answer then.
    `attested` is the digest of the image's attestation as the branch was made: an image made again has another.
    `settings` are the runtime's own from the stack file, plain values.
    """

    name: str
    environment: str
    image: str
    state: BranchState
    created_at: dt.datetime
    expires_at: dt.datetime | None
    stores: Mapping[str, StoreSnapshot]
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    incident: str | None = None
    runtime: str = "local"
    pid: int | None = None
    seconds: float = 0.0
    protected: bool = False
    fidelity: float | None = None
    profiles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    degraded: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    allow: tuple[str, ...] = ()
    ttl: float | None = None
    attested: str = ""
    project: str = ""
    profile: str = ""
    cassettes: tuple[str, ...] = ()
    lives: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
