"""A production with an application, its incident as it was recorded there, and a preview stack of it on real Docker."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from envclone import process
from tests.support import docker
from tests.support.ports import unused_port
from tests.support.postgres import Production
from tests.support.stack import Place, place
from tests.support.whole import shop

STACK = """\
version: 1
project: preview
pool: {{path: "{{pool}}"}}
environments:
  prod:
    stores:
      main: {{kind: postgres, source: {{method: physical, dsn: "${{DSN}}", database: app}}, profile: prod-main}}
      kb: {{kind: qdrant, source: {{method: directory, path: {kb}}}, collections: [articles]}}
    services:
      api:
        image: {image}
        command: [{python}, {app}/server.py]
        environment:
          DATABASE_URL: "${{stores.main.url}}"
          KB_PATH: "${{stores.kb.path}}"
          PYTHONPATH: "{pythonpath}"
          PORT: "8000"
          INFERENCE_MB: "150"
          NOTE: "costs $5 in ${{HOME:-here}}"
        ports: [8000]
        profile: prod-api
        healthcheck: {{path: /healthz}}
        url: "${{PROD_API}}"
    {allow}
sanitize:
  rules:
    main:
      public.customers.id: keep
      public.customers.name: person
      public.customers.email: email
      public.tickets.id: keep
      public.tickets.customer_id: keep
      public.tickets.body: text
      public.tickets.embedding: {{vectors: keep}}
    kb:
      articles.author: person
      articles.title: text
      articles.vectors: keep
      articles.point_ids: keep
incidents: incidents/
{more}
"""
BUNDLE = """\
version: 1
incident: "77"
environment: prod
steps:
  - id: asked
    kind: http
    service: api
    path: /tickets?email=jane.doe@example.org
    domains: {email: email, $.customer.email: email, $.customer.name: person}
    ignore: [$.served_by]
  - id: articles
    kind: http
    service: api
    path: /articles
    domains: {"$.articles[*].payload.author": person}
"""
PROFILES = {
    "prod-main": "{cpus: 1.5, memory: 1GiB, pids: 200, settings: {shared_buffers: 32MB, work_mem: 7MB}}",
    "prod-api": "{cpus: 1.0, memory: 256MiB, pids: 100, ulimits: {nofile: 2048}}",
}


@dataclass(frozen=True)
class World:
    """Production's parts, and the place that branches are made in."""

    server: Production
    here: Place

    def write(self, *, allow: str = "", more: str = "") -> None:
        """Write the stack file."""
        self.here.write(
            STACK.format(
                kb=self.here.directory / "kb",
                image=docker.app_image(),
                python=docker.python(),
                app=docker.inside(docker.APP),
                pythonpath=docker.environment()["PYTHONPATH"],
                allow=f"allow: {allow}" if allow else "",
                more=more,
            )
        )


@pytest.fixture(scope="module")
def server() -> Iterator[Production]:
    with shop() as made:
        yield made


@pytest.fixture(scope="module")
def world(server: Production) -> Iterator[World]:
    """With an image made and the incident recorded; production's own application is gone by then."""
    with place() as here:
        here.env["DSN"] = server.dsn_for("app")
        _vectors(here.directory / "kb")
        made = World(server, here)
        made.write()
        for folder in ("incidents", "profiles"):
            (here.directory / folder).mkdir()
        for name, text in PROFILES.items():
            (here.directory / "profiles" / f"{name}.yaml").write_text(text + "\n")
        bundle = here.directory / "incidents" / "77.yaml"
        bundle.write_text(BUNDLE)
        with _application(server, here.directory / "kb") as url:
            here.call("incident", "record", str(bundle), env={"PROD_API": url})
        here.call("image", "prod")
        yield made
        for branch in here.json("ls"):
            here.call("rm", "--force", branch["name"])


@contextlib.contextmanager
def _application(server: Production, kb: Path) -> Iterator[str]:
    """Production's own application, on this host."""
    port = unused_port()
    env = {
        "DATABASE_URL": server.dsn_for("app"),
        "KB_PATH": str(kb),
        "PORT": str(port),
    }
    pid = process.spawn([sys.executable, docker.APP / "server.py"], log=kb.parent / "api.log", env=env)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate(pid)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _vectors(root: Path) -> None:
    import qdrant_edge as q

    shard = root / "collections" / "articles" / "0"
    shard.mkdir(parents=True)
    config = q.EdgeConfig(vectors={"": q.EdgeVectorParams(size=4, distance=q.Distance.Cosine)})
    edge = q.EdgeShard.create(str(shard), config)
    names = ("Jane Doe", "Ahmed Yilmaz")
    points = [
        q.Point(i, [((i * 37 + j * 11) % 100) / 100 for j in range(4)], {"title": f"About {i}", "author": names[i % 2]})
        for i in range(1, 200)
    ]
    edge.update(q.UpdateOperation.upsert_points(points))
    edge.close()


@pytest.fixture
def listener() -> Iterator[int]:
    """A service of this host on every one of its addresses, as a tunnel to production could be."""
    import threading

    with socket.socket() as sock:
        sock.bind(("0.0.0.0", 0))
        sock.listen()
        stopped = threading.Event()

        def serve() -> None:
            sock.settimeout(0.1)
            while not stopped.is_set():
                with contextlib.suppress(OSError):
                    connection, _ = sock.accept()
                    connection.sendall(b"production")
                    connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield sock.getsockname()[1]
        stopped.set()
        thread.join()
