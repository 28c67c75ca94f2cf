"""Which variables each format of traces carries, told by the importers over the fixtures: the table of docs/traces.md.

`python -m tests.support.dialects` writes it anew.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from envclone.incidents.bundle import Incident
from envclone.incidents.calls import Call, Origin
from envclone.incidents.completeness import VARIABLES, completeness
from envclone.incidents.traces import langgraph, read, recorded, recording
from envclone.incidents.traces.about import application_of, clock_of
from envclone.incidents.traces.steps import Stores, steps_of
from envclone.record import frames
from tests.unit.incidents.traces.samples import AUTO_EXPLAIN, CURL, SAMPLES, SLOW_LOG

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "traces.md"
DATA = ROOT / "tests" / "data"
BEGIN, END = "<!-- table: python -m tests.support.dialects -->\n", "<!-- end of the table -->"
PRODUCTS = json.loads((DATA / "products" / "records.json").read_text())
SDKS = json.loads((DATA / "products" / "sdks.json").read_text())
EXPORTS = json.loads((DATA / "products" / "exports.json").read_text())
SPANS = json.loads((DATA / "products" / "spans.json").read_text())
_VECTOR = {"$f32": "AAAAPwAAgD4="}
_MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is my parcel?"}]
_ASKED = {
    "model": "m",
    "messages": _MESSAGES,
    "temperature": 0.2,
    "seed": 1,
    "max_tokens": 300,
    "tools": [{"name": "t"}],
}
_ANSWER = {"model": "m-1", "choices": [{"message": {"content": "In Bremen."}, "finish_reason": "stop"}],
           "usage": {"total_tokens": 7}}  # fmt: skip
RECORDED: tuple[dict[str, Any], ...] = (
    {"t": "start", "at": 1767261600.5, "name": "POST /ask", "method": "POST", "path": "/ask", "headers": []},
    {"t": "note", "values": {"conversation": "c-9", "prompt_version": "3", "chunker": "2.1"}},
    {"t": "call", "kind": "sql", "at": 1.0, "s": 0.1, "conn": {"user": "app"}, "sql": "SELECT id FROM t WHERE id = %s",
     "params": [7], "settings": {"work_mem": "7MB"}, "columns": [["id", 23, 0, 0, 0]], "rows": [["7"]]},
    {"t": "call", "kind": "vector", "at": 2.0, "s": 0.1, "method": "query_points",
     "query": {"collection_name": "articles", "query": _VECTOR, "limit": 1},
     "answer": {"points": [{"id": 88, "score": 0.5, "payload": None}]}},
    {"t": "call", "kind": "http", "at": 3.0, "s": 0.1, "method": "POST", "url": "https://api.example/v1/chat/completions",
     "status": 200, "body": json.dumps(_ASKED), "answer": json.dumps(_ANSWER)},
    {"t": "asked", "body": "{}"},
    {"t": "end", "status": 200, "body": "{}", "s": 0.5},
)  # fmt: skip
"""What the recorder writes of one request, as small as shows what it carries."""
FORMATS: dict[str, list[Any]] = {
    "OTLP, OpenTelemetry GenAI": [SAMPLES["genai"]],
    "OTLP, OpenLLMetry and GenAI as it was": [SAMPLES["old genai"]],
    "OTLP, OpenInference": [SAMPLES["openinference"]],
    "OTLP, OpenLIT": [SAMPLES["openlit"]],
    "Jaeger": [SAMPLES["jaeger"]],
    "Zipkin": [SAMPLES["zipkin"]],
    "Langfuse (agents of AutoGen, Google's ADK, Vercel's AI SDK)": sorted((DATA / "traces").glob("*.json")),
    "LangSmith": [SAMPLES["langsmith"]],
    "MLflow": [SAMPLES["mlflow"]],
    "Phoenix": [SAMPLES["phoenix"]],
    "Datadog": [SAMPLES["datadog"]],
    "Amazon Bedrock": [PRODUCTS["bedrock"]],
    "Vertex AI": [PRODUCTS["vertex ai"]],
    "Azure's API Management": [PRODUCTS["api management"]],
    "Azure's Application Insights": [PRODUCTS["application insights"]],
    "Helicone": [PRODUCTS["helicone"]],
    "PostHog": [PRODUCTS["posthog"]],
    "Weave": [PRODUCTS["weave"]],
    "DSPy": [PRODUCTS["dspy"]],
    "Haystack": [json.loads((DATA / "products" / "haystack.json").read_text())],
    "Langfuse, by OpenTelemetry": [SPANS["langfuse_otel"]],
    "Logfire and Pydantic AI": [SPANS["logfire"], SPANS["logfire_events"]],
    "Semantic Kernel": [SPANS["semantic_kernel"]],
    "Spring AI": [SPANS["spring_ai"]],
    "OpenAI's Agents SDK": [SDKS["agents sdk"]],
    "OpenAI's and Anthropic's answers as they are kept": [SDKS["model answers"]],
    "a request beside its answer (OpenAI, Anthropic, Gemini), batches": [SDKS["model calls"]],
    "LiteLLM": [SDKS["litellm"]],
    "Braintrust": [SDKS["braintrust"]],
    "Mastra": [SDKS["mastra"]],
    "AutoGen's log": [SDKS["autogen"]],
    "LlamaIndex's events": [SDKS["llamaindex"]],
    "PromptLayer": [EXPORTS["promptlayer"]],
    "Opik": [EXPORTS["opik"]],
    "Helicone, bodies as it maps them": [EXPORTS["helicone"]],
    "CrewAI's output and events": [EXPORTS["crewai"], EXPORTS["crewai events"]],
    "Pydantic AI's messages": [EXPORTS["pydantic ai"]],
    "Haystack's results": [EXPORTS["haystack"]],
    "OpenAI's responses, as a stream": [EXPORTS["model answers"]],
    "OpenAI's assistants": [EXPORTS["assistants"]],
    "Bedrock's knowledge bases": [EXPORTS["bedrock"]],
    "a thread's state of LangGraph's platform": [EXPORTS["langgraph"]],
    "pgBadger": [EXPORTS["pgbadger"]],
    "LangGraph's checkpoints in a branch": [DATA / "langgraph" / "thread.json"],
    "HAR": [SAMPLES["har"]],
    "curl": [CURL],
    "PostgreSQL's log of slow statements": [SLOW_LOG],
    "`auto_explain`": [AUTO_EXPLAIN],
    "Qdrant's slow requests": [SAMPLES["slow requests"]],
    "[the recorder](recorder.md)": [RECORDED],
}
"""The formats, and what is read of each: a document, a text, or a file of tests/data."""


def _calls(source: Any, place: Path) -> tuple[list[Call], Origin]:
    if isinstance(source, Path) and source.parent.name == "langgraph":
        rows = json.loads(source.read_text())
        return read.calls_of_trace(langgraph.thread("t", rows["checkpoints"], rows["blobs"], rows["writes"]), "t")
    if isinstance(source, Path):
        return read.calls(source)
    place.write_text(source if isinstance(source, str) else json.dumps(source))
    return read.calls(place)


def _recorded(place: Path) -> Incident:
    about = {"application": {"commit": "4f2c1d9", "image": "shop@sha256:1"}, "zone": "Europe/Berlin"}
    kinds = {"start": frames.START, "note": frames.CALL, "call": frames.CALL, "asked": frames.ASKED, "end": frames.END}
    records = [frames.packed(frames.ABOUT, bytes(16), 0, json.dumps(about).encode())]
    for number, one in enumerate(RECORDED):
        records.append(frames.packed(kinds[one["t"]], bytes(15) + b"1", number, json.dumps(one).encode()))
    place.write_bytes(b"".join(records))
    made = recorded.parts(place, recording.chosen(place, None), Stores(postgres="main", qdrant="kb", service="api"))
    return Incident(
        incident="1", environment="p", calls=tuple(made.calls), origin=made.origin, steps=tuple(made.steps),
        exchanges=tuple(made.exchanges), application=made.application, clock=made.clock,
    )  # fmt: skip


def _incidents(sources: list[Any]) -> Iterator[Incident]:
    with tempfile.TemporaryDirectory() as folder:
        for source in sources:
            if source is RECORDED:
                yield _recorded(Path(folder) / "kept-1.ring")
                continue
            found, origin = _calls(source, Path(folder) / "trace")
            steps = steps_of(found, Stores(postgres="main", qdrant="kb", service="api"))
            yield Incident(
                incident="1", environment="p", calls=tuple(found), origin=origin, steps=tuple(steps),
                application=application_of(found, origin), clock=clock_of(found, origin),
            )  # fmt: skip


def table() -> str:
    """A row for each format: the variables that a fixture of it carries, that none does, and what can be run again."""
    order = [name for name, *_ in VARIABLES]
    lines = ["| format | carries | does not carry | run again |", "|---|---|---|---|"]
    for name, sources in FORMATS.items():
        carried: set[str] = set()
        asked: set[str] = set()
        kinds: set[str] = set()
        for incident in _incidents(sources):
            told = [one for one in completeness(incident.model_copy(update={"at": None})) if one.state != "pinned"]
            asked |= {one.name for one in told}
            carried |= {one.name for one in told if one.recorded}
            kinds |= {step.kind for step in incident.steps}
        asked.discard("moment of the stores")
        has, lacks = ([one for one in order if one in those] for those in (carried & asked, asked - carried))
        lines.append(
            f"| {name} | {', '.join(has) or '–'} | {', '.join(lacks) or '–'} | {', '.join(sorted(kinds)) or '–'} |"
        )
    return "\n".join(lines) + "\n"


def written(page: str) -> str:
    """The page with the table of now."""
    return re.sub(rf"(?s)({re.escape(BEGIN)}).*?(?={re.escape(END)})", lambda match: match[1] + table(), page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
