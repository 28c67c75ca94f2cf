"""A production in the stand-in, a pool outside of it, and a Job that pretends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from envclone.api import Stack, open_stack
from tests.support.cluster import objects
from tests.support.cluster.controllers import Controllers, controlling
from tests.support.cluster.jobs import Jobs
from tests.support.cluster.server import Api, running
from tests.support.postgres import scratch

STACK = """\
version: 1
project: acme
pool: {{path: "{pool}", driver: copy}}
environments:
  prod:
    runtime: kubernetes
    kubernetes:
      image: "registry.example/envclone@sha256:{digest}"
      timeout: 5s
      job: {{ready: 5s, timeout: 30s, attempts: 2}}
    stores:
{stores}
sanitize: {{rules: {{main: {{"public.*": keep}}}}}}
"""
MAIN = """\
      main: {kind: postgres, source: {method: volume, volume: {namespace: shop, FOUND}}}
"""
DATA = "/var/lib/postgresql/data"


@dataclass
class World:
    """The stand-in with a production in it, and where a pool is."""

    api: Api
    controllers: Controllers
    jobs: Jobs
    place: Path

    def stack(self, found: str = "pod: db-0", *, more: str = "") -> Stack:
        """A stack file whose store is found so, and its pool."""
        file = self.place / "envclone.yaml"
        stores = MAIN.replace("FOUND", found) + more
        file.write_text(STACK.format(pool=self.place / "pool", digest="0" * 64, stores=stores))
        return open_stack(file)

    def claim(self, name: str, labels: dict[str, str] | None = None, **spec: object) -> None:
        """A volume of production."""
        place = self.place / "storage" / f"of-{name}"
        place.mkdir()
        (place / "file").write_text("x")
        objects.volume(self.api, self.controllers, "shop", name, place, labels, **spec)

    def pod(self, **mounts: tuple[str, str]) -> None:
        """Production's pod."""
        objects.pod(self.api, "shop", "db-0", dict(mounts))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with scratch() as place, running() as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(place / "kubeconfig")))
        (place / "storage").mkdir()
        jobs = Jobs()
        with controlling(api, place / "storage", jobs) as controllers:
            api.connect, api.tail, api.over = jobs.connect, jobs.tail, jobs.is_over
            for name in ("envclone-images", "envclone-quarantine"):
                objects.namespace(api, name, objects.RESTRICTED)
            objects.namespace(api, "shop")
            objects.classes(api)
            yield World(api, controllers, jobs, place)
        assert controllers.failures == []
