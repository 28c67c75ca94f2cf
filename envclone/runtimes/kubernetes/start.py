"""The order of a start: walls, volumes, the test of the walls, the pod; and what to say when it does not come."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from envclone.config.cluster import KubernetesConfig
from envclone.errors import BusyError, EnvcloneError, ResourceError, UnreachableError, UnsafeError
from envclone.runtimes.kubernetes import diagnosis
from envclone.runtimes.kubernetes.client import Cluster, Object
from envclone.runtimes.kubernetes.names import MANAGED, OURS, OWNER, Place
from envclone.runtimes.kubernetes.objects import CONNECT
from envclone.runtimes.kubernetes.plan import Plan, with_listener
from envclone.runtimes.kubernetes.pod import LISTENER, LOGINS, POD
from envclone.runtimes.kubernetes.refusals import Refusal
from envclone.runtimes.kubernetes.waiting import until

__all__ = ["OLDEST", "listening", "made_again", "readiness", "same_snapshot", "start"]

OLDEST = (1, 34)
"""The oldest Kubernetes that branches are tested with; containers that start in order are older than it."""
_GONE = 120.0
_COUNTED = 30.0
_BEHIND = (
    "status unknown for quota: branch",
    "exceeded quota: branch,",
    'serviceaccount "default" not found',  # the cluster makes it a moment after the namespace
)


def start(cluster: Cluster, plan: Plan, place: Place, settings: KubernetesConfig) -> None:
    """Make what is not there yet, and wait until the pod is ready.

    Raises UnsafeError when the cluster does not enforce the branch's walls, ResourceError when it cannot give what the
    branch asks for, UnreachableError when it takes longer than the settings allow.
    """
    timeout = settings.timeout.total_seconds()
    _namespace(cluster, plan, place, settings)
    doors = plan.of("NetworkPolicy", name=CONNECT)
    for document in doors:  # nobody comes in before the walls are proved once more
        cluster.delete("NetworkPolicy", document["metadata"]["name"], place.namespace)
    for document in plan.of("ResourceQuota", "LimitRange", "NetworkPolicy"):
        if document not in doors:
            cluster.create(document)
    # made again at each start: it cannot be changed, and a login or a variable may be another now
    if cluster.delete("Secret", LOGINS, place.namespace):
        _gone(cluster, "Secret", LOGINS, place.namespace)
    for document in plan.of("Secret", "VolumeSnapshotContent", "VolumeSnapshot", "PersistentVolumeClaim"):
        there = made_again(cluster, document)
        if document["kind"] == "VolumeSnapshotContent":
            same_snapshot(there, document)
    for name in (LISTENER, POD):
        if cluster.delete("Pod", name, place.namespace, grace=0):
            _gone(cluster, "Pod", name, place.namespace)
    made_again(cluster, plan.of("Pod", name=LISTENER)[0])
    try:
        for document in plan.of("VolumeSnapshot"):
            _snapshot_ready(cluster, document["metadata"]["name"], place.namespace, timeout)
        address = _ready(cluster, LISTENER, place.namespace, timeout)["status"]["podIP"]
        made_again(cluster, with_listener(plan.of("Pod", name=POD)[0], str(address)))
        _ready(cluster, POD, place.namespace, timeout)
    finally:
        # whatever came of it, the one hole that the test needed is closed
        with contextlib.suppress(EnvcloneError):
            cluster.delete("Pod", LISTENER, place.namespace, grace=0)
    for name in ("probe-out", "probe-in"):
        cluster.delete("NetworkPolicy", name, place.namespace)
    for document in (*plan.of("Service"), *doors):
        made_again(cluster, document)


def made_again(cluster: Cluster, document: Object) -> Object:
    """Make an object. What the cluster itself makes in a new namespace comes a moment later, and so does what the
    branch's own quota counts."""
    until = time.monotonic() + _COUNTED
    while True:
        try:
            return cluster.create(document)
        except Refusal as exc:
            behind = any(one in exc.message for one in _BEHIND)
            if not behind or time.monotonic() > until:
                raise
            time.sleep(0.1)


def _namespace(cluster: Cluster, plan: Plan, place: Place, settings: KubernetesConfig) -> None:
    there = cluster.get("Namespace", place.namespace)
    if there is not None and there["metadata"].get("deletionTimestamp"):
        _gone(cluster, "Namespace", place.namespace, None)
        there = None
    (document,) = plan.of("Namespace")
    if there is None:
        _room(cluster, place, settings)
        cluster.create(document)
        return
    labels = there["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in place.labels.items() if key != OWNER):
        raise BusyError(
            f"the cluster has a namespace '{place.namespace}' already, and it is not this branch's",
            hint="another name (--name), or another prefix (kubernetes.prefix)",
        )
    meta = document["metadata"]
    # walls that somebody took away are put back
    patch = {"metadata": {"labels": meta["labels"], "annotations": meta["annotations"]}}
    cluster.patch("Namespace", place.namespace, patch)


def _room(cluster: Cluster, place: Place, settings: KubernetesConfig) -> None:
    """Check that this user may have one more branch. Raises ResourceError."""
    if settings.per_user is None:
        return
    mine = cluster.list("Namespace", labels={MANAGED: OURS, OWNER: place.owner})
    if len(mine) >= settings.per_user:
        raise ResourceError(
            f"{place.owner} has {len(mine)} branches on the cluster, and the stack file allows {settings.per_user}"
            " (kubernetes.per_user)",
            hint=f"kubectl get namespaces -l {OWNER}={place.owner} shows them; envclone rm NAME or envclone gc",
        )


def same_snapshot(there: Object, wanted: Object) -> None:
    """What is there may be of an earlier start; that it is of the same snapshot is not taken on trust."""
    for key in ("driver", "source", "deletionPolicy"):
        if there["spec"].get(key) != wanted["spec"][key]:
            raise UnsafeError(
                f"the VolumeSnapshotContent '{wanted['metadata']['name']}' is of another snapshot than the image's",
                hint="envclone reset makes it again",
            )


def _gone(cluster: Cluster, kind: str, name: str, namespace: str | None) -> None:
    last: dict[str, Object] = {}

    def probe(document: Object | None) -> bool | None:
        last["seen"] = document or {}
        return True if document is None else None

    until(
        cluster, kind, name, namespace, probe,
        what=f"the {kind} '{name}' was not gone", timeout=_GONE, error=BusyError,
        seen=lambda: diagnosis.held(last["seen"]),
        hint=f"kubectl get {kind.lower()} {name} -o yaml shows what holds it; then try again",
    )  # fmt: skip


def _snapshot_ready(cluster: Cluster, name: str, namespace: str, timeout: float) -> None:
    said = ""

    def probe(document: Object | None) -> bool | None:
        nonlocal said
        status = (document or {}).get("status") or {}
        said = str((status.get("error") or {}).get("message") or "it is not ready to be used")
        return True if status.get("readyToUse") else None

    until(
        cluster, "VolumeSnapshot", name, namespace, probe,
        what=f"the image's snapshot '{name}' was not ready", timeout=timeout, seen=lambda: said,
        hint="does the storage still have the snapshot? Is the snapshot controller running? envclone doctor",
    )  # fmt: skip


def listening(cluster: Cluster, name: str, namespace: str, timeout: float) -> str:
    """Where a listener is, once it is ready."""
    return str(_ready(cluster, name, namespace, timeout)["status"]["podIP"])


def _ready(cluster: Cluster, name: str, namespace: str, timeout: float) -> Object:
    last: dict[str, Object] = {}

    def probe(document: Object | None) -> Object | None:
        if document is None:
            raise UnreachableError(
                f"the pod '{name}' is gone: somebody removed it, or its node is lost",
                hint="envclone start makes it again",
            )
        last["pod"] = document
        diagnosis.require_alive(document)
        return document if _is_ready(document) else None

    return until(
        cluster, "Pod", name, namespace, probe,
        what=f"the pod '{name}' was not ready", timeout=timeout,
        seen=lambda: diagnosis.waiting(cluster, last.get("pod"), namespace),
        hint="kubernetes.timeout in the stack file gives it longer; kubectl describe shows more",
    )  # fmt: skip


def _is_ready(document: Object) -> bool:
    conditions = document.get("status", {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def readiness(document: Object | None) -> Mapping[str, bool]:
    """Which parts of a pod are ready."""
    if document is None or document["metadata"].get("deletionTimestamp"):
        return {}
    status: dict[str, Any] = document.get("status") or {}
    each = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return {str(one["name"]): bool(one.get("ready")) for one in each}
