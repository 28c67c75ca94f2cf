"""Production's volumes: found by a CloudNativePG cluster, a StatefulSet, a pod or labels, and told apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envclone.errors import ConfigError, ResourceError, UnreachableError, UnsafeError, UsageError
from envclone.runtimes.kubernetes.client import Cluster, Object
from envclone.runtimes.kubernetes.insight import bytes_of

if TYPE_CHECKING:
    from envclone.config.schema import VolumeConfig

__all__ = ["Claim", "claims"]

_CNPG, _ROLE, _INSTANCE = "cnpg.io/cluster", "cnpg.io/pvcRole", "cnpg.io/instanceName"
_ROLES = {"PG_DATA": "data", "PG_WAL": "wal"}


@dataclass(frozen=True, slots=True)
class Claim:
    """A PersistentVolumeClaim of a store: what is on it (`data` or `wal`), and the storage's own names for it.

    `mount` is where production's pod has it, '' when no pod does.
    """

    store: str
    role: str
    namespace: str
    name: str
    driver: str
    volume: str
    bytes: int
    mount: str = ""


def claims(cluster: Cluster, store: str, config: VolumeConfig) -> list[Claim]:
    """The volumes of a store. Raises UsageError, ConfigError where they are not there or not clear, ResourceError."""
    pod, roles = None, dict[str, str]()
    if config.cluster is not None:
        pod, roles = _of_operator(cluster, config)
    elif config.labels is not None:
        pod, roles = _of_labels(cluster, config)
    else:
        name = config.pod if config.pod is not None else _of_set(cluster, config)
        pod = cluster.get("Pod", name, config.namespace)
        if pod is None:
            raise UsageError(
                f"there is no pod '{name}' in the namespace '{config.namespace}'",
                hint="correct source.volume; kubectl get pods shows those there are",
            )
    mounts = _mounts(pod) if pod is not None else {}
    if not roles:
        roles = {claim: _asked(config, claim, called) for claim, (called, _) in mounts.items()}
    if len(roles) == 1:
        roles = dict.fromkeys(roles, "data")
    wanted = {claim: role for claim, role in roles.items() if role in ("data", "wal")}
    if sorted(wanted.values()) not in (["data"], ["data", "wal"]):
        listed = ", ".join(sorted(roles)) or "none"
        raise ConfigError(
            f"which volume of the store '{store}' holds its data is not clear; there are: {listed}",
            hint="source.volume.data names it, and wal the one with PostgreSQL's pg_wal",
        )
    ordered = sorted(wanted, key=lambda claim: wanted[claim])
    return [
        _claim(cluster, store, wanted[name], config.namespace, name, mounts.get(name, ("", ""))[1]) for name in ordered
    ]


def _of_set(cluster: Cluster, config: VolumeConfig) -> str:
    assert config.statefulset is not None
    there = cluster.get("StatefulSet", config.statefulset, config.namespace)
    if there is None:
        raise UsageError(
            f"there is no StatefulSet '{config.statefulset}' in the namespace '{config.namespace}'",
            hint="correct source.volume.statefulset",
        )
    start = int(((there["spec"].get("ordinals") or {}).get("start")) or 0)
    return f"{config.statefulset}-{start + config.replica}"


def _of_operator(cluster: Cluster, config: VolumeConfig) -> tuple[Object | None, dict[str, str]]:
    """The pod of the primary, and its claims by their roles; never those of a standby."""
    assert config.cluster is not None
    there = cluster.get("Cluster", config.cluster, config.namespace)
    if there is None:
        raise UsageError(
            f"there is no CloudNativePG cluster '{config.cluster}' in the namespace '{config.namespace}'",
            hint="correct source.volume.cluster; kubectl get clusters.postgresql.cnpg.io shows those there are",
        )
    status = there.get("status") or {}
    primary = str(status.get("currentPrimary") or "")
    if not primary or status.get("targetPrimary") not in (None, primary):
        raise UnreachableError(
            f"the cluster '{config.cluster}' is changing its primary: {primary or 'none'} now, "
            f"{status.get('targetPrimary') or 'none'} next",
            hint="try again when it has one",
        )
    found = {}
    for claim in cluster.list("PersistentVolumeClaim", config.namespace, {_CNPG: config.cluster, _INSTANCE: primary}):
        role = (claim["metadata"].get("labels") or {}).get(_ROLE, "PG_DATA")
        if role not in _ROLES:
            raise UnsafeError(
                f"the cluster '{config.cluster}' has tablespaces on volumes of their own ({claim['metadata']['name']})",
                hint="method: physical copies them",
            )
        found[str(claim["metadata"]["name"])] = _ROLES[role]
    if not found:
        raise UsageError(
            f"no volume of '{primary}' is there, by the labels {_CNPG} and {_INSTANCE}",
            hint="source.volume.pod or source.volume.labels finds them otherwise",
        )
    return cluster.get("Pod", primary, config.namespace), found


def _of_labels(cluster: Cluster, config: VolumeConfig) -> tuple[Object | None, dict[str, str]]:
    found = [str(one["metadata"]["name"]) for one in cluster.list(
        "PersistentVolumeClaim", config.namespace, config.labels)]  # fmt: skip
    if not found:
        raise UsageError(
            f"no volume in the namespace '{config.namespace}' has the labels of source.volume.labels",
            hint="kubectl get pvc --show-labels shows what there is",
        )
    users = [one for one in cluster.list("Pod", config.namespace) if set(found) & _mounts(one).keys()]
    mounts = _mounts(users[0]) if len(users) == 1 else {}
    return (users[0] if len(users) == 1 else None), {
        claim: _asked(config, claim, mounts.get(claim, ("", ""))[0]) for claim in found
    }


def _asked(config: VolumeConfig, claim: str, called: str) -> str:
    """What the stack file says that a claim holds."""
    for role in ("data", "wal"):
        if getattr(config, role) in {claim, called} - {""}:
            return role
    return ""


def _mounts(pod: Object) -> dict[str, tuple[str, str]]:
    """The claims of a pod: what it calls the volume, and where a container has it."""
    found = {}
    for volume in pod["spec"].get("volumes") or ():
        if claim := (volume.get("persistentVolumeClaim") or {}).get("claimName"):
            at = ""
            for container in pod["spec"]["containers"]:
                for mount in container.get("volumeMounts") or ():
                    if mount["name"] == volume["name"] and not mount.get("subPath"):
                        at = at or str(mount["mountPath"])
            found[str(claim)] = (str(volume["name"]), at)
    return found


def _claim(cluster: Cluster, store: str, role: str, namespace: str, name: str, mount: str) -> Claim:
    document = cluster.get("PersistentVolumeClaim", name, namespace)
    if document is None:
        raise UsageError(f"there is no volume '{name}' in the namespace '{namespace}'", hint="correct source.volume")
    bound = document["spec"].get("volumeName")
    volume = cluster.get("PersistentVolume", str(bound)) if bound else None
    if volume is None:
        raise ResourceError(f"the volume '{name}' of '{store}' is not bound yet", hint="kubectl describe pvc says why")
    csi: Mapping[str, Any] = volume["spec"].get("csi") or {}
    if not csi:
        kind = next((key for key in volume["spec"] if isinstance(volume["spec"][key], dict) and key not in _PLAIN), "")
        raise ResourceError(
            f"the volume '{name}' of '{store}' is of no CSI driver{f' ({kind})' if kind else ''}: "
            "nothing makes snapshots of it",
            hint="method: physical copies a running server, whatever its storage",
        )
    said = (document.get("status") or {}).get("capacity") or document["spec"]["resources"]["requests"]
    return Claim(
        store, role, namespace, name, str(csi["driver"]), str(csi["volumeHandle"]),
        round(bytes_of(str(said["storage"]))), mount,
    )  # fmt: skip


_PLAIN = {"capacity", "claimRef", "nodeAffinity"}
