"""Two RAG services, their production, and the incidents as production's own applications met and recorded them.

`assistant.py` is written by hand and keeps nothing. `graph.py` is built on LangGraph, with OpenAI's client, and keeps
its conversations in Postgres: one begins before the image is made, and the complaint is about its second turn.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from envclone import process, wait
from envclone.incidents.traces.recording import listed
from tests.support import docker
from tests.support.model import scripted
from tests.support.ports import unused_port
from tests.support.postgres import Production, production
from tests.support.stack import Place, place

__all__ = ["THREAD", "application", "serve", "shop", "world"]

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
        command: [{python}, {app}/{program}]
        model: cassette
        environment:
          DATABASE_URL: "${{stores.main.url}}"
          OPENAI_API_KEY: unused
          TOOL_URL: https://tools.example/orders
          PYTHONPATH: "{pythonpath}"
        ports: [8000]
        healthcheck: {{path: /healthz}}
sanitize:
  presets: [langgraph]
  rules:
    main:
      public.checkpoint_migrations.v: keep
      public.checkpoints.thread_id: uuid     # so a request that names its conversation finds it in a branch, too
      public.checkpoint_blobs.thread_id: uuid
      public.checkpoint_writes.thread_id: uuid
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
THREAD = "3f0d7ed5-7680-4f3a-9a5c-0a1b2c3d4e5f"
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
    """A place with an image, and the incidents as production's own applications met them; these are gone by then."""
    with place() as made:
        made.env["DSN"] = server.dsn_for("app")
        serve(made, "assistant.py")
        (made.directory / "incidents").mkdir()
        with (
            scripted("Jane Doe") as model, scripted("Jane Doe") as other,
            application(server, model.port, made.directory, "assistant.py") as url,
            application(server, other.port, made.directory, "graph.py") as graph,
        ):  # fmt: skip
            answer = _ask(url, "complaint-90", QUESTION)
            exchanges = model.exchanges
            _ask(graph, "before-91", {**QUESTION, "question": "How do I return it? I am Jane Doe.", "thread": THREAD})
            made.call("image", "prod")
            said = _ask(graph, "complaint-91", {**QUESTION, "thread": THREAD})
            _written(made.directory / "recordings", 3)
        vector = exchanges[0]["answer"]["data"][0]["embedding"]
        assert answer["answer"] == said["answer"] == "Dear Jane Doe, your refund is on its way: ticket 17."
        assert answer["orders"] == 1 and said["messages"] == 8
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
        made.call(
            "incident", "mask", "90", "--allow-chosen", "--allow-computed", "-o", str(made.directory / "masked.json")
        )
        made.call("branch", "prod", "--incident", "90")
        yield made


def serve(here: Place, program: str) -> None:
    """Write the stack file; its service is one of the two."""
    image, pythonpath = docker.app_image(), docker.environment()["PYTHONPATH"]
    app = docker.inside(docker.APP)
    here.write(STACK.format(image=image, python=docker.python(), app=app, program=program, pythonpath=pythonpath))


@contextlib.contextmanager
def application(server: Production, model: int, directory: Path, program: str) -> Iterator[str]:
    """Production's own application, on this host."""
    port = unused_port()
    env = {
        "DATABASE_URL": server.dsn_for("app"),
        "PORT": str(port),
        "OPENAI_BASE_URL": f"http://127.0.0.1:{model}/v1",
        "OPENAI_API_KEY": "unused",
        "TOOL_URL": "http://tools.example/orders",
        "HTTP_PROXY": f"http://127.0.0.1:{model}",
        "NO_PROXY": "127.0.0.1",
        "RECORD": str(directory / "recordings"),
        "SETUP": "1",
        "PYTHONPATH": str(docker.ROOT),
    }
    pid = process.spawn([sys.executable, docker.APP / program], log=directory / f"{program}.log", env=env)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate(pid)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _ask(url: str, ident: str, question: Mapping[str, str]) -> Any:
    headers = {"Content-Type": "application/json", "X-Request-Id": ident}

    def healthy() -> bool | None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/healthz", timeout=5):
            return True
        return None

    wait.until(healthy, what="the application", timeout=120)
    request = urllib.request.Request(f"{url}/ask", json.dumps(question).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def _written(recordings: Path, count: int) -> None:
    """Wait until the applications have written down the ends of their requests: they come behind the answers."""
    wait.until(
        lambda: sum(one.ended for one in listed(recordings) if one.name == "POST /ask") == count or None,
        what="the requests",
        timeout=30,
    )
