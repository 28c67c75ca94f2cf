"""The values that envclone's parts hand to each other: frozen, typed, free of behaviour."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from envclone.config.services import ServiceConfig

__all__ = [
    "Account",
    "Branch",
    "BranchState",
    "Change",
    "Cleaned",
    "Consistency",
    "Container",
    "Counters",
    "Credentials",
    "Endpoint",
    "Field",
    "FieldKind",
    "FieldRule",
    "Image",
    "Integrity",
    "Inventory",
    "JsonRule",
    "Preview",
    "Probe",
    "ProgressEvent",
    "RawSnapshot",
    "RewriteReport",
    "RowsDigest",
    "Secret",
    "ServerFiles",
    "StepResult",
    "StorePlan",
    "StoreSnapshot",
]


class Secret:
    """A string that prints as `***`; `reveal()` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself, for the one place that sends it to a server."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Read from and written to the files of mode 0600 that hold a branch's own credentials (`records`)."""
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, cls) else cls(str(value)),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda secret: secret.reveal()),
        )


@dataclass(frozen=True, slots=True)
class Account:
    """An account of this machine."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """How far a long step has come; `total` is None while it is unknown, `unit` is 'bytes', 'rows', 'files' or ''."""

    step: str
    done: int
    total: int | None = None
    unit: str = ""


# --- what a store holds, and what becomes of it ---------------------------------------------------------------


class FieldKind(StrEnum):
    """How the values of a field are read and written."""

    TEXT = "text"
    """str"""
    ARRAY = "array"
    """(nested) list of str, each an element as the engine prints it"""
    JSON = "json"
    """the JSON document's text, exactly as stored or as the engine prints it; composite values as such a document"""
    VECTOR = "vector"
    """an embedding; never read by a mask"""
    OTHER = "other"
    """numbers, dates, uuids, booleans, bytes, …: read and written as the engine's text of them"""


@dataclass(frozen=True, slots=True)
class Field:
    """One place of a store that may hold a person's data: a table's column, a collection's payload or its vectors.

    `address` is `schema.table.column`, or `collection` for a payload and `collection.vectors[.name]` for vectors.
    `base` is the engine's name of the type below domains and modifiers (`int4`, `uuid`, `inet[]`), '' where unknown.
    `paths` are the scalar leaves seen in a JSON field, such as `$.contacts[*].phone`.
    `group` holds the addresses of all fields that must keep equal values (a foreign key's ends, transitively).
    """

    address: str
    type: str
    kind: FieldKind
    nullable: bool = True
    unique: bool = False
    generated: bool = False
    paths: tuple[str, ...] = ()
    group: frozenset[str] = frozenset()
    base: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """Every field of one store; `rows` counts rows or points per table or collection."""

    store: str
    fields: Mapping[str, Field]
    rows: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JsonRule:
    """What becomes of the leaves of a JSON document that match a path."""

    path: str
    domain: str


@dataclass(frozen=True, slots=True)
class FieldRule:
    """What becomes of one field: a domain's name, or for a JSON field a domain per path.

    The domains `keep` (unchanged), `null` and `redact` are always there. `by` is the address of the field of the same
    row whose value decides with this field's own (the subject of a date's shift). `derived` fields are made again by
    the store from others that are masked: no mask writes them.
    """

    address: str
    kind: FieldKind
    domain: str
    json: tuple[JsonRule, ...] = ()
    base: str = ""
    by: str = ""
    derived: bool = False

    @property
    def masked(self) -> bool:
        """Whether any value of this field changes."""
        return self.domain != "keep" or any(rule.domain != "keep" for rule in self.json)


@dataclass(frozen=True, slots=True)
class StorePlan:
    """What becomes of every field of one store; each field of the inventory has a rule.

    `method` is how values are written: `in-place` in the files wherever that is known, or `sql`.
    """

    store: str
    rules: Mapping[str, FieldRule]
    method: str = "in-place"

    @property
    def masked(self) -> Mapping[str, FieldRule]:
        """The rules that change something."""
        return {address: rule for address, rule in self.rules.items() if rule.masked}


@dataclass(frozen=True, slots=True)
class RewriteReport:
    """What a sanitizer wrote: rows and values per field, how it wrote them, and how long it took (s).

    `placed` are the tables or collections whose every record is at the address it had in production; `moved` counts the
    records of others that are not. Of `pages` that were read `pages_written` changed. `checks` is what the engine's own
    checker looked at.
    """

    method: str
    rows: Mapping[str, int]
    values: Mapping[str, int]
    seconds: float
    placed: tuple[str, ...] = ()
    moved: Mapping[str, int] = field(default_factory=dict)
    pages: int = 0
    pages_written: int = 0
    checks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Probe:
    """A question to a vector index: what is nearest to `query` (the engine's text, numbers) in `table`."""

    index: str
    table: str
    query: Any


@dataclass(frozen=True, slots=True)
class RowsDigest:
    """An order-independent digest of a table's rows, or a collection's points.

    `total` is the sum modulo 2**128 of a keyless 128-bit hash of each whole row (every column, masked or not);
    `fields` is the same per field, so that a difference can be named.
    """

    rows: int
    total: int
    fields: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Integrity:
    """What the constraints say of a store: orphaned references, broken unique constraints, anything else."""

    foreign_keys: int
    orphans: int
    unique_indexes: int
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cleaned:
    """One thing that was neutralized or erased, for the attestation: what, how many, and where."""

    what: str
    count: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A setting whose value in the branch differs from production's, and why."""

    name: str
    production: str | None
    branch: str | None
    reason: str


# --- snapshots and branches --------------------------------------------------------------------------------------


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


class Consistency(StrEnum):
    """How well several stores of one snapshot agree on the moment; never claim more."""

    SINGLE = "single"
    ATOMIC = "atomic"
    BARRIER = "barrier"
    SKEWED = "skewed"


@dataclass(frozen=True, slots=True)
class RawSnapshot:
    """A physical copy of an environment's stores, in quarantine.

    `skew_ms` is the distance between its stores' moments.
    """

    id: str
    environment: str
    created_at: dt.datetime
    stores: Mapping[str, StoreSnapshot]
    consistency: Consistency
    skew_ms: int = 0


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
    """

    id: str
    environment: str
    created_at: dt.datetime
    raw: RawSnapshot
    rules_digest: str
    key_id: str
    fidelity: float | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """The login that a branch's user gets, made for this branch alone."""

    user: str
    password: Secret


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a branch's store answers.

    A server has `host` and `port`, and for the operator on this machine a Unix socket: `socket` is its directory and
    `socket_port` the number in its name (None: that of `port`). An embedded store has `path` only.
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


@dataclass(frozen=True, slots=True)
class Container:
    """How a container runs a store on a branch's files.

    `endpoint` is the store as the branch's other containers reach it, `user` is `uid:gid`. `mounts` are directories at
    the same place inside, `files` single files to read, by their place inside. `health` is a command that succeeds once
    the store answers.
    """

    command: tuple[str, ...]
    user: str
    endpoint: Endpoint
    mounts: tuple[Path, ...]
    environment: Mapping[str, Secret] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    health: tuple[str, ...] = ()
    stop_signal: str = "SIGTERM"


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """A server installed on this machine, to make an image of: its name changes with what it is made of.

    `paths` are files and trees, `programs` those of them that are called by name. What is below `root` goes to
    `/opt/envclone` in the image, everything else keeps its place, for programs can look for it there.
    """

    name: str
    paths: tuple[Path, ...]
    programs: tuple[Path, ...]
    root: Path | None = None

    def inside(self, path: Path) -> Path:
        """Where a file is in the image."""
        if self.root is not None and path.is_relative_to(self.root):
            return Path("/opt/envclone") / path.relative_to(self.root)
        return path


@dataclass(frozen=True, slots=True)
class Preview:
    """What a preview stack is made of beside a branch's files.

    `images` are those that the stack file names for stores, `environment` the services' variables with
    every reference filled in, `embedded` the stores that services read as files, `allow` the destinations that may be
    reached.
    """

    stores: tuple[str, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    services: Mapping[str, ServiceConfig] = field(default_factory=dict)
    environment: Mapping[str, Mapping[str, Secret]] = field(default_factory=dict)
    embedded: Mapping[str, Endpoint] = field(default_factory=dict)
    allow: tuple[str, ...] = ()
    template: Path | None = None

    def after(self, service: str) -> tuple[str, ...]:
        """The stores and services that must be ready before this one: those that it names, or else all stores."""
        named = tuple(self.services[service].depends_on)
        return named or self.stores


@dataclass(frozen=True, slots=True)
class Branch:
    """A copy-on-write clone of an image with its own running stores.

    `pid` is the process that is making it while the state is `creating`: a killed one can be told from a slow one.
    `profiles` are the resource profiles (plain values) of its stores; `degraded` says what of them it does not have.
    `services` are those that run beside the stores, in the order of their start; `images` what each container is made
    from, by digest; `allow` the destinations that it may reach. `ttl` (s) is how long it lives after its last use.
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


@dataclass(frozen=True, slots=True)
class Counters:
    """What a part's limits did: processes killed for memory, greatest memory (bytes), periods and seconds throttled.

    `memory_refused` counts how often the limit was hit, `pids_refused` forks that failed for it; bytes are those of
    block devices. `restarts` counts how often the part itself was started anew, `exit_code` is that of its last end.
    `temp_files` and their bytes, and statements that ran into a timeout, are what a database server says of itself.
    """

    oom_kills: int = 0
    memory_peak: int = 0
    throttled_periods: int = 0
    throttled_seconds: float = 0.0
    memory_refused: int = 0
    pids_refused: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    restarts: int = 0
    exit_code: int | None = None
    temp_files: int = 0
    temp_bytes: int = 0
    timeouts: int = 0

    def since(self, before: Counters) -> Counters:
        """What was added; the peak is that of the whole time, for the kernel keeps no other."""
        kept = {"memory_peak": self.memory_peak, "exit_code": self.exit_code}
        return Counters(
            **kept,  # type: ignore[arg-type]
            **{
                one.name: round(getattr(self, one.name) - getattr(before, one.name), 6)
                for one in fields(self)
                if one.name not in kept
            },
        )


# --- replay ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one step of an incident returned.

    `columns` are the names in order; `origins` the address of the field each column shows ('' when computed);
    `rows` hold plain JSON values; `scores` and `ids` are set for a vector search; `error` is the server's message
    when the step failed, for a failure can be what is to be reproduced.
    """

    columns: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    ids: tuple[str | int, ...] = ()
    scores: tuple[float, ...] = ()
    error: str | None = None
    seconds: float = 0.0
