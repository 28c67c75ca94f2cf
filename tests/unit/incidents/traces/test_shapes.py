"""The same traces in other shapes: of other versions of an SDK, with parts missing, odd or elsewhere."""

from __future__ import annotations

import base64
import copy
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envclone.errors import EnvcloneError
from envclone.incidents.calls import Call, Origin
from envclone.incidents.traces import read
from envclone.incidents.traces.steps import Stores, steps_of
from tests.unit.incidents.traces.samples import SAMPLES, attributes, otlp

MESSAGES = json.dumps([{"role": "user", "content": "Where is parcel 5?"}])
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m-7"}


def calls_of(tmp_path: Path, content: Any) -> tuple[list[Call], Origin]:
    data = content if isinstance(content, bytes) else (
        content if isinstance(content, str) else json.dumps(content)
    ).encode()  # fmt: skip
    (tmp_path / "trace").write_bytes(data)
    return read.calls(tmp_path / "trace")


def _event(name: str, **said: Any) -> dict[str, Any]:
    return {"name": name, "timeUnixNano": "1700000000000000111", "attributes": said}


def _log(name: str, body: dict[str, Any], span: str = "s1") -> dict[str, Any]:
    record = {"timeUnixNano": "1700000000000000111", "traceId": "t", "spanId": span, "eventName": name,
              "body": {"kvlistValue": {"values": attributes(body)}}}  # fmt: skip
    resource = {"attributes": attributes({"service.name": "shop"})}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [{"scope": {"name": "l"}, "logRecords": [record]}]}]}


ASKED = [{"role": "user", "content": "Where is parcel 5?"}]
SAID = [{"role": "assistant", "content": "In Bremen."}]
CHOICE = {"message": json.dumps(SAID[0])}
BY_EVENTS: dict[str, Any] = {
    "events of messages": otlp({"attributes": CHAT, "events": [
        _event("gen_ai.user.message", content="Where is parcel 5?"), _event("gen_ai.choice", **CHOICE)]}),
    "one event of a prompt": otlp({"attributes": CHAT, "events": [
        _event("gen_ai.content.prompt", **{"gen_ai.prompt": MESSAGES}),
        _event("gen_ai.content.completion", **{"gen_ai.completion": json.dumps(SAID)})]}),
    "one event of an operation": otlp({"attributes": CHAT, "events": [_event(
        "gen_ai.client.inference.operation.details",
        **{"gen_ai.input.messages": MESSAGES, "gen_ai.output.messages": json.dumps(SAID)})]}),
    "events of Azure": otlp({"attributes": CHAT, "events": [
        _event("gen_ai.user.message", **{"gen_ai.event.content": json.dumps({"content": "Where is parcel 5?"})}),
        _event("gen_ai.choice", **{"gen_ai.event.content": json.dumps({"message": {"content": "In Bremen."}})})]}),
    "records of a log": [otlp({"attributes": CHAT}), _log("gen_ai.user.message", {"content": "Where is parcel 5?"}),
                         _log("gen_ai.choice", {"message": {"content": "In Bremen."}})],
}  # fmt: skip


@pytest.mark.parametrize("document", BY_EVENTS.values(), ids=BY_EVENTS)
def test_messages_in_events_are_messages(tmp_path: Path, document: Any) -> None:
    lines = "\n".join(json.dumps(one) for one in document) if isinstance(document, list) else json.dumps(document)
    ((call,), _) = calls_of(tmp_path, lines)
    assert (call.kind, call.model, call.input, call.output) == ("llm", "m-7", ASKED, SAID)


def test_every_result_of_a_search_is_kept_not_the_first_alone(tmp_path: Path) -> None:
    events = [_event("db.query.result", **{"db.query.result.id": f"d{n}", "db.query.result.score": n / 4})
              for n in (3, 2)]  # fmt: skip
    events += [_event("db.query.embeddings", **{"db.query.embeddings.vector": "[0.5, 0.25]"})]
    ((call,), _) = calls_of(tmp_path, otlp({"attributes": {"db.system": "qdrant"}, "events": events}))
    assert call.documents == [{"id": "d3", "score": 0.75}, {"id": "d2", "score": 0.5}] and call.vectors == [0.5, 0.25]


def _odd_spans() -> dict[str, Any]:
    document = otlp({"attributes": CHAT, "status": "ERROR"})
    (resource,) = document["resourceSpans"]
    resource["schemaUrl"], resource["scopeSpans"][0]["schemaUrl"] = "schema-1", "schema-2"
    resource["resource"]["droppedAttributesCount"] = 4711
    resource["scopeSpans"][0]["spans"] += [
        "no-span",
        {"spanId": "odd", "attributes": "no-attributes", "events": {"no": "no-events"}},
        {"attributes": [{"key": 3, "value": {"stringValue": "no-key"}}, "no-pair"], "events": ["no-event"]},
    ]
    document["resourceSpans"].append("no-resource")
    return document


def _console(name: str) -> dict[str, Any]:
    return {"name": name, "context": {"trace_id": "0x1", "span_id": f"0x{name}"}, "kind": "SpanKind.CLIENT",
            "parent_id": None, "status": {"status_code": "ERROR", "description": "quota-gone"}, "attributes": CHAT,
            "events": [], "resource": {"attributes": {"service.name": "shop"}}}  # fmt: skip


FLAT = {"name": "ask", "span_kind": "LLM", "parent_id": None, "context.span_id": "s7", "context.trace_id": "t7",
        "attributes.llm.model_name": "flat-model", "attributes.input.value": "flat-input"}  # fmt: skip
RUN = {"id": "r1", "run_type": "chain", "name": "x", "inputs": {"q": "q-1"},
       "child_runs": [{"id": "r2", "run_type": "tool", "name": "y", "outputs": {"a": "a-2"}}]}  # fmt: skip
OBSERVED = [
    {"id": "o1", "traceId": "t1", "type": "GENERATION", "name": "g", "input": "in-1", "model": "m-1"},
    {"id": "o2", "traceId": "t1", "type": "SPAN", "name": "s", "input": "in-2", "parentObservationId": "o1"},
]
DATADOG = {"span_id": "1", "name": "n", "meta": {"kind": "llm", "error": {"message": "dd-error", "stack": "dd-stack"},
           "input": {"value": "dd-in"}, "tool_definitions": [{"name": "dd-tool"}]}}  # fmt: skip
HAR = copy.deepcopy(SAMPLES["har"])
HAR["log"]["entries"][0]["request"]["postData"] = {"mimeType": "application/x-www-form-urlencoded",
                                                   "params": [{"name": "form", "value": "har-form"}]}  # fmt: skip
HAR["log"]["entries"][0]["response"]["statusText"] = "har-status"
HAR["log"]["entries"] += ["har-no-entry", {"request": None, "response": "har-no-response"}]
SLOW = {"result": {"requests": [{"collection_name": "a", "request_body": {"query": [0.5], "limit": 1}}, "odd-request"]},
        "usage": {"io": "qdrant-usage"}}  # fmt: skip
CSV_LOG = (
    '2026-05-01 10:00:00.123 UTC,"app","shop",123,"127.0.0.1:5",abc,1,"SELECT",2026-05-01 09:00:00 UTC,3/1,0,LOG,00000,'
    '"duration: 9.5 ms  execute <unnamed>: SELECT id\nFROM tickets WHERE mail = $1",'
    "\"parameters: $1 = 'j@corp.example'\""
    ',,,,,,,,"psql","client backend",,0\n'
)
JSON_LOG = "\n".join(
    json.dumps({"timestamp": "2026-05-01 10:00:00 UTC", "user": "app", "pid": 1, **one}) for one in (
        {"error_severity": "LOG", "message": "duration: 12.5 ms  statement: SELECT id FROM tickets"},
        {"error_severity": "ERROR", "state_code": "42703", "message": "no column", "statement": "SELECT x FROM t"},
    )
)  # fmt: skip
SHAPES: dict[str, tuple[Any, list[str], list[str]]] = {
    "odd spans": (_odd_spans(), ["llm", "other", "other"], [
        "no-span", "no-attributes", "no-events", "no-key", "no-pair", "no-event", "no-resource", "schema-1", "schema-2",
        "4711"]),
    "what an event says else": (
        otlp({"attributes": CHAT, "events": [_event("exception", **{"exception.type": "E-1"})]}),
        ["llm"], ["E-1", "1700000000000000111"]),
    "metrics beside": ([otlp({"attributes": CHAT}), {"resourceMetrics": [{"scopeMetrics": ["metric-1"]}]}], ["llm"],
                       ["metric-1"]),
    "a log that names no span": (_log("e-name", {"content": "e-content"}, "elsewhere"), ["other"],
                                 ["e-name", "e-content", "elsewhere"]),
    "Tempo": ({"batches": otlp({"attributes": CHAT})["resourceSpans"]}, ["llm"], ["m-7"]),
    "in an API's answer": ({"trace": otlp({"attributes": CHAT})}, ["llm"], ["m-7"]),
    "a console's, one behind the other": (
        "\n".join(json.dumps(_console(name), indent=4) for name in ("a", "b")), ["llm", "llm"], ["quota-gone", "shop"]),
    "UTF-16": (json.dumps(otlp({"attributes": CHAT})).encode("utf-16"), ["llm"], ["m-7"]),
    "gzip with a mark of UTF-8": (gzip.compress(b"\xef\xbb\xbf" + json.dumps(otlp({"attributes": CHAT})).encode()),
                                  ["llm"], ["m-7"]),
    "Langfuse, a list": (OBSERVED, ["llm", "other"], ["in-1", "in-2"]),
    "Langfuse, a line each": ("\n".join(map(json.dumps, OBSERVED)), ["llm", "other"], ["in-1", "in-2"]),
    "Langfuse, odd": ({"trace": {"id": "t1", "metadata": "meta-1"}, "observations": [*OBSERVED, "odd-observation"]},
                      ["request", "llm", "other"], ["meta-1", "odd-observation"]),
    "LangSmith, nested": ([RUN], ["chain", "tool"], ["q-1", "a-2"]),
    "Phoenix, a table's row": ([FLAT], ["llm"], ["flat-model", "flat-input", "t7"]),
    "MLflow, a row": ({"request": "row-request", "spans": [{"name": "n", "span_id": "1"}]}, ["other"], ["row-request"]),
    "Datadog, bare spans": ([DATADOG], ["llm"], ["dd-error", "dd-stack", "dd-in", "dd-tool"]),
    "Datadog, an answer": ({"data": [{"attributes": DATADOG}], "links": {"next": "dd-next"}}, ["llm"], ["dd-next"]),
    "HAR": (HAR, ["http", "http"], ["form=har-form", "har-status", "har-no-entry", "har-no-response"]),
    "Qdrant": (SLOW, ["vector"], ["odd-request", "qdrant-usage"]),
    "PostgreSQL's log in columns": (CSV_LOG, ["sql"], ["FROM tickets WHERE mail", "j@corp.example", "psql"]),
    "PostgreSQL's log in JSON": (JSON_LOG, ["sql", "sql"], ["42703 no column", "SELECT x"]),
    "a log with other lines": ("banner-line\n2026-05-01 LOG:  duration: 1.0 ms  statement: SELECT 1\n", ["sql"],
                               ["banner-line"]),
}  # fmt: skip


@pytest.mark.parametrize(("document", "kinds", "kept"), SHAPES.values(), ids=SHAPES)
def test_nothing_of_another_shape_is_lost(tmp_path: Path, document: Any, kinds: list[str], kept: list[str]) -> None:
    if isinstance(document, list) and isinstance(document[0], dict) and "resourceSpans" in document[0]:
        document = "\n".join(map(json.dumps, document))
    found, origin = calls_of(tmp_path, document)
    assert [call.kind for call in found] == kinds
    text = json.dumps([[call.model_dump(mode="json") for call in found], origin.model_dump(mode="json")])
    assert [one for one in kept if one not in text] == []


def test_ids_in_base64_name_each_other(tmp_path: Path) -> None:
    first, second = (base64.b64encode(bytes([n]) * 8).decode() for n in (1, 2))
    spans = [{"attributes": CHAT, "spanId": first}, {"attributes": CHAT, "spanId": second, "parentSpanId": first}]
    (above, below), _ = calls_of(tmp_path, otlp(*spans))
    assert (above.id, below.parent) == (first, first)


CURLS: dict[str, tuple[str, str, str, Any]] = {
    "as Chrome copies it": (
        "curl $'https://a.example/q' -H 'Accept: x' --data-raw $'{\"q\":\"it\\'s \\u00e9\"}'",
        "POST", "https://a.example/q", {"q": "it's é"}),
    "as Chrome copies it on Windows": (
        'curl ^"https://a.example/q^" ^\n  -H ^"Accept: x^" ^\n --data-raw ^"^{^\\^"q^\\^": 1^}^"',
        "POST", "https://a.example/q", {"q": 1}),
    "data into the address": ("curl -G https://a.example/q?x=0 -d a=1 --data-urlencode 'b=c d&e'", "GET",
                              "https://a.example/q?x=0&a=1&b=c+d%26e", None),
    "letters together": ("curl -sSLXPUT -H'Accept: x' https://a.example/q", "PUT", "https://a.example/q", None),
    "values with a sign": ("curl --request=DELETE --url=https://a.example/q", "DELETE", "https://a.example/q", None),
    "a head": ("$ curl -I https://a.example/q | grep -i x", "HEAD", "https://a.example/q", None),
    "no scheme": ("curl a.example/q", "GET", "http://a.example/q", None),
    "two of data": ("curl https://a.example/q -d a=1 -d b=2", "POST", "https://a.example/q", "a=1&b=2"),
    "behind a comment": ("#!/bin/sh\n# it's broken\nset -e\nT=1 sudo /usr/bin/curl https://a.example/q", "GET",
                         "https://a.example/q", None),
    "lines behind it": ("curl https://a.example/q --json @- <<'EOF' | jq .\n{\"q\": \"it's $1\"}\nEOF\n", "POST",
                        "https://a.example/q", {"q": "it's $1"}),
    "what another writes": ("echo '{\"q\": 1}' | curl https://a.example/q -d @-", "POST", "https://a.example/q",
                            {"q": 1}),
    "written elsewhere": ("curl https://a.example/q 2>/dev/null >out.json", "GET", "https://a.example/q", None),
    "options that take values": ("curl --happy-eyeballs-timeout-ms 200 --max-t 5 --no-buffer https://a.example/q",
                                 "GET", "https://a.example/q", None),
}  # fmt: skip


@pytest.mark.parametrize(("text", "method", "url", "body"), CURLS.values(), ids=CURLS)
def test_command_lines_of_curl(tmp_path: Path, text: str, method: str, url: str, body: Any) -> None:
    ((call,), _) = calls_of(tmp_path, text)
    assert (call.input["method"], call.input["url"], call.input.get("body")) == (method, url, body)


def test_several_command_lines_and_what_lets_somebody_in(tmp_path: Path) -> None:
    found, origin = calls_of(
        tmp_path, "curl -u zoe:secret-1 https://a.example/1 -k\ncurl -b sid=secret-2 https://a.example/2 | jq .x\n"
    )
    assert [call.input["url"] for call in found] == ["https://a.example/1", "https://a.example/2"]
    assert found[0].other["options"] == ["-k"] and origin.about["other commands"] == ["jq .x"]
    assert not [call for call in found if "secret" in call.model_dump_json()]


def test_each_address_and_each_next_is_a_request(tmp_path: Path) -> None:
    found, _ = calls_of(tmp_path, "curl https://a.example/1 https://a.example/2 --next -d x=1 https://a.example/3")
    assert [(call.id, call.name) for call in found] == [("1", "GET /1"), ("2", "GET /2"), ("3", "POST /3")]


@pytest.mark.parametrize(
    "text",
    ['curl "https://a.example/q?u=$USER"', "curl https://a.example/q -d $(cat x)", "curl 'https://a.example/{a,b}'",
     'curl https://a.example/q -d @- <<E\n{"q": "$1 ${HOME}"}\nE'],
)  # fmt: skip
def test_what_the_shell_or_curl_puts_in_is_not_sent_as_it_stands(tmp_path: Path, text: str) -> None:
    found, _ = calls_of(tmp_path, text)
    assert steps_of(found, Stores(service="app")) == [] and found[0].other["unexpanded"]


def _refused() -> Iterator[tuple[str, Any]]:
    yield "body in a file", "curl https://a.example/q -d @body.json"
    yield "options in a file", "curl -K options.txt https://a.example/1"
    yield "an option that curl has not", "curl --nothing https://a.example/1"
    yield "a body that is read from elsewhere", "curl https://a.example/1 -d @-"
    yield "an open quote", "curl 'https://a.example/1"
    yield "no address", "curl -X POST"
    yield "metrics alone", {"resourceMetrics": []}
    yield "spans that are none", {"resourceSpans": [{"scopeSpans": [{"spans": None}]}]}
    yield "cut off", json.dumps(_console("a"), indent=2)[:-30]
    yield "a log in columns, cut off", CSV_LOG[:200]


@pytest.mark.parametrize("content", [one for _, one in _refused()], ids=[name for name, _ in _refused()])
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path: Path, content: Any) -> None:
    with pytest.raises(EnvcloneError) as caught:
        calls_of(tmp_path, content)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200
