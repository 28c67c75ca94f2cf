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
from envclone.incidents.traces import langgraph, read
from envclone.incidents.traces.about import application_of, clock_of
from envclone.incidents.traces.steps import Stores, steps_of
from tests.unit.incidents.traces.samples import AUTO_EXPLAIN, CURL, SAMPLES, SLOW_LOG

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "traces.md"
DATA = ROOT / "tests" / "data"
BEGIN, END = "<!-- table: python -m tests.support.dialects -->\n", "<!-- end of the table -->"
FORMATS: dict[str, list[Any]] = {
    "OTLP, OpenTelemetry GenAI": [SAMPLES["genai"]],
    "OTLP, OpenLLMetry and GenAI as it was": [SAMPLES["old genai"]],
    "OTLP, OpenInference": [SAMPLES["openinference"]],
    "OTLP, OpenLIT": [SAMPLES["openlit"]],
    "Langfuse (agents of AutoGen, Google's ADK, Vercel's AI SDK)": sorted((DATA / "traces").glob("*.json")),
    "LangSmith": [SAMPLES["langsmith"]],
    "MLflow": [SAMPLES["mlflow"]],
    "Phoenix": [SAMPLES["phoenix"]],
    "Datadog": [SAMPLES["datadog"]],
    "LangGraph's checkpoints in a branch": [DATA / "langgraph" / "thread.json"],
    "HAR": [SAMPLES["har"]],
    "curl": [CURL],
    "PostgreSQL's log of slow statements": [SLOW_LOG],
    "`auto_explain`": [AUTO_EXPLAIN],
    "Qdrant's slow requests": [SAMPLES["slow requests"]],
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


def _incidents(sources: list[Any]) -> Iterator[Incident]:
    with tempfile.TemporaryDirectory() as folder:
        for source in sources:
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
