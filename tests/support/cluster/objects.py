"""Objects of a cluster in which a production runs: its pods, claims and volumes, and the classes of its storage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.cluster.controllers import Controllers
from tests.support.cluster.server import Api
from tests.support.cluster.store import Key

__all__ = ["RESTRICTED", "classes", "classes_of_groups", "namespace", "pod", "volume"]

DRIVER = "stand-in"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def namespace(api: Api, name: str, labels: dict[str, str] | None = None) -> None:
    """A namespace."""
    api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels or {}}})


def classes(api: Api) -> None:
    """What makes snapshots of the storage's volumes."""
    api.put(
        {
            "apiVersion": "snapshot.storage.k8s.io/v1",
            "kind": "VolumeSnapshotClass",
            "metadata": {"name": "snapshots"},
            "driver": DRIVER,
            "deletionPolicy": "Delete",
        }
    )


def classes_of_groups(api: Api) -> None:
    """What makes snapshots of several volumes at one moment."""
    api.put(
        {
            "apiVersion": "groupsnapshot.storage.k8s.io/v1",
            "kind": "VolumeGroupSnapshotClass",
            "metadata": {"name": "groups"},
            "driver": DRIVER,
            "deletionPolicy": "Delete",
        }
    )


def volume(
    api: Api, controllers: Controllers | None, namespace: str, name: str, place: Path,
    labels: dict[str, str] | None = None, **spec: Any,
) -> None:  # fmt: skip
    """A bound claim whose volume is a directory of this machine; `spec` is the volume's instead of a CSI driver's."""
    api.put(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"pv-{name}"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": "1Gi"},
                **(spec or {"csi": {"driver": DRIVER, "volumeHandle": place.name}}),
            },
        }
    )
    made = api.put(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
                "volumeName": f"pv-{name}",
            },
            "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}},
        }
    )
    if controllers is not None:
        controllers.volumes[Key("/api/v1", "persistentvolumeclaims", namespace, made["metadata"]["name"])] = place


def pod(api: Api, namespace: str, name: str, mounts: dict[str, tuple[str, str]]) -> None:
    """A pod of production, as it stands in the API; `mounts`: the pod's name of a volume, its claim and its path."""
    api.put(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "containers": [
                    {
                        "name": "postgres",
                        "image": "postgres",
                        "volumeMounts": [{"name": one, "mountPath": path} for one, (_, path) in mounts.items()],
                    }
                ],
                "volumes": [
                    {"name": one, "persistentVolumeClaim": {"claimName": claim}} for one, (claim, _) in mounts.items()
                ],
            },
        }
    )
