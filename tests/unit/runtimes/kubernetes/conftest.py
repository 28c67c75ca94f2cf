"""A stand-in for a cluster, and a branch's record for it."""

from __future__ import annotations

import datetime as dt
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from envclone import attestation, keys
from envclone.config.services import ServiceConfig
from envclone.models import Branch, BranchState, Credentials, Preview, Secret, StoreSnapshot
from envclone.runtimes.kubernetes import images
from envclone.runtimes.kubernetes.client import Cluster, connect
from envclone.runtimes.kubernetes.objects import Volume
from envclone.runtimes.kubernetes.runtime import KubernetesRuntime
from tests.support.cluster.controllers import Controllers, Pretended, controlling
from tests.support.cluster.server import Api, running

DIGEST = "@sha256:" + "0" * 64
SETTINGS: dict[str, Any] = {
    "image": f"registry.example/envclone{DIGEST}", "storage_class": "fast", "timeout": "5s", "cpus": 0.5,
    "memory": 256 << 20,
}  # fmt: skip
STORE = StoreSnapshot(
    "main",
    "postgres",
    "physical",
    "18.4",
    dt.datetime(2026, 11, 1, tzinfo=dt.UTC),
    0,
    0,
    0,
    details={"database": "app", "superuser": "postgres"},
)
LOGIN = Credentials("envclone", Secret("Sehr-geheim-7"))
SERVICES = {
    "api": ServiceConfig(image=f"acme/api{DIGEST}", ports=[8000], user="1000:1000", environment={"KEY": "v"}),
    "worker": ServiceConfig(image=f"acme/worker{DIGEST}", depends_on=["api"], user="1000"),
}


@dataclass
class World:
    """The stand-in, a pool with an image on it, and a branch that may be made of it."""

    api: Api
    controllers: Controllers
    pretended: Pretended
    pool: Path
    branch: Branch
    runtime: KubernetesRuntime

    @property
    def directory(self) -> Path:
        """The branch's own."""
        return self.pool / "branches" / self.branch.name

    def preview(self, **services: ServiceConfig) -> Preview:
        """Of these services."""
        return Preview(
            stores=("main",),
            services=services,
            environment={name: {"KEY": Secret("v")} for name in services},
            allow=self.branch.allow,
        )

    def make(self, *, services: bool = False, **changed: Any) -> None:
        """Prepare and start the branch."""
        self.branch = replace(self.branch, **changed)
        if services:
            self.branch = replace(self.branch, services=tuple(SERVICES))
        self.directory.mkdir(parents=True, exist_ok=True)
        preview = self.preview(**(SERVICES if services else {}))
        named = self.runtime.prepare(self.branch, self.directory, LOGIN, preview, lambda _: None)
        self.branch = replace(self.branch, images=named)
        found = self.runtime.start(self.branch, self.directory, LOGIN)
        self.branch = replace(self.branch, endpoints=found)

    def cluster(self, deadline: float = 5.0) -> Cluster:
        """As a client sees it."""
        return connect(None, deadline=deadline)


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with running() as made:
        monkeypatch.setenv("KUBECONFIG", str(made.kubeconfig(tmp_path / "kubeconfig")))
        yield made


@pytest.fixture
def cluster(api: Api) -> Iterator[Cluster]:
    with connect(None, deadline=5.0) as made:
        yield made


@pytest.fixture
def world(api: Api, tmp_path: Path) -> Iterator[World]:
    pool = tmp_path / "pool"
    image, folder = pool / "images" / "img-1", pool / "keys"
    (image / "main" / "data").mkdir(parents=True)
    (image / "main" / "data" / "PG_VERSION").write_text("18\n")
    folder.mkdir(mode=0o700)
    attestation.seal(image, {"image": "img-1"}, folder)
    (tmp_path / "storage").mkdir()
    pretended = Pretended()
    with controlling(api, tmp_path / "storage", pretended) as controllers:
        api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "envclone-images"}})
        volume = Volume("data", "stand-in", controllers.snapshot_of(image), 1 << 30, {"main": "main"})
        record = images.described("img-1", "envclone-images", image, folder, [volume], "acme")
        api.put(record)
        now = dt.datetime.now(dt.UTC)
        branch = Branch(
            f"b{secrets.token_hex(2)}",
            "prod",
            "img-1",
            BranchState.CREATING,
            now,
            now + dt.timedelta(hours=8),
            {"main": STORE},
            runtime="kubernetes",
            settings=SETTINGS,
            attested=attestation.digest(image),
            project="acme",
        )
        made = World(api, controllers, pretended, pool, branch, KubernetesRuntime())
        yield made
        if made.directory.is_dir():
            made.runtime.remove(made.branch.name, made.directory)
    assert controllers.failures == []


def signed(folder: Path, text: str) -> str:
    """A signature of the pool's key."""
    return keys.sign(folder, text.encode()).hex()


def altered(record: dict[str, Any], key: str, **values: Any) -> dict[str, Any]:
    """A record with a JSON value in it changed."""
    data = dict(record["data"])
    data[key] = json.dumps({**json.loads(data[key]), **values})
    return {**record, "data": data}
