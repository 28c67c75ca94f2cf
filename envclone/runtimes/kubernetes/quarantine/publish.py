"""An image kept: a snapshot of the clean volume under the storage's handle, and the record that says it is this one."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone.errors import ResourceError, UnsafeError
from envclone.runtimes.kubernetes import images, objects
from envclone.runtimes.kubernetes.client import Cluster, Object
from envclone.runtimes.kubernetes.insight import bytes_of
from envclone.runtimes.kubernetes.names import IMAGE, MANAGED, OURS, POOL, PROJECT, Place, Site, label
from envclone.runtimes.kubernetes.objects import Volume
from envclone.runtimes.kubernetes.quarantine.classes import class_of
from envclone.runtimes.kubernetes.quarantine.find import Claim
from envclone.runtimes.kubernetes.quarantine.snapshots import snapshot_of
from envclone.runtimes.kubernetes.waiting import until

if TYPE_CHECKING:
    from envclone.config.schema import KubernetesConfig
    from envclone.protocols import Progress

__all__ = ["place_of_images", "publish", "remove"]

_VOLUME = "data"
_GONE = 300.0


class _Images(Place):
    """The namespace of images, whose objects are of a pool and of no branch."""

    __slots__ = ()

    @property
    def labels(self) -> dict[str, str]:
        """Those of every object of an image."""
        return {MANAGED: OURS, POOL: self.pool, IMAGE: label(self.branch), PROJECT: label(self.project)}


def place_of_images(settings: KubernetesConfig, pool: str, project: str, image: str) -> Place:
    """Where an image's own snapshot is."""
    namespace = f"{settings.prefix}-images"
    return _Images(namespace, namespace, image, pool, project)


def publish(
    cluster: Cluster, site: Site, settings: KubernetesConfig, image: str, place: Path, stores: Collection[str],
    keys: Path, progress: Progress,
) -> dict[str, Any]:  # fmt: skip
    """Snapshot the clean volume, keep that as the image's own, and write the record that a branch checks."""
    there = cluster.get("PersistentVolumeClaim", site.named("clean"), site.namespace)
    if there is None:
        raise UnsafeError("the volume with the clean files is gone: somebody removed it", hint="envclone image ENV")
    size = round(bytes_of(str(there["spec"]["resources"]["requests"]["storage"])))
    name = site.named("image")
    driver = _driver(cluster, there)
    cluster.create(
        {
            "apiVersion": "snapshot.storage.k8s.io/v1",
            "kind": "VolumeSnapshot",
            "metadata": {"name": name, "namespace": site.namespace, "labels": site.labels},
            "spec": {
                "volumeSnapshotClassName": class_of(cluster, driver, settings.snapshot_class),
                "source": {"persistentVolumeClaimName": site.named("clean")},
            },
        }
    )
    claim = Claim("", "data", site.namespace, site.named("clean"), driver, "", size)
    found = snapshot_of(cluster, claim, name, settings, progress)
    status = (cluster.get("VolumeSnapshot", name, site.namespace) or {}).get("status") or {}
    bound = str(status.get("boundVolumeSnapshotContentName"))
    # what was made on the way goes, and takes the storage's snapshot not along
    cluster.patch("VolumeSnapshotContent", bound, {"spec": {"deletionPolicy": "Retain"}})
    own = place_of_images(settings, site.pool, site.project, image)
    kept = Volume(f"image-{image}", found.driver, found.handle, found.bytes, {})
    content = objects.content(own, kept, snapshot_class=settings.snapshot_class)
    cluster.create(content)
    cluster.create(objects.snapshot(own, kept, snapshot_class=settings.snapshot_class))
    volume = Volume(_VOLUME, found.driver, found.handle, found.bytes, {store: store for store in stores})
    for document in images.described_whole(image, own, place, keys, [volume]):
        cluster.create(document)
    cluster.delete("VolumeSnapshot", name, site.namespace)
    cluster.delete("VolumeSnapshotContent", bound)
    return {"namespace": own.namespace, "pool": site.pool, "project": site.project}


def _driver(cluster: Cluster, claim: Object) -> str:
    volume = cluster.get("PersistentVolume", str(claim["spec"].get("volumeName")))
    csi = ((volume or {}).get("spec") or {}).get("csi") or {}
    if not csi:
        raise ResourceError(
            "the volume with the clean files is of no CSI driver: nothing makes snapshots of it",
            hint="kubernetes.storage_class in the stack file: one of the driver of production's volumes",
        )
    return str(csi["driver"])


def remove(cluster: Cluster, pool: str, image: str, namespace: str) -> None:
    """Remove an image's record, then its snapshot with the storage's. Raises ResourceError when that stays."""
    labels = {MANAGED: OURS, POOL: pool, IMAGE: label(image)}
    for one in cluster.list("ConfigMap", namespace, labels):
        cluster.delete("ConfigMap", one["metadata"]["name"], namespace)
    name = f"image-{image}"
    there = cluster.get("VolumeSnapshot", name, namespace)
    content = f"{namespace}.{name}"
    if cluster.get("VolumeSnapshotContent", content) is not None:
        cluster.patch("VolumeSnapshotContent", content, {"spec": {"deletionPolicy": "Delete"}})
    if there is not None:
        cluster.delete("VolumeSnapshot", name, namespace)
    cluster.delete("VolumeSnapshotContent", content)
    last: dict[str, Object] = {}

    def probe(document: Object | None) -> bool | None:
        last["seen"] = document or {}
        return True if document is None else None

    def seen() -> str:
        error = ((last["seen"].get("status") or {}).get("error") or {}).get("message")
        held = ", ".join(last["seen"].get("metadata", {}).get("finalizers") or ())
        return " / ".join(filter(None, (str(error or ""), held and f"finalizers {held}")))[:400]

    until(
        cluster, "VolumeSnapshotContent", content, None, probe, what=f"the snapshot of the image {image} was not gone",
        timeout=_GONE, error=ResourceError, seen=seen,
        hint="does a branch's volume still depend on it? envclone rm removes branches, then envclone gc",
    )  # fmt: skip
