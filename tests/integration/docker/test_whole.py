"""A whole application is replayed: its database is the branch's, its models and tools are the incident's cassette."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from envclone import process
from envclone.stores.postgres.server.server import free_port
from tests.support import docker
from tests.support.model import scripted
from tests.support.postgres import Production
from tests.support.stack import Place, place

pytestmark = [pytest.mark.real, pytest.mark.root, pytest.mark.docker]

STACK = """\
version: 1
project: whole
pool: {{path: "{{pool}}"}}
environments:
  prod:
    stores:
      main: {{kind: postgres, source: {{method: physical, dsn: "${{DSN}}", database: app}}}}
    services:
      api:
        image: {image}
        command: [{python}, {app}/assistant.py]
        model: cassette
        environment:
          DATABASE_URL: "${{stores.main.url}}"
          TOOL_URL: https://tools.example/orders
          PYTHONPATH: "{pythonpath}"
        ports: [8000]
        healthcheck: {{path: /healthz}}
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
incidents: incidents/
"""
QUESTION = {"question": "Where is my refund? I am Jane Doe.", "email": "jane.doe@example.org"}
NEAREST = "SELECT id, embedding <-> %s::vector AS distance FROM tickets ORDER BY 2 LIMIT 3"


@pytest.fixture(scope="module")
def here(server: Production) -> Iterator[Place]:
    """A place with an image, and the incident as production's own application met it; both are gone by then."""
    with place() as made:
        made.env["DSN"] = server.dsn_for("app")
        made.write(
            STACK.format(
                image=docker.app_image(), python=docker.python(), app=docker.inside(docker.APP),
                pythonpath=docker.environment()["PYTHONPATH"],
            )
        )  # fmt: skip
        (made.directory / "incidents").mkdir()
        with scripted("Jane Doe") as model, _application(server, model.port, made.directory) as url:
            answer = _ask(url)
            exchanges = model.exchanges
        vector = exchanges[0]["answer"]["data"][0]["embedding"]
        assert answer["answer"] == "Dear Jane Doe, your refund is on its way: ticket 17." and answer["orders"] == 1
        settings = {"enable_seqscan": "off"}
        bundle = {
            "version": 2,
            "incident": "90",
            "environment": "prod",
            "steps": [
                {"id": "nearest", "kind": "sql", "store": "main", "sql": NEAREST, "parameters": [vector],
                 "settings": settings, "score": "distance", "key": "id", "expect": {"ids": answer["tickets"]}},
                {"id": "asked", "kind": "http", "service": "api", "method": "POST", "path": "/ask", "body": QUESTION,
                 "domains": {"$.email": "email"}, "expect": {"columns": ["status", "body"], "rows": [[200, answer]]}},
            ],
            "exchanges": exchanges,
        }  # fmt: skip
        (made.directory / "incidents" / "90.yaml").write_text(yaml.safe_dump(bundle))
        made.call("image", "prod")
        made.call(
            "incident", "mask", "90", "--allow-chosen", "--allow-computed", "-o", str(made.directory / "masked.json")
        )
        made.call("branch", "prod", "--incident", "90")
        yield made


@contextlib.contextmanager
def _application(server: Production, model: int, directory: Path) -> Iterator[str]:
    """Production's own application, on this host."""
    port = free_port()
    env = {
        "DATABASE_URL": server.dsn_for("app"),
        "PORT": str(port),
        "OPENAI_BASE_URL": f"http://127.0.0.1:{model}/v1",
        "TOOL_URL": f"http://127.0.0.1:{model}/orders",
    }
    pid = process.spawn([sys.executable, docker.APP / "assistant.py"], log=directory / "api.log", env=env)
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


def _ask(url: str) -> Any:
    with urllib.request.urlopen(f"{url}/ask", json.dumps(QUESTION).encode(), timeout=30) as answer:
        return json.load(answer)


def _layers(report: dict[str, Any]) -> dict[str, str]:
    return {one["layer"]: one["verdict"] for one in report["layers"]}


def test_every_call_is_made_again_and_nothing_leaves(here: Place) -> None:
    report = here.json("replay", "90")
    played = report["played"]
    assert report["reproduced"], json.dumps(report, indent=1)
    assert (played["recorded"], played["asked"], played["matched"]) == (4, 4, 4)
    assert played["unmatched"] == [] and played["unplayed"] == []
    assert played["egress"] == {
        "interfaces": [], "packets": 0, "connections": 0, "sent": 0, "refused": 0, "unrouted": 0,
    }  # fmt: skip
    layers = _layers(report)
    assert {name for name, verdict in layers.items() if verdict == "match"} == {
        "state", "retrieval", "context", "tools", "answer",
    }  # fmt: skip
    masked = (here.directory / "masked.json").read_text()
    assert "Jane" not in masked and "Doe" not in masked and "jane.doe" not in masked
