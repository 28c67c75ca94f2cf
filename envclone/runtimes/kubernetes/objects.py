"""A branch's objects, from values to manifests: pure functions, nothing is asked of a cluster here."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envclone.runtimes.kubernetes.names import BRANCH, EXPIRES, IMAGE, MANAGED, NAMED, OURS, PART, Place

if TYPE_CHECKING:
    from envclone.config.cluster import ClientConfig

__all__ = [
    "CONNECT", "CONTROL_PORT", "DENIED_PORT", "SERVICE", "Destination", "Volume", "allowed", "claim", "config_map",
    "connectable", "content", "cpu", "denied", "limit_range", "memory", "namespace", "probe_policies", "quota",
    "resources", "secret", "service", "snapshot",
]  # fmt: skip

Object = dict[str, Any]

RESTRICTED = {
    f"pod-security.kubernetes.io/{mode}": level
    for mode, level in (("enforce", "restricted"), ("warn", "restricted"), ("audit", "restricted"))
}
SERVICE, CONNECT = "branch", "connect"
"""What a branch's Service is called, and the policy for who may connect to it."""
CONTROL_PORT, DENIED_PORT = 8471, 8472
"""Ports of the listener: one that the branch's pod may reach while it is tested, and one that it must not."""


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume of an image: the driver's handle of its snapshot, its size (bytes), and the stores in it by folder."""

    name: str
    driver: str
    handle: str
    bytes: int
    stores: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Destination:
    """Somewhere that a branch may connect to, as its stack file names it: the addresses behind the name, and a port."""

    name: str
    addresses: tuple[str, ...]
    port: int


def _meta(place: Place, name: str, *, part: str = "", namespaced: bool = True, **more: Any) -> Object:
    labels = {**place.labels, **({PART: part} if part else {})}
    meta: Object = {"name": name, "labels": labels, **more}
    return {**meta, "namespace": place.namespace} if namespaced else meta


def cpu(cores: float) -> str:
    """Processors as a quantity: thousandths, rounded up."""
    return f"{thousandths(cores)}m"


def thousandths(cores: float) -> int:
    """So many of a processor, rounded up."""
    return max(1, math.ceil(round(cores * 1000, 3)))


def memory(size: int) -> str:
    """Bytes as a quantity."""
    for unit, power in (("Gi", 3), ("Mi", 2), ("Ki", 1)):
        if size and size % 1024**power == 0:
            return f"{size // 1024**power}{unit}"
    return str(size)


def resources(cores: float, size: int) -> Object:
    """What a container gets: requests that are its limits, so that the pod's class is Guaranteed."""
    both = {"cpu": cpu(cores), "memory": memory(size)}
    return {"requests": both, "limits": dict(both)}


def namespace(place: Place, *, image: str, expires: str = "", annotations: Mapping[str, str] | None = None) -> Object:
    """The namespace of a branch, in which only restricted pods run."""
    meta = _meta(place, place.namespace, namespaced=False)
    meta["labels"] = {**meta["labels"], **RESTRICTED, IMAGE: image}
    meta["annotations"] = {EXPIRES: expires, NAMED: place.branch, **(annotations or {})}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}


def quota(place: Place, *, cores: float, size: int, storage: int, claims: int, pods: int = 2) -> Object:
    """The most that a branch's namespace may take: nobody who gets into it takes more."""
    hard = {
        "pods": str(pods),
        "requests.cpu": cpu(cores),
        "requests.memory": memory(size),
        "limits.cpu": cpu(cores),
        "limits.memory": memory(size),
        "persistentvolumeclaims": str(claims),
        "requests.storage": memory(storage),
        "count/services": "1",
    }
    spec = {"hard": hard}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": _meta(place, "branch"), "spec": spec}


def limit_range(place: Place, *, cores: float, size: int) -> Object:
    """What a container has that says nothing: little, and requests that are its limits."""
    small = {"cpu": cpu(0.1), "memory": memory(128 << 20)}
    limit = {
        "type": "Container",
        "default": small,
        "defaultRequest": dict(small),
        "max": {"cpu": cpu(max(cores, 0.1)), "memory": memory(max(size, 128 << 20))},
    }
    spec = {"limits": [limit]}
    return {"apiVersion": "v1", "kind": "LimitRange", "metadata": _meta(place, "branch"), "spec": spec}


def _policy(place: Place, name: str, **spec: Any) -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _meta(place, name),
        "spec": spec,
    }


def denied(place: Place) -> Object:
    """The wall: no pod of the namespace is reached, and none reaches anything, names included."""
    return _policy(place, "deny", podSelector={}, policyTypes=["Ingress", "Egress"])


def allowed(place: Place, destinations: Sequence[Destination]) -> Object:
    """The doors that the stack file's `allow` names, by address and port."""
    rules = [
        {
            "to": [{"ipBlock": {"cidr": _block(one)}} for one in destination.addresses],
            "ports": [{"protocol": "TCP", "port": destination.port}],
        }
        for destination in destinations
    ]
    select = {"matchLabels": {PART: "branch"}}
    return _policy(place, "allow", podSelector=select, policyTypes=["Egress"], egress=rules)


def _block(address: str) -> str:
    found = ipaddress.ip_address(address)
    return f"{found}/{found.max_prefixlen}"


def probe_policies(place: Place) -> tuple[Object, Object]:
    """For the time of the test: the branch's pod may reach the listener at one port, so that a wall can be told apart
    from a network that is not there yet."""
    ports = [{"protocol": "TCP", "port": CONTROL_PORT}]
    branch, listener = ({"matchLabels": {PART: part}} for part in ("branch", "listener"))
    out = _policy(
        place,
        "probe-out",
        podSelector=branch,
        policyTypes=["Egress"],
        egress=[{"to": [{"podSelector": listener}], "ports": ports}],
    )
    into = _policy(
        place,
        "probe-in",
        podSelector=listener,
        policyTypes=["Ingress"],
        ingress=[{"from": [{"podSelector": branch}], "ports": ports}],
    )
    return out, into


def service(place: Place, ways: Sequence[tuple[str, int]]) -> Object:
    """The name by which a branch is reached from inside the cluster."""
    ports = [
        {"name": f"{part}-{port}", "port": port, "targetPort": port, "protocol": "TCP"}
        for part, port in dict.fromkeys(ways)
    ]
    spec = {"type": "ClusterIP", "selector": {PART: "branch"}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _meta(place, SERVICE), "spec": spec}


def connectable(place: Place, ways: Sequence[tuple[str, int]], clients: Sequence[ClientConfig]) -> Object:
    """The door for who may connect to a branch, at its parts' ports and no other."""
    peers: list[Object] = []
    for one in clients:
        if one.cidr is not None:
            peers.append({"ipBlock": {"cidr": one.cidr}})
        else:
            peer: Object = {"namespaceSelector": {"matchLabels": dict(one.namespace or {})}}
            peers.append(peer | ({"podSelector": {"matchLabels": dict(one.pods)}} if one.pods else {}))
    ports = [{"protocol": "TCP", "port": port} for port in dict.fromkeys(port for _, port in ways)]
    select = {"matchLabels": {PART: "branch"}}
    return _policy(
        place, CONNECT, podSelector=select, policyTypes=["Ingress"], ingress=[{"from": peers, "ports": ports}]
    )


def secret(place: Place, name: str, values: Mapping[str, str]) -> Object:
    """Values that only the branch's pod sees; it cannot be changed, only made again."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _meta(place, name),
        "type": "Opaque",
        "stringData": dict(values),
        "immutable": True,
    }


def content(place: Place, volume: Volume, *, snapshot_class: str | None = None) -> Object:
    """The snapshot of an image as the branch's own: removing it leaves the image's as it is (Retain)."""
    spec: Object = {
        "deletionPolicy": "Retain",
        "driver": volume.driver,
        "source": {"snapshotHandle": volume.handle},
        "volumeSnapshotRef": {"name": volume.name, "namespace": place.namespace},
    }
    if snapshot_class:
        spec["volumeSnapshotClassName"] = snapshot_class
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshotContent",
        "metadata": _meta(place, content_name(place, volume.name), namespaced=False, annotations={NAMED: place.branch}),
        "spec": spec,
    }


def content_name(place: Place, volume: str) -> str:
    """The name of a branch's content, which has no namespace."""
    return f"{place.namespace}.{volume}"


def snapshot(place: Place, volume: Volume, *, snapshot_class: str | None = None) -> Object:
    """The namespace's end of it."""
    spec: Object = {"source": {"volumeSnapshotContentName": content_name(place, volume.name)}}
    if snapshot_class:
        spec["volumeSnapshotClassName"] = snapshot_class
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": _meta(place, volume.name),
        "spec": spec,
    }


def claim(place: Place, volume: Volume, *, storage_class: str | None = None) -> Object:
    """A volume cloned from the snapshot, for one node at a time."""
    spec: Object = {
        "accessModes": ["ReadWriteOnce"],
        "dataSource": {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": volume.name},
        "resources": {"requests": {"storage": memory(volume.bytes)}},
    }
    if storage_class:
        spec["storageClassName"] = storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _meta(place, volume.name),
        "spec": spec,
    }


def config_map(
    namespace: str, name: str, values: Mapping[str, str], labels: Mapping[str, str], *, fixed: bool = False
) -> Object:
    """Values that everybody in the namespace may see."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": {MANAGED: OURS, **labels}},
        "data": dict(values),
        **({"immutable": True} if fixed else {}),
    }


def by_branch(branch: str, pool: str) -> dict[str, str]:
    """The labels that a branch's objects are found by."""
    return {BRANCH: branch, "envclone.io/pool": pool}


def sizes(volumes: Iterable[Volume]) -> int:
    """What a branch's volumes come to."""
    return sum(volume.bytes for volume in volumes)
