"""A stand-in for a cluster's controllers: volumes are directories of this machine, reflinked where that can be.

It binds, clones and snapshots volumes, makes pods ready, and ends namespaces. `kubelet` says what becomes of a pod; the
one here only pretends: no container runs.
"""

from __future__ import annotations

import contextlib
import copy
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from envclone import process
from tests.support.cluster import admission, schemas
from tests.support.cluster.server import Api
from tests.support.cluster.store import Key, Object

__all__ = ["Controllers", "Fate", "Kubelet", "Pretended", "controlling"]

_JOB = "batch.kubernetes.io/job-name"
_NOW = "2026-11-28T00:00:00Z"


class Kubelet(Protocol):
    """What runs a pod."""

    def start(self, controllers: Controllers, key: Key, document: Object) -> Object:
        """Run a pod that has none of its volumes missing; returns its status."""
        ...

    def stop(self, key: Key) -> None:
        """End a pod."""
        ...


@dataclass(frozen=True)
class Fate:
    """What becomes of a container instead of running well: waiting for a reason, or ended with a code."""

    waiting: str = ""
    code: int = 0
    reason: str = "Error"
    message: str = ""
    restarts: int = 0


@dataclass
class Pretended:
    """A kubelet that runs nothing: containers are ready one after another, unless a fate is set for one.

    `enforces` is whether the cluster's network holds policies: it decides how the container `seal` ends.
    """

    enforces: bool = True
    fates: dict[str, Fate] = field(default_factory=dict)

    def start(self, controllers: Controllers, key: Key, document: Object) -> Object:
        """Statuses as a kubelet writes them."""
        spec = document["spec"]
        first, ready = [], True
        for one in spec.get("initContainers") or ():
            fate = self.fates.get(one["name"])
            if one["name"] == "seal" and not self.enforces:
                fate = Fate(code=3, message="reached 10.0.0.1:443")
            lasting = one.get("restartPolicy") == "Always"
            first.append(_status(one, fate, ready=ready, ended=not lasting))
            ready = ready and fate is None
        last = [_status(one, self.fates.get(one["name"]), ready=ready, ended=False) for one in spec["containers"]]
        ready = ready and all(one["ready"] for one in last)
        return {
            **document.get("status", {}),
            "phase": "Running" if ready else "Pending",
            "podIP": f"10.244.0.{len(controllers.api.requests) % 250 + 1}",
            "conditions": [
                {"type": "PodScheduled", "status": "True"},
                {"type": "Ready", "status": "True" if ready else "False"},
            ],
            "initContainerStatuses": first,
            "containerStatuses": last,
        }

    def stop(self, key: Key) -> None:
        """Nothing ran."""


def _status(one: dict[str, Any], fate: Fate | None, *, ready: bool, ended: bool) -> Object:
    made: Object = {
        "name": one["name"],
        "image": one["image"],
        "imageID": one["image"],
        "ready": ready and fate is None,
        "restartCount": fate.restarts if fate else 0,
    }
    if not ready:
        return {**made, "state": {"waiting": {"reason": "PodInitializing"}}}
    if fate is None:
        done = {"terminated": {"exitCode": 0, "reason": "Completed"}}
        return {**made, "state": done if ended else {"running": {"startedAt": "2026-11-28T00:00:00Z"}}}
    if fate.waiting:
        return {**made, "state": {"waiting": {"reason": fate.waiting, "message": fate.message}}}
    over = {"terminated": {"exitCode": fate.code, "reason": fate.reason, "message": fate.message}}
    return {**made, "state": over, "lastState": over}


@dataclass
class Controllers:
    """All of them; `handles` are the snapshots by their driver's handles, `volumes` the directories of claims.

    Namespaces in `stuck` never end. `unbound` keeps claims from being bound.
    """

    api: Api
    root: Path
    kubelet: Kubelet = field(default_factory=Pretended)
    handles: dict[str, Path] = field(default_factory=dict)
    volumes: dict[Key, Path] = field(default_factory=dict)
    stuck: set[str] = field(default_factory=set)
    unbound: bool = False
    first_consumer: bool = False
    """Whether claims are bound when a pod wants them, and not before (WaitForFirstConsumer)."""
    stopped: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext
    """Around each snapshot: what writes to volumes stands still, so that it is of one moment."""
    refuses: str = ""
    """What the storage answers to who asks for a snapshot."""
    contents: dict[Key, tuple[str, list[str]]] = field(default_factory=dict)
    failures: list[BaseException] = field(default_factory=list)
    started: set[str] = field(default_factory=set)

    def snapshot_of(self, directory: Path) -> str:
        """Have the storage hold a snapshot of a directory; returns its handle."""
        handle = f"snap-{len(self.handles)}"
        self.handles[handle] = self.root / handle
        _clone(directory, self.handles[handle])
        return handle

    def work(self, done: threading.Event) -> None:
        """Look at everything after each change."""
        store = self.api.store
        seen = -1
        while not done.is_set():
            with store.changed:
                if store.version == seen:
                    store.changed.wait(0.2)
                    continue
                seen = store.version
            try:
                self.look()
            except Exception as exc:  # a test looks at it
                self.failures.append(exc)

    def look(self) -> None:
        """Bring each object one step on."""
        store = self.api.store
        for key, place in list(self.volumes.items()):
            if key not in store.objects and place.is_relative_to(self.root):
                shutil.rmtree(self.volumes.pop(key), ignore_errors=True)
        self._contents()
        for key, one in store.each("volumegroupsnapshots"):
            self._group(key, one)
        for key, one in store.each("volumesnapshots"):
            self._snapshot(key, one)
        for key, one in store.each("persistentvolumeclaims"):
            self._claim(key, one)
        for key, one in store.each("jobs"):
            self._job(key, one)
        for key, one in store.each("pods"):
            self._pod(key, one)
        for key, one in store.each("namespaces"):
            if one["metadata"].get("deletionTimestamp"):
                self._end(key)

    def _contents(self) -> None:
        """What is gone of contents takes the storage's snapshot along, unless it says `Retain`."""
        store, there = self.api.store, dict[Key, tuple[str, list[str]]]()
        for plural in ("volumesnapshotcontents", "volumegroupsnapshotcontents"):
            for key, one in store.each(plural):
                status = one.get("status") or {}
                own = one["spec"]["source"].get("snapshotHandle") or status.get("snapshotHandle")
                handles = [each["snapshotHandle"] for each in status.get("volumeSnapshotInfoList") or ()]
                there[key] = one["spec"]["deletionPolicy"], [own] if own else handles
                ref = one["spec"].get("volumeSnapshotRef") or one["spec"].get("volumeGroupSnapshotRef")
                of = Key(key.root, plural.replace("contents", "s"), ref["namespace"], ref["name"])
                bound = one["metadata"].get("annotations", {}).get("bound")
                if bound and of not in store.objects and there[key][0] == "Delete":
                    store.drop(key)
        for key, (policy, handles) in self.contents.items():
            if key not in store.objects and policy == "Delete":
                for handle in handles:
                    if (place := self.handles.pop(handle, None)) is not None:
                        shutil.rmtree(place)
        self.contents = there

    def _group(self, key: Key, document: Object) -> None:
        if (document.get("status") or {}).get("readyToUse"):
            return
        wanted = document["spec"]["source"]["selector"]["matchLabels"]
        claims = [
            (each, one) for each, one in self.api.store.each("persistentvolumeclaims", key.namespace)
            if wanted.items() <= (one["metadata"].get("labels") or {}).items() and each in self.volumes
        ]  # fmt: skip
        with self.stopped():
            infos = [
                {"volumeHandle": self.volumes[each].name, "snapshotHandle": self.snapshot_of(self.volumes[each]),
                 "readyToUse": True, "restoreSize": 1 << 20}
                for each, _ in claims
            ]  # fmt: skip
        name = f"groupsnapcontent-{document['metadata']['uid']}"
        self.api.put(
            {
                "apiVersion": "groupsnapshot.storage.k8s.io/v1",
                "kind": "VolumeGroupSnapshotContent",
                "metadata": {"name": name, "annotations": {"bound": "yes"}},
                "spec": {
                    "deletionPolicy": "Retain",
                    "driver": "stand-in",
                    "source": {"volumeHandles": [one["volumeHandle"] for one in infos]},
                    "volumeGroupSnapshotRef": {"name": key.name, "namespace": key.namespace},
                },
                "status": {"readyToUse": True, "volumeSnapshotInfoList": infos},
            }
        )
        self._status(key, boundVolumeGroupSnapshotContentName=name, readyToUse=True, creationTime=_NOW)

    def _snapshot(self, key: Key, document: Object) -> None:
        if (document.get("status") or {}).get("readyToUse"):
            return
        source = document["spec"]["source"]
        if name := source.get("persistentVolumeClaimName"):
            if self.refuses:
                self._status(key, readyToUse=False, error={"message": self.refuses})
                return
            claim = self.volumes.get(Key("/api/v1", "persistentvolumeclaims", key.namespace, name))
            if claim is None:
                return
            with self.stopped():
                handle = self.snapshot_of(claim)
            name = f"snapcontent-{document['metadata']['uid']}"
            ref = {"name": key.name, "namespace": key.namespace}
            self.api.put(
                {
                    "apiVersion": "snapshot.storage.k8s.io/v1",
                    "kind": "VolumeSnapshotContent",
                    "metadata": {"name": name, "annotations": {"bound": "yes"}},
                    "spec": {
                        "deletionPolicy": "Delete",
                        "driver": "stand-in",
                        "source": {"volumeHandle": claim.name},
                        "volumeSnapshotRef": ref,
                    },
                    "status": {"snapshotHandle": handle, "readyToUse": True, "restoreSize": 1 << 20},
                }
            )
            self._status(
                key, boundVolumeSnapshotContentName=name, readyToUse=True, restoreSize="1Mi", creationTime=_NOW
            )
            return
        content = self.api.store.objects.get(
            Key(key.root, "volumesnapshotcontents", "", source["volumeSnapshotContentName"])
        )
        if content is None:
            return
        ref, handle = content["spec"]["volumeSnapshotRef"], content["spec"]["source"].get("snapshotHandle")
        if (ref.get("name"), ref.get("namespace")) != (key.name, key.namespace):
            self._status(key, readyToUse=False, error={"message": "VolumeSnapshotContent is bound to another one"})
        elif handle not in self.handles:
            self._status(key, readyToUse=False, error={"message": f"snapshot {handle} not found"})
        else:
            self._status(
                key, boundVolumeSnapshotContentName=content["metadata"]["name"], readyToUse=True, creationTime=_NOW
            )

    def _job(self, key: Key, document: Object) -> None:
        """Pods one after another, until one succeeds, too many failed, or one failed in a way that all will."""
        spec, status = document["spec"], document.get("status") or {}
        if spec.get("suspend") or any(one["status"] == "True" for one in status.get("conditions") or ()):
            return
        pods = [
            one for _, one in self.api.store.each("pods", key.namespace)
            if one["metadata"].get("labels", {}).get(_JOB) == key.name
        ]  # fmt: skip
        phases = [(one.get("status") or {}).get("phase") for one in pods]
        said = {code for one in pods for code in _codes(one)}
        final = {
            value for rule in (spec.get("podFailurePolicy") or {}).get("rules") or () if rule["action"] == "FailJob"
            for value in rule["onExitCodes"]["values"]
        }  # fmt: skip
        if "Succeeded" in phases:
            self._status(key, conditions=[{"type": "Complete", "status": "True"}])
        elif said & final or phases.count("Failed") > spec["backoffLimit"]:
            reason = "PodFailurePolicy" if said & final else "BackoffLimitExceeded"
            failed = {"type": "Failed", "status": "True", "reason": reason, "message": f"{reason}: a pod failed"}
            self._status(key, conditions=[failed])
        elif all(phase == "Failed" for phase in phases):
            template = copy.deepcopy(spec["template"])
            name = f"{key.name[:50]}-{len(pods)}{document['metadata']['uid'][:4]}"
            owner = {
                "apiVersion": "batch/v1", "kind": "Job", "name": key.name, "uid": document["metadata"]["uid"],
                "controller": True,
            }  # fmt: skip
            meta = {
                **template["metadata"], "name": name, "namespace": key.namespace, "ownerReferences": [owner],
                "labels": {**template["metadata"]["labels"], _JOB: key.name},
            }  # fmt: skip
            made = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
            resource = schemas.of_object(made)
            assert resource is not None and not schemas.flaws(self.api.version, made)
            with self.api.store.changed:
                admission.admit(self.api.store, resource, key.namespace, made)
                self.api.store.create(resource, key.namespace, made)

    def _claim(self, key: Key, document: Object) -> None:
        if self.unbound or key in self.volumes or (self.first_consumer and not self._consumed(key)):
            return
        source = document["spec"].get("dataSource")
        target = self.root / document["metadata"]["uid"]
        if source is None:
            target.mkdir()
        else:
            snapshot = self.api.store.objects.get(
                Key("/apis/snapshot.storage.k8s.io/v1", "volumesnapshots", key.namespace, source["name"])
            )
            if not ((snapshot or {}).get("status") or {}).get("readyToUse"):
                return
            name = (snapshot or {})["status"]["boundVolumeSnapshotContentName"]
            content = self.api.store.objects[
                Key("/apis/snapshot.storage.k8s.io/v1", "volumesnapshotcontents", "", name)
            ]
            handle = content["spec"]["source"].get("snapshotHandle") or content["status"]["snapshotHandle"]
            _clone(self.handles[handle], target)
        self.volumes[key] = target
        uid = document["metadata"]["uid"]
        self.api.put(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": f"pvc-{uid}"},
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "capacity": {"storage": document["spec"]["resources"]["requests"]["storage"]},
                    "csi": {"driver": "stand-in", "volumeHandle": target.name},
                },
            }
        )

        def bound(one: Object) -> None:
            one["spec"]["volumeName"] = f"pvc-{one['metadata']['uid']}"
            one["status"] = {"phase": "Bound", "accessModes": one["spec"]["accessModes"]}

        self.api.store.edit(key, bound)

    def _consumed(self, key: Key) -> bool:
        """Whether a pod names a claim."""
        pods = [one for each, one in self.api.store.each("pods") if each.namespace == key.namespace]
        wanted = [volume.get("persistentVolumeClaim") for one in pods for volume in one["spec"].get("volumes") or ()]
        return key.name in [one["claimName"] for one in wanted if one]

    def _pod(self, key: Key, document: Object) -> None:
        uid = document["metadata"]["uid"]
        if document["metadata"].get("deletionTimestamp"):
            self.kubelet.stop(key)
            self.started.discard(uid)
            self.api.store.drop(key)
            return
        claims = [
            Key("/api/v1", "persistentvolumeclaims", key.namespace, one["persistentVolumeClaim"]["claimName"])
            for one in document["spec"].get("volumes") or ()
            if "persistentVolumeClaim" in one
        ]
        if uid in self.started or any(claim not in self.volumes for claim in claims):
            return
        self.started.add(uid)
        status = self.kubelet.start(self, key, document)

        def running(one: Object) -> None:
            one["status"] = status
            one["spec"]["nodeName"] = "node-1"

        self.api.store.edit(key, running)

    def _end(self, key: Key) -> None:
        if key.name in self.stuck:
            return
        for each in [each for each in self.api.store.objects if each.namespace == key.name]:
            self.api.store.delete(each)
            if each.plural == "persistentvolumeclaims" and each in self.volumes:
                shutil.rmtree(self.volumes.pop(each), ignore_errors=True)
        if not any(each.namespace == key.name for each in self.api.store.objects):
            self.api.store.drop(key)

    def _status(self, key: Key, **values: Any) -> None:
        def change(one: Object) -> None:
            one["status"] = {**(one.get("status") or {}), **values}

        self.api.store.edit(key, change)


def _codes(pod: Object) -> list[int]:
    each = (pod.get("status") or {}).get("containerStatuses", ())
    return [int(one["state"]["terminated"]["exitCode"]) for one in each if (one.get("state") or {}).get("terminated")]


def _clone(source: Path, target: Path) -> None:
    process.run(["cp", "--archive", "--reflink=auto", source, target])


@contextlib.contextmanager
def controlling(api: Api, root: Path, kubelet: Kubelet | None = None) -> Iterator[Controllers]:
    """Controllers that work until the block ends."""
    made = Controllers(api, root, kubelet or Pretended())
    done = threading.Event()
    thread = threading.Thread(target=made.work, args=(done,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        done.set()
        with api.store.changed:
            api.store.changed.notify_all()
        thread.join(10)
        for key, _ in api.store.each("pods"):
            made.kubelet.stop(key)
