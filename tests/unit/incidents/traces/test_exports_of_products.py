"""Documents that tell of several calls, as tracers and libraries export them: taken apart, nothing of them lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from envclone.incidents.bundle import SqlStep
from envclone.incidents.calls import Call
from envclone.incidents.traces.read import calls
from envclone.incidents.traces.steps import Stores, steps_of

EXPORTS = json.loads((Path(__file__).parents[3] / "data" / "products" / "exports.json").read_text())
KINDS = {
    "promptlayer": ["llm"], "opik": ["llm"], "helicone": ["llm"], "crewai": ["chain", "agent"],
    "crewai events": ["other", "other", "llm", "tool"], "pydantic ai": ["llm", "llm"],
    "haystack": ["llm", "retrieval", "chain", "embedding"], "model answers": ["llm"], "assistants": ["retrieval"],
    "bedrock": ["retrieval"], "langgraph": ["llm"], "pgbadger": ["sql"], "converse stream": ["llm"],
    "converse": ["llm"], "azure": ["llm"], "vertex": ["llm"], "weave": ["retrieval"],
}  # fmt: skip


def _read(tmp_path: Path, content: Any) -> tuple[list[Call], Any]:
    (tmp_path / "trace.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return calls(tmp_path / "trace.json")


def _leaves(value: Any, name: str = "") -> set[str]:
    if isinstance(value, dict):
        return set().union(*(_leaves(one, str(key)) for key, one in value.items())) if value else set()
    if isinstance(value, list):
        return set().union(*(_leaves(one, name) for one in value)) if value else set()
    if isinstance(value, bool) or value in (None, "") or name.lower().endswith(("time", "stamp", "_at", "date")):
        return set()
    return {str(value)}


@pytest.mark.parametrize("name", KINDS)
def test_each_is_read_and_nothing_of_it_is_lost(tmp_path: Path, name: str) -> None:
    documents = EXPORTS[name] if len(EXPORTS[name]) > 1 else EXPORTS[name][0]
    for content in (documents, "\n".join(json.dumps(one) for one in EXPORTS[name])):
        found, origin = _read(tmp_path, content)
        assert [one.kind for one in found] == KINDS[name]
        kept = json.dumps([*(one.model_dump(mode="json") for one in found), origin.model_dump(mode="json")])
        lost = {one for one in _leaves(documents) if json.dumps(one)[1:-1] not in kept}
        lost = {one for one in lost if not all(json.dumps(word)[1:-1] in kept for word in one.split())}
        assert lost <= {"list", "thread.run.step", "in_progress"}


def test_what_models_said_is_in_its_place(tmp_path: Path) -> None:
    for name in ("promptlayer", "opik", "langgraph", "converse stream", "azure", "vertex", "helicone"):
        found, _ = _read(tmp_path, EXPORTS[name])
        assert found[0].output and found[0].input and found[0].model, name
        assert found[0].usage or name == "helicone"
        assert found[0].finish or name == "helicone"
    for name in ("azure", "vertex", "bedrock", "assistants"):
        assert _read(tmp_path, EXPORTS[name])[0][0].documents, name
    for name, model in (("converse", "anthropic.claude-3-5-sonnet-20241022-v2:0"), ("vertex", "gemini-2.5-pro")):
        assert _read(tmp_path, EXPORTS[name])[0][0].model == model


def test_a_statement_of_a_report_is_run_again(tmp_path: Path) -> None:
    found, _ = _read(tmp_path, EXPORTS["pgbadger"])
    (step,) = steps_of(found, Stores(postgres="main"))
    assert isinstance(step, SqlStep) and step.sql.endswith("LIMIT 5")
    assert found[0].seconds == pytest.approx(0.812331)
