"""What everything else lies in: namespaces, accounts, the stack file, the pool's volume, classes of snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from envclone.manifests.plan import Plan
from envclone.manifests.pods import SYSTEM, Names, keys, labels, metadata
from envclone.manifests.text import File, Of, Why

__all__ = ["accounts", "namespaces", "stack", "storage"]

_POD_SECURITY = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}


def namespaces(plan: Plan) -> Iterator[dict[str, Any]]:
    """One for envclone itself, where branches are made in the cluster one for images, and one where they are made."""
    for name, component in ((SYSTEM, "system"), *((one, "images") for one in plan.images),
                            *((one, "quarantine") for one in plan.quarantine)):  # fmt: skip
        yield {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {**labels(plan, component), **_POD_SECURITY}},
        }


def accounts(plan: Plan) -> Iterator[dict[str, Any]]:
    """An account for each actor. None has a token in its pods but where the pod asks for one."""
    names = [*(Names.keep(one.environment) for one in plan.kept), Names().gc]
    names += [Names().serve] if plan.serve else []
    names += [Names().branch] if plan.api else []
    for name in names:
        yield {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata(plan, name, "account"),
            "automountServiceAccountToken": False,
        }


def stack(plan: Plan) -> Iterator[dict[str, Any]]:
    """The stack file and the files that it is read with. Incidents are not among them: they hold raw values."""
    named = keys(plan.files)
    yield {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(plan, Names().stack, "stack"),
        "data": {named[path]: File(named[path], text) for path, text in plan.files.items()},
    }


def storage(plan: Plan) -> Iterator[dict[str, Any]]:
    """The pool's volume, and how snapshots of volumes are kept."""
    yield {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            **metadata(plan, Names().pool, "pool"),
            "annotations": Why(
                {"helm.sh/resource-policy": "keep"}, "keys, images and the audit log outlive an uninstalled chart"
            ),
        },
        "spec": {
            "accessModes": [Of(("pool", "accessMode"))],
            "resources": {"requests": {"storage": Of(("pool", "size"))}},
            "storageClassName": Of(("pool", "storageClass")),
        },
    }
    if plan.csi_driver:
        yield {
            "apiVersion": "snapshot.storage.k8s.io/v1",
            "kind": "VolumeSnapshotClass",
            "metadata": metadata(plan, f"envclone-{plan.project}", "snapshots", None),
            "driver": Of(("snapshots", "driver")),
            "deletionPolicy": Why(
                "Retain", "an image is cloned by its handle: a namespace that goes takes no image along"
            ),
        }
