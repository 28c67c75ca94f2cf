"""OpenTelemetry's own format, as SDKs and collectors export it: OTLP in protobuf, or in JSON, a document a line or one.

Source: opentelemetry-proto, `trace.proto` and its JSON mapping; names in snake_case are read, too.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envclone.extras import need
from envclone.incidents.traces.span import Span, Trace, bounded, loose, moment
from envclone.incidents.traces.wire import measured

__all__ = ["documents_of", "is_otlp", "read"]

_FAILED = (2, "2", "STATUS_CODE_ERROR")


def is_otlp(document: Any) -> bool:
    """Whether a parsed document is OTLP's."""
    return isinstance(document, Mapping) and any(key in document for key in ("resourceSpans", "resource_spans"))


def documents_of(content: bytes) -> list[Any] | None:
    """The request in some bytes, as its JSON mapping has it; None when they are no protobuf of spans.

    Raises ResourceError when the package that reads it is not installed.
    """
    need("opentelemetry.proto", "otlp", "a trace in protobuf")
    from google.protobuf.json_format import MessageToDict
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    if not measured(content):
        return None
    try:
        found = TracesData.FromString(content)
    except DecodeError:
        return None
    if not any(scope.spans for resource in found.resource_spans for scope in resource.scope_spans):
        return None
    document = MessageToDict(found)
    for resource in document["resourceSpans"]:
        for scope in resource.get("scopeSpans", ()):
            for span in scope.get("spans", ()):
                for one in (span, *span.get("links", ())):  # JSON of protobuf has them in base64, OTLP in hexadecimal
                    one |= {key: base64.b64decode(one[key]).hex() for key in _IDS if key in one}
    return [document]


_IDS = ("traceId", "spanId", "parentSpanId")


def read(documents: Sequence[Any]) -> Trace:
    """The spans of some documents in the order in which they began."""
    spans: list[Span] = []
    resources: dict[str, Any] = {}
    scopes: dict[str, Any] = {}
    for document in documents:
        for resource in _of(document, "resourceSpans", "resource_spans"):
            _note(resources, _attributes(_get(resource, "resource", "resource") or {}))
            for scope in _of(resource, "scopeSpans", "scope_spans") or _of(resource, "instrumentationLibrarySpans", ""):
                about = _get(scope, "scope", "instrumentationLibrary") or {}
                _note(scopes, {key: one for key, one in about.items() if key != "attributes"} | _attributes(about))
                found = (_span(one) for one in scope.get("spans", ()) if isinstance(one, Mapping))
                spans += bounded(found, len(spans))
    spans.sort(key=lambda one: one.began.timestamp() if one.began else math.inf)
    return Trace("otlp", spans, {"resources": list(resources.values()), "scopes": list(scopes.values())})


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


def _span(one: Mapping[str, Any]) -> Span:
    attributes = _attributes(one)
    events = []
    for event in _of(one, "events", "events"):
        its = _attributes(event)
        attributes |= {key: value for key, value in its.items() if key not in attributes and _tells(key)}
        events.append({"name": event.get("name"), **{key: value for key, value in its.items() if not _tells(key)}})
    status = loose(one.get("status"))
    failed = status.get("code") in _FAILED
    rest = {key: value for key, value in one.items() if key not in _NAMED}
    return Span(
        id=str(_get(one, "spanId", "span_id") or ""),
        parent=_get(one, "parentSpanId", "parent_span_id") or None,
        name=str(one.get("name") or ""),
        attributes=attributes,
        began=moment(_get(one, "startTimeUnixNano", "start_time_unix_nano")),
        ended=moment(_get(one, "endTimeUnixNano", "end_time_unix_nano")),
        error=str(status.get("message") or "failed") if failed else None,
        rest={**rest, "trace_id": _get(one, "traceId", "trace_id"), "events": events,
              "status": {} if failed or not status else status},
    )  # fmt: skip


def _tells(key: str) -> bool:
    """Whether an event's attribute says what one of the span could: messages, vectors and results of some wrappers."""
    return key.startswith(("gen_ai.", "db.query.", "db.search.", "llm."))


def _attributes(holder: Any) -> dict[str, Any]:
    found = holder.get("attributes") if isinstance(holder, Mapping) else None
    if isinstance(found, Mapping):  # some exporters write plain objects
        return dict(found)
    return _named(found) if isinstance(found, list) else {}


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
