"""What every API of a cluster must let a branch do: the fake one, and a real kube-apiserver where there is one.

`KUBEBUILDER_ASSETS` names the folder of kube-apiserver and etcd. Nothing runs in a pod here.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from envclone import attestation
from envclone.errors import ResourceError, UnsafeError
from envclone.models import Branch, BranchState, Preview, Secret
from envclone.runtimes.kubernetes import images, plan
from envclone.runtimes.kubernetes.client import Cluster, connect
from envclone.runtimes.kubernetes.objects import Volume
from envclone.runtimes.kubernetes.runtime import KubernetesRuntime
from tests.support.cluster import apiserver
from tests.support.cluster.controllers import Pretended, controlling
from tests.support.cluster.server import running
from tests.unit.runtimes.kubernetes.conftest import LOGIN, SERVICES, SETTINGS, STORE

KINDS = ("Namespace", "Pod", "PersistentVolumeClaim", "VolumeSnapshot", "VolumeSnapshotContent", "NetworkPolicy")


@dataclass
class World:
    """A cluster, a pool with an image on it, and how the wall's test ends there."""

    cluster: Cluster
    pool: Path
    attested: str
    unwalled: Any
    runtime: KubernetesRuntime

    def branch(self, name: str, **changed: Any) -> tuple[Branch, Path]:
        """A branch's record, and its directory."""
        made = Branch(
            name, "prod", "img-1", BranchState.CREATING, dt.datetime.now(dt.UTC), None, {"main": STORE},
            runtime="kubernetes", settings={**SETTINGS, "timeout": "60s"}, attested=self.attested,
            services=tuple(SERVICES),
        )  # fmt: skip
        directory = self.pool / "branches" / name
        directory.mkdir(parents=True)
        return replace(made, **changed), directory

    def start(self, branch: Branch, directory: Path) -> dict[str, Any]:
        """Prepare and start it."""
        values = {name: {"KEY": Secret("v")} for name in SERVICES}
        preview = Preview(stores=("main",), services=SERVICES, environment=values)
        self.runtime.prepare(branch, directory, LOGIN, preview, lambda _: None)
        return dict(self.runtime.start(branch, directory, LOGIN))

    def of(self, branch: Branch, kind: str) -> list[dict[str, Any]]:
        """What the cluster has of a branch."""
        return self.cluster.list(kind, labels={"envclone.io/branch": branch.name})


@pytest.fixture(scope="module", params=["fake", *(["real"] if apiserver.ASSETS else [])])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        place = Path(folder)
        pool = place / "pool"
        image, keys = pool / "images" / "img-1", pool / "keys"
        (image / "main").mkdir(parents=True)
        (image / "main" / "file").write_text("x")
        keys.mkdir(mode=0o700)
        attestation.seal(image, {"image": "img-1"}, keys)
        (place / "storage").mkdir()

        def made(cluster: Cluster, handle: str, unwalled: Any) -> World:
            meta = {"name": "envclone-images"}
            cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
            volume = Volume("data", "csi.example", handle, 1 << 30, {"main": "main"})
            cluster.create(images.described("img-1", "envclone-images", image, keys, [volume]))
            return World(cluster, pool, attestation.digest(image), unwalled, KubernetesRuntime())

        if request.param == "fake":
            with running() as api:
                patch.setenv("KUBECONFIG", str(api.kubeconfig(place / "kubeconfig")))
                pretended = Pretended()
                with controlling(api, place / "storage", pretended) as controllers, connect(None) as cluster:

                    def unwalled(on: bool) -> None:
                        pretended.enforces = not on

                    yield made(cluster, controllers.snapshot_of(image), unwalled)
                    assert controllers.failures == []
        else:
            with apiserver.serving(place) as real:

                def unwalled_there(on: bool) -> None:
                    real.seal = 3 if on else 0

                yield made(real.cluster, "snap-1", unwalled_there)
                assert real.failures == []


def test_a_life(world: World) -> None:
    branch, directory = world.branch("life")
    found = world.start(branch, directory)
    assert set(found) == {"main", "api"}
    (pod,) = world.of(branch, "Pod")
    assert pod["status"]["qosClass"] == "Guaranteed"
    assert world.runtime.running(branch, directory) == {"main": True, "api": True, "worker": True}
    assert [one["metadata"]["name"] for one in world.of(branch, "NetworkPolicy")] == ["deny"]
    (claim,) = world.of(branch, "PersistentVolumeClaim")
    world.runtime.stop(branch, directory)
    world.runtime.stop(branch, directory)
    assert world.of(branch, "Pod") == [] and not any(world.runtime.running(branch, directory).values())
    again = world.runtime.start(replace(branch, endpoints=found), directory, LOGIN)
    assert again["main"].port == found["main"].port
    assert [one["metadata"]["uid"] for one in world.of(branch, "PersistentVolumeClaim")] == [claim["metadata"]["uid"]]
    assert list(world.runtime.orphans(world.pool)) == ["life"]
    world.runtime.remove("life", directory)
    world.runtime.remove("life", directory)
    assert {kind: world.of(branch, kind) for kind in KINDS} == {kind: [] for kind in KINDS}
    assert world.runtime.orphans(world.pool) == {}


def test_no_wall_no_branch(world: World) -> None:
    branch, directory = world.branch("open")
    world.unwalled(True)
    try:
        with pytest.raises(UnsafeError, match="does not enforce network policies"):
            world.start(branch, directory)
        assert world.of(branch, "Pod") == []
    finally:
        world.unwalled(False)
        world.runtime.remove("open", directory)


def test_what_gets_into_the_namespace_takes_no_more(world: World) -> None:
    branch, directory = world.branch("full")
    world.start(branch, directory)
    (pod,) = [one for one in plan.load(directory).of("Pod") if one["metadata"]["name"] == "branch"]
    try:
        more = {**pod, "metadata": {**pod["metadata"], "name": "more"}}
        with pytest.raises(Exception, match="a quota of the cluster is used up") as caught:
            world.cluster.create(more)
        assert caught.value.exit_code == ResourceError.exit_code  # type: ignore[attr-defined]
        worse = {**more, "spec": {**pod["spec"], "hostNetwork": True}}
        with pytest.raises(Exception, match="pod security refuses"):
            world.cluster.create(worse)
    finally:
        world.runtime.remove("full", directory)


def test_a_namespace_that_lost_its_walls_gets_them_back(world: World) -> None:
    branch, directory = world.branch("bare")
    world.start(branch, directory)
    try:
        (there,) = world.of(branch, "Namespace")
        name = there["metadata"]["name"]
        world.cluster.patch("Namespace", name, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": None}}})
        world.cluster.delete("NetworkPolicy", "deny", name)
        world.runtime.stop(branch, directory)
        world.runtime.start(branch, directory, LOGIN)
        (there,) = world.of(branch, "Namespace")
        assert there["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
        assert [one["metadata"]["name"] for one in world.of(branch, "NetworkPolicy")] == ["deny"]
    finally:
        world.runtime.remove("bare", directory)
