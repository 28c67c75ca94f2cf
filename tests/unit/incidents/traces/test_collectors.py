"""Jaeger's and Zipkin's exports in every shape that they come in: told by content, and nothing of them is dropped."""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from envclone.errors import EnvcloneError
from envclone.incidents.calls import Call, Origin
from envclone.incidents.traces import read
from tests.unit.incidents.traces.samples import JAEGER, SAMPLES, ZIPKIN, otlp
from tests.unit.incidents.traces.test_read import lost


def calls_of(tmp_path: Path, content: Any) -> tuple[list[Call], Origin]:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    (tmp_path / "trace").write_bytes(data)
    return read.calls(tmp_path / "trace")


def _lines(items: list[Any]) -> bytes:
    return "\n".join(json.dumps(one) for one in items).encode()


def _elasticsearch() -> bytes:
    """Spans as Jaeger keeps them there: a process in each, tags as an object or as texts with types."""
    trace = copy.deepcopy(JAEGER["data"][0])
    for span in trace["spans"]:
        span["process"] = trace["processes"][span.pop("processID")]
        span["startTimeMillis"] = span["startTime"] // 1000
        for tag in span["tags"]:
            tag["value"] = str(tag["value"])
    trace["spans"][1]["tag"] = {"db@system": "x"}
    return _lines(trace["spans"])


SHAPES: dict[str, tuple[str, Any]] = {
    "the page's download": ("jaeger", JAEGER),
    "one trace": ("jaeger", JAEGER["data"][0]),
    "a list of traces": ("jaeger", JAEGER["data"]),
    "a trace a line": ("jaeger", _lines([JAEGER["data"][0], {**JAEGER["data"][0], "spans": [], "warnings": ["late"]}])),
    "a span a line": ("jaeger", _elasticsearch()),
    "packed": ("jaeger", gzip.compress(json.dumps(JAEGER).encode())),
    "a list": ("zipkin", ZIPKIN),
    "lists of traces": ("zipkin", [ZIPKIN[:1], ZIPKIN[1:]]),
    "a span of Zipkin's a line": ("zipkin", _lines(ZIPKIN)),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_call_in_every_shape(tmp_path: Path, shape: str) -> None:
    dialect, content = SHAPES[shape]
    calls, origin = calls_of(tmp_path, content)
    (call,) = [one for one in calls if one.kind == "llm"]
    assert origin.dialect == dialect and len(calls) == 2
    assert (call.parent, call.model, call.conversation, call.seconds) == ("a", "m-7", "c-9", 0.5)
    assert (call.settings, call.usage) == ({"temperature": 0.2}, {"input_tokens": 7})
    assert call.input[0]["parts"][0]["content"] == "Where is parcel 5?"
    assert call.output[0]["parts"][0]["content"] == "In Bremen." and call.error is None
    assert "shop" in str(origin.about) or "shop" in str(call.other)


def test_odd_parts_are_kept_and_failures_told(tmp_path: Path) -> None:
    document: Any = copy.deepcopy(JAEGER)
    parent, span = document["data"][0]["spans"]
    span["tags"] += [
        {"key": "error", "type": "bool", "value": True}, {"key": "error.message", "value": "no quota"},
        {"key": "twice", "type": "string", "value": "first"}, {"key": "twice", "type": "string", "value": "second"},
        {"value": "without a name"}, "no tag", {"key": "bytes", "type": "binary", "value": "AAE="},
    ]  # fmt: skip
    span["references"] += [{"refType": "FOLLOWS_FROM", "traceID": "t0", "spanID": "z"}, "odd reference"]
    span["logs"] += ["odd log", {"timestamp": "late", "fields": [{"key": "level", "type": "string", "value": "warn"}]}]
    span |= {"warnings": ["clock skew"], "flags": 1, "duration": "long"}
    del parent["spanID"], parent["references"]
    document["data"][0]["spans"].append("odd span")
    document["errors"] = [{"code": 500, "msg": "cut"}]
    calls, origin = calls_of(tmp_path, document)
    assert lost(tmp_path / "trace", document) == []
    (call,) = [one for one in calls if one.kind == "llm"]
    assert call.error == "no quota" and call.other["twice"] == "second" and call.other["twice#1"] == "first"
    assert "cut" in str(origin.about) and "odd span" in str(origin.about)
    spans: Any = copy.deepcopy(ZIPKIN)
    spans[1]["tags"] |= {"error": "quota", "gen_ai.request.model": "007"}
    spans[1]["annotations"] += [{"timestamp": 5, "value": "ws"}, "odd", {"value": '"e": {broken'}]
    spans[1] |= {"shared": True, "debug": True, "remoteEndpoint": {"port": 443}}
    calls, _ = calls_of(tmp_path, spans)
    assert lost(tmp_path / "trace", spans) == []
    (call,) = [one for one in calls if one.kind == "llm"]
    assert (call.error, call.model) == ("quota", "007")


def test_logs_in_protobuf_are_read_as_their_json_is(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.proto")
    from google.protobuf.json_format import ParseDict
    from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    def pair(key: str, value: str) -> dict[str, Any]:
        return {"key": key, "value": {"stringValue": value}}

    def document(trace: str, span: str) -> dict[str, Any]:
        record = {"timeUnixNano": "1700000000000000111", "observedTimeUnixNano": "1700000000000000112",
                  "traceId": trace,
                  "spanId": span, "severityText": "INFO", "severityNumber": 9, "flags": 1, "eventName": "gen_ai.choice",
                  "attributes": [pair("gen_ai.provider.name", "openai")],
                  "body": {"kvlistValue": {"values": [pair("finish_reason", "stop")]}}}  # fmt: skip
        scope = {"scope": {"name": "l"}, "logRecords": [record]}
        return {"resourceLogs": [{"resource": {"attributes": [pair("service.name", "shop")]}, "scopeLogs": [scope]}]}

    data = ParseDict(document("AAECAwQFBgcICQoLDA0ODw==", "AAECAwQFBgc="), LogsData()).SerializeToString()
    calls, origin = calls_of(tmp_path, data)
    written = document("000102030405060708090a0b0c0d0e0f", "0001020304050607")
    written["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["severityNumber"] = "SEVERITY_NUMBER_INFO"
    assert (calls, origin) == calls_of(tmp_path, written)
    assert calls[0].parent == "0001020304050607" and "service.name" in str(origin.about)
    bare = {"scopeLogs": [{"logRecords": [{"body": {"stringValue": "said"}}]}]}
    only_body = ParseDict({"resourceLogs": [bare]}, LogsData())
    assert "said" in str(calls_of(tmp_path, only_body.SerializeToString())[0][0])
    spans = ParseDict({"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "n", "spanId": "AAE="}]}]}]}, TracesData())
    assert calls_of(tmp_path, spans.SerializeToString())[0][0].name == "n"


def test_other_formats_are_still_told_apart(tmp_path: Path) -> None:
    told = {name: calls_of(tmp_path, document)[1].dialect for name, document in SAMPLES.items()}
    assert {name for name, dialect in told.items() if dialect in ("jaeger", "zipkin")} == {"jaeger", "zipkin"}
    assert calls_of(tmp_path, otlp({"attributes": {}}))[1].dialect == "otlp"


def test_shapes_of_other_exporters(tmp_path: Path) -> None:
    genai = SAMPLES["genai"]
    expected, _ = calls_of(tmp_path, genai)
    as_text: Any = copy.deepcopy(genai)
    for span in as_text["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        span["attributes"] = json.dumps(span["attributes"])
    for document in (as_text, {"result": genai}):  # attributes as a text; an answer of Jaeger's next API
        assert calls_of(tmp_path, document)[0] == expected
    trace = JAEGER["data"][0]
    spans = [{**one, "process": trace["processes"]["p1"]} for one in trace["spans"]]
    hits = {"took": 3, "hits": {"hits": [{"_id": f"doc-{n}", "_source": one} for n, one in enumerate(spans)]}}
    calls, origin = calls_of(tmp_path, hits)
    assert [one.kind for one in calls] == ["other", "llm"] and "doc-1" in str(origin.about)
    first: Any = [{"traceId": "1", "id": "2", "name": "n", "annotations": [{"timestamp": 1, "value": "cs"}],
                   "binaryAnnotations": [{"key": "gen_ai.operation.name", "value": "chat"},
                                         {"key": "gen_ai.request.model", "value": "m-7"}]}]  # fmt: skip
    (call,) = calls_of(tmp_path, first)[0]
    assert (call.kind, call.model) == ("llm", "m-7") and lost(tmp_path / "trace", first) == []
    event: Any = SAMPLES["datadog"]["data"]["attributes"]["spans"][0]
    exported = {"data": [{"type": "span", "id": "event-7", "attributes": event}], "meta": {"page": {"after": "c9"}}}
    calls, origin = calls_of(tmp_path, exported)
    assert "event-7" in str(calls) and "c9" in str(origin.about)
    page = {"data": [{"id": "o", "traceId": "trace-8", "type": "SPAN", "name": "n"}], "meta": {"cursor": "z"}}
    assert "trace-8" in str(calls_of(tmp_path, page)[1].about)


def test_a_collectors_file_of_messages_with_their_lengths(tmp_path: Path) -> None:
    from google.protobuf.json_format import ParseDict
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    def message(name: str) -> bytes:
        span = {"name": name, "spanId": "AAE="}
        data = ParseDict({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}, TracesData()).SerializeToString()
        return len(data).to_bytes(4) + data

    calls, _ = calls_of(tmp_path, message("first") + message("second"))
    assert [one.name for one in calls] == ["first", "second"]
    for content in (message("a")[:-1], b"\0\0\0\0", b"\0\0\0\1x", b"\0" * 5000):
        with pytest.raises(EnvcloneError):
            calls_of(tmp_path, content)
