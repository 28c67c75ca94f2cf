"""The kubernetes runtime in its other role: production's volumes are in its cluster, and images are made there."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from envclone.errors import EnvcloneError, ResourceError
from envclone.models import Fenced
from envclone.protocols import Order, Origin, Progress
from envclone.runtimes.kubernetes.client import Cluster, connect
from envclone.runtimes.kubernetes.names import ENVIRONMENT, IMAGE, MANAGED, OURS, POOL, PROJECT, RAW, Site, pool_label
from envclone.runtimes.kubernetes.quarantine import classes, find, make, publish, snapshots
from envclone.runtimes.kubernetes.quarantine.objects import mounted_at
from envclone.runtimes.kubernetes.quarantine.snapshots import Snapshot, Taken
from envclone.runtimes.kubernetes.refusals import Refusal
from envclone.runtimes.kubernetes.settings import places, remember_places

if TYPE_CHECKING:
    from envclone.config.schema import KubernetesConfig, StoreConfig

__all__ = ["KubernetesQuarantine"]


class KubernetesQuarantine:
    """One cluster for each environment, as its settings say."""

    def obstacles(self, settings: KubernetesConfig, stores: Mapping[str, StoreConfig]) -> Sequence[EnvcloneError]:
        """Whether the volumes are found, their driver makes snapshots, the namespaces are there."""
        found: list[EnvcloneError] = []
        try:
            with connect(settings.context) as cluster:
                for name, config in stores.items():
                    try:
                        assert config.source.volume is not None
                        for claim in find.claims(cluster, name, config.source.volume):
                            classes.class_of(cluster, claim.driver, settings.snapshot_class)
                    except EnvcloneError as exc:
                        found.append(exc)
                for part in ("quarantine", "images"):
                    if cluster.get("Namespace", f"{settings.prefix}-{part}") is None:
                        found.append(_absent(f"{settings.prefix}-{part}"))
        except EnvcloneError as exc:
            found.append(exc)
        return found

    def take(
        self, settings: KubernetesConfig, origin: Origin, stores: Mapping[str, StoreConfig], progress: Progress
    ) -> Mapping[str, Any]:
        """Find the volumes and snapshot them."""
        with connect(settings.context) as cluster:
            claims: list[find.Claim] = []
            for name, config in stores.items():
                assert config.source.volume is not None
                claims += find.claims(cluster, name, config.source.volume)
            sites = {one.namespace: _at(origin, one.namespace) for one in claims}
            own = [f"{settings.prefix}-{part}" for part in ("images", "quarantine")]
            remember_places(origin.pool, settings.context, [*sites, *own])
            taken = snapshots.take(cluster, settings, sites, claims, stores, progress)
        folders = {name: config.source.volume.folder for name, config in stores.items() if config.source.volume}
        return {
            "context": settings.context, "prefix": settings.prefix, "namespaces": sorted(sites), "folders": folders,
            **taken.plain(),
        }  # fmt: skip

    def make(
        self, settings: KubernetesConfig, origin: Origin, facts: Mapping[str, Any], order: Order, into: Path,
        progress: Progress,
    ) -> None:  # fmt: skip
        """Make the Job, or go on with it, and take over what it says."""
        taken = _taken(facts)
        stack = _mounted(order.stack, origin.environment, taken)
        data = [one for one in taken.snapshots if one.role == "data"]
        document = {
            "stack": stack, "files": dict(order.files), "environment": origin.environment, "raw": origin.raw,
            "rules": order.rules.partition(" ")[0], "again": order.again,
            "mounts": {one.store: {"at": mounted_at(one), "folder": facts["folders"].get(one.store)} for one in data},
        }  # fmt: skip
        with connect(settings.context) as cluster:
            make.make(
                cluster, _in_quarantine(settings, origin), settings, taken.snapshots, order, document,
                origin.pool / "raw" / origin.raw, into, progress,
            )  # fmt: skip

    def publish(
        self, settings: KubernetesConfig, origin: Origin, image: str, place: Path, stores: Collection[str], keys: Path
    ) -> Mapping[str, Any]:
        """Keep the clean volume's snapshot and write the image's record."""
        with connect(settings.context) as cluster:
            site = _in_quarantine(settings, origin)
            found = publish.publish(cluster, site, settings, image, place, stores, keys, lambda event: None)
        return {"context": settings.context, **found}

    def clear(self, settings: KubernetesConfig, origin: Origin) -> None:
        """Remove the Job and its volumes."""
        with connect(settings.context) as cluster:
            make.clear(cluster, _in_quarantine(settings, origin))

    def forget(self, facts: Mapping[str, Any], origin: Origin) -> None:
        """Remove what makes an image of it, and its snapshots."""
        with connect(facts["context"]) as cluster:
            make.clear(cluster, _at(origin, f"{facts['prefix']}-quarantine"))
            for one in facts["namespaces"]:
                snapshots.remove(cluster, _at(origin, one))

    def remove(self, facts: Mapping[str, Any], image: str) -> None:
        """Remove its record, and its snapshot with the storage's."""
        with connect(facts["context"]) as cluster:
            publish.remove(cluster, facts["pool"], image, facts["namespace"])

    def left(self, pool: Path) -> Mapping[tuple[str, str], str]:
        """By the labels of snapshots, Jobs and records in every namespace that the pool had something in."""
        found: dict[tuple[str, str], str] = {}
        for context, namespace in places(pool):
            with contextlib.suppress(EnvcloneError), connect(context, deadline=15) as cluster:
                for kind, ident, one in _labelled(cluster, pool, namespace):
                    found.setdefault((kind, ident), f"the {one['kind']} {one['metadata']['name']}")
        return found

    def sweep(self, pool: Path, kind: str, ident: str) -> None:
        """Remove what its labels are of, wherever it is."""
        for context, namespace in places(pool):
            with connect(context, deadline=15) as cluster:
                if any((what, of) == (kind, ident) for what, of, _ in _labelled(cluster, pool, namespace)):
                    _swept(cluster, pool, kind, ident, namespace)


_KINDS = ("VolumeSnapshot", "VolumeGroupSnapshot", "Job", "ConfigMap")


def _labelled(cluster: Cluster, pool: Path, namespace: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What is of a raw snapshot or an image of a pool, with which."""
    for kind in _KINDS:
        try:
            there = cluster.list(kind, namespace, {MANAGED: OURS, POOL: pool_label(pool)})
        except Refusal as exc:
            if exc.code in (403, 404):  # its definition is not installed, or this login may make none there
                continue
            raise
        for one in there:
            labels = one["metadata"].get("labels") or {}
            if one["metadata"].get("deletionTimestamp"):
                continue
            if labels.get(RAW):
                yield "raw", labels[RAW], one
            elif labels.get(IMAGE) and "envclone.io/branch" not in labels:
                yield "images", labels[IMAGE], one


def _swept(cluster: Cluster, pool: Path, what: str, ident: str, namespace: str) -> None:
    if what == "images":
        publish.remove(cluster, pool_label(pool), ident, namespace)
        return
    for kind in ("Job", "VolumeSnapshot", "VolumeGroupSnapshot"):
        try:
            found = cluster.list(kind, namespace, {MANAGED: OURS, POOL: pool_label(pool), RAW: ident})
        except Refusal as exc:
            if exc.code in (403, 404):
                continue
            raise
        for one in found:
            labels = one["metadata"]["labels"]
            origin = Origin(pool, labels.get(PROJECT, ""), labels.get(ENVIRONMENT, ""), ident)
            if kind == "Job":
                make.clear(cluster, _at(origin, namespace))
            else:
                snapshots.remove(cluster, _at(origin, namespace))
                break


def _absent(namespace: str) -> ResourceError:
    return ResourceError(
        f"the namespace '{namespace}' is not there", hint="envclone manifests writes it, with the rights there"
    )


def _at(origin: Origin, namespace: str) -> Site:
    return Site(
        namespace, "", "", pool_label(origin.pool), origin.project, raw=origin.raw, environment=origin.environment
    )


def _in_quarantine(settings: KubernetesConfig, origin: Origin) -> Site:
    return _at(origin, f"{settings.prefix}-quarantine")


def _taken(facts: Mapping[str, Any]) -> Taken:
    return Taken(
        [Snapshot(**one) for one in facts["snapshots"]], facts["moments"],
        {name: Fenced(**one) for name, one in facts["fences"].items()},
    )  # fmt: skip


def _mounted(stack: Mapping[str, Any], environment: str, taken: Taken) -> dict[str, Any]:
    """The stack file of the order, each source a directory that was mounted for the Job alone."""
    made: dict[str, Any] = yaml.safe_load(yaml.safe_dump(dict(stack)))
    for name, store in made["environments"][environment]["stores"].items():
        fence = taken.fences.get(name)
        mounted = {"moment": taken.moments.get(name, "")}
        if fence is not None:
            mounted |= {"label": fence.label, "system": fence.system, "since": fence.since}
        store["source"] = {**store["source"], "method": "directory", "mounted": mounted}
    return made
