"""Spans of OpenTelemetry that are written otherwise than as OTLP, brought into its form.

Rows of the table that the collector's exporter fills in ClickHouse (OpenLIT and others read it), objects of the SDK
for JavaScript (`ReadableSpan`, and what its console prints), Logfire's rows, Phoenix' list of OTLP's spans, and what
Tempo's search finds. Whatever has no place in OTLP's form stays with the span.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from envclone.incidents.traces.span import bounded, loose, moment

__all__ = ["as_otlp"]

Row = Mapping[str, Any]
_BILLION = 1_000_000_000


def as_otlp(documents: Sequence[Any]) -> list[dict[str, Any]] | None:
    """The documents in OTLP's form, when they are in one of these; else None."""
    rows = [one for document in documents for one in _rows(document)]
    if not rows or not all(isinstance(one, Mapping) for one in rows):
        return None
    for is_one, made in _FORMS:
        if all(map(is_one, rows)):
            beside = [{key: one for key, one in document.items() if key not in ("data", "traces")}
                      for document in documents if isinstance(document, Mapping) and not is_one(document)]  # fmt: skip
            return [{"resourceSpans": [each for row in bounded(rows) for each in made(row)], "beside": beside}]
    return None


def _rows(document: Any) -> Iterator[Any]:
    if isinstance(document, list):
        yield from document
        return
    for name in ("data", "traces"):
        if isinstance(document, Mapping) and isinstance(document.get(name), list) and document[name]:
            yield from document[name]
            return
    yield document


def _resource(span: Row, attributes: Any = None, scope: Any = None) -> dict[str, Any]:
    resource = {"attributes": attributes} if attributes else {}
    return {"resource": resource, "scopeSpans": [{"scope": scope or {}, "spans": [span]}]}


def _rest(row: Row, *spent: str) -> dict[str, Any]:
    return {key: one for key, one in row.items() if key not in spent and one not in (None, "", [], {})}


def _is_clickhouse(row: Row) -> bool:
    return "TraceId" in row and "SpanId" in row and ("SpanName" in row or "SpanAttributes" in row)


def _of_clickhouse(row: Row) -> Iterator[dict[str, Any]]:
    spent = ("TraceId", "SpanId", "ParentSpanId", "SpanName", "SpanAttributes", "Timestamp", "Duration", "StatusCode",
             "StatusMessage", "ResourceAttributes", "ScopeName", "ScopeVersion", "SpanKind", "Events",
             "Links")  # fmt: skip
    events, links = _nested(row, "Events"), _nested(row, "Links")
    began = moment(row.get("Timestamp"))
    span = {
        **_rest({key: one for key, one in row.items() if not key.startswith(("Events.", "Links."))}, *spent),
        "traceId": row["TraceId"], "spanId": row["SpanId"], "parentSpanId": row.get("ParentSpanId"),
        "name": row.get("SpanName"), "kind": row.get("SpanKind"), "attributes": loose(row.get("SpanAttributes")),
        "startTimeUnixNano": row.get("Timestamp"), "endTimeUnixNano": _end(began, row.get("Duration"), _BILLION),
        "status": {"code": _code(row.get("StatusCode")), "message": row.get("StatusMessage") or None},
        "events": [{"name": one.get("Name"), "timeUnixNano": one.get("Timestamp"),
                    "attributes": loose(one.get("Attributes"))} for one in events],
        "links": links,
    }  # fmt: skip
    scope = _rest({"name": row.get("ScopeName"), "version": row.get("ScopeVersion")})
    yield _resource(span, loose(row.get("ResourceAttributes")), scope)


def _nested(row: Row, name: str) -> list[dict[str, Any]]:
    """A nested column, as an array for each of its parts or as a list of objects."""
    whole = row.get(name)
    if isinstance(whole, list):
        return [{str(key)[:1].upper() + str(key)[1:]: one for key, one in each.items()}
                for each in whole if isinstance(each, Mapping)]  # fmt: skip
    parts = {key.removeprefix(f"{name}."): one for key, one in row.items()
             if key.startswith(f"{name}.") and isinstance(one, list)}  # fmt: skip
    count = max(map(len, parts.values()), default=0)
    return [{key: one[at] for key, one in parts.items() if at < len(one)} for at in range(count)]


def _code(code: Any) -> Any:
    return "STATUS_CODE_ERROR" if str(code).upper() in ("ERROR", "STATUS_CODE_ERROR", "2") else code


def _end(began: Any, duration: Any, unit: float) -> str | None:
    """The end of a span in nanoseconds, by its duration in a unit of a second."""
    if began is None or isinstance(duration, bool) or not isinstance(duration, int | float | str):
        return None
    try:
        end = began.timestamp() + float(duration) / unit
    except ValueError:
        return None
    return str(int(end * _BILLION)) if math.isfinite(end) else None


def _context(row: Row) -> Mapping[str, Any]:
    found = row.get("spanContext", row.get("_spanContext"))
    return found if isinstance(found, Mapping) else {}


def _is_of_javascript(row: Row) -> bool:
    if "tags" in row or "annotations" in row or "name" not in row:  # Zipkin's
        return False
    named = "spanId" in _context(row) or ("id" in row and "traceId" in row)
    return named and isinstance(row.get("attributes"), Mapping) and ("timestamp" in row or "startTime" in row)


def _of_javascript(row: Row) -> Iterator[dict[str, Any]]:
    spent: tuple[str, ...] = (
        *("resource", "instrumentationScope", "instrumentationLibrary", "spanContext", "_spanContext", "traceId", "id"),
        *("parentId", "parentSpanId", "parentSpanContext", "name", "timestamp", "startTime", "endTime", "attributes"),
        *("status", "events", "kind", "links"),
    )
    context, above = _context(row), loose(row.get("parentSpanContext"))
    began = _time(row.get("startTime", row.get("timestamp")))
    duration = row.get("duration")
    if "endTime" not in row and isinstance(duration, int | float):
        spent = (*spent, "duration")
    status = loose(row.get("status"))
    span = {
        **_rest(row, *spent), "traceId": context.get("traceId", row.get("traceId")),
        "spanId": context.get("spanId", row.get("id")),
        "parentSpanId": above.get("spanId") or row.get("parentSpanId") or row.get("parentId"), "name": row["name"],
        "kind": row.get("kind"), "attributes": row["attributes"], "status": dict(status), "startTimeUnixNano": began,
        "endTimeUnixNano": _time(row.get("endTime")) or _end(moment(began), duration, 1e6),
        "events": [{**_rest(one, "time"), "timeUnixNano": _time(one.get("time"))} if isinstance(one, Mapping) else one
                   for one in row.get("events") or ()],
        "links": row.get("links"),
    }  # fmt: skip
    resource = loose(row.get("resource"))
    attributes = resource.get("attributes", resource.get("_attributes"))
    yield _resource(span, attributes or resource, row.get("instrumentationScope", row.get("instrumentationLibrary")))


def _time(value: Any) -> Any:
    """A time of the SDK: seconds and nanoseconds, or a number that is read as it is."""
    if isinstance(value, list) and len(value) == 2 and all(isinstance(one, int) for one in value):
        return str(value[0] * _BILLION + value[1])
    return value


def _is_of_logfire(row: Row) -> bool:
    return "span_name" in row and "start_timestamp" in row and "span_id" in row


def _of_logfire(row: Row) -> Iterator[dict[str, Any]]:
    spent = ("trace_id", "span_id", "parent_span_id", "span_name", "start_timestamp", "end_timestamp", "attributes",
             "otel_status_code", "otel_status_message", "otel_events", "otel_links", "otel_resource_attributes",
             "otel_scope_name", "otel_scope_version", "kind")  # fmt: skip
    events = row.get("otel_events")
    span = {
        **_rest(row, *spent), "traceId": row.get("trace_id"), "spanId": row["span_id"],
        "parentSpanId": row.get("parent_span_id"), "name": row["span_name"],
        "attributes": {key: one if isinstance(one, str | int | float | bool) else json.dumps(one)
                       for key, one in loose(row.get("attributes")).items()},
        "startTimeUnixNano": row["start_timestamp"], "endTimeUnixNano": row.get("end_timestamp"),
        "status": _rest({"code": _code(row.get("otel_status_code")), "message": row.get("otel_status_message")}),
        "events": [{"name": one.get("event_name"), "timeUnixNano": one.get("event_timestamp"),
                    **_rest(one, "event_name", "event_timestamp")} if isinstance(one, Mapping) else one
                   for one in (events if isinstance(events, list) else ())],
        "links": row.get("otel_links"), "logfire.kind": row.get("kind"),
    }  # fmt: skip
    scope = _rest({"name": row.get("otel_scope_name"), "version": row.get("otel_scope_version")})
    yield _resource(span, loose(row.get("otel_resource_attributes")), scope)


def _is_named(row: Row) -> bool:
    """A span by its name, attributes and scope alone, as tests of LangWatch hold them."""
    return "spanName" in row and isinstance(row.get("attributes"), Mapping)


def _of_named(row: Row) -> Iterator[dict[str, Any]]:
    rest = _rest(row, "spanName", "scopeName", "scopeVersion", "resourceAttributes")
    scope = _rest({"name": row.get("scopeName"), "version": row.get("scopeVersion")})
    yield _resource({**rest, "name": row["spanName"]}, loose(row.get("resourceAttributes")), scope)


def _is_of_otlp(row: Row) -> bool:
    named = ("span_id" in row or "spanId" in row) and "name" in row and "context" not in row
    return named and isinstance(row.get("attributes"), list) and all("key" in loose(one) for one in row["attributes"])


def _of_otlp(row: Row) -> Iterator[dict[str, Any]]:
    yield _resource(row)


def _is_of_tempo(row: Row) -> bool:
    return "traceID" in row and ("spanSet" in row or "spanSets" in row)


def _of_tempo(row: Row) -> Iterator[dict[str, Any]]:
    sets = row.get("spanSets") or [row.get("spanSet")]
    beside = _rest(row, "spanSets", "spanSet", "traceID")
    for one in sets:
        spans = loose(one).get("spans")
        for span in spans if isinstance(spans, list) else ():
            said = loose(span)
            began = moment(said.get("startTimeUnixNano"))
            yield _resource({
                **_rest(said, "spanID", "durationNanos"), "traceId": row["traceID"], "spanId": said.get("spanID"),
                "endTimeUnixNano": _end(began, said.get("durationNanos"), _BILLION), "trace": beside,
            })  # fmt: skip


_Form = tuple[Callable[[Row], bool], Callable[[Row], Iterator[dict[str, Any]]]]
_FORMS: tuple[_Form, ...] = (
    (_is_clickhouse, _of_clickhouse),
    (_is_of_javascript, _of_javascript),
    (_is_of_logfire, _of_logfire),
    (_is_named, _of_named),
    (_is_of_otlp, _of_otlp),
    (_is_of_tempo, _of_tempo),
)
