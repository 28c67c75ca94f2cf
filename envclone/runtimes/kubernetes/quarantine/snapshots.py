"""Snapshots of production's volumes: all at one moment where the driver can, else one after another inside a fence.

A snapshot lies in the namespace of its claim, and is found by its labels: what a killed command left is, too.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from envclone import registry
from envclone.errors import EnvcloneError, ResourceError, UnreachableError, UnsafeError
from envclone.models import Fenced, ProgressEvent
from envclone.protocols import Fence, Fencing, Progress
from envclone.runtimes.kubernetes.client import Cluster, Object
from envclone.runtimes.kubernetes.insight import bytes_of
from envclone.runtimes.kubernetes.names import GROUP, Site
from envclone.runtimes.kubernetes.quarantine.classes import class_of, group_class
from envclone.runtimes.kubernetes.quarantine.find import Claim
from envclone.runtimes.kubernetes.refusals import Refusal
from envclone.runtimes.kubernetes.waiting import until

if TYPE_CHECKING:
    from envclone.config.schema import KubernetesConfig, StoreConfig

__all__ = ["Snapshot", "Taken", "remove", "snapshot_of", "take"]

_GONE = 300.0
_FINAL = (
    (r"snapshot class|VolumeSnapshotClass|no default", "name one: kubernetes.snapshot_class in the stack file"),
    (
        r"[Uu]nimplemented|not support|unsupported",
        "the storage's driver makes no snapshots of this volume: method: physical copies a running server",
    ),
)
_KNOWN = (
    *_FINAL,
    (
        r"[Qq]uota|ResourceExhausted|[Ll]imit|[Tt]oo many|exceeded",
        "the storage has no room for more snapshots: envclone gc removes its own; have the quota raised",
    ),
    (r"[Pp]ermission|[Ff]orbidden|[Uu]nauthorized", "the storage's driver lacks a right: ask who runs the cluster"),
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot of one claim, by the storage's own handle; `bytes` is what a volume made of it must have."""

    store: str
    role: str
    driver: str
    handle: str
    bytes: int
    mount: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """All snapshots; by store which of them are of one moment, and what its server said."""

    snapshots: Sequence[Snapshot]
    moments: Mapping[str, str]
    fences: Mapping[str, Fenced]

    def plain(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "snapshots": [asdict(one) for one in self.snapshots],
            "moments": dict(self.moments),
            "fences": {name: asdict(one) for name, one in self.fences.items()},
        }


def take(
    cluster: Cluster, settings: KubernetesConfig, sites: Mapping[str, Site], claims: Sequence[Claim],
    stores: Mapping[str, StoreConfig], progress: Progress,
) -> Taken:  # fmt: skip
    """Snapshot every claim; `sites` are by namespace. What was made is removed again on failure."""
    namespaces = {one.namespace for one in claims}
    try:
        if len(claims) > 1 and len(namespaces) == 1:
            group = group_class(cluster, {one.driver for one in claims}, settings.job.group_class)
            if group is not None:
                (namespace,) = namespaces
                return _together(cluster, settings, sites[namespace], claims, stores, group, progress)
        return _one_by_one(cluster, settings, sites, claims, stores, progress)
    except BaseException:
        for site in sites.values():
            with contextlib.suppress(EnvcloneError):
                remove(cluster, site, wait=False)
        raise


def _together(
    cluster: Cluster, settings: KubernetesConfig, site: Site, claims: Sequence[Claim],
    stores: Mapping[str, StoreConfig], group: str, progress: Progress,
) -> Taken:  # fmt: skip
    """One group snapshot: the claims get a label for it, which goes again."""
    name = site.named("group")
    progress(ProgressEvent(f"snapshotting {len(claims)} volumes together", 0))
    try:
        for claim in claims:
            _labelled(cluster, claim, site.labels["envclone.io/raw"])
        with contextlib.ExitStack() as held:
            open_ = {store: held.enter_context(_fence(stores[store])) for store in {one.store for one in claims}}
            cluster.create(
                {
                    "apiVersion": "groupsnapshot.storage.k8s.io/v1",
                    "kind": "VolumeGroupSnapshot",
                    "metadata": {"name": name, "namespace": site.namespace, "labels": site.labels},
                    "spec": {
                        "volumeGroupSnapshotClassName": group,
                        "source": {"selector": {"matchLabels": {GROUP: site.labels["envclone.io/raw"]}}},
                    },
                }
            )
            _cut(cluster, "VolumeGroupSnapshot", name, site.namespace, settings)
            # of one moment: each recovers by its own log, and no label says otherwise
            fences = {store: replace(one.end(), label="") for store, one in open_.items() if one is not None}
    finally:
        for claim in claims:
            with contextlib.suppress(EnvcloneError):
                _labelled(cluster, claim, None)
    there = _ready(cluster, "VolumeGroupSnapshot", name, site.namespace, settings, progress)
    content = _content(cluster, "VolumeGroupSnapshotContent", there["status"]["boundVolumeGroupSnapshotContentName"])
    infos = {one["volumeHandle"]: one for one in (content.get("status") or {}).get("volumeSnapshotInfoList") or ()}
    found = []
    for claim in claims:
        info = infos.get(claim.volume)
        if info is None or not info.get("snapshotHandle"):
            raise UnsafeError(
                f"the group snapshot '{name}' has no snapshot of the volume '{claim.name}'",
                hint=f"kubectl get volumegroupsnapshotcontents {content['metadata']['name']} -o yaml shows what it has",
            )
        size = max(int(info.get("restoreSize") or 0), claim.bytes)
        found.append(Snapshot(claim.store, claim.role, claim.driver, info["snapshotHandle"], size, claim.mount))
    moment = str(there["metadata"]["uid"])
    return Taken(found, {one.store: moment for one in claims}, fences)


def _one_by_one(
    cluster: Cluster, settings: KubernetesConfig, sites: Mapping[str, Site], claims: Sequence[Claim],
    stores: Mapping[str, StoreConfig], progress: Progress,
) -> Taken:  # fmt: skip
    """A snapshot of each claim; a store's log, where that is a volume of its own, last and outside the fence."""
    named: list[tuple[Claim, str]] = []
    fences: dict[str, Fenced] = {}
    moments: dict[str, str] = {}
    for store in dict.fromkeys(one.store for one in claims):
        its = [one for one in claims if one.store == store]
        with _fence(stores[store]) as fence:
            if len(its) > 1 and fence is None:
                raise UnsafeError(
                    f"the store '{store}' lies on {len(its)} volumes, and nothing takes them at one moment",
                    hint="source.dsn, of a role that may call pg_backup_start, fences their snapshots",
                )
            for claim in its:
                if claim.role != "data" and fence is not None and store not in fences:
                    fences[store] = fence.end()
                site = sites[claim.namespace]
                name = site.named(store, claim.role)
                progress(ProgressEvent(f"snapshotting the volume {claim.name}", 0))
                cluster.create(
                    {
                        "apiVersion": "snapshot.storage.k8s.io/v1",
                        "kind": "VolumeSnapshot",
                        "metadata": {"name": name, "namespace": claim.namespace, "labels": site.labels},
                        "spec": {
                            "volumeSnapshotClassName": class_of(cluster, claim.driver, settings.snapshot_class),
                            "source": {"persistentVolumeClaimName": claim.name},
                        },
                    }
                )
                moments[store] = str(_cut(cluster, "VolumeSnapshot", name, claim.namespace, settings))
                named.append((claim, name))
            if fence is not None and store not in fences:
                # one volume is of one moment: it recovers by its own log
                fences[store] = replace(fence.end(), label="")
        if len(its) > 1:
            moments[store] = ""
    return Taken([snapshot_of(cluster, claim, name, settings, progress) for claim, name in named], moments, fences)


def snapshot_of(cluster: Cluster, claim: Claim, name: str, settings: KubernetesConfig, progress: Progress) -> Snapshot:
    """The storage's handle of a claim's snapshot, once it can be used."""
    there = _ready(cluster, "VolumeSnapshot", name, claim.namespace, settings, progress)
    status = there["status"]
    content = _content(cluster, "VolumeSnapshotContent", status["boundVolumeSnapshotContentName"])
    handle = (content.get("status") or {}).get("snapshotHandle")
    if not handle:
        raise UnsafeError(f"the VolumeSnapshotContent '{content['metadata']['name']}' says no handle")
    size = max(round(bytes_of(str(status.get("restoreSize") or 0))), claim.bytes)
    return Snapshot(claim.store, claim.role, str(content["spec"]["driver"]), str(handle), size, claim.mount)


@contextlib.contextmanager
def _fence(config: StoreConfig) -> Iterator[Fence | None]:
    adapter = registry.store(config.kind)
    found = adapter.fenced(config) if isinstance(adapter, Fencing) else None
    if found is None:
        yield None
        return
    with found as fence:
        yield fence


def _labelled(cluster: Cluster, claim: Claim, value: str | None) -> None:
    patch = {"metadata": {"labels": {GROUP: value}}}
    cluster.patch("PersistentVolumeClaim", claim.name, patch, claim.namespace)


def _cut(cluster: Cluster, kind: str, name: str, namespace: str, settings: KubernetesConfig) -> str:
    """Wait until the moment of a snapshot is over, which is long before it can be used; returns its uid."""
    return str(_waited(cluster, kind, name, namespace, settings, "creationTime", "was not begun")["metadata"]["uid"])


def _ready(
    cluster: Cluster, kind: str, name: str, namespace: str, settings: KubernetesConfig, progress: Progress
) -> Object:
    progress(ProgressEvent("waiting for the storage", 0))
    return _waited(cluster, kind, name, namespace, settings, "readyToUse", "was not ready")


def _waited(
    cluster: Cluster, kind: str, name: str, namespace: str, settings: KubernetesConfig, field: str, what: str
) -> Object:
    said = ""

    def probe(document: Object | None) -> Object | None:
        nonlocal said
        if document is None:
            raise UnreachableError(f"the {kind} '{name}' is gone: somebody removed it", hint="try again")
        status = document.get("status") or {}
        if status.get(field) or (field == "creationTime" and status.get("readyToUse")):
            return document
        said = " ".join(str((status.get("error") or {}).get("message") or "").split())[:300]
        for pattern, hint in _FINAL:
            if said and re.search(pattern, said):
                raise ResourceError(f"the storage makes no snapshot '{name}': {said}", hint=hint)
        return None

    def hint() -> str:
        known = next((hint for pattern, hint in _KNOWN if re.search(pattern, said)), "")
        return known or "kubernetes.job.ready in the stack file gives it longer; is the snapshot controller running?"

    timeout = settings.job.ready.total_seconds()
    try:
        return until(
            cluster, kind, name, namespace, probe,
            what=f"the {kind} '{name}' in {namespace} {what}", timeout=timeout, seen=lambda: said or "it has no status",
        )  # fmt: skip
    except UnreachableError as exc:
        if exc.hint is None:
            raise UnreachableError(exc.message, hint=hint()) from None
        raise


def _content(cluster: Cluster, kind: str, name: str) -> Object:
    found = cluster.get(kind, name)
    if found is None:
        raise UnsafeError(f"the {kind} '{name}' of a snapshot is gone", hint="take the snapshot again")
    return found


def remove(cluster: Cluster, site: Site, *, wait: bool = True) -> None:
    """Remove the snapshots of a raw snapshot, and the storage's with them. Raises ResourceError when one stays."""
    for kind, bound in (
        ("VolumeGroupSnapshot", "boundVolumeGroupSnapshotContentName"),
        ("VolumeSnapshot", "boundVolumeSnapshotContentName"),
    ):
        try:
            found = cluster.list(kind, site.namespace, site.labels)
        except Refusal as exc:
            if exc.code == 404:  # its definition is not installed
                continue
            raise
        for one in found:
            name, content = one["metadata"]["name"], (one.get("status") or {}).get(bound)
            if content and cluster.get(f"{kind}Content", content) is not None:
                cluster.patch(f"{kind}Content", content, {"spec": {"deletionPolicy": "Delete"}})
            cluster.delete(kind, name, site.namespace)
            if wait:
                _gone(cluster, kind, name, site.namespace)


def _gone(cluster: Cluster, kind: str, name: str, namespace: str) -> None:
    last: dict[str, Object] = {}

    def probe(document: Object | None) -> bool | None:
        last["seen"] = document or {}
        return True if document is None else None

    def seen() -> str:
        document = last["seen"]
        error = ((document.get("status") or {}).get("error") or {}).get("message")
        held = ", ".join(document.get("metadata", {}).get("finalizers") or ())
        return " / ".join(filter(None, (str(error or ""), held and f"finalizers {held}")))[:400]

    until(
        cluster, kind, name, namespace, probe, what=f"the {kind} '{name}' in {namespace} was not gone", timeout=_GONE,
        error=ResourceError, seen=seen,
        hint="does a volume still depend on it? kubectl describe says what the storage answers; then envclone gc",
    )  # fmt: skip
