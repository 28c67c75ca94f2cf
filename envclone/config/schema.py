"""The schema of the stack file `envclone.yaml`: its parts as frozen values, each field described.

`load` makes them from a file, with every mistake at its line. The descriptions here are the text of the reference page
(`docs`) and of the JSON Schema for editors (`jsonschema`).
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from envclone.config import checks
from envclone.config.base import (
    MAX_AGE,
    NAME,
    DomainKind,
    Driver,
    Duration,
    Method,
    Model,
    Name,
    Size,
)
from envclone.config.cluster import ClientConfig, JobConfig, KubernetesConfig
from envclone.config.keeping import KeepConfig
from envclone.config.sanitizing import (
    AcceptConfig,
    AcceptedIndex,
    DomainConfig,
    FidelityConfig,
    Label,
    RuleValue,
    SanitizeConfig,
)
from envclone.config.services import HealthcheckConfig, ModelConfig, Port, ServiceConfig
from envclone.config.sources import (
    MountedConfig,
    ProviderConfig,
    SourceConfig,
    StoreConfig,
    TrackConfig,
    VolumeConfig,
)

__all__ = [
    "AcceptConfig",
    "AcceptedIndex",
    "AuditConfig",
    "BranchesConfig",
    "ClientConfig",
    "DomainConfig",
    "DomainKind",
    "Driver",
    "Environment",
    "FidelityConfig",
    "HealthcheckConfig",
    "JobConfig",
    "KeepConfig",
    "KubernetesConfig",
    "Method",
    "ModelConfig",
    "MountedConfig",
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
    "VolumeConfig",
]


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
        description="Where branches run: `local`, as processes of this machine, `docker`, as containers, or "
        "`kubernetes`, as pods of a cluster. Without it: docker when there are services, else local.",
        examples=["docker"],
    )
    kubernetes: KubernetesConfig | None = Field(
        default=None, description="The cluster that branches run on with `runtime: kubernetes`."
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
    cases: Path = Field(
        default=Path("cases/"),
        description="The directory of the pinned incidents, relative to the stack file.",
        examples=["cases/"],
    )
    branches: BranchesConfig = Field(default_factory=BranchesConfig, description="Limits of branches.")
    quarantine: QuarantineConfig = Field(default_factory=QuarantineConfig, description="How long raw snapshots stay.")

    @model_validator(mode="after")
    def _meaning(self) -> StackFile:
        checks.require(checks.across(self.model_dump()))
        return self
