"""Stopping a branch's pod, and removing all that a branch has on a cluster, found by its labels."""

from __future__ import annotations

import contextlib
from pathlib import Path

from envclone.errors import EnvcloneError, ResourceError
from envclone.runtimes.kubernetes import diagnosis
from envclone.runtimes.kubernetes.client import Cluster, Object
from envclone.runtimes.kubernetes.names import BRANCH, MANAGED, NAMED, OURS, POOL, label, pool_label
from envclone.runtimes.kubernetes.pod import LISTENER, POD
from envclone.runtimes.kubernetes.refusals import Refusal
from envclone.runtimes.kubernetes.waiting import until

__all__ = ["by_branch", "remove", "stop"]

_GRACE = 60
_GONE = 120.0


def stop(cluster: Cluster, namespace: str, *, grace: int = _GRACE) -> None:
    """Stop a branch's pods and wait until they are gone. Raises ResourceError when a node holds one."""
    for name in (POD, LISTENER):
        if cluster.delete("Pod", name, namespace, grace=grace if name == POD else 0):
            _gone(
                cluster,
                "Pod",
                name,
                namespace,
                "its node may be lost: kubectl get pod -o wide names it; when it is lost for good, "
                f"kubectl delete pod {name} -n {namespace} --force",
                grace + _GONE,
            )


def remove(cluster: Cluster, name: str, pool: Path) -> None:
    """Remove a branch's namespace with all in it, and its snapshots' contents, which have no namespace.

    The image's own snapshot stays: the contents say `Retain`. Raises ResourceError with what holds the namespace.
    """
    labels = {MANAGED: OURS, BRANCH: label(name), POOL: pool_label(pool)}
    namespaces = cluster.list("Namespace", labels=labels)
    for one in namespaces:
        # a pod that is to go need not stop gently
        with contextlib.suppress(EnvcloneError):
            cluster.delete("Pod", POD, one["metadata"]["name"], grace=0)
        cluster.delete("Namespace", one["metadata"]["name"])
    contents = cluster.list("VolumeSnapshotContent", labels=labels)
    for content in contents:
        if content["spec"].get("deletionPolicy") != "Retain":  # somebody changed it: the image's data would go
            cluster.patch("VolumeSnapshotContent", content["metadata"]["name"], {"spec": {"deletionPolicy": "Retain"}})
        cluster.delete("VolumeSnapshotContent", content["metadata"]["name"])
    for one in namespaces:
        namespace = one["metadata"]["name"]
        hint = f"kubectl get namespace {namespace} -o yaml; when what it waits for is mended: envclone rm {name}"
        _gone(cluster, "Namespace", namespace, None, hint, _GONE)


def by_branch(cluster: Cluster, pool: Path) -> dict[str, str]:
    """Every branch of a pool that has something on a cluster, and what."""
    labels = {MANAGED: OURS, POOL: pool_label(pool)}
    found: dict[str, str] = {}
    for kind, what in (("Namespace", "the namespace {}"), ("VolumeSnapshotContent", "the snapshot content {}")):
        try:
            there = cluster.list(kind, labels=labels)
        except Refusal as exc:
            if exc.code == 404:
                continue  # its definition is not installed
            raise
        for one in there:
            meta = one["metadata"]
            branch = (meta.get("annotations") or {}).get(NAMED) or (meta.get("labels") or {}).get(BRANCH, "")
            if branch and not one["metadata"].get("deletionTimestamp"):
                found.setdefault(branch, what.format(one["metadata"]["name"]))
    return found


def _gone(cluster: Cluster, kind: str, name: str, namespace: str | None, hint: str, timeout: float) -> None:
    last: dict[str, Object] = {}

    def probe(document: Object | None) -> bool | None:
        last["seen"] = document or {}
        return True if document is None else None

    until(
        cluster, kind, name, namespace, probe,
        what=f"the {kind.lower()} '{name}' was not gone", timeout=timeout, error=ResourceError,
        seen=lambda: diagnosis.held(last["seen"]), hint=hint,
    )  # fmt: skip
