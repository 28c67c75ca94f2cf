"""Exports in the shapes that the tools' own sources write: each is known for what it is, and nothing of it is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from envclone.incidents.bundle import VectorStep
from envclone.incidents.traces.steps import Stores, steps_of
from tests.unit.incidents.traces.samples import attributes
from tests.unit.incidents.traces.test_shapes import calls_of

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m-7", "gen_ai.input.messages": '["in-1"]'}
ROW = {
    "Timestamp": "2026-05-01 10:00:00.123456789", "TraceId": "t1", "SpanId": "s1", "ParentSpanId": "s0",
    "SpanName": "chat", "SpanKind": "Client", "ResourceAttributes": {"service.name": "shop-1"}, "ScopeName": "scope-1",
    "SpanAttributes": {**CHAT, "gen_ai.request.temperature": "0.25"}, "Duration": 1_500_000_000,
    "StatusCode": "STATUS_CODE_ERROR", "StatusMessage": "error-1", "Events.Timestamp": ["2026-05-01 10:00:00.2"],
    "Events.Name": ["exception"], "Events.Attributes": [{"exception.message": "event-1"}], "Links.TraceId": ["link-1"],
}  # fmt: skip
OF_JS = {
    "traceId": "t1", "id": "s1", "parentId": "s0", "name": "ai.embed", "kind": 0, "timestamp": 1714557600123456,
    "duration": 1500.5, "resource": {"attributes": {"service.name": "shop-1"}}, "instrumentationScope": {"name": "ai"},
    "attributes": {"ai.operationId": "ai.embed", "ai.embedding": "[0.1, 0.2]", "ai.value": "in-1"},
    "status": {"code": 2, "message": "error-1"}, "links": [],
    "events": [{"name": "exception", "attributes": {"exception.message": "event-1"}, "time": [1714557600, 5]}],
}  # fmt: skip
READABLE = {
    **{key: OF_JS[key] for key in ("name", "kind", "attributes", "status", "events", "resource")},
    "_spanContext": {"traceId": "t1", "spanId": "s1"}, "startTime": [1714557600, 0], "endTime": [1714557601, 500000000],
}  # fmt: skip
LOGFIRE = {
    "span_name": "chat", "trace_id": "t1", "span_id": "s1", "start_timestamp": "2026-05-01T10:00:00Z",
    "end_timestamp": "2026-05-01T10:00:01.5Z", "otel_status_code": "ERROR", "otel_status_message": "error-1",
    "attributes": CHAT, "otel_events": [{"event_name": "exception", "attributes": {"exception.message": "event-1"}}],
    "service_name": "shop-1",
}  # fmt: skip
OTLP = {
    "traceId": "t1",
    "spanId": "s1",
    "name": "chat",
    "attributes": attributes(CHAT),
    "startTimeUnixNano": "1" + "0" * 18,
}
RESOURCE = {"scopeSpans": [{"spans": [OTLP]}]}
DATADOG = {
    "trace_id": "t1", "span_id": "1", "parent_id": "undefined", "name": "ask", "start_ns": 1714557600123456789,
    "duration": 1500000000, "status": "ok", "tags": ["tag-1"], "metrics": {"input_tokens": 7},
    "meta": {"span.kind": "llm", "model_name": "m-7", "input": {"messages": ["in-1"], "prompt": {"id": "prompt-1"}},
             "output": {"messages": ["out-1"], "value": "out-2"}},
}  # fmt: skip
WRITTEN = {"_dd.stage": "raw", "_dd.tracer_version": "version-1", "event_type": "span", "spans": [DATADOG]}
EVENT = {"id": "event-1", "type": "span", "attributes": {
    **{key: DATADOG[key] for key in ("trace_id", "span_id", "name", "start_ns", "duration", "tags")},
    "ml_app": "app-1", "span_kind": "llm", "model_name": "m-7", **DATADOG["meta"]}}  # fmt: skip
APM = {"name": "postgres.query", "service": "shop-1", "resource": "SELECT 1", "trace_id": 1, "span_id": 2,
       "type": "sql", "parent_id": 0, "error": 1, "meta": {"error.message": "error-1"},
       "start": 1714557600123456789, "duration": 7}  # fmt: skip
OBSERVATION = {
    "id": "o1", "trace_id": "t1", "project_id": "project-1", "type": "GENERATION", "parent_observation_id": None,
    "start_time": "2026-05-01 10:00:00.123", "end_time": "2026-05-01 10:00:02", "name": "g", "level": "ERROR",
    "status_message": "error-1", "input": '["in-1"]', "output": "out-1", "provided_model_name": "m-7",
    "model_parameters": '{"temperature": 0.25}', "usage_details": {"input": 7}, "prompt_name": "prompt-1",
}  # fmt: skip
TRACE = {"id": "t1", "timestamp": "2026-05-01T10:00:00Z", "name": "trace-1", "input": "in-1", "output": "out-1",
         "sessionId": "session-1", "tags": ["tag-1"], "observations": ["o-1", "o-2"]}  # fmt: skip
BATCH = {"batch": [
    {"id": "e1", "type": "trace-create", "timestamp": "2026-05-01T10:00:00Z", "body": {"id": "t1", "input": "in-1"}},
    {"id": "e2", "type": "generation-create", "body": {"id": "o1", "traceId": "t1", "model": "m-7", "input": "in-2"}},
    {"id": "e3", "type": "generation-update", "body": {"id": "o1", "output": "out-2", "usage": {"input": 7}}},
    {"id": "e4", "type": "score-create", "body": {"traceId": "t1", "name": "score-1", "value": 0.25}},
], "metadata": {"sdk_name": "sdk-1"}}  # fmt: skip
OF_JS_SDK = {
    "post": [{"id": "r1", "run_type": "llm", "name": "x", "start_time": 1728803137170, "inputs": {"q": "in-1"},
              "extra": {"metadata": {"ls_model_name": "m-7"}}, "dotted_order": "20241013T070537170001Zr1"}],
    "patch": [{"dotted_order": "20241013T070537170001Zr1", "end_time": 1728803138285, "outputs": {"a": "out-1"}}],
}  # fmt: skip
PHOENIX = {"name": "retrieve", "context": {"trace_id": "t1", "span_id": "s1"}, "span_kind": "RETRIEVER",
           "attributes": {"input.value": "in-1", "retrieval.documents": [{"document.id": "doc-1"}]}}  # fmt: skip
MLFLOW = {"trace_id": "q83v", "span_id": "AAE=", "name": "chat", "attributes": {
    "mlflow.spanType": '"CHAT_MODEL"', "mlflow.llm.model": '"m-7"', "mlflow.spanInputs": '{"q": "in-1"}'}}  # fmt: skip
OF_REST = {**MLFLOW, "attributes": attributes({"mlflow.spanType": "LLM", "mlflow.spanInputs": '{"q": "in-1"}'})}
RAN = "duration: 9.5 ms  statement: SELECT 'in-1'"
CLOUD = {"textPayload": f"2026-05-01 10:00:00 UTC [123]: LOG:  {RAN}", "resource": {"type": "resource-1"}}
PG_RECORD = {"level": "info", "logging_pod": "pod-1", "record": {
    "log_time": "2026-05-01 10:00:00 UTC", "error_severity": "LOG", "sql_state_code": "00000",
    "message": RAN}}  # fmt: skip


def _lines(*documents: Any) -> str:
    return "\n".join(map(json.dumps, documents))


EXPORTS: dict[str, tuple[Any, str, list[str], list[str]]] = {
    "ClickHouse, a line each": (_lines(ROW), "otlp", ["llm"], ["m-7", "in-1", "error-1", "event-1", "shop-1", "scope-1",
                                                              "link-1", "0.25"]),
    "ClickHouse, a list": ([ROW], "otlp", ["llm"], ["in-1"]),
    "ClickHouse, with what it says": ({"meta": [{"name": "meta-1"}], "data": [ROW], "rows": 1}, "otlp", ["llm"],
                                      ["in-1", "meta-1"]),
    "ClickHouse, nested": ([{**ROW, "Events": [{"Name": "exception", "Attributes": {"a": "nested-1"}}]}], "otlp",
                           ["llm"], ["nested-1"]),
    "the SDK for JavaScript": (_lines(OF_JS), "otlp", ["embedding"], ["in-1", "error-1", "event-1", "shop-1"]),
    "the SDK's objects, by name": ({"first-1": [READABLE]}, "otlp", ["embedding"], ["in-1", "first-1", "shop-1"]),
    "the SDK's objects": ([READABLE], "otlp", ["embedding"], ["in-1", "error-1", "event-1", "shop-1"]),
    "Logfire": ([LOGFIRE], "otlp", ["llm"], ["m-7", "in-1", "error-1", "event-1", "shop-1"]),
    "a span by its name": ({"scopeName": "scope-1", "spanName": "chat", "attributes": CHAT}, "otlp", ["llm"],
                           ["m-7", "in-1", "scope-1"]),
    "Tempo 2": ({"trace": {"resourceSpans": [RESOURCE]}, "status": "status-1"}, "otlp", ["llm"], ["m-7", "status-1"]),
    "Tempo's search": ({"traces": [{"traceID": "t1", "rootTraceName": "root-1", "spanSets": [{"spans": [
        {"spanID": "s1", "name": "n", "attributes": attributes(CHAT)}]}]}]}, "otlp", ["llm"], ["m-7", "root-1"]),
    "OTLP with more beside": ({"resourceSpans": [RESOURCE], "note": "note-1"}, "otlp", ["llm"], ["m-7", "note-1"]),
    "Phoenix, OTLP's spans": ({"data": [{"span_id": "s1", "name": "n", "attributes": attributes(CHAT)}],
                               "next_cursor": "next-1"}, "otlp", ["llm"], ["m-7", "in-1", "next-1"]),
    "Phoenix, traces": ([{"traceId": "t1", "spans": [PHOENIX], "rootSpan": PHOENIX, "status": "status-1"}], "phoenix",
                        ["retrieval"], ["in-1", "doc-1", "status-1"]),
    "Phoenix, by name": ({"first-1": [PHOENIX]}, "phoenix", ["retrieval"], ["in-1", "first-1"]),
    "Datadog, as its library writes": ([WRITTEN, WRITTEN], "datadog", ["llm", "llm"],
                                       ["m-7", "in-1", "out-1", "out-2", "prompt-1", "version-1", "tag-1"]),
    "Datadog, one of them": (WRITTEN, "datadog", ["llm"], ["in-1", "version-1"]),
    "Datadog, an event a line": (_lines(EVENT, EVENT), "datadog", ["llm", "llm"], ["m-7", "in-1", "app-1", "event-1"]),
    "Datadog, spans": ([EVENT["attributes"]], "datadog", ["llm"], ["m-7", "in-1", "out-2"]),
    "Datadog, traces": ([[APM]], "datadog", ["sql"], ["SELECT 1", "error-1", "shop-1"]),
    "Langfuse, rows": (_lines(OBSERVATION, {**OBSERVATION, "id": "o2", "parent_observation_id": "o1"}), "langfuse",
                       ["llm", "llm"], ["m-7", "in-1", "out-1", "error-1", "0.25", "prompt-1", "project-1"]),
    "Langfuse, traces": ([TRACE], "langfuse", ["request"], ["in-1", "out-1", "session-1", "tag-1", "o-1", "o-2"]),
    "Langfuse, a page of traces": ({"data": [TRACE], "meta": {"page": "page-1"}}, "langfuse", ["request"],
                                   ["in-1", "o-2", "page-1"]),
    "Langfuse, a session": ({"id": "session-2", "projectId": "project-1", "traces": [
        {"id": "t1", "timestamp": "2026-05-01T10:00:00Z", "input": "in-1"}]}, "langfuse", ["request"],
        ["in-1", "session-2", "project-1"]),
    "Langfuse, a batch": (BATCH, "langfuse", ["request", "llm"], ["in-1", "in-2", "out-2", "m-7", "score-1", "sdk-1"]),
    "LangSmith, JavaScript": (OF_JS_SDK, "langsmith", ["llm"], ["in-1", "out-1", "m-7"]),
    "MLflow, an artifact": ({"spans": [MLFLOW], "request": "request-1"}, "mlflow", ["llm"], ["m-7", "in-1",
                                                                                           "request-1"]),
    "MLflow, REST": ({"trace": {"trace_info": {"trace_id": "tr-1"}, "spans": [OF_REST]}}, "mlflow", ["llm"],
                     ["in-1", "tr-1"]),
    "MLflow, several": ({"traces": [{"trace_info": {"trace_id": "tr-1"}, "spans": [MLFLOW]}], "next": "next-1"},
                        "mlflow", ["llm"], ["in-1", "tr-1", "next-1"]),
    "MLflow, a table": ([{"trace": json.dumps({"info": {"trace_id": "tr-1"}, "data": {"spans": [MLFLOW]}}),
                          "state": "state-1"}], "mlflow", ["llm"], ["in-1", "tr-1", "state-1"]),
    "MLflow, a table by columns": ({"columns": ["trace_id", "spans"], "data": [["tr-1", [MLFLOW]]]}, "mlflow", ["llm"],
                                   ["in-1", "tr-1"]),
    "Google Cloud's log": ([CLOUD], "postgres log", ["sql"], ["in-1", "resource-1"]),
    "CloudWatch's log": ({"events": [{"message": CLOUD["textPayload"], "eventId": "event-1"}]}, "postgres log", ["sql"],
                         ["in-1", "event-1"]),
    "CloudNativePG's log": (_lines(PG_RECORD), "postgres log", ["sql"], ["in-1", "pod-1"]),
}  # fmt: skip


@pytest.mark.parametrize(("document", "dialect", "kinds", "kept"), EXPORTS.values(), ids=EXPORTS)
def test_each_is_known_and_kept(tmp_path: Any, document: Any, dialect: str, kinds: list[str], kept: list[str]) -> None:
    found, origin = calls_of(tmp_path, document)
    assert (origin.dialect, [call.kind for call in found]) == (dialect, kinds)
    text = json.dumps([[call.model_dump(mode="json") for call in found], origin.model_dump(mode="json")])
    assert [one for one in kept if one not in text] == []


def test_a_table_tells_times_numbers_and_parents(tmp_path: Any) -> None:
    for document in ([ROW], [OF_JS], [LOGFIRE]):
        ((call,), _) = calls_of(tmp_path, document)
        assert call.began is not None and call.seconds is not None and 0.001 < call.seconds < 1.6
        assert call.error == "error-1"
    ((call,), _) = calls_of(tmp_path, [ROW])
    assert (call.parent, call.settings, call.seconds) == ("s0", {"temperature": 0.25}, 1.5)


def test_records_of_two_traces_stay_with_their_own(tmp_path: Any) -> None:
    other = {**TRACE, "id": "t2", "observations": []}
    inside = {**OBSERVATION, "id": "o9", "trace_id": "t2"}
    found, _ = calls_of(tmp_path, _lines({**TRACE, "observations": []}, other, OBSERVATION, inside))
    assert [(call.id, call.parent) for call in found] == [("t1", None), ("t2", None), ("o1", "t1"), ("o9", "t2")]


PREFIX = "2026-05-01 10:00:00.123 UTC [41234] app@shop "
PLAN = "duration: 9.5 ms  plan:\n"
XML = ("\t<explain>\n\t  <Query-Text>SELECT id FROM t WHERE a = $1 AND n &lt; 5</Query-Text>\n"
       "\t  <Query-Parameters>$1 = 'in-1'</Query-Parameters>\n\t</explain>\n")  # fmt: skip
YAML = ('\tQuery Text: "SELECT id FROM t WHERE a = $1 AND x = \\"A\\""\n\tQuery Parameters: "$1 = \'in-1\'"\n'
        '\tPlan: \n\t  Node Type: "Index Scan"\n')  # fmt: skip
LOGS: dict[str, tuple[str, list[tuple[str, Any]]]] = {
    "a plan in XML": (f"{PREFIX}LOG:  {PLAN}{XML}", [("SELECT id FROM t WHERE a = $1 AND n < 5", ["in-1"])]),
    "a plan in YAML": (f"{PREFIX}LOG:  {PLAN}{YAML}", [('SELECT id FROM t WHERE a = $1 AND x = "A"', ["in-1"])]),
    "log_statement": (f"{PREFIX}LOG:  execute a: SELECT $1\n{PREFIX}DETAIL:  parameters: $1 = 'in-1'\n"
                      f"{PREFIX}LOG:  duration: 12.5 ms\n", [("SELECT $1", ["in-1"])]),
    "verbose": (f"{PREFIX}LOG:  00000: duration: 9.5 ms  statement: SELECT 1\n{PREFIX}LOCATION:  exec, p.c:1\n",
                [("SELECT 1", None)]),
    "syslog": ("May  1 10:00:00 db postgres[1]: [5-1] 2026-05-01 10:00:00 UTC LOG:  duration: 9.5 ms  statement: SELECT"
               "\nMay  1 10:00:00 db postgres[1]: [5-2] #011  1\n", [("SELECT\n  1", None)]),
    "one space behind a level": ("2026-05-01 10:00:00 UTC:10.0.0.1(5):app@app:[7]:LOG: duration: 9.5 ms execute a:"
                                 " SELECT $1\n2026-05-01 10:00:00 UTC:10.0.0.1(5):app@app:[7]:DETAIL: parameters:"
                                 " $1 = 'in-1'\n",
                                 [("SELECT $1", ["in-1"])]),
    "a parameter that is cut": (f"{PREFIX}LOG:  duration: 9.5 ms  execute a: SELECT $1\n"
                                f"{PREFIX}DETAIL:  parameters: $1 = 'in-1...'\n", []),
}  # fmt: skip


@pytest.mark.parametrize(("text", "steps"), LOGS.values(), ids=LOGS)
def test_statements_of_a_log(tmp_path: Any, text: str, steps: list[tuple[str, Any]]) -> None:
    found, _ = calls_of(tmp_path, text)
    made = steps_of(found, Stores(postgres="main"))
    assert [(step.sql, step.parameters) for step in made] == steps  # type: ignore[union-attr]
    assert len(found) == 1 and "in-1" in json.dumps(found[0].model_dump(mode="json")) + "in-1" * ("in-1" not in text)


@pytest.mark.parametrize(
    ("prefix", "said", "error"),
    [
        ("2026-05-01 10:00:00 UTC [41234] ", "42703: no column", "42703 no column"),
        ("2026-05-01 10:00:00 UTC [41234] 42703 ", "no column", "42703 no column"),
        ("2026-05-01 10:00:00 UTC 41234 ", "no column", "no column"),
    ],
)
def test_an_error_of_a_log_has_its_sqlstate(tmp_path: Any, prefix: str, said: str, error: str) -> None:
    text = f"{prefix}ERROR:  {said}\n{prefix}DETAIL:  detail-1\n{prefix}LOCATION:  l-1\n{prefix}STATEMENT:  SELECT x\n"
    ((call,), _) = calls_of(tmp_path, text)
    assert call.error == error and call.other["detail"] == "detail-1" and call.other["location"] == "l-1"


def _logged(vector: Any) -> dict[str, Any]:
    return {"Vector": {"Nearest": {"query": vector, "using": "v"}}}


REQUEST = {"prefetches": [], "limit": 3, "offset": 0, "with_vector": False, "with_payload": True}
SPARSE = {"indices": [1, 7], "values": [0.5, 0.25]}
QUERIES: dict[str, tuple[Any, dict[str, Any] | None]] = {
    "a vector": ({**REQUEST, "query": _logged({"Dense": [0.5, 0.25]})}, {"vector": [0.5, 0.25], "using": "v"}),
    "its length alone": ({**REQUEST, "query": _logged({"Dense": [64.0]})}, None),
    "cut": ({**REQUEST, "query": _logged({"Dense": [0.5] * 64 + ["... (3 more items)"]})}, None),
    "an order": ({**REQUEST, "query": {"OrderBy": {"key": "k", "direction": "desc", "start_from": None}}},
                 {"query": {"order_by": {"key": "k", "direction": "desc", "start_from": None}}}),
    "fused": ({**REQUEST, "query": {"Fusion": {"Rrf": {"k": 2, "weights": None}}}, "prefetches": [
        {"prefetches": [], "query": _logged({"Sparse": SPARSE}), "limit": 9}]},
        {"query": {"rrf": {"k": 2}}, "prefetch": [{"query": SPARSE, "using": "v", "limit": 9}]}),
    "of another kind": ({**REQUEST, "query": {"Vector": {"Discover": {"query": {}}}}}, None),
}  # fmt: skip


@pytest.mark.parametrize(("body", "asked"), QUERIES.values(), ids=QUERIES)
def test_slow_requests_as_the_server_logs_them(tmp_path: Any, body: Any, asked: dict[str, Any] | None) -> None:
    entry = {"collection_name": "c", "duration": 1.5, "datetime": "2026-05-01T10:00:00Z", "request_name": "query"}
    found, _ = calls_of(tmp_path, {"result": {"requests": [{**entry, "request_body": [body, body]}]}})
    assert [call.id for call in found] == ["1.1", "1.2"] and found[0].seconds == 1.5
    steps = steps_of(found, Stores(qdrant="kb"))
    assert len(steps) == (2 if asked else 0)
    if asked:
        expected = VectorStep.model_validate({"id": "search-1", "store": "kb", "collection": "c", "limit": 3, **asked})
        assert steps[0].model_copy(update={"call": None}) == expected


def test_points_by_their_filter_are_a_step_unless_they_are_a_later_page(tmp_path: Any) -> None:
    body = {"filter": {"must": [{"key": "k", "match": {"value": "v"}}]}, "limit": 5, "with_payload": True}
    for more, count in (({}, 1), ({"offset": 17}, 0)):
        entry = {"collection_name": "c", "request_name": "scroll", "request_body": {**body, **more}}
        found, _ = calls_of(tmp_path, _lines(entry, entry))
        assert len(found) == 2 and len(steps_of(found, Stores(qdrant="kb"))) == 2 * count


def test_values_of_a_statement_in_javascript_are_its_parameters(tmp_path: Any) -> None:
    said = {"db.system": "postgresql", "db.statement": "SELECT $1", "db.postgresql.values": ["in-1"]}
    found, _ = calls_of(tmp_path, {"resourceSpans": [{"scopeSpans": [{"spans": [
        {**OTLP, "attributes": attributes(said)}]}]}]})  # fmt: skip
    (step,) = steps_of(found, Stores(postgres="main"))
    assert step.parameters == ["in-1"]  # type: ignore[union-attr]


def test_the_fields_of_a_form_beside_an_empty_text_are_kept(tmp_path: Any) -> None:
    posted = {"mimeType": "multipart/form-data", "text": "", "params": [{"name": "file", "value": "part-1"}]}
    request = {"method": "POST", "url": "https://a.example/up", "postData": posted}
    ((call,), _) = calls_of(tmp_path, {"log": {"entries": [{"request": request, "response": {"status": 200}}]}})
    assert "part-1" in json.dumps(call.input)
