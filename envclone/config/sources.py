"""The schema of where production is read: stores, their sources, temporary instances, what is tracked."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints, model_validator

from envclone.config import checks
from envclone.config.base import EVERY, WINDOW, Duration, Method, Model, Size, Text

__all__ = ["MountedConfig", "ProviderConfig", "SourceConfig", "StoreConfig", "TrackConfig", "VolumeConfig"]

_Object = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
_Namespace = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
_Folder = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$")]


class VolumeConfig(Model):
    """Volumes of production in the cluster that branches run on, whose storage makes snapshots of them."""

    namespace: _Namespace = Field(description="Production's namespace.", examples=["shop"])
    cluster: _Object | None = Field(
        default=None,
        description="A CloudNativePG cluster: its primary's volumes are taken.",
        examples=["shop-db"],
    )
    statefulset: _Object | None = Field(
        default=None, description="A StatefulSet: the volumes of its pod number `replica`.", examples=["db"]
    )
    replica: int = Field(default=0, ge=0, le=9999, description="`statefulset`: which of its pods.", examples=[0])
    pod: _Object | None = Field(default=None, description="A pod, whoever made it.", examples=["db-0"])
    labels: dict[str, str] | None = Field(
        default=None,
        min_length=1,
        description="Labels that the PersistentVolumeClaims have, and no others in the namespace.",
        examples=[{"app": "db"}],
    )
    data: _Object | None = Field(
        default=None,
        description="The claim with the data, by its name or the pod's name for the volume, where there are several.",
        examples=["data"],
    )
    wal: _Object | None = Field(
        default=None,
        description="PostgreSQL: the claim with pg_wal, where that is a volume of its own.",
        examples=["wal"],
    )
    folder: _Folder | None = Field(
        default=None,
        description="The data directory below the volume's root. Without it, it is looked for.",
        examples=["pgdata"],
    )


class MountedConfig(Model):
    """What envclone's Job knows of a snapshot that is mounted for it alone. envclone writes this; nobody else does."""

    moment: str = Field(default="", description="Which snapshot it is of; stores with the same are of one moment.")
    label: str = Field(default="", description="PostgreSQL: what pg_backup_stop gave as backup_label.")
    system: str = Field(default="", description="PostgreSQL: the system identifier that the server said.")
    since: str = Field(default="", description="PostgreSQL: where its log was when the snapshot was begun.")


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
        "connection), `volume` (a snapshot of its volumes by the cluster's storage, of which a Job there makes the "
        "image).",
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
    volume: VolumeConfig | None = Field(
        default=None,
        description="`volume`: which volumes. With `dsn`, of a role that may call pg_backup_start, the snapshot is "
        "fenced: it is checked to be the primary's, and volumes that cannot be had at one moment are recovered.",
        examples=[{"namespace": "shop", "cluster": "shop-db"}],
    )
    mounted: MountedConfig | None = Field(
        default=None,
        description="Written by envclone for the Job that reads a volume's snapshot; it is in no other stack file.",
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
    refresh: Literal["auto", "incremental", "full"] | None = Field(
        default=None,
        description="What is taken over from the snapshot before: `auto`, also without it, copies only what changed "
        "where that is possible (PostgreSQL 17 and later with `summarize_wal = on` by `physical`; files of a Qdrant), "
        "`incremental` warns where it is not, `full` copies everything.",
        examples=["auto"],
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
