"""OpenTelemetry's own format, as SDKs and collectors export it: OTLP in protobuf, or in JSON, a document a line or one.

Source: opentelemetry-proto, `trace.proto` and its JSON mapping; names in snake_case are read, too.
"""

from __future__ import annotations

import base64
import contextlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envclone.extras import need
from envclone.incidents.traces.otlpevents import Event, told
from envclone.incidents.traces.span import Span, Trace, bounded, loose, moment, parsed
from envclone.incidents.traces.wire import measured

__all__ = ["attributes_of", "documents_of", "is_otlp", "read"]

_FAILED = (2, "2", "STATUS_CODE_ERROR")
_SPANS = ("resourceSpans", "resource_spans")
_LOGS = ("resourceLogs", "resource_logs")
_METRICS = ("resourceMetrics", "resource_metrics")
_SIGNALS = (_SPANS, _LOGS, _METRICS, ("batches", ""))


def is_otlp(document: Any) -> bool:
    """Whether a parsed document is OTLP's."""
    return any(isinstance(_get(one, *names), list) for one in _inside(document) for names in _SIGNALS)


def _inside(document: Any) -> list[Any]:
    """The requests in a document: itself, those of a list, or the one that Tempo or an API wraps."""
    if isinstance(document, list):
        return document
    if not isinstance(document, Mapping):
        return []
    if isinstance(document.get("batches"), list):
        return [
            {**{key: one for key, one in document.items() if key != "batches"}, "resourceSpans": document["batches"]}
        ]
    if _has_signals(document):
        return [document]
    for key in ("trace", "data", "result"):
        inner = document.get(key)
        if isinstance(inner, Mapping) and (len(document) == 1 or _has_signals(inner)):
            beside = {name: one for name, one in document.items() if name != key and one}
            return [{**one, **({"beside": beside} if beside else {})} for one in _inside(inner)]
    return [document]


def _has_signals(document: Mapping[str, Any]) -> bool:
    return any(isinstance(_get(document, *names), list) for names in _SIGNALS)


def documents_of(content: bytes) -> list[Any] | None:
    """The request in some bytes, as its JSON mapping has it; None when they are no protobuf of spans or logs.

    Raises ResourceError when the package that reads it is not installed.
    """
    need("opentelemetry.proto", "otlp", "a trace in protobuf")
    from google.protobuf.json_format import MessageToDict
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    if measured(content):
        with contextlib.suppress(DecodeError):
            found = TracesData.FromString(content)
            spans = [one for each in found.resource_spans for scope in each.scope_spans for one in scope.spans]
            # a message of logs can be read as one of spans, which then have nothing of their own
            if any(one.span_id or one.trace_id or one.start_time_unix_nano for one in spans):
                return [_in_hexadecimal(MessageToDict(found), "resourceSpans", "scopeSpans", "spans")]
    if measured(content, "logs"):
        with contextlib.suppress(DecodeError):
            logs = LogsData.FromString(content)
            records = [one for each in logs.resource_logs for scope in each.scope_logs for one in scope.log_records]
            if any(one.time_unix_nano or one.observed_time_unix_nano or one.HasField("body") for one in records):
                return [_in_hexadecimal(MessageToDict(logs), "resourceLogs", "scopeLogs", "logRecords")]
    return None


def _in_hexadecimal(document: dict[str, Any], resources: str, scopes: str, items: str) -> dict[str, Any]:
    """A document with its ids as OTLP writes them: JSON of protobuf has them in base64."""
    for resource in document[resources]:
        for scope in resource.get(scopes, ()):
            for item in scope.get(items, ()):
                for one in (item, *item.get("links", ())):
                    one |= {key: base64.b64decode(one[key]).hex() for key in _IDS if key in one}
    return document


_IDS = ("traceId", "spanId", "parentSpanId")


def read(documents: Sequence[Any]) -> Trace:
    """The spans of some documents in the order in which they began; what logs say of a span is told with it."""
    spans: list[tuple[Mapping[str, Any], list[Event]]] = []
    about: dict[str, dict[str, Any]] = {"resources": {}, "scopes": {}}
    loose_ends: list[Any] = []
    for document in (one for each in documents for one in _inside(each)):
        for inner in _scopes(document, _SPANS, about, loose_ends):
            found = _get(inner, "spans", "spans") or []
            spans += [(one, []) for one in bounded((one for one in found if isinstance(one, Mapping)), len(spans))]
            loose_ends += [one for one in found if not isinstance(one, Mapping)]
    by_id: dict[Any, list[Event]] = {_get(one, "spanId", "span_id"): events for one, events in spans}
    more: list[Span] = []
    for document in (one for each in documents for one in _inside(each)):
        for inner in _scopes(document, _LOGS, about, loose_ends):
            for record in bounded(_of(inner, "logRecords", "log_records"), len(spans) + len(more)):
                events = by_id.get(_get(record, "spanId", "span_id"))
                if events is not None:
                    events.append(_record(record))
                else:
                    more.append(_of_log(record))
    made = [_span(one, events) for one, events in spans] + more
    made.sort(key=lambda one: one.began.timestamp() if one.began else math.inf)
    metrics = [found for each in documents for one in _inside(each) if (found := _get(one, *_METRICS))]
    known = {name for names in _SIGNALS for name in names}
    beside = [rest for each in documents for one in _inside(each) if isinstance(one, Mapping)
              and (rest := {key: value for key, value in one.items() if key not in known and value})]  # fmt: skip
    return Trace("otlp", made, {**{name: list(values.values()) for name, values in about.items()}, "metrics": metrics,
                                "not spans": loose_ends, "beside": beside})  # fmt: skip


def _scopes(
    document: Any, names: tuple[str, str], about: dict[str, dict[str, Any]], loose_ends: list[Any]
) -> Iterator[Mapping[str, Any]]:
    """The parts of a document that one tracer or logger wrote; what is said of them is noted."""
    for resource in _of(document, *names):
        _note(about["resources"], _described(_get(resource, "resource", "resource") or {}, resource))
        scoped = names[0].replace("resource", "scope"), names[1].replace("resource", "scope")
        for scope in _of(resource, *scoped) or _of(resource, "instrumentationLibrarySpans", ""):
            _note(about["scopes"], _described(_get(scope, "scope", "instrumentationLibrary") or {}, scope))
            yield scope
    found = _get(document, *names)
    loose_ends += [one for one in found if not isinstance(one, Mapping)] if isinstance(found, list) else []


def _described(one: Any, holder: Mapping[str, Any]) -> dict[str, Any]:
    """A resource or scope by its attributes and all else that stands with them."""
    rest = (
        {key: value for key, value in one.items() if key != "attributes"} if isinstance(one, Mapping) else {"is": one}
    )
    schema = _get(holder, "schemaUrl", "schema_url")
    return {**rest, **({"schemaUrl": schema} if schema else {}), **attributes_of(one)}


def _note(known: dict[str, Any], one: Any) -> None:
    if one:
        known.setdefault(json.dumps(one, sort_keys=True, default=str), one)


def _of(holder: Any, name: str, other: str) -> list[Any]:
    found = _get(holder, name, other)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _get(holder: Any, name: str, other: str) -> Any:
    return holder.get(name, holder.get(other)) if isinstance(holder, Mapping) else None


_NAMED = frozenset(
    (
        *("attributes", "name", "spanId", "span_id", "traceId", "trace_id", "parentSpanId", "parent_span_id"),
        *("startTimeUnixNano", "start_time_unix_nano", "endTimeUnixNano", "end_time_unix_nano"),
        *("status", "events", "flags"),
    )
)


def _span(one: Mapping[str, Any], logged: Sequence[Event]) -> Span:
    found = _get(one, "events", "events")
    events = [_event(each) for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
    attributes, events = told(attributes_of(one), [*events, *logged])
    given = one.get("status")
    status = loose(given) or ({"code": given} if given else {})
    code = status.get("code")
    failed = code in _FAILED or str(code).upper() == "ERROR"
    rest = {key: value for key, value in one.items() if key not in _NAMED}
    odd = [each for each in found if not isinstance(each, Mapping)] if isinstance(found, list) else found
    message = status.get("message")
    return Span(
        id=str(_get(one, "spanId", "span_id") or ""),
        parent=_get(one, "parentSpanId", "parent_span_id") or None,
        name=str(one.get("name") or ""),
        attributes=attributes,
        began=moment(_get(one, "startTimeUnixNano", "start_time_unix_nano")),
        ended=moment(_get(one, "endTimeUnixNano", "end_time_unix_nano")),
        error=str(message or "failed") if failed else None,
        rest={**rest, "trace_id": _get(one, "traceId", "trace_id"), "events": events, "odd.events": odd,
              "status": {} if failed or not status else status},
    )  # fmt: skip


def _event(one: Mapping[str, Any]) -> Event:
    return {"name": one.get("name"), **{key: value for key, value in one.items() if key not in ("name", "attributes")},
            **attributes_of(one)}  # fmt: skip


def _record(one: Mapping[str, Any]) -> Event:
    """A record of a log as an event of its span."""
    its = attributes_of(one)
    rest = {key: value for key, value in one.items() if key not in ("attributes", "body", "eventName", "event_name")}
    ids = ("spanId", "span_id", "traceId", "trace_id")
    name = _get(one, "eventName", "event_name") or its.pop("event.name", None)
    body = _value(one.get("body"))
    return {"name": name, **{key: value for key, value in rest.items() if key not in ids and value}, **its,
            **({"body": body} if body not in (None, "", {}) else {})}  # fmt: skip


def _of_log(one: Mapping[str, Any]) -> Span:
    """A record that names no span of this trace, as a call of its own."""
    event = _record(one)
    attributes, (left,) = told({}, [event])
    parent = _get(one, "spanId", "span_id")
    return Span(
        id="", parent=parent or None, name=str(left.pop("name", None) or "log"), attributes=attributes,
        began=moment(_get(one, "timeUnixNano", "time_unix_nano") or _get(one, "observedTimeUnixNano", "")),
        said={"kind": "event"}, rest={**left, "trace_id": _get(one, "traceId", "trace_id")},
    )  # fmt: skip


def attributes_of(holder: Any) -> dict[str, Any]:
    """The attributes of a span or a resource, given as OTLP's list or as an object."""
    found = parsed(holder.get("attributes")) if isinstance(holder, Mapping) else None
    if isinstance(found, Mapping):  # some exporters write plain objects
        return dict(found)
    if isinstance(found, list):
        return _named(found)
    return {"attributes": found} if found else {}


def _named(found: Sequence[Any]) -> dict[str, Any]:
    """Attributes by name; of one that is there twice the last counts, and the others stand beside it."""
    named: dict[str, Any] = {}
    for key, value in _pairs(found):
        if key in named and named[key] != value:
            number = next(n for n in range(1, len(found) + 1) if f"{key}#{n}" not in named)
            named[f"{key}#{number}"] = named[key]
        named[key] = value
    return named


def _pairs(found: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    for one in found:
        if isinstance(one, Mapping) and isinstance(one.get("key"), str):
            yield one["key"], _value(one.get("value"))
        elif one:
            yield "attributes", one  # it has no name: kept as it is


def _value(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    for kind, one in value.items():
        if kind in ("intValue", "int_value"):
            return int(one) if str(one).lstrip("-").isdigit() else one
        if kind in ("arrayValue", "array_value"):
            return [_value(item) for item in _get(one, "values", "values") or ()]
        if kind in ("kvlistValue", "kvlist_value"):
            return _named(_get(one, "values", "values") or ())
        return one
    return None
