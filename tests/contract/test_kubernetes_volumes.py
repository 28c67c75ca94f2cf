"""A production's volumes to an image by what an API accepts: a fake one, and a real kube-apiserver where there is one.

Snapshots, the Job with its walls, and the image's record are objects that the server admits or refuses; the Job itself
is pretended. With `KUBEBUILDER_ASSETS` admission, CEL, pod security `restricted`, quotas and status rules are real.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from envclone import attestation, wait
from envclone.api import Stack, open_stack
from envclone.errors import EnvcloneError
from envclone.models import Consistency
from envclone.runtimes.kubernetes.client import Cluster, connect
from envclone.runtimes.kubernetes.quarantine import make
from tests.support.cluster import apiserver, objects
from tests.support.cluster.controllers import controlling
from tests.support.cluster.jobs import Jobs
from tests.support.cluster.realvolumes import DRIVER, beside
from tests.support.cluster.server import running
from tests.support.postgres import scratch
from tests.unit.runtimes.kubernetes.quarantine.conftest import DATA, MAIN, STACK

KB = """\
      kb: {kind: qdrant, source: {method: volume, volume: {namespace: shop, labels: {app: kb}}}}
"""


@dataclass
class World:
    """A cluster with a production, and a directory for pools."""

    cluster: Cluster
    place: Path
    jobs: Jobs

    def wait_for_nothing(self, *kinds: str) -> None:
        """Wait until nothing of these kinds is in quarantine: what protects volumes lets them go a moment later."""
        for kind in kinds:
            wait.until(
                lambda kind=kind: not self.cluster.list(kind, "envclone-quarantine") or None,
                what=f"no {kind} is left", timeout=30,
            )  # fmt: skip

    @contextmanager
    def stack(self, name: str, more: str = "") -> Iterator[Stack]:
        """A pool of its own."""
        folder = self.place / name
        folder.mkdir()
        text = STACK.format(pool=folder / "pool", digest="0" * 64, stores=MAIN.replace("FOUND", "pod: db-0") + more)
        (folder / "envclone.yaml").write_text(
            text.replace("timeout: 5s", "timeout: 60s").replace("ready: 5s", "ready: 60s")
        )
        yield open_stack(folder / "envclone.yaml")


def _production(cluster: Cluster, claimed: Callable[[str, Mapping[str, str]], None]) -> None:
    for name, labels in (
        ("envclone-images", objects.RESTRICTED),
        ("envclone-quarantine", objects.RESTRICTED),
        ("shop", {}),
    ):
        cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(labels)}})
    for kind, version in (("VolumeSnapshotClass", "snapshot"), ("VolumeGroupSnapshotClass", "groupsnapshot")):
        cluster.create({
            "apiVersion": f"{version}.storage.k8s.io/v1", "kind": kind, "metadata": {"name": kind.lower()},
            "driver": DRIVER, "deletionPolicy": "Delete",
        })  # fmt: skip
    claimed("data-db-0", {})
    claimed("kb", {"app": "kb"})
    mounts = [{"name": "data", "mountPath": DATA}]
    cluster.create({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "db-0", "namespace": "shop"},
        "spec": {
            "containers": [{"name": "postgres", "image": "postgres", "volumeMounts": mounts}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}],
        },
    })  # fmt: skip


def _claim(name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "shop", "labels": dict(labels)},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }  # fmt: skip


@pytest.fixture(scope="module", params=["fake", *(["real"] if apiserver.ASSETS else [])])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with scratch() as place, pytest.MonkeyPatch.context() as patch:
        storage = place / "storage"
        storage.mkdir()

        def directory(name: str) -> Path:
            made = storage / f"of-{name}"
            made.mkdir()
            (made / "file").write_text(name)
            return made

        if request.param == "fake":
            with running() as api:
                patch.setenv("KUBECONFIG", str(api.kubeconfig(place / "kubeconfig")))
                jobs = Jobs()
                with controlling(api, storage, jobs) as controllers, connect(None) as cluster:
                    api.connect, api.tail, api.over = jobs.connect, jobs.tail, jobs.is_over

                    def claimed(name: str, labels: Mapping[str, str]) -> None:
                        objects.volume(api, controllers, "shop", name, directory(name), dict(labels))

                    _production(cluster, claimed)
                    yield World(cluster, place, jobs)
                    assert controllers.failures == []
        else:
            with apiserver.serving(place) as real, beside(real, storage) as volumes:
                # no node is there that the server could ask for a pod's log and port: those two are the pretended Job's
                patch.setattr(make, "dial", lambda cluster, *at: (None, volumes.jobs.connect(*at)))
                patch.setattr(make, "_lines", _lines(volumes.jobs))

                def claimed_there(name: str, labels: Mapping[str, str]) -> None:
                    volumes.volumes["shop", name] = directory(name)
                    volumes.bind(real.cluster.create(_claim(name, labels)), volumes.volumes["shop", name])

                _production(real.cluster, claimed_there)
                yield World(real.cluster, place, volumes.jobs)
                assert real.failures == []


def _lines(jobs: Jobs) -> Any:
    """What a Job's pod wrote, and no more than was not read yet."""

    def lines(cluster: Cluster, site: Any, name: str, followed: dict[str, int]) -> Iterator[Mapping[str, Any]]:
        for number, line in enumerate((jobs.tail(site.namespace, name, "image") or "").splitlines(), 1):
            if number > followed.get(name, 0):
                followed[name] = number
                yield json.loads(line)

    return lines


def test_a_volume_becomes_an_image(world: World) -> None:
    with world.stack("one") as stack:
        raw = stack.snapshot("prod")
        assert raw.consistency is Consistency.SINGLE
        image = stack.image("prod")
        attestation.check(stack.project.pool.path_of("images", image.id), stack.project.keys)
        world.wait_for_nothing("Job", "Secret", "PersistentVolumeClaim")
        (record,) = world.cluster.list("ConfigMap", "envclone-images", {"envclone.io/image": image.id})
        assert record["metadata"]["labels"]["envclone.io/project"] == "acme"
        (kept,) = world.cluster.list("VolumeSnapshot", "envclone-images")
        content = world.cluster.get("VolumeSnapshotContent", kept["spec"]["source"]["volumeSnapshotContentName"])
        assert content is not None and content["spec"]["deletionPolicy"] == "Retain"
        # another one of the same raw snapshot, then both and what they are made of go
        again = stack.image("prod", again=True)
        assert again.id != image.id
        stack.collect()
        assert [one.id for one in stack.images()] == [again.id]


def test_two_volumes_are_of_one_moment(world: World) -> None:
    with world.stack("two", KB) as stack:
        raw = stack.snapshot("prod")
        assert raw.consistency is Consistency.ATOMIC
        for claim in world.cluster.list("PersistentVolumeClaim", "shop"):
            assert "envclone.io/group" not in (claim["metadata"].get("labels") or {})
        image = stack.image("prod")
        assert set(image.raw.stores) == {"main", "kb"}


def test_what_the_namespace_of_raw_data_does_not_admit_is_said_in_one_line(world: World) -> None:
    """A quota that is used up, and a pod that is not restricted: the server's own words, with a remedy."""
    quota = {
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none", "namespace": "envclone-quarantine"},
        "spec": {"hard": {"pods": "0"}},
    }  # fmt: skip
    world.cluster.create(quota)
    try:
        with world.stack("three") as stack, pytest.raises(EnvcloneError, match="quota of the cluster is used up"):
            stack.image("prod")
    finally:
        world.cluster.delete("ResourceQuota", "none", "envclone-quarantine")
