"""The schema of the stack file `envclone.yaml`: its parts as frozen values, each field described.

`load` makes them from a file, with every mistake at its line. The descriptions here are the text of the reference page
(`docs`) and of the JSON Schema for editors (`jsonschema`).
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, SecretStr, StringConstraints, model_validator
from pydantic.json_schema import WithJsonSchema

from envclone.config import checks
from envclone.config.base import (
    EVERY,
    MAX_AGE,
    NAME,
    WINDOW,
    DomainKind,
    Driver,
    Duration,
    Method,
    Model,
    Name,
    NobodyKind,
    Preset,
    Size,
    Text,
)
from envclone.config.keeping import KeepConfig
from envclone.config.services import HealthcheckConfig, ModelConfig, Port, ServiceConfig

__all__ = [
    "AcceptConfig",
    "AuditConfig",
    "BranchesConfig",
    "DomainConfig",
    "DomainKind",
    "Driver",
    "Environment",
    "FidelityConfig",
    "HealthcheckConfig",
    "KeepConfig",
    "Method",
    "ModelConfig",
    "PoolConfig",
    "Port",
    "ProviderConfig",
    "QuarantineConfig",
    "RuleValue",
    "SanitizeConfig",
    "ServiceConfig",
    "SourceConfig",
    "StackFile",
    "StoreConfig",
    "TrackConfig",
]

Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
_Kind = Annotated[
    DomainKind,
    BeforeValidator(lambda value: "null" if value is None else value),
    WithJsonSchema({"enum": [*get_args(DomainKind), None]}),
]


def _rule(value: Any) -> str | dict[str, str]:
    """A rule as it is kept: a domain's name, a domain's name per JSON path, or a domain with its options."""
    checks.require(checks.rule_shape(value))
    if value is None:
        return "null"
    if isinstance(value, dict):
        return {path: "null" if domain is None else domain for path, domain in value.items()}
    return str(value)


_DOMAIN_SCHEMA: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "null"}]}

RuleValue = Annotated[
    str | dict[str, str],
    BeforeValidator(_rule),
    WithJsonSchema(
        {
            "anyOf": [
                *_DOMAIN_SCHEMA["anyOf"],
                {
                    "type": "object",
                    "properties": {"domain": {"type": "string"}, "by": {"type": "string"}},
                    "required": ["domain"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {"vectors": {"const": "keep"}, "words": {"const": "keep"}},
                    "patternProperties": {r"^\$": _DOMAIN_SCHEMA},
                    "additionalProperties": False,
                    "minProperties": 1,
                },
            ]
        }
    ),
]
"""A domain's name, or a mapping of JSON path to domain's name."""


class PoolConfig(Model):
    """The directory that holds snapshots, images and branches."""

    path: Path | None = Field(
        default=None,
        description="The pool's directory, best on a file system with copy-on-write (XFS, btrfs). "
        "Without it: /var/lib/envclone/pool for root, else ~/.local/share/envclone.",
        examples=["~/.local/share/envclone"],
    )
    driver: Driver = Field(
        default="auto",
        description="How files are cloned: `reflink`, `btrfs` subvolumes, a plain `copy`, or `auto`, which "
        "takes the best that the file system can.",
        examples=["auto"],
    )


class AuditConfig(Model):
    """The log of who did what to the pool."""

    mirror: Path | None = Field(
        default=None,
        description="A file elsewhere, best on another machine, that the signed head of the log is added to with "
        "every event: with it `envclone audit verify` also finds an older log that was put back. Relative to the "
        "stack file.",
        examples=["/mnt/audit/acme.heads"],
    )


class ProviderConfig(Model):
    """A temporary instance that a provider makes of its own snapshot, in production's place."""

    kind: Literal["rds", "aurora"] = Field(
        description="`rds` (a snapshot of an instance is restored) or `aurora` (a cluster's volume is cloned "
        "copy-on-write).",
        examples=["rds"],
    )
    instance: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,62}$")] = Field(
        description="The identifier of production's instance, or of its Aurora cluster.", examples=["prod-db"]
    )
    region: Annotated[str, StringConstraints(min_length=1)] | None = Field(
        default=None,
        description="The region. Without it: what the environment and the AWS configuration say.",
        examples=["eu-central-1"],
    )
    snapshot: Annotated[str, StringConstraints(min_length=1)] | None = Field(
        default=None,
        description="`rds`: which snapshot. Without it: the newest.",
        examples=["before-the-incident"],
    )
    instance_class: Annotated[str, StringConstraints(min_length=1)] | None = Field(
        default=None,
        description="The temporary instance's class. Without it: production's, for `aurora` db.t4g.medium.",
        examples=["db.r6g.large"],
    )
    subnet_group: Annotated[str, StringConstraints(min_length=1)] | None = Field(
        default=None, description="The subnet group, where this machine reaches it.", examples=["envclone"]
    )
    security_groups: list[Annotated[str, StringConstraints(min_length=1)]] | None = Field(
        default=None, min_length=1, description="Security groups that let this machine in.", examples=[["sg-0a1b"]]
    )
    wait: Duration = Field(
        default=dt.timedelta(hours=2),
        description="How long it may take until the instance is there, and until it can be deleted.",
        examples=["2h"],
    )


class SourceConfig(Model):
    """Where production's data is read. Variables in here are read when the source is used, not before."""

    method: Method = Field(
        description="How the files are taken: `physical` (a running PostgreSQL, over the replication protocol), "
        "`directory` (a stopped server's files), `snapshot` (a running Qdrant), `logical` (a dump of one database, "
        "restored here: for managed servers; vector indexes are rebuilt, so bugs of retrieval can vanish), `provider` "
        "(the same of a temporary instance that RDS or Aurora makes of its own snapshot: production gets no "
        "connection).",
        examples=["physical"],
    )
    dsn: SecretStr | None = Field(
        default=None,
        description="PostgreSQL: the connection string, of a role with REPLICATION for `physical`.",
        examples=["${PROD_PG_DSN?a DSN with REPLICATION}"],
    )
    url: SecretStr | None = Field(
        default=None,
        description="Qdrant: the server's HTTP address; of a cluster any node's.",
        examples=["${PROD_QDRANT_URL}"],
    )
    api_key: SecretStr | None = Field(
        default=None, description="Qdrant: the key to send.", examples=["${PROD_QDRANT_KEY}"]
    )
    ca_file: Path | None = Field(
        default=None,
        description="Qdrant, `snapshot`: the certificates (PEM) that its server's is signed by, where the system does "
        "not know them; relative to the stack file.",
        examples=["certs/internal-ca.pem"],
    )
    peers: dict[str, SecretStr] | None = Field(
        default=None,
        min_length=1,
        description="Qdrant, `snapshot` of a cluster: where each node answers HTTP, by its peer id or by the host in "
        "its URI (`GET /cluster`). Without it: at that host, with the scheme and port of `url`.",
        examples=[{"qdrant-1.internal": "https://10.0.0.5:6333"}],
    )
    path: Path | None = Field(
        default=None,
        description="`directory`: where the files are, relative to the stack file.",
        examples=["/var/lib/postgresql/18/main"],
    )
    config: Path | None = Field(
        default=None,
        description="`directory` of a PostgreSQL: postgresql.conf, or the directory of it, when it is not in the data "
        "directory, as on Debian; relative to the stack file. What it includes from there is read, too.",
        examples=["/etc/postgresql/18/main"],
    )
    database: str | None = Field(
        default=None,
        min_length=1,
        description="PostgreSQL: the database to work on. Without it: the one that the DSN names.",
        examples=["app"],
    )
    provider: ProviderConfig | None = Field(
        default=None,
        description="`provider`: what is made in production's place. User, password and database of `dsn` hold there.",
        examples=[{"kind": "rds", "instance": "prod-db"}],
    )
    password_command: list[Annotated[str, StringConstraints(min_length=1)]] | None = Field(
        default=None,
        min_length=1,
        description="PostgreSQL: a program and its arguments, without a shell, that prints the password in one line. "
        "It has the environment of the command, and what it prints is not logged.",
        examples=[["aws", "rds", "generate-db-auth-token", "--hostname", "db.internal", "--port", "5432"]],
    )
    max_rate: Size | None = Field(
        default=None,
        description="`physical`: how many bytes per second a base backup may take from production, 32k to 1g.",
        examples=["20m"],
    )
    without_extensions: list[Annotated[str, StringConstraints(min_length=1)]] | None = Field(
        default=None,
        min_length=1,
        description="`logical`: extensions that are not restored, because this machine lacks them and nothing of the "
        "application's needs them. What does need one fails by name.",
        examples=[["pg_graphql", "supabase_vault"]],
    )
    jobs: int | None = Field(
        default=None,
        ge=1,
        le=16,
        description="`logical`: how many connections read production's tables at once, and how many processes restore; "
        "2 without it. Two more connections hold the snapshot and the catalogs.",
        examples=[4],
    )


class StoreConfig(Model):
    """One store of an environment: a database server or a vector store."""

    kind: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")] = Field(
        description="`postgres`, `qdrant`, or a kind that an installed package registers.", examples=["postgres"]
    )
    source: SourceConfig = Field(description="Where production's data is read.")
    image: str | None = Field(
        default=None,
        min_length=1,
        description="The container image for the docker runtime; the local runtime uses the embedded server.",
        examples=["pgvector/pgvector:pg18"],
    )
    profile: str | None = Field(
        default=None,
        min_length=1,
        description="The resource profile that gives the store production's CPU and memory.",
        examples=["prod-postgres"],
    )
    collections: list[Annotated[str, Field(min_length=1)]] | None = Field(
        default=None,
        min_length=1,
        description="Qdrant: the collections to take, by name or with `*` and `?` for any characters and for one. "
        "Without it: all of them.",
        examples=[["articles", "tenant-*"]],
    )
    settings: dict[str, Text] = Field(
        default_factory=dict,
        description="Server settings to override in branches; the parity report shows each.",
        examples=[{"shared_buffers": "256MB"}],
    )

    @model_validator(mode="after")
    def _meaning(self) -> StoreConfig:
        checks.require(checks.store(self.model_dump(exclude_none=True)))
        return self


class TrackConfig(Model):
    """How an environment is followed, so that a branch can be had of any moment: see [tracking](tracking.md)."""

    every: Duration = Field(
        default=EVERY,
        description="How often a base backup of the stores is taken: a moment is recovered from the one before it.",
        examples=["1h"],
    )
    window: Duration = Field(
        default=WINDOW,
        description="How far back moments can be had. Older base backups and log go; what is raw stays no longer than "
        "`quarantine.max_age`.",
        examples=["12h"],
    )
    held: Size = Field(
        default=4 << 30,
        ge=64 << 20,
        description="How much log production may hold back for the track, beside what it keeps for itself. Beyond it "
        "the track says so, drops its slot and ends, rather than fill production's disk.",
        examples=["4GiB"],
    )
    log: Size = Field(
        default=64 << 30,
        ge=64 << 20,
        description="How much log the pool may hold; beyond it the oldest base backup goes, and the window is shorter.",
        examples=["64GiB"],
    )
    compress: bool = Field(default=True, description="Whether received log is compressed.", examples=[True])


class Environment(Model):
    """One environment to branch from, such as production."""

    stores: dict[Name, StoreConfig] = Field(default_factory=dict, description="The stores, by name.")
    services: dict[Name, ServiceConfig] = Field(
        default_factory=dict, description="The application services of the preview stack, by name."
    )
    models: dict[Label, ModelConfig] = Field(
        default_factory=dict,
        description="The models that the services call, by role.",
        examples=[{"embedding": {"name": "text-embedding-3-small", "dimensions": 1536}}],
    )
    runtime: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")] | None = Field(
        default=None,
        description="Where branches run: `local`, as processes of this machine, or `docker`, as containers. "
        "Without it: docker when there are services, else local.",
        examples=["docker"],
    )
    track: TrackConfig | None = Field(
        default=None,
        description="How `envclone track` follows the environment. Without it there is no track, and a branch is of "
        "the newest snapshot.",
        examples=[{"every": "1h", "window": "12h"}],
    )
    allow: list[Annotated[str, StringConstraints(pattern=r"^(\*\.)?[A-Za-z0-9._\[\]:-]+$")]] = Field(
        default_factory=list,
        description="Destinations that a preview stack may reach, by name and port (443 without one), through a proxy "
        "that logs each connection; everything else is sealed.",
        examples=[["api.openai.com", "llm.internal:8443"]],
    )
    keep: KeepConfig | None = Field(
        default=None, description="How `envclone keep` makes images of this environment ahead."
    )


class DomainConfig(Model):
    """A class of identity: the same value in the same domain has the same pseudonym everywhere."""

    kind: _Kind = Field(
        description="What the values are, such as `person` (names), `email`, `text` (free text: every known identity "
        "and every pattern in it), `date` (shifted), `redact` (overwritten), `null` (removed), `keep` (unchanged): "
        "all kinds and what each promises are in [sanitization](sanitization.md).",
        examples=["email"],
    )
    value: Text | None = Field(
        default=None, description="What every value becomes, for the kind `constant`.", examples=["hidden"]
    )
    unique: bool = Field(
        default=False,
        description="Whether different values must have different pseudonyms, as a unique constraint needs.",
        examples=[True],
    )
    consistency: Literal["name", "person"] = Field(
        default="name",
        description="What a name's pseudonym is a function of, for the kind `person`: the name (`Christopher` is one "
        "other name everywhere), or the whole person (each Christopher has another, which frequencies do not tell). "
        "It holds for every name in the stack file; [sanitization](sanitization.md) says what it costs.",
        examples=["person"],
    )


class AcceptedIndex(Model):
    """A vector index that is published though it was not asked, or though it answers otherwise than production's."""

    index: Text = Field(
        description="The store's name and the index's as the refusal spells it.",
        examples=["main.public.photos_phash"],
    )
    reason: Text = Field(
        description="Why that is right; it stands in the attestation.", examples=["its method is not on this machine"]
    )


class FidelityConfig(Model):
    """How exactly a vector index must answer as production's does."""

    minimum: float = Field(
        default=1.0,
        ge=0.0,
        le=1.0,
        description="The least fraction of sampled nearest-neighbour questions that each vector index must answer with "
        "production's ids, order and scores; below it no image is made. What was measured is in the attestation.",
        examples=[0.98],
    )
    accept: list[AcceptedIndex] = Field(
        default_factory=list,
        description="Vector indexes that need not be proven, each by name and with a reason. Without an entry here an "
        "index that could not be asked keeps the image from being made, as one below the minimum does.",
        examples=[[{"index": "main.public.photos_phash", "reason": "its method is not on this machine"}]],
    )


class AcceptConfig(Model):
    """A written exception: identities of one kind that stay in one field."""

    field: Annotated[str, StringConstraints(min_length=1)] = Field(
        description="The field as a refusal names it, with its store.", examples=["main.public.orders.ship_to"]
    )
    kind: _Kind = Field(description="The kind of identity that may stay there.", examples=["person"])
    reason: Annotated[str, StringConstraints(min_length=10)] = Field(
        description="Why it may stay, for the reader of the attestation.",
        examples=["names of ships, which are also somebody's"],
    )


class SanitizeConfig(Model):
    """What becomes of the people in the data."""

    undeclared: Literal["fail"] = Field(
        default="fail",
        description="What happens to a field that no rule names: no image is made. There is no other choice.",
        examples=["fail"],
    )
    domains: dict[Label, DomainConfig] = Field(
        default_factory=dict,
        description="The domains, by name. Each kind is a domain of its own name without being declared.",
        examples=[{"customer-email": {"kind": "email", "unique": True}}],
    )
    rules: dict[
        Name, Annotated[dict[str, RuleValue], BeforeValidator(lambda value: {} if value is None else value)]
    ] = Field(
        default_factory=dict,
        description="Per store: an address (`schema.table.column`, `collection.path`; `*` matches any name) and "
        "its domain; for JSON, a mapping of JSON path to domain; for vectors and words of a text search that are kept, "
        "`{vectors: keep}` and `{words: keep}`.",
        examples=[{"main": {"public.customers.email": "email", "public.tickets.embedding": {"vectors": "keep"}}}],
    )
    references: list[str] = Field(
        default_factory=list,
        description="References that no foreign key declares, from one store's field to another's: what refers gets "
        "the rule of what it refers to. `[]` stands for the elements of a list; a reference that depends on another "
        "column ends in `where subject_type = customer`. `<->` also counts what nothing refers to, such as a row "
        "without its point.",
        examples=[["kb.articles.ticket_id <-> main.public.tickets.id"]],
    )
    presets: list[Preset] = Field(
        default_factory=list,
        description="Rules for tables that many applications have, found by the shape of a table: what LangGraph, "
        "LangChain, LlamaIndex, mem0, Open WebUI, Langfuse and LiteLLM store, users and sessions of Django, Rails and "
        "Laravel, payments. A rule of `rules` for the same field wins; the attestation says which rules are whose.",
        examples=[["langgraph", "django"]],
    )
    strangers: Literal["tagger", "introduced"] = Field(
        default="tagger",
        description="Which persons whom no field names are found in free text: `tagger`, those that a small model of "
        "names and their surroundings sees; or `introduced`, only those behind a title or an introduction, and two "
        "names of the dictionary side by side.",
        examples=["introduced"],
    )
    presidio: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]*$")] | None = Field(
        default=None,
        description="An extra net over free text: `patterns` (Presidio's recognizers that need no language model), or "
        "the name of an installed spaCy model. Finds persons whom no field names, and takes a hundred times as long.",
        examples=["en_core_web_lg"],
    )
    accept: list[AcceptConfig] = Field(
        default_factory=list,
        description="Exceptions: what would be refused and is let through, signed, and shown on top of the "
        "attestation. Prefer another rule.",
        examples=[[{"field": "main.public.orders.ship_to", "kind": "person", "reason": "names of ships"}]],
    )
    method: Literal["in-place", "sql"] = Field(
        default="in-place",
        description="How PostgreSQL's values are written: `in-place` in the stopped clone's files, every row at its "
        "address, so that vector indexes stay as they are; or `sql`, by UPDATE, which changes what they find.",
        examples=["in-place"],
    )
    nobody: dict[NobodyKind, list[Annotated[str, StringConstraints(pattern=r"\S", max_length=64)]]] = Field(
        default_factory=dict,
        description="Values that are nobody's, by kind, beside those of the shipped list (`N/A`, `unknown`, "
        "`noreply@…`, 0000000000, the UUIDs of sentinels): they stay as they are, are not searched "
        "for, and are counted in the attestation. Case and blanks do not count; in an e-mail address `*` stands for "
        "any letters.",
        examples=[{"person": ["Walk-in Customer"], "email": ["*@till.internal"]}],
    )
    fidelity: FidelityConfig = Field(
        default_factory=FidelityConfig, description="How exactly vector indexes must answer as production's do."
    )
    hooks: list[str] = Field(
        default_factory=list,
        description="Python functions' files, SQL files or executables to run on the clone, in this order, "
        "relative to the stack file.",
        examples=[["hooks/support.py", "hooks/after.sql"]],
    )

    @model_validator(mode="after")
    def _meaning(self) -> SanitizeConfig:
        checks.require(checks.sanitize(self.model_dump()))
        return self


class BranchesConfig(Model):
    """Limits of branches."""

    ttl: Duration = Field(
        default=dt.timedelta(hours=8), description="How long a branch lives unless told otherwise.", examples=["8h"]
    )
    max: int = Field(default=20, ge=1, le=10_000, description="How many branches the project may have.", examples=[20])
    idle: Duration | None = Field(
        default=None,
        description="After how long without use `envclone gc` stops a branch; its data stays.",
        examples=["2h"],
    )
    memory: Size | None = Field(
        default=None,
        description="The memory that the profiles of all running branches of the project may come to.",
        examples=["32GiB"],
    )
    disk: Size | None = Field(
        default=None,
        description="The space that the branches of the project may occupy, shared blocks apart.",
        examples=["100GiB"],
    )


class QuarantineConfig(Model):
    """How long raw snapshots stay."""

    keep: int = Field(
        default=1,
        ge=0,
        le=1000,
        description="How many raw snapshots of an environment stay; the newest.",
        examples=[1],
    )
    max_age: Duration = Field(
        default=MAX_AGE,
        description="After how long a raw snapshot goes that nothing needs.",
        examples=["24h"],
    )


class StackFile(Model):
    """The whole stack file."""

    version: Literal[1] = Field(description="The version of this format.", examples=[1])
    project: Name = Field(
        description=f"The project's name (`{NAME.strip('^$')}`); each project has its own masking key.",
        examples=["acme"],
    )
    include: list[str] = Field(
        default_factory=list,
        description="Other files to merge beneath this one, relative to it. Mappings are merged, anything else "
        "is replaced; a later file wins over an earlier one, and this file over all.",
        examples=[["rules.yaml"]],
    )
    pool: PoolConfig = Field(
        default_factory=PoolConfig,
        description="The directory that holds snapshots, images and branches, and how they are cloned.",
    )
    audit: AuditConfig = Field(default_factory=AuditConfig, description="The pool's log, and where its heads go.")
    environments: dict[Name, Environment] = Field(min_length=1, description="The environments to branch from, by name.")
    sanitize: SanitizeConfig = Field(
        default_factory=SanitizeConfig, description="What becomes of the people in the data."
    )
    incidents: Path = Field(
        default=Path("incidents/"),
        description="The directory of the incident bundles, relative to the stack file.",
        examples=["incidents/"],
    )
    branches: BranchesConfig = Field(default_factory=BranchesConfig, description="Limits of branches.")
    quarantine: QuarantineConfig = Field(default_factory=QuarantineConfig, description="How long raw snapshots stay.")

    @model_validator(mode="after")
    def _meaning(self) -> StackFile:
        checks.require(checks.across(self.model_dump()))
        return self
