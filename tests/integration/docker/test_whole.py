"""A whole application is replayed: its database is the branch's, its models and tools are the incident's cassette."""

from __future__ import annotations

import datetime as dt
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.support import docker
from tests.support.model import scripted
from tests.support.postgres import Production
from tests.support.stack import Place
from tests.support.whole import THREAD, serve, world

PAST = """
import http.client, sys
for port in (3129, 3128):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        c.request("GET", f"http://{sys.argv[1]}/orders")
        print(c.getresponse().status)
    except OSError:
        print("refused")
"""

pytestmark = [pytest.mark.real, pytest.mark.root, pytest.mark.docker]


@pytest.fixture(scope="module")
def here(server: Production) -> Iterator[Place]:
    """A place with an image, and the incident; production's own application is gone by then."""
    with world(server) as made:
        yield made


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


def _differs(here: Place, *options: str) -> dict[str, Any]:
    done = here.call("replay", "90", "--json", *options, check=False)
    assert done.returncode == 5, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert not report["reproduced"]
    return {one["layer"]: f"{one['verdict']} {one['why']}" for one in report["layers"]}


def test_a_change_on_the_way_is_what_the_verdict_names(here: Place) -> None:
    prompt, report = here.directory / "prompt.txt", here.directory / "report.xml"
    prompt.write_text("You help customers. Cite nothing.\n")
    for change, where in (
        ("model=chat-2", "model (recorded 'chat-1', asked 'chat-2')"),
        ("temperature=0", "temperature (recorded 0.2, asked 0)"),
        (f"prompt={prompt}", "messages[0].content (recorded 'You help customers. Cite tickets.', asked 'You help"),
    ):
        found = _differs(here, "--set", change, "--junit", str(report))
        assert found["context"].startswith(f"diverged llm-2: {where}"), found
        assert found["state"] == found["retrieval"] == "match ", found
        assert found["answer"].startswith("diverged asked: ")
    assert '<failure message="diverged at llm-2: messages[0].content' in report.read_text()


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


def test_a_live_model_is_told_of_the_incidents_pseudonyms_and_of_nobody_else(here: Place) -> None:
    cassette = here.file.read_text()
    with scripted("Jane Doe", "127.0.0.2") as model:
        where = f"127.0.0.2:{model.port}"
        live = cassette.replace("model: cassette", "model: live").replace("https://tools.example", f"http://{where}")
        live = live.replace(
            "        environment:\n", f"        environment:\n          OPENAI_BASE_URL: http://{where}/v1\n"
        )
        here.file.write_text(live.replace("    services:\n", f"    allow: ['{where}']\n    services:\n"))
        try:
            here.call("branch", "prod", "--name", "live")
            report = json.loads(here.call("replay", "90", "--branch", "live", "--json", check=False).stdout)
            assert (report["played"]["live"], report["played"]["withheld"]) == (4, []), report["played"]
            # a client may keep one open for its next call
            assert report["played"]["egress"]["packets"] == 0 and 2 <= report["played"]["egress"]["connections"] <= 4
            masked = json.loads((here.directory / "masked.json").read_text())["exchanges"]
            asked = [one["body"] and one["body"]["messages"][1]["content"] for one in model.exchanges[1:]]
            assert asked[0] == masked[1]["body"]["messages"][1]["content"] and "Jane" not in asked[0]
            before = len(model.exchanges)
            past = here.call(
                "exec", "live", "api", docker.python(), "-c", PAST, where, check=False
            )  # nobody replays, and the gate knows a program that goes past the guard
            assert past.stdout.split() == ["refused", "403"] and len(model.exchanges) == before
            here.call("psql", "live", "-c", "UPDATE public.tickets SET body = 'of zed.nought@elsewhere.test'")
            report = json.loads(here.call("replay", "90", "--branch", "live", "--json", check=False).stdout)
            (line,) = report["played"]["withheld"]
            what = "an e-mail address that is no pseudonym of the incident, at messages[1].content"
            assert line == f"openai chat/completions: {what}"
            assert "elsewhere" not in str(model.exchanges) and report["played"]["live"] == 1
            assert f"a call that the guard withheld: {line}" in str(report["layers"])
        finally:
            here.file.write_text(cassette)
            here.call("rm", "--force", "live", check=False)


def test_the_clock_is_the_incidents_where_its_library_is_there(here: Place) -> None:
    cassette = here.file.read_text()
    here.file.write_text(cassette.replace("model: cassette", "model: cassette\n        clock: incident"))
    bundle = here.directory / "incidents" / "90.yaml"
    document = yaml.safe_load(bundle.read_text())
    clocked = {**document, "incident": "93", "at": "2021-03-04T05:06:07Z", "clock": {"zone": "Asia/Tokyo"}}
    (here.directory / "incidents" / "93.yaml").write_text(yaml.safe_dump(clocked))
    try:
        here.call("incident", "mask", "93", "--allow-chosen", "--allow-computed")
        name = here.json("ls")[0]["name"]
        report = json.loads(
            here.call(
                "replay", "93", "--branch", name, "--set", "env.SHOW_CLOCK=1", "--json", check=False
            ).stdout
        )  # fmt: skip
        assert report["notes"] == [
            "the clock of api began at 2021-03-04 05:06:07 UTC; that of the stores is this machine's"
        ], report["notes"]
        (asked,) = [step for step in report["steps"] if step["step"] == "asked"]
        told = re.search(r"\$\.clock\b.{0,80}?\b(\d{9,10})\b", json.dumps(asked["differences"]))
        waited = re.search(r"\$\.waited\b.{0,80}?\b(\d+)\.\d", json.dumps(asked["differences"]))
        began = dt.datetime(2021, 3, 4, 5, 6, 7, tzinfo=dt.UTC).timestamp()
        assert told is not None and waited is not None, asked["differences"]
        assert began <= int(told[1]) < began + 900 and int(waited[1]) < 300
    finally:
        here.file.write_text(cassette)
        (here.directory / "incidents" / "93.yaml").unlink()


def test_a_changed_row_is_found_from_the_data_up_to_the_answer(here: Place) -> None:
    first = json.loads((here.directory / "masked.json").read_text())["steps"][0]["expect"]["ids"][0]
    update = f"UPDATE public.tickets SET body = 'Nobody gets a refund.' WHERE id = {first}"
    name = here.json("ls")[0]["name"]
    here.call("psql", name, "-c", update)
    found = _differs(here)
    assert found["state"].startswith("diverged main.public.tickets: 1 row updated"), found
    assert found["retrieval"] == "match " and "Nobody gets a refund." in found["context"]
    differing = {row["what"]: (row["left"], row["right"]) for row in here.json("diff", "90..now", "--content")["rows"]}
    rows = differing.pop("rows public.tickets")
    assert all(text and text.startswith("500, content ") for text in rows) and rows[0] != rows[1]
    assert not any(what.startswith(("rows", "column", "definition", "constraint")) for what in differing), differing
    assert len(here.json("ls")) == 1  # the branch of the image is gone
    assert here.call("diff", "90..nothing", check=False).returncode == 2


def test_a_pinned_case_plays_its_cassette(here: Place) -> None:
    expected = ("--expect", "asked:contains=your refund is on its way")
    here.call("pin", "90", "--allow-chosen", "--allow-computed", *expected)
    (found,) = here.json("regress", "90")["cases"]
    assert (found["status"], found["reasons"]) == ("fixed", []), found
    for file in (here.directory / "cases" / "90").iterdir():
        assert "jane" not in file.read_text().lower()
    here.call("unpin", "90")


@pytest.fixture(scope="module")
def graph(here: Place) -> Iterator[str]:
    """The branch of the complaint that the service on LangGraph recorded."""
    assistant = here.file.read_text()
    serve(here, "graph.py")
    made = here.json("incident", "import", "recordings", "--id", "91", "--request", "complaint-91", "--service", "api")
    assert made["exchanges"] == 4, made
    here.call("branch", "prod", "--incident", "91", "--name", "graph")
    try:
        yield "graph"
    finally:
        here.call("rm", "--force", "graph", check=False)
        here.file.write_text(assistant)


def test_a_service_on_langgraph_is_replayed_whole_from_what_it_recorded(here: Place, graph: str) -> None:
    done = here.call("replay", "91", "--branch", graph, "--json", check=False)
    report = json.loads(done.stdout)
    assert report["reproduced"], json.dumps(report, indent=1)
    assert (report["played"]["recorded"], report["played"]["matched"], report["played"]["asked"]) == (4, 4, 4)
    assert report["played"]["egress"]["packets"] == 0
    assert {name for name, verdict in _layers(report).items() if verdict == "match"} == {
        "state", "retrieval", "rows", "context", "tools", "answer",
    }  # fmt: skip
    (masked,) = [one.read_text() for one in (here.pool / "incidents").iterdir() if one.name.startswith("91")]
    assert not [one for one in ("Jane", "Doe", "jane.doe", THREAD) if one in masked]


def test_a_turn_that_a_service_wrote_down_is_in_the_branch_and_in_the_verdict(here: Place, graph: str) -> None:
    (one,) = here.json("incident", "threads", "--branch", graph)
    assert one["thread"] != THREAD and uuid.UUID(one["thread"]).version == 4
    turns = here.json("incident", "import", "--thread", one["thread"], "--branch", graph, "--id", "94")
    assert turns["dialect"] == "langgraph checkpoints" and turns["calls"] > 8
    report = json.loads(here.call("replay", "91", "--branch", graph, "--json", check=False).stdout)
    layers = {layer["layer"]: f"{layer['verdict']} {layer['why']}" for layer in report["layers"]}
    assert layers["state"].startswith("diverged main.public.checkpoint_blobs: ") and "inserted" in layers["state"]
    assert layers["retrieval"] == "match " and layers["context"].startswith("diverged exchange-"), layers
    assert "messages[8].content (recorded nothing, asked 'Dear " in layers["context"]
