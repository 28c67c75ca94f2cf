"""One trace in each format, as small as shows what it carries; all names are invented."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["AUTO_EXPLAIN", "CURL", "SAMPLES", "SLOW_LOG", "attributes", "otlp", "without_vectors"]


def attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Attributes as OTLP's JSON has them."""

    def value(one: Any) -> dict[str, Any]:
        if isinstance(one, bool):
            return {"boolValue": one}
        if isinstance(one, int):
            return {"intValue": str(one)}
        if isinstance(one, float):
            return {"doubleValue": one}
        if isinstance(one, list):
            return {"arrayValue": {"values": [value(item) for item in one]}}
        if isinstance(one, dict):
            return {"kvlistValue": {"values": attributes(one)}}
        return {"stringValue": one}

    return [{"key": key, "value": value(one)} for key, one in values.items()]


def otlp(*spans: dict[str, Any]) -> dict[str, Any]:
    """A request of an exporter; each span's `attributes` and its events' are given as plain values."""
    made = []
    for number, span in enumerate(spans, 1):
        events = [{**event, "attributes": attributes(event["attributes"])} for event in span.get("events", ())]
        made.append({
            "traceId": "t", "spanId": f"s{number}", "name": f"span {number}", "startTimeUnixNano": f"{10**18 + number}",
            "endTimeUnixNano": str(10**18 + 2 * 10**9), **span, "attributes": attributes(span.get("attributes", {})),
            "events": events,
        })  # fmt: skip
    resource = {"attributes": attributes({"service.name": "shop", "service.version": "1.2"})}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "tracer"}, "spans": made}]}]}


def without_vectors(document: dict[str, Any]) -> dict[str, Any]:
    """A request of an exporter, without the spans that embed."""
    (resource,) = document["resourceSpans"]
    (scope,) = resource["scopeSpans"]
    spans = [span for span in scope["spans"] if "EMBEDDING" not in json.dumps(span)]
    return {"resourceSpans": [{**resource, "scopeSpans": [{**scope, "spans": spans}]}]}


MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is my parcel?"}]
GENAI = otlp(
    {
        "attributes": {
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5",
            "gen_ai.response.model": "gpt-5-2026-01-01", "gen_ai.request.temperature": 0.2, "gen_ai.request.seed": 7,
            "gen_ai.request.max_tokens": 300, "gen_ai.input.messages": json.dumps(MESSAGES),
            "gen_ai.output.messages": json.dumps([{"role": "assistant", "content": "In Bremen."}]),
            "gen_ai.response.finish_reasons": ["stop"], "gen_ai.usage.input_tokens": 31,
            "gen_ai.usage.output_tokens": 4, "gen_ai.conversation.id": "c-9",
            "gen_ai.tool.definitions": json.dumps([{"name": "track"}]), "custom.flag": True,
        },
        "status": {"code": 1},
    },
    {
        "parentSpanId": "s1",
        "attributes": {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "track",
                       "gen_ai.tool.call.arguments": '{"id": 17}', "gen_ai.tool.call.result": '{"at": "Bremen"}'},
        "status": {"code": 2, "message": "timed out"},
    },
)  # fmt: skip
OLD_GENAI = otlp(
    {
        "attributes": {
            "gen_ai.system": "anthropic", "gen_ai.request.model": "claude", "llm.request.type": "chat",
            "traceloop.span.kind": "llm", "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "Hello",
            "gen_ai.completion.0.content": "Hi", "gen_ai.completion.0.finish_reason": "stop",
            "llm.usage.total_tokens": 12,
        }
    },
    {
        "attributes": {"db.system": "chroma", "db.operation": "query"},
        "events": [
            {"name": "db.query.embeddings", "attributes": {"db.query.embeddings.vector": [0.5, 0.25]}},
            {"name": "db.query.result", "attributes": {"db.query.result.id": "d1", "db.query.result.score": 0.75}},
        ],
    },
)  # fmt: skip
OPENINFERENCE = otlp(
    {
        "attributes": {
            "openinference.span.kind": "RETRIEVER", "input.value": "where is my parcel",
            "retrieval.documents.0.document.id": "88", "retrieval.documents.0.document.score": 0.77,
            "retrieval.documents.0.document.content": "Shipping abroad",
            "retrieval.documents.1.document.id": "17", "retrieval.documents.1.document.score": 0.5,
            "db.collection.name": "articles",
        }
    },
    {
        "parentSpanId": "s1",
        "attributes": {
            "openinference.span.kind": "EMBEDDING", "embedding.model_name": "small",
            "embedding.embeddings.0.embedding.text": "where is my parcel",
            "embedding.embeddings.0.embedding.vector": [0.1, 0.2, 0.3],
        },
    },
    {
        "attributes": {
            "openinference.span.kind": "LLM", "llm.model_name": "gpt-5", "llm.provider": "openai",
            "llm.invocation_parameters": '{"temperature": 0, "seed": 1}',
            "llm.input_messages.0.message.role": "system", "llm.input_messages.0.message.content": "Be brief.",
            "llm.output_messages.0.message.content": "In Bremen.", "llm.token_count.prompt": 20,
            "llm.prompt_template.template": "Answer {q}", "llm.prompt_template.version": "v3", "session.id": "c-9",
        }
    },
)  # fmt: skip
OPENLIT = otlp(
    {
        "attributes": {"db.system.name": "qdrant", "db.operation.name": "query", "db.collection.name": "articles",
                       "db.query.text": "[0.1, 0.2, 0.3]", "db.vector.query.top_k": 3}
    },
    {
        "attributes": {"db.system.name": "postgresql", "db.query.text": "SELECT id FROM tickets WHERE email = $1",
                       "db.query.parameter.1": "jane@corp.example"}
    },
)  # fmt: skip
LANGSMITH = {
    "post": [
        {"id": "r1", "run_type": "chain", "name": "RAG", "inputs": {"q": "parcel"},
         "start_time": "2026-05-01T10:00:00"},
        {"id": "r2", "parent_run_id": "r1", "run_type": "retriever", "name": "store", "inputs": {"query": "parcel"},
         "outputs": {"documents": [{"page_content": "Shipping", "metadata": {"id": 88}}]}, "trace_id": "r1"},
        {"id": "r3", "parent_run_id": "r1", "run_type": "llm", "name": "ChatOpenAI", "inputs": {"messages": [MESSAGES]},
         "extra": {"invocation_params": {"model": "gpt-5", "temperature": 0},
                   "metadata": {"ls_provider": "openai", "ls_model_name": "gpt-5"}}},
    ],
    "patch": [{"id": "r3", "outputs": {"generations": ["In Bremen."]}, "end_time": "2026-05-01T10:00:02"}],
}  # fmt: skip
MLFLOW = {
    "info": {"trace_id": "tr-1", "state": "OK"},
    "data": {
        "spans": [
            {"span_id": "a", "parent_id": None, "name": "retrieve", "start_time_unix_nano": 10**18, "trace_id": "tr-1",
             "end_time_unix_nano": 10**18 + 10**9, "status": {"code": "STATUS_CODE_OK"},
             "attributes": {"mlflow.spanType": '"RETRIEVER"', "mlflow.spanInputs": '{"query": "parcel"}',
                            "mlflow.spanOutputs": '[{"page_content": "Shipping", "metadata": {"doc_uri": "a.md"}}]'}},
            {"span_id": "b", "parent_id": "a", "name": "answer",
             "status": {"code": "STATUS_CODE_ERROR", "message": "429"},
             "attributes": {"mlflow.spanType": '"CHAT_MODEL"', "mlflow.llm.model": '"gpt-5"',
                            "mlflow.chat.tokenUsage": '{"input_tokens": 3}'}},
        ]
    },
}  # fmt: skip
PHOENIX = {
    "data": [
        {"name": "query", "span_kind": "RETRIEVER", "context": {"trace_id": "t", "span_id": "p1"}, "parent_id": None,
         "start_time": "2026-05-01T10:00:00Z", "end_time": "2026-05-01T10:00:01Z", "status_code": "OK",
         "attributes": {"input": {"value": "parcel"},
                        "retrieval": {"documents": [{"document": {"id": "88", "score": 0.77}}]}}},
    ]
}  # fmt: skip
DATADOG = {
    "data": {
        "type": "span",
        "attributes": {
            "ml_app": "shop",
            "spans": [
                {"span_id": "1", "trace_id": "t", "parent_id": "undefined", "name": "ask", "start_ns": 10**18,
                 "duration": 2 * 10**9, "metrics": {"input_tokens": 9}, "session_id": "c-9",
                 "meta": {"kind": "llm", "model_name": "gpt-5", "model_provider": "openai",
                          "metadata": {"temperature": 0}, "input": {"messages": MESSAGES},
                          "output": {"messages": [{"content": "In Bremen."}]}}},
                {"span_id": "2", "trace_id": "t", "parent_id": "1", "name": "find", "start_ns": 10**18, "duration": 5,
                 "meta": {"kind": "retrieval", "input": {"value": "parcel"},
                          "output": {"documents": [{"id": "88", "score": 0.77, "text": "Shipping"}]}}},
            ],
        },
    }
}  # fmt: skip
HAR = {
    "log": {
        "version": "1.2",
        "entries": [
            {"startedDateTime": "2026-05-01T10:00:00.000Z", "time": 120, "_kept": "yes",
             "request": {"method": "POST", "url": "https://shop.example/ask?lang=en",
                         "headers": [{"name": "Authorization", "value": "Bearer s3cret-token"}],
                         "postData": {"text": '{"q": "parcel"}'}},
             "response": {"status": 500, "content": {"mimeType": "application/json", "text": '{"error": "no"}'}}},
        ],
    }
}  # fmt: skip
SLOW_REQUESTS = {
    "result": {
        "requests": [
            {"collection_name": "articles", "request_name": "query", "duration": 1.5, "approx_count": 2,
             "datetime": "2026-05-01T10:00:00Z",
             "request_body": {"query": [0.1, 0.2, 0.3], "limit": 3, "params": {"hnsw_ef": 16}}},
            {"collection_name": "articles", "request_name": "query", "duration": 2.5,
             "request_body": {"query": [0.5] * 64, "limit": 3}},
        ]
    }
}  # fmt: skip
SLOW_LOG = """\
2026-05-01 10:00:00.123 UTC [123] app@app LOG:  duration: 1234.567 ms  execute <unnamed>: SELECT id FROM tickets
\tWHERE email = $1 AND note = $2
2026-05-01 10:00:00.123 UTC [123] app@app DETAIL:  Parameters: $1 = 'o''hara@corp.example', $2 = NULL
2026-05-01 10:00:02.123 UTC [123] app@app ERROR:  column "x" does not exist at character 8
2026-05-01 10:00:02.123 UTC [123] app@app STATEMENT:  SELECT x FROM tickets
2026-05-01 10:00:02.200 UTC [123] app@app LOG:  checkpoint starting: time
2026-05-01 10:00:03.000 UTC [123] app@app LOG:  duration: 12.0 ms  statement: UPDATE tickets SET note = ''
"""
AUTO_EXPLAIN = """\
2026-05-01 10:00:01 UTC LOG:  duration: 88.1 ms  plan:
\tQuery Text: SELECT count(*)
\tFROM tickets
\tAggregate  (cost=1.0..2.0 rows=1 width=8)
\t  ->  Seq Scan on tickets  (cost=0.0..1.0 rows=9 width=0)
2026-05-01 10:00:02 UTC LOG:  duration: 9.5 ms  plan:
\t{
\t  "Query Text": "SELECT 1 WHERE $1 = 2",
\t  "Query Parameters": "$1 = '2'",
\t  "Plan": {"Node Type": "Result"}
\t}
"""
CURL = """\
curl -X POST 'https://shop.example/ask?lang=en' -H 'Content-Type: application/json' \\
  -H 'Authorization: Bearer s3cret-token' --data-raw '{"q": "parcel"}'
"""
_COLLECTED: dict[str, Any] = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m-7",
    "gen_ai.request.temperature": 0.2, "gen_ai.conversation.id": "c-9", "gen_ai.usage.input_tokens": 7,
    "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "Where is parcel 5?"}]}]',
    "otel.status_code": "OK",
}  # fmt: skip
_SAID = '[{"role": "assistant", "parts": [{"type": "text", "content": "In Bremen."}], "finish_reason": "stop"}]'
_JAEGER_TYPES = {str: "string", float: "float64", int: "int64", bool: "bool"}
JAEGER = {
    "data": [
        {
            "traceID": "t1",
            "spans": [
                {"traceID": "t1", "spanID": "a", "operationName": "POST /ask", "references": [], "processID": "p1",
                 "startTime": 1777629600000000, "duration": 900000, "tags": [], "logs": [], "warnings": None},
                {"traceID": "t1", "spanID": "b", "operationName": "chat m-7", "processID": "p1",
                 "references": [{"refType": "CHILD_OF", "traceID": "t1", "spanID": "a"}],
                 "startTime": 1777629600100000, "duration": 500000,
                 "tags": [{"key": key, "type": _JAEGER_TYPES[type(value)], "value": value}
                          for key, value in _COLLECTED.items()],
                 "logs": [{"timestamp": 1777629600600000, "fields": [
                     {"key": "event", "type": "string", "value": "gen_ai.client.inference.operation.details"},
                     {"key": "gen_ai.output.messages", "type": "string", "value": _SAID}]}]},
            ],
            "processes": {"p1": {"serviceName": "shop", "tags": [
                {"key": "service.version", "type": "string", "value": "4.1"}]}},
            "warnings": None,
        }
    ],
    "total": 0, "limit": 0, "offset": 0, "errors": None,
}  # fmt: skip
ZIPKIN = [
    {"traceId": "t1", "id": "a", "name": "post /ask", "kind": "SERVER", "timestamp": 1777629600000000,
     "duration": 900000, "localEndpoint": {"serviceName": "shop", "ipv4": "10.0.0.1"}},
    {"traceId": "t1", "id": "b", "parentId": "a", "name": "chat m-7", "timestamp": 1777629600100000,
     "duration": 500000, "localEndpoint": {"serviceName": "shop", "ipv4": "10.0.0.1"},
     "tags": {key: str(value) for key, value in _COLLECTED.items()},
     "annotations": [{"timestamp": 1777629600600000,
                      "value": '"gen_ai.client.inference.operation.details": '
                      + json.dumps({"gen_ai.output.messages": _SAID})}]},
]  # fmt: skip
SAMPLES: dict[str, Any] = {
    "genai": GENAI, "old genai": OLD_GENAI, "openinference": OPENINFERENCE, "openlit": OPENLIT, "langsmith": LANGSMITH,
    "mlflow": MLFLOW, "phoenix": PHOENIX, "datadog": DATADOG, "har": HAR, "slow requests": SLOW_REQUESTS,
    "jaeger": JAEGER, "zipkin": ZIPKIN,
}  # fmt: skip
"""Those that are JSON, by name."""
