"""What of a trace becomes a step, and what of it is missing for that."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from envclone.incidents.bundle import HttpStep, Incident, SqlStep, Step, VectorStep
from envclone.incidents.clock import Clock
from envclone.incidents.completeness import completeness, counted, lacking
from envclone.incidents.exchanges import Exchange
from envclone.incidents.traces.about import application_of, clock_of
from envclone.incidents.traces.read import calls
from envclone.incidents.traces.steps import Stores, steps_of
from tests.unit.incidents.traces.samples import AUTO_EXPLAIN, CURL, SAMPLES, SLOW_LOG, attributes, otlp, without_vectors


def of(tmp_path: Path, text: str, stores: Stores | None = None) -> list[Step]:
    (tmp_path / "trace").write_text(text)
    found, _ = calls(tmp_path / "trace")
    return steps_of(found, stores or Stores(postgres="main", qdrant="kb", service="api", role="app"))


def test_statements_with_their_parameters(tmp_path: Path) -> None:
    slow, failed = of(tmp_path, SLOW_LOG)
    assert isinstance(slow, SqlStep) and isinstance(failed, SqlStep)
    assert (slow.parameters, slow.role) == (["o'hara@corp.example", None], "app")
    assert failed.expect is None, "an error without its SQLSTATE is compared with nothing"
    assert [step.parameters for step in of(tmp_path, AUTO_EXPLAIN)] == [None, ["2"]]  # type: ignore[union-attr]
    (search, _) = of(tmp_path, json.dumps(SAMPLES["openlit"]))
    assert isinstance(search, VectorStep) and (search.collection, search.vector, search.limit) == (
        "articles", [0.1, 0.2, 0.3], 3
    )  # fmt: skip
    (statement,) = [one for one in of(tmp_path, json.dumps(SAMPLES["openlit"])) if isinstance(one, SqlStep)]
    assert statement.parameters == ["jane@corp.example"]


@pytest.mark.parametrize(
    "sql", ["SELECT id FROM tickets WHERE email = $1", "SELECT 1 WHERE a = %s", "DELETE FROM tickets", ""]
)
def test_a_statement_without_its_parameters_or_that_writes_is_no_step(tmp_path: Path, sql: str) -> None:
    trace = otlp({"attributes": {"db.system": "postgresql", "db.statement": sql}})
    assert of(tmp_path, json.dumps(trace)) == []


def test_searches_with_their_vectors(tmp_path: Path) -> None:
    (search,) = of(tmp_path, json.dumps(SAMPLES["slow requests"]))
    assert isinstance(search, VectorStep), "the other one was cut at 64 numbers"
    assert (search.vector, search.limit, search.params) == ([0.1, 0.2, 0.3], 3, {"hnsw_ef": 16})
    (search,) = of(tmp_path, json.dumps(SAMPLES["openinference"]))
    assert isinstance(search, VectorStep) and search.vector == [0.1, 0.2, 0.3], "the trace embedded its text"
    asked: list[str] = []

    def embed(text: str) -> list[float]:
        asked.append(text)
        return [0.5, 0.25]

    bare = json.dumps(without_vectors(SAMPLES["openinference"]))
    assert of(tmp_path, bare) == []
    (search,) = of(tmp_path, bare, Stores(qdrant="kb", embed=embed))
    assert asked == ["where is my parcel"] and isinstance(search, VectorStep) and search.expect is not None
    assert (search.collection, search.vector, search.limit) == ("articles", [0.5, 0.25], 2)
    assert (search.expect.ids, search.expect.scores) == (("88", "17"), (0.77, 0.5))


def _asked(text: str, **parent: str) -> dict[str, Any]:
    said = {"openinference.span.kind": "RETRIEVER", "input.value": text, "db.collection.name": "articles"}
    return {"attributes": said, **parent}


def _embedded(*pairs: tuple[str | None, list[float]], **parent: str) -> dict[str, Any]:
    said: dict[str, Any] = {"openinference.span.kind": "EMBEDDING"}
    for number, (text, vector) in enumerate(pairs):
        said[f"embedding.embeddings.{number}.embedding.vector"] = vector
        if text is not None:
            said[f"embedding.embeddings.{number}.embedding.text"] = text
    return {"attributes": said, **parent}


@pytest.mark.parametrize(
    ("spans", "vectors"),
    [
        ([_asked("a"), _embedded(("a", [1.5]))], [[1.5]]),
        ([_embedded(("a", [1.5]), ("b", [2.5])), _asked("b"), _asked(" a\n")], [[2.5], [1.5]]),
        ([_embedded(("other", [1.5])), _asked("a")], []),
        ([_asked("a"), _embedded((None, [1.5]), parentSpanId="s1")], [[1.5]]),
        ([_asked("a"), _embedded((None, [1.5]), (None, [2.5]), parentSpanId="s1")], []),
        ([_embedded(("a", [1.5])), _embedded(("a", [2.5])), _asked("a")], []),
        ([{"attributes": {"ai.operationId": "ai.embed.doEmbed", "ai.values": ['"a"'], "ai.embeddings": ["[3.5]"]}},
          _asked("a")], [[3.5]]),
        ([{"attributes": {"openinference.span.kind": "EMBEDDING", "embedding.text": "a", "embedding.vector": [4.5]}},
          _asked("a")], [[4.5]]),
    ],
    ids=["its text", "of several", "another text", "within it", "several within it", "two models", "ai sdk", "older"],
)  # fmt: skip
def test_a_search_takes_the_vector_that_the_trace_made_of_its_text(
    tmp_path: Path, spans: list[dict[str, Any]], vectors: list[list[float]]
) -> None:
    found = of(tmp_path, json.dumps(otlp(*spans)))
    assert [one.vector for one in found if isinstance(one, VectorStep)] == vectors


def test_requests_to_a_service(tmp_path: Path) -> None:
    for text in (json.dumps(SAMPLES["har"]), CURL):
        (request,) = of(tmp_path, text)
        assert isinstance(request, HttpStep)
        assert (request.method, request.path, request.body) == ("POST", "/ask?lang=en", {"q": "parcel"})
    assert of(tmp_path, CURL, Stores()) == []
    assert of(tmp_path, "curl -F a=b https://shop.example/a") == [], "a form of several parts is not sent again"


def _incident(tmp_path: Path, document: Any, **more: Any) -> Incident:
    (tmp_path / "trace").write_text(json.dumps(document))
    found, origin = calls(tmp_path / "trace")
    return Incident(incident="1", environment="prod", calls=tuple(found), origin=origin, **more)


def test_each_variable_that_is_absent_is_named_with_what_it_hides(tmp_path: Path) -> None:
    incident = _incident(tmp_path, SAMPLES["genai"])
    found = {one.name: one.recorded for one in completeness(incident)}
    present = {name for name, recorded in found.items() if recorded}
    assert {"model", "temperature", "seed", "length limit", "system prompt", "tool definitions", "finish reason",
            "conversation", "clock", "version of the application"} <= present  # fmt: skip
    assert not found["query vector"] and "role of statements" not in found
    lines = lacking(incident)
    pinned = ", 1 pinned by the branch or the cassette: schema, indexes and settings of the stores"
    assert lines[0] == f"{len(present)} of {len(found)} variables are recorded{pinned}"
    assert any("query vector" in line and "--embed-with" in line for line in lines)
    assert counted(incident) == "2 calls of a trace (otlp): 1 llm, 1 tool"


def test_what_a_cassette_answers_is_pinned(tmp_path: Path) -> None:
    incident = _incident(tmp_path, SAMPLES["old genai"])
    chat = incident.calls[0]

    def states(one: Incident) -> dict[str, str]:
        return {variable.name: variable.state for variable in completeness(one)}

    assert (states(incident)["seed"], states(incident)["messages"]) == ("unknown", "recorded")
    exchange = Exchange(id="x", kind="llm", call=chat.id, url="https://m.example/v1/chat/completions")
    played = states(incident.model_copy(update={"exchanges": (exchange,)}))
    assert (played["seed"], played["model"], played["system prompt"]) == ("pinned", "recorded", "unknown")
    told = incident.model_copy(update={"application": {"commit": "c1", "embedder": "e"}, "clock": Clock(zone="UTC")})
    assert {states(told)[name] for name in ("version of the application", "zone of the clock")} == {"recorded"}
    assert not any("seed" in line for line in lacking(incident.model_copy(update={"exchanges": (exchange,)}))[1:])


def test_which_build_answered_and_by_what_clock(tmp_path: Path) -> None:
    def of(document: Any) -> tuple[dict[str, str], Clock | None]:
        (tmp_path / "trace").write_text(json.dumps(document))
        found, origin = calls(tmp_path / "trace")
        return application_of(found, origin), clock_of(found, origin)

    trace = copy.deepcopy(SAMPLES["genai"])
    trace["resourceSpans"][0]["resource"]["attributes"] = attributes(
        {"service.version": "1.2", "telemetry.sdk.version": "9", "container.image.repo_digests": ["a@sha256:01"],
         "vcs.ref.head.revision": "c0ffee", "shop.tokenizer.version": "cl100k", "process.timezone": "Europe/Berlin"}
    )  # fmt: skip
    application, clock = of(trace)
    assert application == {"image": "a@sha256:01", "commit": "c0ffee", "version": "1.2", "tokenizer": "cl100k"}
    assert clock == Clock(zone="Europe/Berlin")
    har = copy.deepcopy(SAMPLES["har"])
    har["log"]["entries"][0]["startedDateTime"] = "2026-05-01T10:00:00.000-03:30"
    assert of(har)[1] == Clock(zone="-03:30")
    assert of(SAMPLES["phoenix"]) == ({}, None)
    trace["resourceSpans"][0]["resource"]["attributes"] = attributes(
        {"container.image.name": "shop", "container.image.tags": ["v1"], "tz": "../etc/passwd"}
    )
    assert of(trace) == ({"image": "shop:v1"}, None)


def test_a_step_names_its_call_and_a_span_that_is_there_twice_is_told_apart(tmp_path: Path) -> None:
    trace = otlp({"attributes": {"db.system": "postgresql", "db.statement": "SELECT 1"}}, {"spanId": "s1"},
                 {"spanId": ""}, {"spanId": ""})  # fmt: skip
    (tmp_path / "trace").write_text(json.dumps(trace))
    found, origin = calls(tmp_path / "trace")
    assert [call.id for call in found] == ["s1", "s1#2", "span#2", "span#3"]
    steps = steps_of(found, Stores(postgres="main"))
    incident = Incident(incident="1", environment="p", calls=tuple(found), origin=origin, steps=tuple(steps))
    assert incident.steps[0].call == "s1"


def test_a_search_that_can_be_run_has_its_vector(tmp_path: Path) -> None:
    step = VectorStep(id="s", store="kb", collection="articles", vector=[0.1])
    found = completeness(_incident(tmp_path, SAMPLES["openinference"], steps=(step,)))
    assert [one.recorded for one in found if one.name == "query vector"] == [True]
