"""A RAG service, its production, and the incident as production's own application met it and recorded itself."""

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

import yaml

from envclone import process, wait
from envclone.incidents.traces.recording import listed
from envclone.stores.postgres.server.server import free_port
from tests.support import docker
from tests.support.model import scripted
from tests.support.postgres import Production, production
from tests.support.stack import Place, place

__all__ = ["application", "shop", "world"]

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


@contextlib.contextmanager
def shop() -> Iterator[Production]:
    """Production's server, with customers and the tickets that are searched."""
    with production(18) as made:
        made.create_database("app")
        made.execute(
            "CREATE EXTENSION vector;"
            "CREATE TABLE customers (id int PRIMARY KEY, name text, email text UNIQUE);"
            "CREATE TABLE tickets (id int PRIMARY KEY, customer_id int REFERENCES customers, body text,"
            " embedding vector(8));"
            "INSERT INTO customers VALUES (1, 'Jane Doe', 'jane.doe@example.org'),"
            " (2, 'Ahmed Yilmaz', 'ahmed.yilmaz@example.org');"
            "INSERT INTO tickets SELECT i, 1 + i % 2, 'Ticket ' || i || ' of Jane Doe, write to jane.doe@example.org',"
            " (SELECT array_agg(sin(i * 7 + j))::vector FROM generate_series(1, 8) j) FROM generate_series(1, 500) i;"
            "CREATE INDEX ON tickets USING hnsw (embedding vector_l2_ops);"
            "CREATE ROLE keeper; ALTER TABLE tickets OWNER TO keeper",
            "app",
        )
        yield made


@contextlib.contextmanager
def world(server: Production) -> Iterator[Place]:
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
        with scripted("Jane Doe") as model, application(server, model.port, made.directory) as url:
            answer = _ask(url)
            exchanges = model.exchanges
            _written(made.directory / "recordings")
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
def application(server: Production, model: int, directory: Path) -> Iterator[str]:
    """Production's own application, on this host."""
    port = free_port()
    env = {
        "DATABASE_URL": server.dsn_for("app"),
        "PORT": str(port),
        "OPENAI_BASE_URL": f"http://127.0.0.1:{model}/v1",
        "TOOL_URL": "http://tools.example/orders",
        "HTTP_PROXY": f"http://127.0.0.1:{model}",
        "NO_PROXY": "127.0.0.1",
        "RECORD": str(directory / "recordings"),
        "PYTHONPATH": str(docker.ROOT),
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
    headers = {"Content-Type": "application/json", "X-Request-Id": "complaint-91"}
    request = urllib.request.Request(f"{url}/ask", json.dumps(QUESTION).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def _written(recordings: Path) -> None:
    """Wait until the application has written down the end of its request: it comes behind the answer."""
    wait.until(
        lambda: any(one.ended for one in listed(recordings) if one.name == "POST /ask") or None,
        what="the request",
        timeout=30,
    )
