"""Logs of model services and of gateways before them, each record one call.

Amazon Bedrock's model invocation logs, Vertex AI's request-response logs, Azure's API Management (its LLM log) and
Application Insights, Helicone, PostHog's LLM events, Weave's calls and DSPy's history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from envclone.incidents.traces import exports, sdks
from envclone.incidents.traces.bodies import Record, model, rest_of, whole_of_stream
from envclone.incidents.traces.http import exchange
from envclone.incidents.traces.span import Span, Trace, bounded, loose, moment, parsed

__all__ = ["read"]


def read(documents: Sequence[Any]) -> Trace | None:
    """The calls that records of one product tell; None for records of another."""
    found = exports.apart(sdks.merged(list(_records(documents))))
    if not found:
        return None
    for dialect, is_its, span in (*exports.PRODUCTS, *_PRODUCTS, *sdks.PRODUCTS):
        if all(map(is_its, found)):
            return Trace(dialect, [span(one, number) for number, one in enumerate(bounded(found), 1)])
    return None


_LISTS = ("results", "data", "records", "calls", "events", "spans", "content")


def _records(documents: Sequence[Any]) -> Iterator[Record]:
    """The records of documents: of lists, of the answers of an API, of a table of Log Analytics."""
    for one in documents:
        if isinstance(one, list):
            yield from _records(one)
        elif isinstance(one, Mapping):
            tables = one.get("tables")
            if isinstance(tables, list) and tables and all(isinstance(each, Mapping) for each in tables):
                for table in tables:
                    names = [str(each.get("name") if isinstance(each, Mapping) else each) for each in table["columns"]]
                    yield from (dict(zip(names, row, strict=False)) for row in table["rows"])
            elif isinstance(inner := next((one[key] for key in _LISTS if key in one),
                                          None), list) and not {"event", "op_name"} & one.keys():  # fmt: skip
                yield from _records(inner)
            else:
                yield one


def _bedrock(one: Record, number: int) -> Span:
    put, got = loose(one.get("input")), loose(one.get("output"))
    said = model(put.get("inputBodyJson"), whole_of_stream(got.get("outputBodyJson")))
    said |= {"model": one.get("modelId"), "provider": "aws.bedrock"}
    counted = {"input_tokens": put.get("inputTokenCount"), "output_tokens": got.get("outputTokenCount")}
    said["usage"] = {key: value for key, value in counted.items() if value is not None} | said["usage"]
    error = one.get("errorCode")
    rest = rest_of(one, "input", "output", "modelId", "timestamp", "errorCode")
    rest |= {f"input.{key}": value for key, value in put.items() if key not in ("inputBodyJson", "inputTokenCount")}
    rest |= {f"output.{key}": value for key, value in got.items() if key not in ("outputBodyJson", "outputTokenCount")}
    if isinstance(events := got.get("outputBodyJson"), list):
        rest["output.events"] = [each for each in events if "contentBlockDelta" not in loose(each)]
    return Span(str(one.get("requestId") or number), None, str(one.get("operation") or ""), {},
                moment(one.get("timestamp")), None, str(error) if error else None, said, rest)  # fmt: skip


def _first(value: Any) -> Any:
    """BigQuery's repeated column of one text."""
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    return parsed(value)


def _vertex(one: Record, number: int) -> Span:
    asked = one.get("full_request") or _first(one.get("request_payload"))
    answer = one.get("full_response") or _first(one.get("response_payload"))
    said = model(parsed(asked), parsed(answer))
    said |= {
        "model": one.get("model") or str(one.get("endpoint") or "").rpartition("/")[2],
        "provider": "gcp.vertex_ai",
    }
    rest = rest_of(one, "full_request", "full_response", "request_payload", "response_payload", "logging_time")
    return Span(str(one.get("request_id") or number), None, str(one.get("api_method") or ""), {},
                moment(one.get("logging_time")), None, None, said, rest)  # fmt: skip


def _management(one: Record, number: int) -> Span:
    said = {
        "kind": "llm", "input": parsed(one.get("RequestMessages")), "output": parsed(one.get("ResponseMessages")),
        "model": one.get("ModelName") or one.get("DeploymentName"), "provider": "az.ai.openai",
        "usage": {name: one[key] for key, name in (("PromptTokens", "input_tokens"), ("CompletionTokens",
                  "output_tokens"), ("TotalTokens", "total_tokens")) if one.get(key) is not None},
    }  # fmt: skip
    rest = rest_of(one, "RequestMessages", "ResponseMessages", "ModelName", "PromptTokens", "CompletionTokens",
                 "TotalTokens", "TimeGenerated")  # fmt: skip
    return Span(str(one.get("CorrelationId") or number), None, str(one.get("OperationName") or ""), {},
                moment(one.get("TimeGenerated")), None, None, said, rest)  # fmt: skip


_SQL_TARGETS = ("sql", "postgresql", "pg")


def _insights(one: Record, number: int) -> Span:
    kind, attributes = str(one.get("type") or "").lower(), dict(loose(one.get("customDimensions")))
    failed = str(one.get("success")).lower() == "false"
    error = f"{one.get('resultCode') or 'failed'}" if failed else None
    began, duration = moment(one.get("timestamp")), one.get("duration")
    ended = moment(began.timestamp() + float(duration) / 1000) if began and isinstance(duration, int | float) else None
    ident, data = str(one.get("id") or number), str(one.get("data") or "")
    rest = rest_of(one, "id", "operation_ParentId", "name", "customDimensions", "timestamp", "data")
    parent = str(one["operation_ParentId"]) if one.get("operation_ParentId") else None
    if kind in _SQL_TARGETS and data:
        attributes = {"db.system": "postgresql" if kind != "sql" else "sql", "db.query.text": data, **attributes}
    elif data and urlsplit(data).scheme in ("http", "https"):
        method = str(one.get("name") or "GET").partition(" ")[0]
        asked = exchange(ident, method, data, {}, None, None, None)
        return Span(ident, parent, str(one.get("name") or ""), attributes, began, ended, error, asked.said,
                    {**asked.rest, **rest})  # fmt: skip
    elif data:
        rest["data"] = data
    return Span(ident, parent, str(one.get("name") or ""), attributes, began, ended, error, {}, rest)


def _helicone(one: Record, number: int) -> Span:
    said = model(parsed(one["request_body"]), parsed(one.get("response_body")))
    said["provider"] = one.get("provider")
    said["conversation"] = loose(one.get("request_properties")).get("Helicone-Session-Id")
    status = one.get("response_status")
    error = str(loose(parsed(one.get("response_body"))).get("error") or status) if isinstance(status, int) and (
        status >= 400) else None  # fmt: skip
    rest = rest_of(one, "request_body", "response_body", "request_id", "request_created_at", "response_created_at",
                 "provider")  # fmt: skip
    name = urlsplit(str(one.get("request_path") or "")).path
    return Span(str(one.get("request_id") or number), None, name, {}, moment(one.get("request_created_at")),
                moment(one.get("response_created_at")), error, said, rest)  # fmt: skip


_POSTHOG = {"$ai_generation": "llm", "$ai_embedding": "embedding", "$ai_span": "chain", "$ai_trace": "chain"}
_AI = {
    "$ai_model": "model", "$ai_provider": "provider", "$ai_session_id": "conversation", "$ai_tools": "tools",
    "$ai_input": "input", "$ai_input_state": "input", "$ai_output_choices": "output", "$ai_output": "output",
    "$ai_output_state": "output", "$ai_model_parameters": "settings",
}  # fmt: skip


def _posthog(one: Record, number: int) -> Span:
    its = dict(loose(one.get("properties")))
    said: dict[str, Any] = {"kind": _POSTHOG[one["event"]]}
    for key, name in _AI.items():
        if its.get(key) is not None and name not in said:
            said[name] = parsed(its.pop(key))
    said["usage"] = {key.removeprefix("$ai_"): its.pop(key) for key in list(its)
                     if key.startswith("$ai_") and key.endswith("_tokens")}  # fmt: skip
    if said["kind"] == "chain" and _is_found(said.get("output")):
        said["kind"], said["documents"] = "retrieval", said.pop("output")
    failed = its.pop("$ai_is_error", False) in (True, "true") or its.get("$ai_error")
    ended, latency = moment(one.get("timestamp")), its.get("$ai_latency")
    began = moment(ended.timestamp() - latency) if ended and isinstance(latency, int | float) else ended
    parent, ident = its.pop("$ai_parent_id", None), its.pop("$ai_span_id", None) or one.get("uuid") or number
    return Span(str(ident), str(parent) if parent else None, str(its.pop("$ai_span_name", "") or one["event"]), {},
                began, ended, str(its.pop("$ai_error", None) or "failed") if failed else None, said,
                {**rest_of(one, "properties", "event", "timestamp"), **its})  # fmt: skip


def _weave(one: Record, number: int) -> Span:
    put, got = parsed(one.get("inputs")), parsed(one.get("output"))
    name = str(one["op_name"]).rpartition("/op/")[2].partition(":")[0] or str(one["op_name"])
    body = loose(put)
    said: dict[str, Any] = {"kind": "chain", "input": put, "output": got}
    if {"messages", "contents"} & body.keys() or ("input" in body and "model" in body):
        said = model({key: value for key, value in body.items() if key != "self"}, got)
    elif _is_found(got):
        vector = next((value for key, value in body.items() if _is_vector(value)), None)
        said = {"kind": "retrieval", "input": put, "documents": got, "vectors": [vector] if vector else None}
        limit = next((body[key] for key in ("k", "top_k", "limit") if isinstance(body.get(key), int)), None)
        said["settings"] = {"top_k": limit} if limit else {}
    rest = rest_of(one, "id", "parent_id", "started_at", "ended_at", "inputs", "output", "exception")
    parent = one.get("parent_id")
    return Span(str(one.get("id") or number), str(parent) if parent else None, name, {}, moment(one.get("started_at")),
                moment(one.get("ended_at")), str(one["exception"]) if one.get("exception") else None, said,
                rest)  # fmt: skip


def _dspy(one: Record, number: int) -> Span:
    asked = {"messages": one.get("messages") or one.get("prompt"), **loose(one.get("kwargs"))}
    said = model(asked, one.get("response"))
    said["output"] = said["output"] or one.get("outputs")
    said["model"] = one.get("response_model") or one.get("model")
    said["usage"] = dict(loose(one.get("usage"))) or said["usage"]
    rest = rest_of(one, "messages", "prompt", "kwargs", "response", "usage", "timestamp", "uuid")
    return Span(str(one.get("uuid") or number), None, str(one.get("model") or "lm"), {}, moment(one.get("timestamp")),
                None, None, said, rest)  # fmt: skip


_KEYS, _TEXTS = {"id", "score", "doc_id"}, {"text", "content", "page_content", "document", "payload"}


def _is_found(value: Any) -> bool:
    """Whether a value is what a search found: objects with an id or a score, and a text."""
    listed = value if isinstance(value, list) and value else [None]
    return all(isinstance(one, Mapping) and _KEYS & one.keys() and _TEXTS & one.keys() for one in listed)


def _is_vector(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 3 and all(
        isinstance(one, int | float) and not isinstance(one, bool) for one in value)  # fmt: skip


_PRODUCTS: tuple[tuple[str, Callable[[Record], bool], Callable[[Record, int], Span]], ...] = (
    ("bedrock", lambda one: one.get("schemaType") == "ModelInvocationLog", _bedrock),
    ("vertex ai", lambda one: "full_request" in one or {"request_payload", "response_payload"} <= one.keys(), _vertex),
    ("api management", lambda one: {"RequestMessages", "ResponseMessages"} & one.keys() != set(), _management),
    ("application insights", lambda one: {"customDimensions", "operation_Id"} <= one.keys(), _insights),
    ("helicone", lambda one: "request_body" in one and {"request_path", "response_body"} & one.keys() != set(),
     _helicone),
    ("posthog", lambda one: one.get("event") in _POSTHOG and isinstance(one.get("properties"), Mapping), _posthog),
    ("weave", lambda one: {"op_name", "inputs", "started_at"} <= one.keys(), _weave),
    ("dspy", lambda one: {"kwargs", "outputs", "uuid"} <= one.keys(), _dspy),
)  # fmt: skip
