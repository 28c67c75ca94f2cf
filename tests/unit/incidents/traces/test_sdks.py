"""What agents' and models' libraries, gateways and tracers write: each field of a call in its place, nothing lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from envclone.incidents.bundle import VectorStep
from envclone.incidents.calls import Call
from envclone.incidents.traces.read import calls
from envclone.incidents.traces.steps import Stores, steps_of

DATA = Path(__file__).parents[3] / "data" / "products"
SDKS = json.loads((DATA / "sdks.json").read_text())
SPANS = json.loads((DATA / "spans.json").read_text())
KINDS = {
    "agents sdk": ["chain", "agent", "llm", "tool", "other", "other"], "litellm": ["llm", "llm"],
    "braintrust": ["chain", "llm", "tool"], "mastra": ["agent", "llm", "tool"], "autogen": ["llm", "tool"],
    "llamaindex": ["chain", "retrieval", "llm"], "model answers": ["llm", "llm"], "model calls": ["llm", "llm", "llm"],
}  # fmt: skip
OF_SPANS = {
    "langfuse_otel": ["other", "retrieval", "llm"], "logfire": ["agent", "llm", "tool"], "logfire_events": ["llm"],
    "semantic_kernel": ["llm"], "spring_ai": ["llm", "vector"], "traceloop": ["llm"],
    "vercel5": ["llm", "llm", "tool"],
}  # fmt: skip


def _read(tmp_path: Path, content: Any) -> tuple[list[Call], str]:
    (tmp_path / "trace.json").write_text(content if isinstance(content, str) else json.dumps(content))
    found, origin = calls(tmp_path / "trace.json")
    return found, origin.dialect


def _leaves(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set().union(*map(_leaves, value.values())) if value else set()
    if isinstance(value, list):
        return set().union(*map(_leaves, value)) if value else set()
    if isinstance(value, str) and value[:1] in "[{":
        try:
            return _leaves(json.loads(value))
        except ValueError:
            return {value}
    return {value} if isinstance(value, str) and value else set()


@pytest.mark.parametrize("dialect", KINDS)
@pytest.mark.parametrize("written", ["lines", "list", "wrapped"])
def test_each_record_is_a_call(tmp_path: Path, dialect: str, written: str) -> None:
    documents = SDKS[dialect]
    content = {"lines": "\n".join(map(json.dumps, documents)), "list": documents, "wrapped": {"data": documents}}
    found, said = _read(tmp_path, content[written])
    assert (said, [one.kind for one in found]) == (dialect, KINDS[dialect])
    for chat in (one for one in found if one.kind == "llm"):
        assert "30 days" in json.dumps(chat.output) and chat.usage and chat.model
        assert "how long" in json.dumps(chat.input) or dialect == "model answers"
        assert chat.finish or dialect == "agents sdk"
        assert chat.settings.get("temperature") is not None or dialect == "autogen"


@pytest.mark.parametrize("name", OF_SPANS)
def test_spans_of_each_library(tmp_path: Path, name: str) -> None:
    found, said = _read(tmp_path, SPANS[name])
    assert (said, [one.kind for one in found]) == ("otlp", OF_SPANS[name])
    chat = next(one for one in found if one.kind == "llm")
    assert "how long" in json.dumps(chat.input) and "30 days" in json.dumps(chat.output) and chat.model
    if name != "logfire_events":
        assert chat.usage and chat.settings.get("temperature", chat.settings.get("maxOutputTokens")) is not None
    if name == "langfuse_otel":
        assert found[1].documents[0]["id"] == "88" and chat.prompt == {"name": "support", "version": 3}
    if name == "logfire":
        assert chat.tools[0]["name"] == "search" and found[2].input == {"q": "warranty"}


SPENT = {"agent", "generation", "function", "trace.span", "task", "tool", "llm", "LLMCall", "ToolCall", "message",
         "NodeWithScore"}  # fmt: skip
"""What says only of which kind a record is."""


def test_nothing_of_it_is_lost(tmp_path: Path) -> None:
    for documents in SDKS.values():
        found, _ = _read(tmp_path, documents)
        kept = json.dumps([one.model_dump(mode="json") for one in found])
        lost = {one for one in _leaves(documents) - SPENT if json.dumps(one)[1:-1] not in kept}
        lost = {one for one in lost if json.dumps(json.dumps(one)[1:-1])[1:-1] not in kept}
        assert not {one for one in lost if not one.isdigit() and not one.startswith("20")}  # numbers and moments


def test_a_query_s_vector_is_run_again(tmp_path: Path) -> None:
    found, _ = _read(tmp_path, SDKS["llamaindex"])
    (search,) = steps_of(found, Stores(qdrant="kb", collection="articles"))
    assert isinstance(search, VectorStep) and search.vector == [0.1, -0.2, 0.3]
