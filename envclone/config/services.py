"""The schema of what runs beside the stores: application services and the models they call."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints

from envclone.config.base import Duration, Model, Name, Text

__all__ = ["HealthcheckConfig", "ModelConfig", "Port", "ServiceConfig"]

Port = Annotated[int, Field(ge=1, le=65535)]


class HealthcheckConfig(Model):
    """When a service counts as ready: a command that exits with 0, or an HTTP path that answers below 400."""

    command: list[str] | None = Field(
        default=None,
        min_length=1,
        description="The command to run inside the service, as a list of arguments.",
        examples=[["pg_isready"]],
    )
    path: Annotated[str, StringConstraints(pattern=r"^/")] | None = Field(
        default=None,
        description="The HTTP path to request on the service's first port.",
        examples=["/healthz"],
    )
    interval: Duration = Field(
        default=dt.timedelta(seconds=2), description="The time between two checks.", examples=["2s"]
    )
    timeout: Duration = Field(
        default=dt.timedelta(seconds=60),
        description="How long the service may take until its first success.",
        examples=["60s"],
    )


class ServiceConfig(Model):
    """One application service of the preview stack, in the version that failed."""

    image: str = Field(
        min_length=1,
        description="The container image, best by digest, so that it is the version that failed.",
        examples=["registry.example/acme/api@sha256:0123…"],
    )
    profile: str | None = Field(
        default=None,
        min_length=1,
        description="The resource profile that gives the service production's CPU and memory.",
        examples=["prod-api"],
    )
    environment: dict[str, Text] = Field(
        default_factory=dict,
        description="Environment variables. `${stores.NAME.url}` (also `host`, `port`, `user`, `password`, "
        "`database`, `path`) stands for the branch's own store; `${VAR}` is read when the service starts.",
        examples=[{"DATABASE_URL": "${stores.main.url}"}],
    )
    ports: list[Port] = Field(
        default_factory=list, description="The ports that the service listens on.", examples=[[8000]]
    )
    command: list[str] | None = Field(
        default=None,
        min_length=1,
        description="What to run instead of the image's own command, as a list of arguments.",
        examples=[["uvicorn", "app:api"]],
    )
    healthcheck: HealthcheckConfig | None = Field(
        default=None,
        description="When the service counts as ready. Without it: when its first port takes connections.",
    )
    depends_on: list[Name] = Field(
        default_factory=list,
        description="Services and stores of the same environment that must be ready first. Without it: all stores.",
        examples=[["main", "worker"]],
    )
    url: SecretStr | None = Field(
        default=None,
        description="Where production's own answers, to record an incident's requests there.",
        examples=["${PROD_API_URL}"],
    )
    model: Literal["cassette", "live", "none"] = Field(
        default="none",
        description="What answers when the service asks models and tools over HTTP. `cassette`: what the incident's "
        "bundle holds, while it is replayed; base addresses and proxies of the usual clients are set for that. `live`: "
        "the destinations that `allow` names, while an incident is replayed, behind a guard that lets out no address, "
        "number or account but the incident's pseudonyms. `none`: nothing but those destinations.",
        examples=["cassette"],
    )
    clock: Literal["host", "incident"] = Field(
        default="host",
        description="What its clock shows while an incident is replayed. `incident`: the moment at which that "
        "happened, and from there on, by libfaketime in the service's image (a package of Debian's); the report says "
        "where that is not. Waiting and timeouts, and the stores' clocks, stay as they are.",
        examples=["incident"],
    )
    user: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]*(:[A-Za-z0-9_-]+)?$")] | None = Field(
        default=None,
        description="The user that it runs as in its container. Without it: the image's own.",
        examples=["1000:1000"],
    )
    read_only: bool = Field(
        default=True,
        description="Whether its file system is read-only, /tmp and `tmpfs` apart; false for an image that writes.",
        examples=[False],
    )
    tmpfs: list[Annotated[str, StringConstraints(pattern=r"^/")]] = Field(
        default_factory=list, description="Directories in memory that it may write to.", examples=[["/var/cache/app"]]
    )
    capabilities: list[Annotated[str, StringConstraints(pattern=r"^[A-Z_]+$")]] = Field(
        default_factory=list,
        description="Linux capabilities that its image cannot start without; all others are dropped.",
        examples=[["CHOWN", "SETUID", "SETGID"]],
    )


class ModelConfig(Model):
    """A model that the services call, as production does, to check a branch's vectors against."""

    name: str = Field(min_length=1, description="The model's name.", examples=["text-embedding-3-small"])
    dimensions: int | None = Field(
        default=None,
        ge=1,
        le=65536,
        description="The length of its vectors, for an embedding model.",
        examples=[1536],
    )
