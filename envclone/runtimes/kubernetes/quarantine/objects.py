"""The Job that makes an image, with its volumes, and the walls around it: pure functions, nothing is asked here."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from envclone.runtimes.kubernetes import objects, pod
from envclone.runtimes.kubernetes.names import PART, Site
from envclone.runtimes.kubernetes.objects import CONTROL_PORT, DENIED_PORT, Object, Volume, memory, resources
from envclone.runtimes.kubernetes.quarantine.snapshots import Snapshot

if TYPE_CHECKING:
    from envclone.config.schema import KubernetesConfig

__all__ = ["CONTAINER", "RULES", "claim", "job", "mounted_at", "owned", "secret", "volume_of", "walls"]

CONTAINER = "image"
"""What the container is called that makes the image."""
RULES = "envclone.io/rules"
"""An annotation of a Job: the digest of the rules and the key that its image is made by."""
_ROOM, _WORK, _CLEAN, _RAW = (
    "/run/secrets/envclone",
    "/var/lib/envclone/work",
    "/var/lib/envclone/clean",
    ("/var/lib/envclone/raw"),
)
_LEAST = 1 << 30
_GRACE = 60
_AFTER = 24 * 3600
"""Seconds that a Job which ended stays for somebody to look at."""
_SAID = (2, 3, 4)
"""Exit codes that another pod would end with as well: what was asked, the rules, a proof that failed."""


def mounted_at(snapshot: Snapshot) -> str:
    """Where a snapshot is in the pod: a log where production has it, for the data's link leads there."""
    return f"{_RAW}/{snapshot.store}" if snapshot.role == "data" else snapshot.mount


def volume_of(site: Site, snapshot: Snapshot) -> Volume:
    """The volume that is made of a snapshot."""
    name = site.named(snapshot.store, snapshot.role)
    return Volume(name, snapshot.driver, snapshot.handle, snapshot.bytes, {})


def claim(site: Site, part: str, size: int, storage_class: str | None) -> Object:
    """An empty volume."""
    spec: Object = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": memory(max(_LEAST, math.ceil(size / (1 << 20)) << 20))}},
    }
    if storage_class:
        spec["storageClassName"] = storage_class
    meta = {"name": site.named(part), "namespace": site.namespace, "labels": site.labels}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}


def secret(site: Site, order: Mapping[str, Any], key: str, signing: str, token: str) -> Object:
    """What the Job must know: the order, the project's masking key, a key to sign with made for it, the token."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": site.named(), "namespace": site.namespace, "labels": site.labels},
        "type": "Opaque",
        "stringData": {"order.json": json.dumps(order), "project.key": key, "signing.key": signing, "token": token},
        "immutable": True,
    }


def walls(site: Site) -> list[Object]:
    """No pod of the namespace is reached or reaches anything, but for the test of that."""
    out, into = objects.probe_policies(site)
    made = [objects.denied(site), out, into]
    for one in made:  # they are the namespace's, and stay
        one["metadata"]["labels"] = {key: value for key, value in site.labels.items() if key.endswith("managed-by")}
    return made


def owned(document: Object, owner: Object) -> Object:
    """An object that goes with its Job."""
    reference = {
        "apiVersion": "batch/v1", "kind": "Job", "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"],
    }  # fmt: skip
    return {**document, "metadata": {**document["metadata"], "ownerReferences": [reference]}}


def job(site: Site, settings: KubernetesConfig, snapshots: Sequence[Snapshot], rules: str, listener_ip: str) -> Object:
    """The Job, which waits until all that it mounts is there."""
    mounts: list[Object] = [
        {"name": "work", "mountPath": _WORK},
        {"name": "clean", "mountPath": _CLEAN},
        {"name": "room", "mountPath": _ROOM, "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
        {"name": "memory", "mountPath": "/dev/shm"},  # noqa: S108
    ]
    volumes: list[Object] = [
        {"name": "work", "persistentVolumeClaim": {"claimName": site.named("work")}},
        {"name": "clean", "persistentVolumeClaim": {"claimName": site.named("clean")}},
        {"name": "room", "secret": {"secretName": site.named(), "defaultMode": 0o440}},
        {"name": "tmp", "emptyDir": {}},
        {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": memory(settings.job.memory // 4)}},
    ]
    for number, one in enumerate(snapshots):
        # the mount is read-only, the volume is not: its files are let be read by the pod's group
        mounts.append({"name": f"raw-{number}", "mountPath": mounted_at(one), "readOnly": True})
        named = {"claimName": volume_of(site, one).name}
        volumes.append({"name": f"raw-{number}", "persistentVolumeClaim": named})
    container = {
        "name": CONTAINER,
        "image": settings.image,
        "command": [
            "python3", "-m", "envclone.runtimes.kubernetes.quarantine.job", f"{_ROOM}/order.json", _WORK, _CLEAN,
        ],
        "env": [{"name": "HOME", "value": f"{_WORK}/home"}],
        "resources": resources(settings.job.cpus, settings.job.memory),
        "securityContext": pod.LOCKED,
        "volumeMounts": mounts,
    }  # fmt: skip
    dial = [f"{listener_ip}:{CONTROL_PORT}", f"{listener_ip}:{DENIED_PORT}"]
    seal = {
        "name": "seal",
        "image": settings.image,
        "command": ["python3", "-m", "envclone.runtimes.kubernetes.seal", "dial", *dial],
        "resources": resources(0.1, 128 << 20),
        "securityContext": pod.LOCKED,
    }
    spec = pod.spec_of(
        settings.user, initContainers=[seal], containers=[container], volumes=volumes, restartPolicy="Never",
        terminationGracePeriodSeconds=_GRACE,
    )  # fmt: skip
    # a volume of another account's files: its group is let in, whoever owns the root of it
    spec["securityContext"]["fsGroupChangePolicy"] = "Always"
    meta = {
        "name": site.named(), "namespace": site.namespace, "labels": site.labels, "annotations": {RULES: rules},
    }  # fmt: skip
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": meta,
        "spec": {
            "suspend": True,
            "completions": 1,
            "parallelism": 1,
            "backoffLimit": settings.job.attempts - 1,
            "activeDeadlineSeconds": round(settings.job.timeout.total_seconds()),
            "ttlSecondsAfterFinished": _AFTER,
            "podReplacementPolicy": "Failed",  # never two pods on one volume
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "FailJob",
                        "onExitCodes": {"containerName": CONTAINER, "operator": "In", "values": list(_SAID)},
                    },
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                ]
            },
            "template": {"metadata": {"labels": {**site.labels, PART: "branch"}}, "spec": spec},
        },
    }
