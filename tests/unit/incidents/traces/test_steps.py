"""What of a trace becomes a step, and what of it is missing for that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from envclone.incidents.bundle import HttpStep, Incident, SqlStep, Step, VectorStep
from envclone.incidents.completeness import completeness, counted, lacking
from envclone.incidents.traces.read import calls
from envclone.incidents.traces.steps import Stores, steps_of
from tests.unit.incidents.traces.samples import AUTO_EXPLAIN, CURL, SAMPLES, SLOW_LOG, otlp


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
    assert of(tmp_path, json.dumps(SAMPLES["openinference"])) == [], "its vector is a call's of its own"
    asked: list[str] = []

    def embed(text: str) -> list[float]:
        asked.append(text)
        return [0.5, 0.25]

    (search,) = of(tmp_path, json.dumps(SAMPLES["openinference"]), Stores(qdrant="kb", embed=embed))
    assert asked == ["where is my parcel"] and isinstance(search, VectorStep) and search.expect is not None
    assert (search.collection, search.vector, search.limit) == ("articles", [0.5, 0.25], 2)
    assert (search.expect.ids, search.expect.scores) == (("88", "17"), (0.77, 0.5))


def test_requests_to_a_service(tmp_path: Path) -> None:
    for text in (json.dumps(SAMPLES["har"]), CURL):
        (request,) = of(tmp_path, text)
        assert isinstance(request, HttpStep)
        assert (request.method, request.path, request.body) == ("POST", "/ask?lang=en", {"q": "parcel"})
    assert of(tmp_path, CURL, Stores()) == []


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
    assert lines[0] == f"{len(present)} of {len(found)} variables are recorded"
    assert any("query vector" in line and "--embed-with" in line for line in lines)
    assert counted(incident) == "2 calls of a trace (otlp): 1 llm, 1 tool"


def test_a_search_that_can_be_run_has_its_vector(tmp_path: Path) -> None:
    step = VectorStep(id="s", store="kb", collection="articles", vector=[0.1])
    found = completeness(_incident(tmp_path, SAMPLES["openinference"], steps=(step,)))
    assert [one.recorded for one in found if one.name == "query vector"] == [True]
