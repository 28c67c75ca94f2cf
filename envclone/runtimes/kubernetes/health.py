"""What a cluster has and lacks for branches: asked of its API, and nothing is made there."""

from __future__ import annotations

from collections.abc import Iterator

from envclone.config.cluster import KubernetesConfig
from envclone.doctor import Finding
from envclone.errors import EnvcloneError
from envclone.runtimes.kubernetes.client import Cluster, connect
from envclone.runtimes.kubernetes.kinds import KINDS
from envclone.runtimes.kubernetes.pod import LOGINS, POD
from envclone.runtimes.kubernetes.start import OLDEST

__all__ = ["RIGHTS", "examine"]

RIGHTS = (
    *((verb, "Namespace", "") for verb in ("create", "get", "list", "watch", "patch", "delete")),
    *((verb, "Pod", "") for verb in ("create", "get", "list", "watch", "delete")),
    *((verb, "Pod", "portforward") for verb in ("get", "create")),  # a WebSocket takes both since 1.35
    ("get", "Pod", "log"),
    *((verb, "Secret", "") for verb in ("create", "get", "list", "watch", "delete")),
    ("get", "ConfigMap", ""),
    ("list", "Event", ""),
    *((verb, "ResourceQuota", "") for verb in ("create", "get")),
    *((verb, "LimitRange", "") for verb in ("create", "get")),
    *((verb, "NetworkPolicy", "") for verb in ("create", "get", "delete")),
    *((verb, "PersistentVolumeClaim", "") for verb in ("create", "get")),
    *((verb, "VolumeSnapshot", "") for verb in ("create", "get", "list", "watch")),
    *((verb, "VolumeSnapshotContent", "") for verb in ("create", "get", "list", "patch", "delete")),
)
"""All that a branch's life takes of an API; the kubelets' counters are asked for beside it, where that is allowed."""
SERVICE = (("create", "Service", ""), ("get", "Service", ""))
"""What `endpoints: service` takes more."""
_NAMES = {
    "LimitRange": "branch", "NetworkPolicy": "probe-in", "Pod": POD, "ResourceQuota": "branch", "Secret": LOGINS,
    "Service": POD,
}  # fmt: skip
"""What objects of a branch are called where that is the same in each."""
_DEFAULT = "storageclass.kubernetes.io/is-default-class"


def examine(settings: KubernetesConfig) -> Iterator[Finding]:
    """Whether branches can run there: the API and its version, snapshots, classes, rights."""
    try:
        with connect(settings.context, deadline=10.0) as cluster:
            version = cluster.version()
            name = f"Kubernetes {version[0]}.{version[1]} at {cluster.host}"
            new = version >= OLDEST
            remedy = "" if new else f"branches are tested from {OLDEST[0]}.{OLDEST[1]} on"
            yield Finding("cluster", new, name, remedy)
            yield from _snapshots(cluster)
            yield from _classes(cluster, settings)
            yield from _rights(cluster, f"{settings.prefix}-images", service=settings.endpoints == "service")
    except EnvcloneError as exc:
        yield Finding("cluster", False, exc.message, exc.hint or "kubectl cluster-info")


def _snapshots(cluster: Cluster) -> Iterator[Finding]:
    there = cluster.serves("VolumeSnapshot")
    yield Finding(
        "cluster snapshots",
        there,
        KINDS["VolumeSnapshot"].version if there else "the API knows no VolumeSnapshot",
        "" if there else "install the CRDs and the controller of kubernetes-csi/external-snapshotter",
    )


def _classes(cluster: Cluster, settings: KubernetesConfig) -> Iterator[Finding]:
    wanted = settings.storage_class
    if wanted is None:
        every = cluster.list("StorageClass")
        found = next((one for one in every if (one["metadata"].get("annotations") or {}).get(_DEFAULT) == "true"), None)
    else:
        found = cluster.get("StorageClass", wanted)
    what = f"StorageClass {wanted}" if wanted else "a default StorageClass"
    yield Finding(
        "cluster storage",
        found is not None,
        f"{found['metadata']['name']} of {found['provisioner']}" if found else f"there is not {what}",
        "" if found else "kubernetes.storage_class in the stack file; kubectl get storageclasses lists them",
    )
    if settings.snapshot_class is None or not cluster.serves("VolumeSnapshot"):
        return
    of = cluster.get("VolumeSnapshotClass", settings.snapshot_class)
    same = of is not None and (found is None or of["driver"] == found["provisioner"])
    detail = f"there is not VolumeSnapshotClass {settings.snapshot_class}"
    if of is not None:
        detail = f"{settings.snapshot_class} of {of['driver']}" + (
            "" if same else ", which is not the storage's driver"
        )
    yield Finding(
        "cluster snapshot class",
        same,
        detail,
        "" if same else "kubernetes.snapshot_class in the stack file: one of the driver of the storage class",
    )


def _rights(cluster: Cluster, images: str, *, service: bool = False) -> Iterator[Finding]:
    missing = []
    for verb, kind, part in (*RIGHTS, *(SERVICE if service else ())):
        # a right may be one to what is called so alone; to make something is of no name, but of a pod's part
        name = _NAMES.get(kind, "") if verb != "create" or part else ""
        if not cluster.allowed(verb, kind, images if kind == "ConfigMap" else None, part=part, name=name):
            missing.append(f"{verb} {KINDS[kind].plural}{f'/{part}' if part else ''}")
    yield Finding(
        "cluster rights",
        not missing,
        f"this login lacks: {', '.join(missing)}" if missing else "this login has all that branches take",
        "a ClusterRole with them: docs/kubernetes.md" if missing else "",
    )
    seen = cluster.allowed("get", "Node", part="proxy")
    yield Finding(
        "cluster counters",
        True if seen else None,
        "kubelets may be asked" if seen else "kubelets may not be asked: throttling is not seen in evidence",
        "" if seen else "the right get nodes/proxy, which is a wide one",
    )
