"""One thing is other than in production, and the verdict names that thing: kinds of change on recorded calls.

The same over a whole application in its sandbox, with state and services: `python -m tests.benchmarks.changes`.
"""

from __future__ import annotations

import copy
import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from envclone.cassette.changes import Changed, changed
from envclone.cassette.match import Tape, plain
from envclone.cassette.normal import normal
from envclone.incidents.bundle import Incident
from envclone.incidents.compare import verdict
from envclone.incidents.layers import judged
from envclone.incidents.verdicts import LAYERS, Played, ReplayReport
from envclone.models import Egress, StepResult

WHEN = dt.datetime(2026, 5, 1, 10, tzinfo=dt.UTC)
CHUNKS = {17: "Refunds take five days.", 4: "Parcels go out at noon.", 9: "Opening hours: nine to five."}
AS_ASKED = Changed()
NEAR = "SELECT id, body FROM t ORDER BY e <-> '[1]' LIMIT 2"
TOOL = {"type": "function", "function": {"name": "orders", "description": "Orders", "parameters": {}}}


@dataclass
class World:
    """What a RAG service is made of; each test changes one thing of it."""

    found: list[int]
    chunks: dict[int, str]
    embedder: str = "embed-1"
    model: str = "chat-1"
    temperature: float = 0.2
    prompt: str = "You help customers.\nCite tickets."
    tool: Any = None
    orders: int = 5
    k: int = 2
    cut: int = 100
    on_the_way: Changed = AS_ASKED
    written: tuple[str, ...] = ()


def _calls(world: World) -> list[tuple[str, str, Any]]:
    """The calls of one answer, in order: kind, address, body."""
    context = "\n".join(f"[{id}] {world.chunks[id][: world.cut]}" for id in world.found[: world.k])
    said = {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "function": {"name": "orders"}}]}
    body = {
        "model": world.model, "temperature": world.temperature, "tools": [world.tool or TOOL],
        "messages": [{"role": "system", "content": world.prompt}, {"role": "user", "content": f"When?\n{context}"}],
    }  # fmt: skip
    told = {"role": "tool", "tool_call_id": "c1", "content": json.dumps({"orders": world.orders})}
    return [
        ("embedding", "https://m/v1/embeddings", {"model": world.embedder, "input": "When?"}),
        ("llm", "https://m/v1/chat/completions", body),
        ("tool", "https://tools/orders", {"of": 7}),
        ("llm", "https://m/v1/chat/completions", {**body, "messages": [*body["messages"], said, told]}),  # type: ignore[misc]
    ]


def _steps(world: World) -> dict[str, StepResult]:
    rows = [(id, world.chunks[id]) for id in world.found[:2]]
    return {
        "near": StepResult(columns=("id", "body"), rows=tuple(rows)),
        "asked": StepResult(columns=("status", "body"), rows=((200, {"answer": "In five days."}),)),
    }


def _incident() -> Incident:
    world = World([17, 4, 9], dict(CHUNKS))
    seen = _steps(world)
    return Incident.model_validate(
        {
            "version": 2, "incident": "7", "environment": "prod", "at": WHEN, "masked": "k",
            "steps": [
                {"id": "near", "store": "main", "kind": "sql", "sql": NEAR,
                 "key": "id",
                 "expect": {"columns": ["id", "body"], "rows": [list(row) for row in seen["near"].rows]}},
                {"id": "asked", "service": "api", "kind": "http", "path": "/",
                 "expect": {"columns": ["status", "body"], "rows": [list(row) for row in seen["asked"].rows]}},
            ],
            "exchanges": [
                {"id": f"{kind}-{number}", "kind": kind, "url": url, "body": body, "answer": {}}
                for number, (kind, url, body) in enumerate(_calls(world), 1)
            ],
        }
    )  # fmt: skip


def _replayed(world: World) -> ReplayReport:
    """The verdict on a replay in this world: a call of a model that nothing answers ends the request."""
    incident, told = _incident(), []
    tape = Tape(incident.exchanges)
    for _, url, body in _calls(world):
        sent, _ = changed(copy.deepcopy(body), url, world.on_the_way)
        asked = normal("POST", url, {}, sent)
        found = plain(tape.find(asked))
        told.append({"operation": f"{asked.operation.provider} {asked.operation.name}", **found})
        if found["outcome"] != "played":
            break
    results = _steps(world)
    if told[-1]["outcome"] != "played":
        results["asked"] = replace(results["asked"], rows=((502, {"error": "no answer"}),))
    matched = {one["exchange"] for one in told if one["outcome"] == "played"}
    missed = tuple(one for one in told if one["outcome"] != "played")
    unplayed = tuple(one.id for one in incident.exchanges if one.id not in matched)
    played = Played(4, len(told), len(matched), unmatched=missed, unplayed=unplayed, egress=Egress())
    report = replace(verdict(incident, results), played=played, changed=world.written)
    return judged(report, incident, WHEN)


def _row(world: World) -> None:
    world.chunks[17], world.written = "Nobody gets a refund.", ("main.public.t: 1 row updated",)


def _deleted(world: World) -> None:
    world.found, world.written = [4, 9], ("main.public.t: 1 row deleted",)


def _embedding(world: World) -> None:
    world.found, world.written = [4, 17, 9], ("main.public.t: 1 row updated",)


def _setting(world: World) -> None:
    world.found, world.written = [4, 9], ("main: hnsw.ef_search=1 of role app, which production has not",)


def _index(world: World) -> None:
    world.written = ("main: index public.t_e_idx is gone",)


def _set(name: str, value: Any) -> Callable[[World], None]:
    return lambda world: setattr(world, name, value)


TOOL_2 = {"type": "function", "function": {"name": "orders", "description": "Orders of this year", "parameters": {}}}
KINDS: tuple[tuple[str, Callable[[World], None], str, tuple[str, ...]], ...] = (
    ("row", _row, "state", ("main.public.t: 1 row updated",)),
    ("row, as found", _row, "retrieval", ("near", "17", "body")),
    ("deleted row", _deleted, "state", ("main.public.t: 1 row deleted",)),
    ("embedding", _embedding, "retrieval", ("near", "17")),
    ("session setting", _setting, "state", ("hnsw.ef_search=1 of role app",)),
    ("index", _index, "state", ("index public.t_e_idx is gone",)),
    ("ef_search", _set("found", [17]), "retrieval", ("near: 1 that production returned is missing", "4")),
    ("embedder", _set("embedder", "embed-2"), "retrieval",
     ("embedding-1: model (recorded 'embed-1', asked 'embed-2')",)),
    ("model", _set("model", "chat-2"), "context", ("llm-2: model (recorded 'chat-1', asked 'chat-2')",)),
    ("model, on the way", _set("on_the_way", Changed(model="chat-2")), "context", ("llm-2: model (recorded 'chat-1'",)),
    ("temperature", _set("temperature", 0), "context", ("llm-2: temperature (recorded 0.2, asked 0)",)),
    ("line of the prompt", _set("prompt", "You help customers.\nCite nothing."), "context",
     ("llm-2: messages[0].content", "Cite nothing.")),
    ("definition of a tool", _set("tool", TOOL_2), "context",
     ("llm-2: tools[0].function.description (recorded 'Orders', asked 'Orders of this year')",)),
    ("result of a tool", _set("orders", 6), "context", ("llm-4: messages[3].content.orders (recorded 5, asked 6)",)),
    ("how many chunks", _set("k", 1), "context", ("llm-2: messages[1].content",)),
    ("length of a chunk", _set("cut", 9), "context", ("llm-2: messages[1].content",)),
)  # fmt: skip


def test_with_nothing_changed_every_call_is_the_recorded_one() -> None:
    report = _replayed(World([17, 4, 9], dict(CHUNKS)))
    assert report.reproduced and report.played is not None and report.played.exact
    assert not any(one.verdict == "diverged" for one in report.layers)


@pytest.mark.parametrize(("kind", "change", "layer", "said"), KINDS, ids=[one[0] for one in KINDS])
def test_the_verdict_names_what_was_changed(
    kind: str, change: Callable[[World], None], layer: str, said: tuple[str, ...]
) -> None:
    world = World([17, 4, 9], dict(CHUNKS))
    change(world)
    report = _replayed(world)
    found = {one.layer: one for one in report.layers}
    assert found[layer].verdict == "diverged" and all(part in found[layer].why for part in said), found[layer]
    above = [one for one in LAYERS[: LAYERS.index(layer)] if found[one].verdict == "diverged"]
    assert above == (["state"] if world.written and layer != "state" else [])
    if layer == "context":  # and nothing else than that: what the calls differ in is this place alone
        assert report.played is not None
        (missed,) = report.played.unmatched
        assert [one["place"] for one in missed["changes"]] == [said[0].partition(": ")[2].split(" ")[0]]
