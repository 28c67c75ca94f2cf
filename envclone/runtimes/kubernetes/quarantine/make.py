"""A Job made, watched, and asked for what it made: its log is the terminal's progress, its errors are ours."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone import keys
from envclone.errors import BusyError, EnvcloneError, ResourceError, UnreachableError, UnsafeError, UsageError
from envclone.models import ProgressEvent
from envclone.private import write_private
from envclone.protocols import Order, Progress
from envclone.runtimes.kubernetes import diagnosis, objects, pod
from envclone.runtimes.kubernetes.client import Cluster, Object
from envclone.runtimes.kubernetes.forward import dial
from envclone.runtimes.kubernetes.kinds import path_of
from envclone.runtimes.kubernetes.names import Site
from envclone.runtimes.kubernetes.quarantine import failures, handover
from envclone.runtimes.kubernetes.quarantine import objects as made
from envclone.runtimes.kubernetes.quarantine.snapshots import Snapshot
from envclone.runtimes.kubernetes.refusals import Refusal
from envclone.runtimes.kubernetes.start import listening, made_again, same_snapshot
from envclone.runtimes.kubernetes.waiting import until

if TYPE_CHECKING:
    from envclone.config.schema import KubernetesConfig

__all__ = ["KEPT", "clear", "make"]

KEPT = "job.json"
"""Beside a raw snapshot's record: how the Job that makes an image of it is spoken to."""
_LOOK = 1.0
_JOB = "batch.kubernetes.io/job-name"
_GONE = 300.0
_AWAY = 900.0
"""Seconds that the API may be away while a Job runs."""


@dataclass(frozen=True, slots=True)
class _Spoken:
    """What the Job knows its master by, and what it signs with, public half only."""

    rules: str
    token: str
    public: str


def make(
    cluster: Cluster, site: Site, settings: KubernetesConfig, snapshots: Sequence[Snapshot], order: Order,
    document: Mapping[str, Any], kept: Path, into: Path, progress: Progress,
) -> None:  # fmt: skip
    """Have a Job make the image, or wait for the one that does; take over what it says, and check who signed it."""
    spoken = _under_way(cluster, site, order, kept)
    if spoken is None:
        clear(cluster, site)
        progress(ProgressEvent("starting the Job", 0))
        spoken = _begin(cluster, site, settings, snapshots, order, document, kept)
    else:
        progress(ProgressEvent("going on with the Job that was begun", 0))
    name = _followed(cluster, site, settings, progress)

    def way() -> tuple[Any, Any]:
        carrier, inside = dial(cluster, site.namespace, name, handover.PORT)
        return carrier, inside

    for one in (
        handover.ATTESTATION, handover.SIGNATURE, handover.MANIFEST, handover.IDENTITIES, handover.PLAN,
    ):  # fmt: skip
        _fetched(way, spoken.token, one, into / one)
    text = (into / handover.ATTESTATION).read_bytes()
    try:
        signature = bytes.fromhex((into / handover.SIGNATURE).read_text())
    except ValueError:
        signature = b""
    if not keys.verify_by(spoken.public, text, signature):
        raise UnsafeError(
            "what the Job's pod said of its image is not signed with the key that the Job was given",
            hint="who else can reach its port? envclone image ENV --again makes another",
        )
    _fetched(way, spoken.token, handover.DONE, None)
    _ended(cluster, site)


def _under_way(cluster: Cluster, site: Site, order: Order, kept: Path) -> _Spoken | None:
    """How to speak to the Job that makes this image already; None when there is none that can be gone on with."""
    there = cluster.get("Job", site.named(), site.namespace)
    if there is None or there["metadata"].get("deletionTimestamp") or there["spec"].get("suspend") or order.again:
        return None
    if (there["metadata"].get("annotations") or {}).get(made.RULES) != order.rules or _over(there):
        return None
    try:
        said = json.loads((kept / KEPT).read_text())
        return _Spoken(str(said["rules"]), str(said["token"]), str(said["public"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _over(job: Object) -> str:
    """How a Job ended; '' while it has not."""
    for one in (job.get("status") or {}).get("conditions") or ():
        if one.get("status") == "True" and one.get("type") in ("Complete", "Failed"):
            return str(one["type"])
    return ""


def _begin(
    cluster: Cluster, site: Site, settings: KubernetesConfig, snapshots: Sequence[Snapshot], order: Order,
    document: Mapping[str, Any], kept: Path,
) -> _Spoken:  # fmt: skip
    signing, public = keys.generate()
    spoken = _Spoken(order.rules, secrets.token_urlsafe(32), public)
    write_private(kept / KEPT, json.dumps({"rules": spoken.rules, "token": spoken.token, "public": spoken.public}))
    _require_apart(snapshots)
    _require_namespace(cluster, site.namespace)
    for one in made.walls(site):
        cluster.create(one)
    named = site.named("listener")
    cluster.create(pod.listener(site, settings.image, settings.user, named))
    ready = settings.timeout.total_seconds()
    address = listening(cluster, named, site.namespace, ready)
    job = cluster.create(made.job(site, settings, snapshots, order.rules, address))
    size = sum(one.bytes for one in snapshots)
    storage = settings.storage_class
    some = [
        made.secret(site, document, order.key.hex(), signing, spoken.token),
        made.claim(site, "work", round(size * settings.job.room), settings.job.storage_class or storage),
        made.claim(site, "clean", round(size * 1.1), storage),
    ]
    for snapshot in snapshots:
        volume = made.volume_of(site, snapshot)
        content = objects.content(site, volume, snapshot_class=settings.snapshot_class)
        same_snapshot(made_again(cluster, content), content)
        some += [
            objects.snapshot(site, volume, snapshot_class=settings.snapshot_class),
            objects.claim(site, volume, storage_class=storage),
        ]
    for one in some:
        made_again(cluster, made.owned(one, job))
    cluster.patch("Job", site.named(), {"spec": {"suspend": False}}, site.namespace)
    return spoken


def _require_apart(snapshots: Sequence[Snapshot]) -> None:
    """Two logs that production has at one path cannot both be there in one pod."""
    at = [made.mounted_at(one) for one in snapshots]
    for one, place in zip(snapshots, at, strict=True):
        if not place or at.count(place) > 1:
            raise UsageError(
                f"the log of the store '{one.store}' "
                + ("lies on a volume that no pod has mounted" if not place else f"is at {place}, and another's, too"),
                hint="start production's pod, or make an environment for each store",
            )


def _require_namespace(cluster: Cluster, namespace: str) -> None:
    """Where raw data are, pods are restricted, and the namespace was made by who runs the cluster."""
    there = cluster.get("Namespace", namespace)
    if there is None:
        raise ResourceError(
            f"the namespace '{namespace}' is not there, in which images are made",
            hint="envclone manifests writes it, with the rights there",
        )
    if there["metadata"].get("deletionTimestamp"):
        raise BusyError(
            f"the namespace '{namespace}' is being removed: {diagnosis.held(there) or 'it says no reason'}",
            hint=f"kubectl get namespace {namespace} -o yaml shows what holds it; when it is gone, make it again",
        )
    enforced = (there["metadata"].get("labels") or {}).get("pod-security.kubernetes.io/enforce")
    if enforced != "restricted":
        raise UnsafeError(
            f"the namespace '{namespace}' does not enforce pod security `restricted`",
            hint="envclone manifests writes it as it has to be",
        )


def _followed(cluster: Cluster, site: Site, settings: KubernetesConfig, progress: Progress) -> str:
    """Show what the Job's pods write until one has made the image; returns its name. Raises what the Job raised."""
    until_ = time.monotonic() + settings.job.timeout.total_seconds()
    starting = time.monotonic() + settings.timeout.total_seconds()
    failure: EnvcloneError | None = None
    followed: dict[str, int] = {}
    away: float | None = None
    while True:
        try:
            job = cluster.get("Job", site.named(), site.namespace)
            pods = _pods(cluster, site)
        except (UnreachableError, Refusal) as exc:
            # the Job does not need the API: who waits for it waits for both
            away = away or time.monotonic()
            if (isinstance(exc, Refusal) and not exc.passes) or time.monotonic() > away + _AWAY:
                raise
            time.sleep(_LOOK)
            continue
        if away is not None:
            starting, away = starting + time.monotonic() - away, None
        if job is None:
            raise UnreachableError("the Job is gone: somebody removed it", hint="envclone image ENV begins another")
        pods = [one for one in pods if not one["metadata"].get("deletionTimestamp")]
        running = [one for one in pods if _phase(one) in ("Running", "Succeeded", "Failed")]
        for one in sorted(running, key=lambda one: str(one["metadata"].get("creationTimestamp") or "")):
            name = str(one["metadata"]["name"])
            for said in _lines(cluster, site, name, followed):
                if "progress" in said:
                    progress(ProgressEvent(**said["progress"]))
                elif "error" in said:
                    failure = failures.raised(said["error"])
                elif "made" in said and _phase(one) == "Running":
                    return name
            if _phase(one) == "Running":
                starting = time.monotonic() + settings.timeout.total_seconds()
        if (how := _over(job)) == "Complete":
            raise UnreachableError(
                "the Job has ended, and somebody else took what it made", hint="envclone image ENV begins another"
            )
        if how == "Failed":
            raise failure or failures.of(site, job, pods)
        for one in pods:
            if _phase(one) == "Pending":
                diagnosis.require_alive(one)
        if time.monotonic() > until_:
            raise UnreachableError(
                f"the Job was not done within {settings.job.timeout}", hint="kubernetes.job.timeout gives it longer"
            )
        if time.monotonic() > starting:
            last = max(pods, key=lambda one: str(one["metadata"].get("creationTimestamp") or ""), default=None)
            seen = diagnosis.waiting(cluster, last, site.namespace) if last else failures.said(job)
            raise ResourceError(
                f"no pod of the Job runs within {settings.timeout.total_seconds():g} s"
                + (f"; last seen: {seen}" if seen else ""),
                hint="kubernetes.job says what it asks for; kubernetes.timeout gives it longer",
            )
        time.sleep(_LOOK if running else _LOOK / 4)


def _pods(cluster: Cluster, site: Site) -> list[Object]:
    return cluster.list("Pod", site.namespace, {_JOB: site.named()})


def _phase(document: Object) -> str:
    return str((document.get("status") or {}).get("phase") or "")


def _lines(cluster: Cluster, site: Site, name: str, followed: dict[str, int]) -> Iterator[Mapping[str, Any]]:
    """What a pod wrote since it was looked at last, and goes on to write, until it ends or the connection does."""
    seen = 0
    path = path_of("Pod", site.namespace, name, "log")
    try:
        for line in cluster.lines(path, {"container": made.CONTAINER, "follow": "true"}):
            seen += 1
            if seen <= followed.get(name, 0):
                continue
            followed[name] = seen
            with contextlib.suppress(ValueError):
                document = json.loads(line)
                if isinstance(document, dict):
                    yield document
    except (UnreachableError, Refusal) as exc:  # it was not there yet, or broke off: looked at again
        if isinstance(exc, Refusal) and exc.code in (401, 403):
            raise


def _fetched(way: Any, token: str, name: str, target: Path | None) -> None:
    """One file, tried again while the connection breaks."""
    for attempt in range(5):
        try:
            handover.fetch(way, token, name, target)
            return
        except Exception as exc:  # the client library's own kinds, too
            if attempt == 4 or name == handover.DONE:
                if name == handover.DONE:
                    return  # the answer was lost with the pod's end: what was asked for is here
                raise (
                    exc
                    if isinstance(exc, EnvcloneError)
                    else UnreachableError(
                        f"the Job's pod is not reached through the API: {type(exc).__name__}", hint="try again"
                    )
                ) from exc
            time.sleep(0.2 * 2**attempt)


def _ended(cluster: Cluster, site: Site) -> None:
    """Wait until the Job's pod is at its end, and its volumes are let go."""

    def probe(document: Object | None) -> bool | None:
        return True if document is None or _over(document) else None

    until(
        cluster, "Job", site.named(), site.namespace, probe, what="the Job was not at its end", timeout=_GONE,
        hint="kubectl describe job says what it waits for; envclone image ENV goes on",
    )  # fmt: skip


def clear(cluster: Cluster, site: Site) -> None:
    """Remove a Job with all that it owns, and what has no owner: the listener, the last snapshot, contents.

    Raises ResourceError when it stays.
    """
    if cluster.delete("Job", site.named(), site.namespace, how="Foreground"):
        last: dict[str, Object] = {}

        def probe(document: Object | None) -> bool | None:
            last["seen"] = document or {}
            return True if document is None else None

        until(
            cluster, "Job", site.named(), site.namespace, probe, what="the Job was not gone", timeout=_GONE,
            error=ResourceError, seen=lambda: diagnosis.held(last["seen"]),
            hint="its node may be lost: kubectl get pods -o wide names it; envclone gc tries again",
        )  # fmt: skip
    cluster.delete("Pod", site.named("listener"), site.namespace, grace=0)
    cluster.delete("VolumeSnapshot", site.named("image"), site.namespace)
    for content in cluster.list("VolumeSnapshotContent", labels=site.labels):
        if content["spec"].get("deletionPolicy") != "Retain":  # of raw snapshots: their own policy removes them
            cluster.patch("VolumeSnapshotContent", content["metadata"]["name"], {"spec": {"deletionPolicy": "Retain"}})
        cluster.delete("VolumeSnapshotContent", content["metadata"]["name"])
