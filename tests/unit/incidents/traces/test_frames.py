"""Tables of spans and runs, and texts that are packed, encoded or cut in ways that tools and shells make."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from envclone.errors import EnvcloneError
from tests.unit.incidents.traces.samples import otlp
from tests.unit.incidents.traces.test_shapes import CHAT, calls_of

RUN = {"id": "r1", "run_type": "llm", "name": "n", "parent_run_id": None, "start_time": "2026-05-01T10:00:00",
       "inputs": {"q": "in-1, \"x\"\nline"}, "outputs": {"a": ["out-1"]},
       "extra": {"metadata": {"ls_model_name": "m-7"}}}  # fmt: skip
OBSERVATION = {"id": "o1", "traceId": "t1", "type": "GENERATION", "name": "g", "startTime": "2026-05-01T10:00:00Z",
               "parentObservationId": None, "model": "m-7", "input": [{"role": "user", "content": "in-1"}],
               "output": "out-1"}  # fmt: skip
TRACE = {"id": "t1", "timestamp": "2026-05-01T10:00:00Z", "name": "n", "sessionId": "s-1", "userId": "u", "tags": [],
         "input": {"q": "in-1"}, "output": "out-1", "release": "m-7"}  # fmt: skip
SPAN = {"context.span_id": "s1", "name": "n", "span_kind": "LLM", "context.trace_id": "t1", "parent_id": None,
        "start_time": "2026-05-01T10:00:00+00:00", "attributes.llm.model_name": "m-7",
        "attributes.input.value": "in-1", "attributes.llm.output_messages": [{"message.content": "out-1"}]}  # fmt: skip
ROW = {"Timestamp": "2026-05-01 10:00:00.1", "TraceId": "t", "SpanId": "s", "ParentSpanId": "", "SpanName": "chat",
       "SpanAttributes": {
           **CHAT, "gen_ai.input.messages": '["in-1"]', "gen_ai.output.messages": '["out-1"]'}}  # fmt: skip


def table(*rows: dict[str, Any], delimiter: str = ",", python: bool = False) -> str:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter)
    writer.writerow(rows[0])
    write = repr if python else json.dumps
    for row in rows:
        writer.writerow([write(one) if isinstance(one, dict | list) else one for one in row.values()])
    return file.getvalue()


TABLES: dict[str, tuple[Any, str, str]] = {
    "LangSmith": (table(RUN), "langsmith", "llm"),
    "LangSmith, as Excel wants it": (table(RUN, delimiter=";"), "langsmith", "llm"),
    "LangSmith, with tabs and a mark": ("\ufeff" + table(RUN, delimiter="\t"), "langsmith", "llm"),
    "Langfuse, observations": (table(OBSERVATION), "langfuse", "llm"),
    "Langfuse, traces": (table(TRACE), "langfuse", "request"),
    "Phoenix": (table(SPAN), "phoenix", "llm"),
    "Phoenix, as pandas writes it": (table(SPAN, python=True), "phoenix", "llm"),
    "Phoenix, by columns": ({name: {"0": one} for name, one in SPAN.items()}, "phoenix", "llm"),
    "Phoenix, with its index": ({name: {"s1": one} for name, one in SPAN.items() if name != "context.span_id"},
                                "phoenix", "llm"),
    "Phoenix, by rows": ({"s1": SPAN}, "phoenix", "llm"),
    "Phoenix, apart": ({"columns": list(SPAN), "index": [0], "data": [list(SPAN.values())]}, "phoenix", "llm"),
    "ClickHouse": (table(ROW), "otlp", "llm"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "dialect", "kind"), TABLES.values(), ids=TABLES)
def test_a_table_is_read_as_its_objects_are(tmp_path: Path, text: Any, dialect: str, kind: str) -> None:
    ((call,), origin) = calls_of(tmp_path, text)
    assert (origin.dialect, call.kind) == (dialect, kind) and call.began is not None
    said = call.model_dump_json()
    assert "in-1" in said and "out-1" in said and "m-7" in said


def test_cells_keep_their_lines_and_a_row_of_too_many_its_rest(tmp_path: Path) -> None:
    ((call,), _) = calls_of(tmp_path, table(RUN).rstrip("\r\n") + ",more-1\r\n")
    assert call.input == RUN["inputs"] and call.other["column 9"] == "more-1"


def test_numbers_in_cells_and_maps_of_texts_are_numbers(tmp_path: Path) -> None:
    asked = {**CHAT, "gen_ai.request.temperature": "0.25", "gen_ai.request.seed": "7", "gen_ai.request.model": "7",
             "gen_ai.usage.input_tokens": "12", "gen_ai.request.stop": "1"}  # fmt: skip
    ((call,), _) = calls_of(tmp_path, table({**ROW, "SpanId": "17", "SpanAttributes": asked}))
    assert (call.settings["temperature"], call.settings["seed"], call.usage["input_tokens"]) == (0.25, 7, 12)
    assert (call.id, call.model, call.settings["stop"]) == ("17", "7", "1")
    found = {
        "attributes.retrieval.documents": [{"document.id": "7", "document.score": "0.75"}],
        "span_kind": "RETRIEVER",
    }
    ((call,), _) = calls_of(tmp_path, table({**SPAN, **found}))
    assert call.documents == [{"document.id": "7", "document.score": 0.75}]
    (columns,) = [{**SPAN, "attributes.llm.token_count.prompt": "12", "attributes.llm.invocation_parameters":
                   {"temperature": "0.5", "user": "7"}}]  # fmt: skip
    ((call,), _) = calls_of(tmp_path, table(columns))
    assert call.usage == {"prompt": 12} and call.settings == {"temperature": 0.5, "user": "7"}


DOCUMENT = json.dumps(otlp({"attributes": CHAT}))
CUT: dict[str, tuple[str, str]] = {
    "a row": (table(RUN, RUN).rstrip("\r\n").rpartition(",")[0], ":3 is cut off: it has 7 of 8 columns"),
    "a cell": (table(RUN, RUN)[:-20], "unexpected end of data"),
    "a line": (f"{DOCUMENT}\n{DOCUMENT}\n\n{DOCUMENT[:80]}", ":4 is cut off"),
    "a document": (DOCUMENT[:180], "is cut off: its JSON does not end"),
    "a line in the middle": (f"{DOCUMENT}\n{DOCUMENT[:80]}\n{DOCUMENT}", ":2 is no JSON"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "says"), CUT.values(), ids=CUT)
def test_what_is_cut_off_is_refused_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(EnvcloneError, match=says):
        calls_of(tmp_path, text)


def test_other_tables_are_none_of_spans(tmp_path: Path) -> None:
    for text in ("id,name\n1,a\n", "start_time,timestamp\n1,2\n"):
        with pytest.raises(EnvcloneError, match="is no trace that is known here"):
            calls_of(tmp_path, text)


def test_texts_of_python_that_hide_something_stay_texts(tmp_path: Path) -> None:
    for odd in ("{1: 2}", "[" * 900 + "]" * 900, "[__import__('os')]", "{'a': b'x'}", "[1j]"):
        ((call,), _) = calls_of(tmp_path, table({**RUN, "inputs": odd}))
        assert call.input == odd


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-8-sig"])
def test_texts_in_every_encoding_of_a_shell(tmp_path: Path, encoding: str) -> None:
    ((call,), _) = calls_of(tmp_path, DOCUMENT.encode(encoding))
    assert call.model == "m-7"


def test_a_packed_file_that_was_added_to_is_read_whole(tmp_path: Path) -> None:
    part = gzip.compress(DOCUMENT.encode() + b"\n")
    assert len(calls_of(tmp_path, part * 3)[0]) == 3
    for content, says in ((part + b"x", "something follows"), (part + part[:-9], "ends early"),
                          (gzip.compress(b" ") * 1001, "more than 1,000 parts")):  # fmt: skip
        with pytest.raises(EnvcloneError, match=says):
            calls_of(tmp_path, content)


def test_the_log_of_a_container_is_read_as_the_servers(tmp_path: Path) -> None:
    head = "2026-05-01T10:00:00.123456789Z stderr"
    text = (f"{head} F 2026-05-01 10:00:00.1 UTC [77] LOG:  duration: 3.1 ms  statement: SELECT a\n"
            f"{head} P \t  FROM \n{head} F t\n")  # fmt: skip
    ((call,), _) = calls_of(tmp_path, text)
    assert call.statement == "SELECT a\n  FROM t"
