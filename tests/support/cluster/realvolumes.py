"""What stands in for the controllers of volumes, snapshots and Jobs beside a real kube-apiserver: it reflinks files.

Every object and every status goes through the server's own admission and validation. What a kubelet has of a Job's pod,
its log and its port, is the pretended Job's of `jobs.py`: no node is there that the server could ask.
"""

from __future__ import annotations

import base64
import contextlib
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from envclone import process
from envclone.errors import EnvcloneError
from envclone.runtimes.kubernetes.kinds import path_of
from tests.support.cluster.apiserver import RealApi
from tests.support.cluster.jobs import Jobs
from tests.support.cluster.store import Key, Object

__all__ = ["DRIVER", "RealVolumes"]

DRIVER = "stand-in"
_JOB = "batch.kubernetes.io/job-name"
_NOW = "2026-11-28T00:00:00Z"
_SNAPSHOTS = "snapshot.storage.k8s.io/v1"
_ENDING = ("Job", "Pod", "PersistentVolumeClaim", "PersistentVolume", "VolumeSnapshot", "VolumeGroupSnapshot",
           "VolumeSnapshotContent", "VolumeGroupSnapshotContent", "Secret")  # fmt: skip


@dataclass
class RealVolumes:
    """Volumes by claim and snapshots by handle, as directories below `root`."""

    real: RealApi
    root: Path
    jobs: Jobs = field(default_factory=Jobs)
    volumes: dict[tuple[str, str], Path] = field(default_factory=dict)
    handles: dict[str, Path] = field(default_factory=dict)
    written: dict[tuple[str, str, str], str] = field(default_factory=dict)
    requests: tuple[()] = ()
    _started: set[str] = field(default_factory=set)

    @property
    def api(self) -> RealVolumes:
        """What the pretended Job asks for secrets, and tells its end."""
        return self

    @property
    def store(self) -> RealVolumes:
        """The same."""
        return self

    def get(self, key: Key) -> Object:
        """A Secret, its values as texts."""
        found = self.real.cluster.get("Secret", key.name, key.namespace)
        assert found is not None
        texts = {name: base64.b64decode(value).decode() for name, value in found["data"].items()}
        return {**found, "stringData": texts}

    def edit(self, key: Key, change: Callable[[Object], None]) -> None:
        """Change a pod's status."""
        there = self.real.cluster.get("Pod", key.name, key.namespace)
        if there is not None:
            change(there)
            self._status(there, there["status"])

    def made(self, document: Object, status: Object | None = None) -> Object:
        """An object of production's, with what its controllers say of it."""
        found = self.real.cluster.create(copy.deepcopy(document))
        if status is not None:
            self._status(found, status)
        return found

    def look(self) -> None:
        """One round."""
        self._ended()
        for one in self.real.all("VolumeGroupSnapshot"):
            if not (one.get("status") or {}).get("readyToUse"):
                self._group(one)
        for one in self.real.all("VolumeSnapshot"):
            if not (one.get("status") or {}).get("readyToUse"):
                self._snapshot(one)
        for one in self.real.all("PersistentVolumeClaim"):
            if (one.get("status") or {}).get("phase") != "Bound" and not one["metadata"].get("deletionTimestamp"):
                self._claim(one)
        for one in self.real.all("Job"):
            self._job(one)

    def _clone(self, source: Path) -> str:
        handle = f"snap-{len(self.handles)}"
        process.run(["cp", "--archive", "--reflink=auto", source, self.root / handle])
        self.handles[handle] = self.root / handle
        return handle

    def _snapshot(self, one: Object) -> None:
        source, meta = one["spec"]["source"], one["metadata"]
        if name := source.get("persistentVolumeClaimName"):
            handle = self._clone(self.volumes[meta["namespace"], name])
            content = self.real.cluster.create({
                "apiVersion": _SNAPSHOTS, "kind": "VolumeSnapshotContent",
                "metadata": {"name": f"snapcontent-{meta['uid']}"},
                "spec": {
                    "deletionPolicy": "Delete", "driver": DRIVER,
                    "source": {"volumeHandle": self.volumes[meta["namespace"], name].name},
                    "volumeSnapshotRef": {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
                },
            })  # fmt: skip
            self._status(content, {"readyToUse": True, "snapshotHandle": handle, "restoreSize": 1 << 20})
            bound = content["metadata"]["name"]
        else:
            bound = source["volumeSnapshotContentName"]
        self._status(one, {
            "readyToUse": True, "boundVolumeSnapshotContentName": bound, "creationTime": _NOW, "restoreSize": "1Mi",
        })  # fmt: skip

    def _group(self, one: Object) -> None:
        meta, wanted = one["metadata"], one["spec"]["source"]["selector"]["matchLabels"]
        claims = self.real.cluster.list("PersistentVolumeClaim", meta["namespace"], wanted)
        infos = [
            {"volumeHandle": place.name, "snapshotHandle": self._clone(place), "readyToUse": True,
             "restoreSize": 1 << 20}
            for place in (self.volumes[meta["namespace"], claim["metadata"]["name"]] for claim in claims)
        ]  # fmt: skip
        content = self.real.cluster.create({
            "apiVersion": "groupsnapshot.storage.k8s.io/v1", "kind": "VolumeGroupSnapshotContent",
            "metadata": {"name": f"groupsnapcontent-{meta['uid']}"},
            "spec": {
                "deletionPolicy": "Delete", "driver": DRIVER,
                "source": {"volumeHandles": [each["volumeHandle"] for each in infos]},
                "volumeGroupSnapshotRef": {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
            },
        })  # fmt: skip
        self._status(content, {"readyToUse": True, "volumeSnapshotInfoList": infos})
        self._status(one, {
            "readyToUse": True, "boundVolumeGroupSnapshotContentName": content["metadata"]["name"],
            "creationTime": _NOW,
        })  # fmt: skip

    def _claim(self, one: Object) -> None:
        meta, source = one["metadata"], one["spec"].get("dataSource")
        target = self.root / meta["uid"]
        if source is None:
            target.mkdir()
        else:
            snapshot = self.real.cluster.get("VolumeSnapshot", source["name"], meta["namespace"])
            if not ((snapshot or {}).get("status") or {}).get("readyToUse"):
                return
            assert snapshot is not None
            bound = snapshot["status"]["boundVolumeSnapshotContentName"]
            content = self.real.cluster.get("VolumeSnapshotContent", bound)
            assert content is not None
            handle = content["spec"]["source"].get("snapshotHandle") or content["status"]["snapshotHandle"]
            process.run(["cp", "--archive", "--reflink=auto", self.handles[handle], target])
        self.bind(one, target)

    def bind(self, claim: Object, place: Path) -> None:
        """Give a claim a volume."""
        meta, size = claim["metadata"], claim["spec"]["resources"]["requests"]["storage"]
        self.volumes[meta["namespace"], meta["name"]] = place
        volume = self.real.cluster.create({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"pvc-{meta['uid']}"},
            "spec": {
                "accessModes": ["ReadWriteOnce"], "capacity": {"storage": size},
                "csi": {"driver": DRIVER, "volumeHandle": place.name},
                "persistentVolumeReclaimPolicy": "Delete",
                "storageClassName": claim["spec"].get("storageClassName") or "",
            },
        })  # fmt: skip
        named = {"spec": {"volumeName": volume["metadata"]["name"]}}
        found = self.real.cluster.patch("PersistentVolumeClaim", meta["name"], named, meta["namespace"])
        self._status(found, {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": size}})

    def _job(self, one: Object) -> None:
        meta, spec = one["metadata"], one["spec"]
        if spec.get("suspend") or meta.get("deletionTimestamp") or (one.get("status") or {}).get("completionTime"):
            return
        pods = self.real.cluster.list("Pod", meta["namespace"], {_JOB: meta["name"]})
        if not pods:
            template = copy.deepcopy(spec["template"])
            owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"],
                     "controller": True}  # fmt: skip
            named = {**template["metadata"], "name": f"{meta['name'][:50]}-0", "namespace": meta["namespace"],
                     "ownerReferences": [owner]}  # fmt: skip
            self.real.cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": named, "spec": template["spec"]})
            return
        (pod,) = pods
        key = Key("/api/v1", "pods", meta["namespace"], pod["metadata"]["name"])
        mounted = [each["persistentVolumeClaim"]["claimName"] for each in pod["spec"]["volumes"]
                   if "persistentVolumeClaim" in each]  # fmt: skip
        if pod["metadata"]["uid"] not in self._started:
            if all((meta["namespace"], name) in self.volumes for name in mounted):
                self._started.add(pod["metadata"]["uid"])
                self._status(pod, self.jobs.start(self, key, pod))  # type: ignore[arg-type]
        elif (pod.get("status") or {}).get("phase") == "Succeeded":
            conditions = [{"type": kind, "status": "True", "lastTransitionTime": _NOW}
                          for kind in ("SuccessCriteriaMet", "Complete")]  # fmt: skip
            done = {"succeeded": 1, "ready": 0, "terminating": 0, "active": 0, "uncountedTerminatedPods": {}}
            if not (one.get("status") or {}).get("startTime"):
                self._status(one, {"startTime": meta["creationTimestamp"]})
            self._status(one, {**done, "completionTime": pod["metadata"]["creationTimestamp"],
                               "conditions": conditions})  # fmt: skip

    def _ended(self) -> None:
        """What a garbage collector and the protecting controllers do: dependents go, then finalizers."""
        there = {kind: self.real.all(kind) for kind in _ENDING}
        alive = {one["metadata"]["uid"] for one in there["Job"] if not one["metadata"].get("deletionTimestamp")}
        for kind, found in there.items():
            for one in found:
                meta = one["metadata"]
                owners = [each["uid"] for each in meta.get("ownerReferences") or () if each["kind"] == "Job"]
                if owners and not set(owners) & alive:
                    self.real.cluster.delete(kind, meta["name"], meta.get("namespace"), grace=0)
                if meta.get("deletionTimestamp") and meta.get("finalizers"):
                    with contextlib.suppress(EnvcloneError):  # it went meanwhile
                        nothing = {"metadata": {"finalizers": None}}
                        self.real.cluster.patch(kind, meta["name"], nothing, meta.get("namespace"))

    def _status(self, one: Object, status: Object) -> None:
        meta = one["metadata"]
        path = path_of(one["kind"], meta.get("namespace"), meta["name"], "status")
        self.real.cluster.ask("PATCH", path, {"status": status})


@contextlib.contextmanager
def beside(real: RealApi, root: Path) -> Iterator[RealVolumes]:
    """These controllers beside the server's until the block ends."""
    made = RealVolumes(real, root)
    real.volumes = made
    try:
        yield made
    finally:
        real.volumes = None
