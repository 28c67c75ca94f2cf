"""The schema of a cluster that branches run on."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from envclone.config.base import Duration, Model, Size

__all__ = ["REACHES", "ClientConfig", "JobConfig", "KubernetesConfig"]

_DnsLabel = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$")]
_Object = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
_KEY = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
_Pinned = Annotated[str, StringConstraints(pattern=r"^[^\s@]+@sha256:[0-9a-f]{64}$")]


class JobConfig(Model):
    """The Job that makes an image of production's volumes, in the namespace `PREFIX-quarantine`."""

    cpus: float = Field(default=2, gt=0, description="Processors, requested and at most.", examples=[4])
    memory: Size = Field(default=4 << 30, description="Memory, requested and at most.", examples=["8GiB"])
    room: float = Field(
        default=4.0,
        ge=1.5,
        le=20,
        description="The size of the volume that it works on, in times of production's. With copies that share blocks "
        "(XFS) 2 is enough, without them it holds the snapshot, its clone and what is compared.",
        examples=[2.0],
    )
    storage_class: _Object | None = Field(
        default=None,
        description="The StorageClass of the volume that it works on; without it the one of branches. XFS shares "
        "blocks.",
        examples=["fast-xfs"],
    )
    group_class: _Object | None = Field(
        default=None,
        description="The VolumeGroupSnapshotClass for several volumes at one moment. Without it: one of their driver, "
        "where there is one.",
        examples=["fast-csi-groups"],
    )
    ready: Duration = Field(
        default=dt.timedelta(minutes=30),
        description="How long the storage may take until a snapshot can be used.",
        examples=["30m"],
    )
    timeout: Duration = Field(
        default=dt.timedelta(hours=12), description="How long the Job may take in all.", examples=["12h"]
    )
    attempts: int = Field(
        default=3,
        ge=1,
        le=20,
        description="How many pods it may have: one whose node is lost is followed by another, which goes on.",
        examples=[3],
    )


class ClientConfig(Model):
    """Who may connect to a branch: pods of namespaces by labels, or addresses."""

    namespace: dict[str, str] | None = Field(
        default=None, min_length=1, description="Labels of namespaces: their pods may connect.",
        examples=[{"team": "search"}],
    )  # fmt: skip
    pods: dict[str, str] | None = Field(
        default=None, min_length=1, description="Labels of pods: of these namespaces only those that have them.",
        examples=[{"app": "notebook"}],
    )  # fmt: skip
    cidr: str | None = Field(
        default=None, description="A block of addresses, as pods see them.", examples=["10.20.0.0/16"]
    )

    @model_validator(mode="after")
    def _meaning(self) -> ClientConfig:
        if (self.cidr is None) == (self.namespace is None) or (self.pods is not None and self.namespace is None):
            raise ValueError("say either cidr, or labels of a namespace and, where only some may, of pods")
        for key, value in {**(self.namespace or {}), **(self.pods or {})}.items():
            if not _KEY.fullmatch(key) or not _VALUE.fullmatch(value):
                raise ValueError(f"{key}: {value} is no label of Kubernetes")
        if self.cidr is not None:
            try:
                everybody = ipaddress.ip_network(self.cidr).prefixlen == 0
            except ValueError:
                raise ValueError(f"{self.cidr} is no block of addresses, such as 10.20.0.0/16") from None
            if everybody:
                raise ValueError(f"{self.cidr} is everybody: name those who may connect")
        return self


REACHES = "envclone.io/reaches-branches"
"""The label of namespaces whose pods may connect to branches where a stack file names nobody else."""


class KubernetesConfig(Model):
    """Where branches of an environment run with `runtime: kubernetes`, and on what storage."""

    context: str | None = Field(
        default=None,
        min_length=1,
        description="The context of the kubeconfig. Without it: the current one, or the cluster that envclone runs in.",
        examples=["staging"],
    )
    prefix: _DnsLabel = Field(
        default="envclone",
        description="What namespaces are called: that of a branch `PREFIX-BRANCH`, that of images `PREFIX-images`.",
        examples=["envclone"],
    )
    image: _Pinned = Field(
        description="envclone's own image, by digest: it tests the branch's walls and makes its stores ready. A "
        "PostgreSQL store that names no image runs in it, too.",
        examples=["registry.example/envclone@sha256:" + "0" * 64],
    )
    storage_class: _Object | None = Field(
        default=None,
        description="The StorageClass of the branches' volumes, of the driver that made the snapshots. Without it: the "
        "cluster's default.",
        examples=["fast-csi"],
    )
    snapshot_class: _Object | None = Field(
        default=None, description="The VolumeSnapshotClass of snapshots.", examples=["fast-csi-snapshots"]
    )
    user: int = Field(
        default=10001,
        ge=1000,
        le=65535,
        description="The user id that a branch's pods run as: the one that the image's files belong to.",
        examples=[10001],
    )
    cpus: float = Field(
        default=0.5,
        gt=0,
        description="Processors of a part that has no profile, parts of one included.",
        examples=[0.5],
    )
    memory: Size = Field(default=512 << 20, description="Memory of a part that has no profile.", examples=["512MiB"])
    per_user: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="How many branches one user may have on the cluster, those of other pools included.",
        examples=[5],
    )
    endpoints: Literal["forward", "service"] = Field(
        default="forward",
        description="How a branch is reached: `forward` from 127.0.0.1 of the machine that made it, through the API's "
        "port-forward; `service` by a Service in its namespace, too, which `clients` may connect to.",
        examples=["service"],
    )
    clients: list[ClientConfig] = Field(
        default=[],
        description="Who may connect with `endpoints: service`. Without it: pods of namespaces with the label "
        f'`{REACHES}: "true"`.',
        examples=[[{"namespace": {"team": "search"}, "pods": {"app": "notebook"}}, {"cidr": "10.20.0.0/16"}]],
    )
    job: JobConfig = Field(
        default_factory=JobConfig, description="The Job that makes images of sources with `method: volume`."
    )
    timeout: Duration = Field(
        default=dt.timedelta(minutes=5),
        description="How long a branch's volumes and its pod may take until they are ready.",
        examples=["5m"],
    )

    @property
    def reached_by(self) -> list[ClientConfig]:
        """Who may connect: those of `clients`, else the pods of namespaces that have the label."""
        return self.clients or [ClientConfig(namespace={REACHES: "true"})]
