"""Traces of every format: nothing of them is dropped, what matters has its place, damaged ones end in one line."""

from __future__ import annotations

import base64
import copy
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envclone.errors import ConfigError, EnvcloneError, UsageError
from envclone.incidents.calls import Call
from envclone.incidents.traces import opened, read
from envclone.incidents.traces import span as spans
from envclone.incidents.traces.span import moment, parsed
from tests.unit.incidents.traces.samples import AUTO_EXPLAIN, CURL, SAMPLES, SLOW_LOG

REAL = sorted((Path(__file__).parents[3] / "data" / "traces").glob("*.trace.json"))
_SAID_OTHERWISE = frozenset(
    (
        *("startTime", "endTime", "timestamp", "startTimeUnixNano", "endTimeUnixNano", "start_time", "end_time"),
        *("start_time_unix_nano", "end_time_unix_nano", "start_ns", "duration", "time", "startedDateTime", "datetime"),
        *("type", "kind", "level", "run_type", "span_kind", "openinference.span.kind", "gen_ai.operation.name"),
        *("traceloop.span.kind", "mlflow.spanType", "code", "status_code", "parent_id", "processID", "refType"),
    )
)
"""Times become moments and lengths, kinds become ours, a status that is well says nothing."""


def calls_of(tmp_path: Path, text: str) -> list[Call]:
    (tmp_path / "trace").write_text(text)
    return read.calls(tmp_path / "trace")[0]


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    value = parsed(value)
    if isinstance(value, dict):
        if set(value) == {"key", "value"} and isinstance(value["value"], dict):  # an attribute of OTLP
            yield from leaves(next(iter(value["value"].values())), value["key"])
            return
        if {"key", "value"} <= set(value) <= {"key", "type", "value"}:  # a tag of Jaeger's
            yield from leaves(value["value"], value["key"])
            return
        for name, one in value.items():
            yield from leaves(one, name)
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one, key)
    elif isinstance(value, str) and re.match(r'"[^"]+": \{"', value):  # an event as OpenTelemetry writes it to Zipkin
        yield from leaves(value.partition(": ")[2], key)
    elif value not in (None, "", True, False):
        yield key, value


def lost(path: Path, document: Any) -> list[tuple[str, Any]]:
    calls, origin = read.calls(path)
    kept = {str(one) for part in (*calls, origin) for _, one in leaves(part.model_dump(mode="json"))}
    numbers = {float(one) for one in kept if one.replace(".", "", 1).lstrip("-").isdigit()}
    return [
        (key, one)
        for key, one in leaves(document)
        if key not in _SAID_OTHERWISE and str(one) not in kept and "s3cret" not in str(one) and one != "Authorization"
        and not (isinstance(one, int | float) and float(one) in numbers)
        and not (isinstance(one, str) and one.isdigit() and float(one) in numbers)
    ]  # fmt: skip


@pytest.mark.parametrize("path", REAL, ids=[path.name for path in REAL])
def test_nothing_of_a_real_trace_is_dropped(path: Path) -> None:
    assert lost(path, json.loads(path.read_text())) == []
    calls, origin = read.calls(path)
    assert origin.dialect == "langfuse" and calls[0].kind == "request"
    assert any(call.kind == "llm" and call.model for call in calls)
    known = {call.id for call in calls}
    assert all(call.parent in known for call in calls[1:])


@pytest.mark.parametrize("name", SAMPLES)
def test_nothing_of_a_sample_is_dropped(tmp_path: Path, name: str) -> None:
    path = tmp_path / "trace.json"
    path.write_text(json.dumps(SAMPLES[name]))
    assert lost(path, SAMPLES[name]) == []


def test_what_matters_has_its_place(tmp_path: Path) -> None:
    def of(name: str) -> list[Call]:
        return calls_of(tmp_path, json.dumps(SAMPLES[name]))

    chat, tool = of("genai")
    assert (chat.kind, chat.model, chat.provider, chat.conversation) == ("llm", "gpt-5-2026-01-01", "openai", "c-9")
    assert (chat.settings["temperature"], chat.settings["seed"], chat.usage["input_tokens"]) == (0.2, 7, 31)
    assert chat.input[0]["role"] == "system" and chat.finish == ["stop"] and chat.tools == [{"name": "track"}]
    assert chat.other["custom.flag"] is True and chat.seconds == pytest.approx(2.0)
    assert (tool.kind, tool.parent, tool.error) == ("tool", "s1", "timed out")
    assert (tool.input, tool.output) == ({"id": 17}, {"at": "Bremen"})

    chat, search = of("old genai")
    assert (chat.kind, chat.provider, chat.input) == ("llm", "anthropic", [{"role": "user", "content": "Hello"}])
    assert (search.kind, search.vectors) == ("vector", [0.5, 0.25])

    found, embedded, chat = of("openinference")
    assert [one["document.id"] for one in found.documents] == ["88", "17"]
    assert embedded.kind == "embedding" and embedded.vectors[0]["embedding.vector"] == [0.1, 0.2, 0.3]
    assert chat.settings == {"temperature": 0, "seed": 1} and chat.prompt["version"] == "v3"

    search, statement = of("openlit")
    assert (search.kind, search.statement, search.settings["top_k"]) == ("vector", "[0.1, 0.2, 0.3]", 3)
    assert statement.kind == "sql" and "FROM tickets" in str(statement.statement)

    chain, found, chat = of("langsmith")
    assert (chain.kind, found.kind, chat.kind, chat.model) == ("chain", "retrieval", "llm", "gpt-5")
    assert found.documents[0]["page_content"] == "Shipping" and chat.output == {"generations": ["In Bremen."]}

    found, chat = of("mlflow")
    assert (found.kind, len(found.documents), chat.model, chat.error) == ("retrieval", 1, "gpt-5", "429")
    (found,) = of("phoenix")
    assert (found.kind, found.input, found.documents) == (
        "retrieval",
        "parcel",
        [{"document": {"id": "88", "score": 0.77}}],
    )
    chat, found = of("datadog")
    assert (chat.seconds, chat.settings, found.documents[0]["score"]) == (2.0, {"temperature": 0}, 0.77)
    assert found.parent == "1" and chat.parent is None


def test_protobuf_is_read_as_json_is(tmp_path: Path) -> None:
    from google.protobuf.json_format import ParseDict
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    document = copy.deepcopy(SAMPLES["genai"])
    for number, span in enumerate(document["resourceSpans"][0]["scopeSpans"][0]["spans"]):
        span |= {
            "traceId": base64.b64encode(bytes(16)).decode(),
            "spanId": base64.b64encode(bytes([number] * 8)).decode(),
        }
        span.pop("parentSpanId", None)
    (tmp_path / "trace.pb").write_bytes(ParseDict(document, ExportTraceServiceRequest()).SerializeToString())
    chat, tool = read.calls(tmp_path / "trace.pb")[0]
    assert (chat.id, chat.model, chat.settings["seed"], tool.id) == ("00" * 8, "gpt-5-2026-01-01", 7, "01" * 8)
    assert chat.input[0]["role"] == "system" and chat.other["trace_id"] == "00" * 16
    for content in (b"\n\xff\xfe\xff", b"\n\x02\x0a\x00", bytes(range(256))):
        (tmp_path / "trace.pb").write_bytes(content)
        with pytest.raises(UsageError):
            read.calls(tmp_path / "trace.pb")


def test_what_lets_somebody_in_does_not_come_along(tmp_path: Path) -> None:
    for text in (json.dumps(SAMPLES["har"]), CURL):
        (call,) = calls_of(tmp_path, text)
        assert call.kind == "http" and call.input["body"] == {"q": "parcel"}
        assert "s3cret" not in call.model_dump_json()


def test_logs_of_statements(tmp_path: Path) -> None:
    slow, failed, written = calls_of(tmp_path, SLOW_LOG)
    assert slow.statement == "SELECT id FROM tickets\nWHERE email = $1 AND note = $2"
    assert slow.settings == {"$1": "o'hara@corp.example", "$2": None} and slow.seconds == pytest.approx(1.234567)
    assert failed.error == 'column "x" does not exist at character 8' and written.statement is not None
    text, document = calls_of(tmp_path, AUTO_EXPLAIN)
    assert text.statement == "SELECT count(*)\nFROM tickets" and "Seq Scan" in text.output
    assert (document.statement, document.settings) == ("SELECT 1 WHERE $1 = 2", {"$1": "2"})


@pytest.mark.parametrize(
    ("text", "says", "error"),
    [
        ("hello", "is no trace that is known", UsageError),
        ("", "is no trace that is known", UsageError),
        ('{"a": 1', "is cut off", ConfigError),
        ('[{"a": 1}]', "is no trace that is known", UsageError),
        ("[" * 500 + "]" * 500, "nested deeper", ConfigError),
        ("[" * 100_000 + "]" * 100_000, "is no JSON", ConfigError),
        ('{"resourceSpans": []}', "is no trace that is known", UsageError),
        ("curl 'http://x", "cannot be read", ConfigError),
        ("curl -X POST", "names no address", UsageError),
    ],
)
def test_what_is_no_trace_is_said_in_one_line(tmp_path: Path, text: str, says: str, error: type[EnvcloneError]) -> None:
    with pytest.raises(error, match=says):
        calls_of(tmp_path, text)


def test_more_spans_than_one_request_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "MOST", 1)
    with pytest.raises(ConfigError, match="more than 1 spans"):
        calls_of(tmp_path, json.dumps(SAMPLES["genai"]))
    monkeypatch.setattr(opened, "LIMIT", 10)
    with pytest.raises(ConfigError, match="larger than"):
        calls_of(tmp_path, json.dumps(SAMPLES["genai"]))
    (tmp_path / "trace").write_bytes(b"\xff\xfa")
    monkeypatch.setattr(opened, "LIMIT", 1 << 20)
    with pytest.raises(UsageError, match="not UTF-8"):
        read.calls(tmp_path / "trace")


def test_a_damaged_trace_is_read_or_refused(tmp_path: Path) -> None:
    drawn = random.Random(3)
    for number in range(600):
        document = copy.deepcopy(drawn.choice(list(SAMPLES.values())))
        for _ in range(drawn.randint(1, 3)):
            _break(drawn, document)
        try:
            calls_of(tmp_path, json.dumps(document))
        except EnvcloneError as exc:
            assert str(exc), number


def _break(drawn: random.Random, document: Any) -> None:
    """Put something of another shape in a place of it."""
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            places.append((value, key))
            if isinstance(one, dict | list):
                walk(one)

    walk(document)
    holder, key = drawn.choice(places)
    holder[key] = drawn.choice([None, 7, -1e300, "x", "", [], {}, [None], {"a": [1]}, True, "\x1b[31m", 10**400, [[]]])


def test_times_in_every_unit() -> None:
    for written in ("2026-05-01T10:00:00Z", "2026-05-01T10:00:00", 1777629600, "1777629600000", 1777629600 * 10**9):
        assert moment(written) == moment("2026-05-01T10:00:00+00:00"), written
    assert moment("yesterday") is None and moment(None) is None and moment(0) is None
