"""The schema of a cluster that branches run on."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import Field, StringConstraints

from envclone.config.base import Duration, Model, Size

__all__ = ["KubernetesConfig"]

_DnsLabel = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$")]
_Object = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
_Pinned = Annotated[str, StringConstraints(pattern=r"^[^\s@]+@sha256:[0-9a-f]{64}$")]


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
    timeout: Duration = Field(
        default=dt.timedelta(minutes=5),
        description="How long a branch's volumes and its pod may take until they are ready.",
        examples=["5m"],
    )
