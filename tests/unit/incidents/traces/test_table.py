"""The table of docs/traces.md is what the importers say of the fixtures, and has every format that is read."""

from __future__ import annotations

from tests.support import dialects
from tests.unit.incidents.traces.samples import SAMPLES


def test_the_page_has_the_table_of_now() -> None:
    page = dialects.PAGE.read_text(encoding="utf-8")
    assert dialects.written(page) == page, "python -m tests.support.dialects"
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in page.splitlines() if line.startswith("| ")}
    assert rows.keys() - {"format"} == dialects.FORMATS.keys()
    sampled = [one for sources in dialects.FORMATS.values() for one in sources if isinstance(one, dict | list)]
    assert all(one in sampled for one in SAMPLES.values()), "each sample stands in a row"


def test_a_row_says_what_a_format_cannot_tell() -> None:
    rows = {line.split(" | ")[0].removeprefix("| "): line.split(" | ") for line in dialects.table().splitlines()}
    assert "query vector" in rows["Langfuse (agents of AutoGen, Google's ADK, Vercel's AI SDK)"][2]
    assert "seed" in rows["OTLP, OpenTelemetry GenAI"][1]
    assert "query vector" in rows["OTLP, OpenLIT"][1] and rows["OTLP, OpenLIT"][3] == "sql, vector |"
    assert rows["Qdrant's slow requests"][3] == "vector |"
    assert rows["PostgreSQL's log of slow statements"][3] == "sql |"
