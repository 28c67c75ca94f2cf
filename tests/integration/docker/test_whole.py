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

from envclone import process, wait
from envclone.incidents.traces.recording import listed
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
def _application(server: Production, model: int, directory: Path) -> Iterator[str]:
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
    name = here.json("ls")[0]["name"]
    after = here.call(
        "exec", name, "api", docker.python(), "-c", "import socket; socket.create_connection(('127.0.0.1', 3129), 2)",
        check=False,
    )  # fmt: skip
    assert "refused" in after.stderr  # it plays for the time of a replay
    kept = here.pool / "branches" / name
    assert not (kept / "cassette.json").exists()
    assert (kept / "cassette-ca.json").stat().st_mode & 0o777 == (kept / "cassette.log").stat().st_mode & 0o777 == 0o600
    masked = (here.directory / "masked.json").read_text()
    assert "Jane" not in masked and "Doe" not in masked and "jane.doe" not in masked


def test_what_the_application_recorded_of_itself_is_replayed_whole(here: Place) -> None:
    made = here.json(
        "incident", "import", "recordings", "--id", "91", "--request", "complaint-91", "--service", "api"
    )  # fmt: skip
    assert made["steps"] == ["request", "sql-3", "sql-4"] and made["exchanges"] == 4
    done = here.call("replay", "91", "--branch", here.json("ls")[0]["name"], "--json", check=False)
    report = json.loads(done.stdout)
    assert report["reproduced"], json.dumps(report, indent=1)
    assert (report["played"]["recorded"], report["played"]["matched"], report["played"]["asked"]) == (4, 4, 4)
    assert report["played"]["egress"]["packets"] == 0
    assert {name for name, verdict in _layers(report).items() if verdict == "match"} == {
        "state", "retrieval", "rows", "context", "tools", "answer",
    }  # fmt: skip
    (masked,) = [one.read_text() for one in (here.pool / "incidents").iterdir() if one.name.startswith("91")]
    assert "Jane" not in masked and "Doe" not in masked and "jane.doe" not in masked


def _differs(here: Place, *options: str) -> dict[str, Any]:
    done = here.call("replay", "90", "--json", *options, check=False)
    assert done.returncode == 5, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert not report["reproduced"]
    return {one["layer"]: f"{one['verdict']} {one['why']}" for one in report["layers"]}


def test_a_change_on_the_way_is_what_the_verdict_names(here: Place) -> None:
    prompt = here.directory / "prompt.txt"
    prompt.write_text("You help customers. Cite nothing.\n")
    for change, where in (
        ("model=chat-2", "model (recorded 'chat-1', asked 'chat-2')"),
        ("temperature=0", "temperature (recorded 0.2, asked 0)"),
        (f"prompt={prompt}", "messages[0].content (recorded 'You help customers. Cite tickets.', asked 'You help"),
    ):
        found = _differs(here, "--set", change)
        assert found["context"].startswith(f"diverged llm-2: {where}"), found
        assert found["state"] == found["retrieval"] == "match ", found
        assert found["answer"].startswith("diverged asked: ")
    report = here.directory / "report.xml"
    said = here.call("replay", "90", "--set", "model=chat-2", "--junit", str(report), check=False)
    assert "changed on the way: model = chat-2" in said.stdout
    assert "context    diverged at llm-2: model (recorded 'chat-1', asked 'chat-2')" in said.stdout
    assert '<failure message="diverged at llm-2: model' in report.read_text()


def test_a_setting_and_a_variable_of_the_service_are_named_and_gone_afterwards(here: Place) -> None:
    found = _differs(here, "--set", "ef_search=1", "--set", "env.PROMPT=Be rude.")
    assert found["retrieval"].startswith("diverged nearest: ")
    assert found["context"].startswith("diverged llm-2: messages[0].content (recorded 'You help customers.")
    assert "messages[1].content" in found["context"]  # the service's own search found less, too
    again = here.json("replay", "90", "--repeat", "2")
    assert again["reproduced"] and (again["runs"], again["reproduced_runs"]) == (2, 2)
    part = here.json("replay", "90", "--from", "asked")
    assert [step["step"] for step in part["steps"]] == ["asked"] and part["reproduced"]


def test_what_the_service_asks_past_the_proxy_is_seen_and_goes_nowhere(here: Place) -> None:
    done = here.call(
        "replay", "90", "--json", "--set", "env.TOOL_URL=http://192.0.2.7/orders", "--set", "env.no_proxy=*",
        "--set", "env.NO_PROXY=*", check=False,
    )  # fmt: skip
    played = json.loads(done.stdout)["played"]
    assert played["unplayed"] == ["tool-3", "llm-4"] and played["unmatched"] == []
    assert played["egress"]["packets"] == 0 and played["egress"]["unrouted"] >= 1


def test_a_changed_row_is_found_from_the_data_up_to_the_answer(here: Place) -> None:
    first = json.loads((here.directory / "masked.json").read_text())["steps"][0]["expect"]["ids"][0]
    update = f"UPDATE public.tickets SET body = 'Nobody gets a refund.' WHERE id = {first}"
    name = here.json("ls")[0]["name"]
    here.call("psql", name, "-c", update)
    found = _differs(here)
    assert found["state"].startswith("diverged main.public.tickets: 1 rows written"), found
    assert found["retrieval"] == "match " and "Nobody gets a refund." in found["context"]
    differing = {row["what"]: (row["left"], row["right"]) for row in here.json("diff", "90..now", "--content")["rows"]}
    rows = differing.pop("rows public.tickets")
    assert all(text and text.startswith("500, content ") for text in rows) and rows[0] != rows[1]
    assert not any(what.startswith(("rows", "column", "definition", "constraint")) for what in differing), differing
    assert len(here.json("ls")) == 1  # the branch of the image is gone
    assert here.call("diff", "90..nothing", check=False).returncode == 2
