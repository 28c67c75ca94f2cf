"""A real kube-apiserver and etcd on loopback, and what stands in for the controllers that are not there.

`KUBEBUILDER_ASSETS` names the folder of both programs. Admission, pod security, quotas and CEL are then real; volumes,
snapshots and pods are only said to be ready.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from envclone import process
from envclone.errors import EnvcloneError
from envclone.runtimes.kubernetes.client import Cluster, connect
from envclone.runtimes.kubernetes.kinds import KINDS, path_of
from tests.support.cluster import admission, schemas
from tests.support.ports import unused_port

__all__ = ["ASSETS", "RealApi", "serving"]

ASSETS = os.environ.get("KUBEBUILDER_ASSETS", "")
_KEPT = ("Pod", "Secret", "ConfigMap", "PersistentVolumeClaim", "VolumeSnapshot", "NetworkPolicy", "ResourceQuota",
         "LimitRange")  # fmt: skip


@dataclass
class RealApi:
    """The server, as an administrator of it; `seal` is the exit code that the container of that name ends with."""

    cluster: Cluster
    kubeconfig: Path
    seal: int = 0
    failures: list[str] = field(default_factory=list)
    volumes: Any = None
    """What stands in for the controllers of volumes, where a test has one (`realvolumes.py`)."""

    def all(self, kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
        """The objects of a kind."""
        return self.cluster.list(kind, namespace)

    def work(self, done: threading.Event) -> None:
        """Say of everything that it is ready, again and again."""
        while not done.wait(0.1):
            try:
                self.look()
            except EnvcloneError as exc:
                if "not found" not in exc.message:
                    self.failures.append(exc.message)

    def look(self) -> None:
        """One round."""
        for one in self.all("ResourceQuota"):
            hard, used = one["spec"]["hard"], self._used(one["metadata"]["namespace"], one["spec"]["hard"])
            status = {"hard": hard, "used": used}
            if one.get("status") != status:
                self._status(one, status)
        if self.volumes is not None:
            self.volumes.look()
        for one in self.all("VolumeSnapshot") if self.volumes is None else ():
            if not (one.get("status") or {}).get("readyToUse"):
                content = one["spec"]["source"]["volumeSnapshotContentName"]
                self._status(one, {"readyToUse": True, "boundVolumeSnapshotContentName": content})
        for one in self.all("Pod"):
            of_job = one["spec"]["containers"][0]["name"] == "image"
            if not (one.get("status") or {}).get("podIP") and not of_job:
                self._status(one, self._running(one))
        for one in self.all("Namespace"):
            if one["metadata"].get("deletionTimestamp"):
                self._end(one)

    def _used(self, namespace: str, hard: dict[str, str]) -> dict[str, str]:
        """What is there of what a quota counts: it is only counted up by the server itself."""
        total: dict[str, float] = {}
        for kind, plural in (("Pod", "pods"), ("PersistentVolumeClaim", "persistentvolumeclaims")):
            resource = schemas.by_path("/api/v1", plural)
            assert resource is not None
            for one in self.all(kind, namespace):
                for key, value in admission.used_by(resource, one).items():
                    total[key] = total.get(key, 0) + value
        thousandths = {key: round(value * 1000) for key, value in total.items()}
        return {key: f"{thousandths.get(key, 0)}m" if "cpu" in key else str(round(total.get(key, 0))) for key in hard}

    def _running(self, pod: dict[str, Any]) -> dict[str, Any]:
        bad = self.seal and pod["metadata"]["name"] == "branch"
        status = {"image": "x", "imageID": "x", "restartCount": 0}
        first = []
        for one in pod["spec"].get("initContainers") or ():
            code = self.seal if one["name"] == "seal" else 0
            over = {
                "terminated": {"exitCode": code, "reason": "Error" if code else "Completed", "message": "reached x"}
            }
            lasting = one.get("restartPolicy") == "Always"
            state = {"running": {}} if lasting else over
            first.append({**status, "name": one["name"], "ready": not bad, "state": state})
        last = [{**status, "name": one["name"], "ready": not bad, "state": {"running": {}}}
                for one in pod["spec"]["containers"]]  # fmt: skip
        return {
            "phase": "Pending" if bad else "Running",
            "podIP": "10.1.2.3",
            "podIPs": [{"ip": "10.1.2.3"}],
            "conditions": [{"type": "Ready", "status": "False" if bad else "True"}],
            "initContainerStatuses": first,
            "containerStatuses": last,
        }

    def _status(self, one: dict[str, Any], status: dict[str, Any]) -> None:
        meta = one["metadata"]
        path = path_of(one["kind"], meta.get("namespace"), meta["name"], "status")
        self.cluster.ask("PATCH", path, {"status": status})

    def _end(self, one: dict[str, Any]) -> None:
        name = one["metadata"]["name"]
        for kind in _KEPT:
            for each in self.all(kind, name):
                finalizers = each["metadata"].get("finalizers")
                if finalizers:  # of controllers that are not there
                    self.cluster.patch(kind, each["metadata"]["name"], {"metadata": {"finalizers": None}}, name)
                self.cluster.delete(kind, each["metadata"]["name"], name, grace=0)
        one["spec"]["finalizers"] = []
        self.cluster.ask("PUT", path_of("Namespace", name=name, part="finalize"), one)


def definitions() -> Iterator[dict[str, Any]]:
    """The kinds of external-snapshotter, from the schemas that were gathered."""
    for one in schemas.RESOURCES:
        if "snapshot" in one.version or "cnpg" in one.version:
            yield {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {
                    "name": f"{one.plural}.{one.version.partition('/')[0]}",
                    "annotations": {"api-approved.kubernetes.io": "unapproved, test-only"},
                },
                "spec": {
                    "group": one.version.partition("/")[0],
                    "names": {"kind": one.kind, "plural": one.plural, "singular": one.kind.lower()},
                    "scope": "Namespaced" if one.namespaced else "Cluster",
                    "versions": [
                        {
                            "name": "v1",
                            "served": True,
                            "storage": True,
                            "subresources": {"status": {}},
                            "schema": {"openAPIV3Schema": schemas.definition(one.kind)},
                        }
                    ],
                },
            }


@contextlib.contextmanager
def serving(directory: Path) -> Iterator[RealApi]:
    """A server that answers until the block ends."""
    etcd, peer, port = unused_port(), unused_port(), unused_port()
    key = directory / "sa.key"
    process.run(["openssl", "genrsa", "-out", key, "2048"])
    (directory / "tokens.csv").write_text("stand-in,me,1,system:masters\n")
    url = f"http://127.0.0.1:{etcd}"
    started = [
        process.spawn(
            [
                Path(ASSETS) / "etcd", "--data-dir", directory / "etcd", "--listen-client-urls", url,
                "--advertise-client-urls", url, "--listen-peer-urls", f"http://127.0.0.1:{peer}",
                "--unsafe-no-fsync",
            ],
            log=directory / "etcd.log",
        ),
        process.spawn(
            [
                Path(ASSETS) / "kube-apiserver", f"--etcd-servers={url}", f"--cert-dir={directory / 'certs'}",
                f"--secure-port={port}", "--bind-address=127.0.0.1", "--service-account-issuer=https://localhost",
                f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
                "--authorization-mode=RBAC", f"--token-auth-file={directory / 'tokens.csv'}",
                "--disable-admission-plugins=ServiceAccount", "--service-cluster-ip-range=10.0.0.0/24",
            ],
            log=directory / "api.log",
        ),
    ]  # fmt: skip
    config = directory / "kubeconfig"
    server = {
        "server": f"https://127.0.0.1:{port}",
        "certificate-authority": str(directory / "certs" / "apiserver.crt"),
    }
    config.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1", "kind": "Config", "current-context": "real",
                "clusters": [{"name": "here", "cluster": server}],
                "users": [{"name": "me", "user": {"token": "stand-in"}}],
                "contexts": [{"name": "real", "context": {"cluster": "here", "user": "me"}}],
            }
        )
    )  # fmt: skip
    config.chmod(0o600)
    before = os.environ.get("KUBECONFIG")
    os.environ["KUBECONFIG"] = str(config)
    done = threading.Event()
    try:
        until = time.monotonic() + 120
        while not (directory / "certs" / "apiserver.crt").exists() and time.monotonic() < until:
            time.sleep(0.1)
        with connect(None, deadline=120.0) as cluster:
            while cluster.text("/readyz") != "ok" and time.monotonic() < until:
                time.sleep(0.1)
            for one in definitions():
                cluster.ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", one)
            while not all(cluster.serves(kind) for kind in KINDS if "Snapshot" in kind) and time.monotonic() < until:
                time.sleep(0.1)
            api = RealApi(cluster, config)
            thread = threading.Thread(target=api.work, args=(done,), daemon=True)
            thread.start()
            try:
                yield api
            finally:
                done.set()
                thread.join(30)
    finally:
        if before is None:
            del os.environ["KUBECONFIG"]
        else:
            os.environ["KUBECONFIG"] = before
        for pid in reversed(started):
            process.terminate(pid)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
