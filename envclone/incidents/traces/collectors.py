"""What collectors keep in formats of their own: Jaeger's JSON and Zipkin's, of any library's spans.

Sources: Jaeger's `GET /api/traces` (what its page downloads) and its documents in Elasticsearch, Zipkin's API v2, and
how OpenTelemetry's exporters write events, status and scope into either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envclone.incidents.traces.otlpevents import Event, told
from envclone.incidents.traces.span import Span, Trace, bounded, loads, loose, moment

__all__ = ["jaeger", "read", "zipkin"]

_MICROSECOND = 1e-6
_EVENT = re.compile(r'"(?P<name>(?:[^"\\]|\\.){0,300})":\s*(?P<said>\{.*\})', re.DOTALL)
"""How OpenTelemetry's exporter writes an event of a span as an annotation of Zipkin's."""


def read(documents: Sequence[Any]) -> Trace | None:
    """The trace that some documents are in one of these formats; None when they are in none."""
    return jaeger(documents) or zipkin(documents)


def jaeger(documents: Sequence[Any]) -> Trace | None:
    """Traces `{traceID, spans, processes}`, below `data`, in a list or alone; or spans with a process, a line each."""
    about: dict[str, Any] = {"resources": [], "beside": []}
    found: list[tuple[Any, Mapping[str, Any]]] = []
    for one in _traces(documents, about["beside"]):
        spans = one.get("spans") if isinstance(one, Mapping) else None
        if isinstance(spans, list) and ("processes" in one or "traceID" in one):
            processes = loose(one.get("processes"))
            found += [(span, processes) for span in bounded(spans, len(found))]
            rest = {key: value for key, value in one.items() if key not in ("spans", "processes", "traceID") and value}
            about["beside"] += [rest] if rest else []
            _noted(about["resources"], processes.values())
        elif isinstance(one, Mapping) and "spanID" in one and "operationName" in one:
            found.append((one, {}))
        else:
            return None
    if not any(isinstance(span, Mapping) and ("spanID" in span or "operationName" in span) for span, _ in found):
        return None
    odd = [span for span, _ in found if not isinstance(span, Mapping)]
    made = [_of_jaeger(span, processes) for span, processes in bounded(found) if isinstance(span, Mapping)]
    return Trace("jaeger", _ordered(made), {**about, "not spans": odd})


def _traces(documents: Sequence[Any], beside: list[Any]) -> Iterator[Any]:
    for document in documents:
        hits = loose(document.get("hits")).get("hits") if isinstance(document, Mapping) else None
        if isinstance(hits, list):
            beside += [
                {key: one for key, one in hit.items() if key != "_source"} for hit in hits if isinstance(hit, dict)
            ]
            yield from (hit.get("_source") if isinstance(hit, Mapping) else hit for hit in hits)
        elif isinstance(document, Mapping) and isinstance(document.get("data"), list):
            rest = {key: value for key, value in document.items() if key != "data" and value}
            beside += [rest] if rest else []
            yield from document["data"]
        elif isinstance(document, list):
            yield from document
        else:
            yield document


def _noted(known: list[Any], processes: Any) -> None:
    for one in processes:
        said = _process(one)
        if said and said not in known:
            known.append(said)


def _process(one: Any) -> dict[str, Any]:
    if not isinstance(one, Mapping):
        return {"process": one} if one else {}
    rest = {key: value for key, value in one.items() if key not in ("serviceName", "tags", "tag")}
    name = {"service.name": one["serviceName"]} if "serviceName" in one else {}
    return {**name, **_tags(one.get("tags")), **_tags(one.get("tag")), **rest}


def _of_jaeger(one: Mapping[str, Any], processes: Mapping[str, Any]) -> Span:
    logs = one.get("logs")
    events = [_log(each) for each in logs if isinstance(each, Mapping)] if isinstance(logs, list) else []
    odd = [each for each in logs if not isinstance(each, Mapping)] if isinstance(logs, list) else logs
    tags = {**_tags(one.get("tags")), **_tags(one.get("tag"))}
    parent, links = _parent(one)
    attributes, events = told(tags, events)
    own = _process(one.get("process")) if "process" in one else {}
    process = processes.get(str(one.get("processID")))
    spent = ("spanID", "parentSpanID", "operationName", "references", "startTime", "startTimeMillis", "duration",
             "tags", "tag", "logs", "process")  # fmt: skip
    rest = {key: value for key, value in one.items() if key not in spent and value not in (None, [], {})}
    if process is not None:
        rest.pop("processID", None)
        own = _process(process)
    return _made(
        str(one.get("spanID") or ""), parent, str(one.get("operationName") or ""), attributes,
        moment(one.get("startTime", one.get("startTimeMillis"))), one.get("duration"),
        {**rest, "references": links, "events": events, "odd.logs": odd, "process": own},
    )  # fmt: skip


def _parent(one: Mapping[str, Any]) -> tuple[str | None, list[Any]]:
    """The span that this one is a part of, and what else it refers to."""
    found = one.get("references")
    references = found if isinstance(found, list) else [found] if found else []
    parent = one.get("parentSpanID") or None
    left = []
    for each in references:
        kind = str(each.get("refType", "CHILD_OF")).upper() if isinstance(each, Mapping) else ""
        if parent is None and kind == "CHILD_OF" and each.get("spanID"):
            parent = str(each["spanID"])
        elif not (isinstance(each, Mapping) and str(each.get("spanID")) == parent):
            left.append(each)
    return parent, left


def _tags(found: Any) -> dict[str, Any]:
    """Tags by name; of one that is there twice the last counts, and the others stand beside it."""
    if isinstance(found, Mapping):
        return dict(found)
    named: dict[str, Any] = {}
    for one in found if isinstance(found, list) else [found] if found else []:
        if not (isinstance(one, Mapping) and isinstance(one.get("key"), str)):
            named.setdefault("tags", []).append(one)
            continue
        key, value = one["key"], _typed(one)
        if key in named and named[key] != value:
            number = next(n for n in range(1, len(named) + 2) if f"{key}#{n}" not in named)
            named[f"{key}#{number}"] = named[key]
        named[key] = value
    return named


def _typed(one: Mapping[str, Any]) -> Any:
    """A tag's value by its type: Elasticsearch has every one as a text."""
    kind, value = str(one.get("type", "")).lower(), one.get("value")
    if not isinstance(value, str):
        return value
    if kind == "bool":
        return value == "true" if value in ("true", "false") else value
    if kind in ("int64", "float64"):
        try:
            return int(value) if kind == "int64" else float(value)
        except ValueError:
            return value
    return value


def _log(one: Mapping[str, Any]) -> Event:
    fields = _tags(one.get("fields"))
    name = fields.pop("event", None) if isinstance(fields.get("event"), str) else None
    rest = {key: value for key, value in one.items() if key not in ("fields", "timestamp")}
    return {"name": name or fields.get("event.name"), "timeUnixNano": _nanoseconds(one), **fields, **rest}


def zipkin(documents: Sequence[Any]) -> Trace | None:
    """Spans in a list, in a list of lists (a list for each trace), or a line each."""
    rows = [one for each in documents for one in (each if isinstance(each, list) else [each])]
    rows = [one for each in rows for one in (each if isinstance(each, list) else [each])]
    if not rows or not all(_is_zipkin(one) for one in rows):
        return None
    resources: list[Any] = []
    for one in rows:
        end = one.get("localEndpoint")
        if isinstance(end, Mapping) and end.get("serviceName"):
            said = {"service.name": end["serviceName"]}
            resources += [said] if said not in resources else []
    return Trace("zipkin", _ordered([_of_zipkin(one) for one in bounded(rows)]), {"resources": resources})


def _is_zipkin(one: Any) -> bool:
    return isinstance(one, Mapping) and "traceId" in one and "id" in one and not one.keys() & _NOT_ZIPKIN and bool(
        one.keys() & {"localEndpoint", "remoteEndpoint", "timestamp", "duration", "tags", "annotations", "kind"}
    )  # fmt: skip


_NOT_ZIPKIN = frozenset(("run_type", "type", "startTime", "meta", "resourceSpans", "spanId"))


def _of_zipkin(one: Mapping[str, Any]) -> Span:
    found = one.get("annotations")
    events = [_annotation(each) for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
    odd = [each for each in found if not isinstance(each, Mapping)] if isinstance(found, list) else found
    older = _tags(one.get("binaryAnnotations"))  # what version 1 calls tags
    tags = {**older, **_tags(one.get("tags"))}
    attributes, events = told(tags, events)
    spent = ("id", "parentId", "name", "timestamp", "duration", "tags", "annotations", "traceId")
    found_in = ("binaryAnnotations",) if all(_bare(each) for each in one.get("binaryAnnotations") or ()) else ()
    rest = {key: value for key, value in one.items() if key not in (*spent, *found_in)}
    return _made(
        str(one["id"]), one.get("parentId") or None, str(one.get("name") or ""), attributes,
        moment(one.get("timestamp")), one.get("duration"),
        {**rest, "trace_id": one.get("traceId"), "events": events, "odd.annotations": odd},
    )  # fmt: skip


def _bare(tag: Any) -> bool:
    return isinstance(tag, Mapping) and tag.keys() <= {"key", "value"}


def _annotation(one: Mapping[str, Any]) -> Event:
    value = one.get("value")
    rest = {key: each for key, each in one.items() if key not in ("timestamp", "value")}
    made: Event = {"name": value, "timeUnixNano": _nanoseconds(one), **rest}
    if isinstance(value, str) and (match := _EVENT.fullmatch(value)):
        try:
            said = loads(match["said"])
        except (ValueError, RecursionError):
            return made
        if isinstance(said, Mapping):
            made = {**said, **made, "name": match["name"]}
    return made


def _made(
    ident: str,
    parent: Any,
    name: str,
    attributes: Mapping[str, Any],
    began: Any,
    duration: Any,
    rest: Mapping[str, Any],
) -> Span:
    """A span whose status stands in its attributes, as OpenTelemetry's exporters write it."""
    left = dict(attributes)
    code, why = left.get("otel.status_code"), left.get("otel.status_description")
    error = left.get("error")
    failed = str(code).upper() == "ERROR" or (error not in (None, False, "", "false", "False"))
    said = why or (error if isinstance(error, str) and error.lower() != "true" else None)
    seconds = _seconds(duration)
    ended = moment(began.timestamp() + seconds) if began is not None and seconds is not None else None
    if duration is not None and ended is None:
        rest = {**rest, "duration": duration}
    return Span(
        ident, None if parent is None else str(parent), name, left, began, ended,
        str(said or left.get("error.message") or "failed") if failed else None, {}, rest,
    )  # fmt: skip


def _nanoseconds(one: Mapping[str, Any]) -> Any:
    """An event's time as OTLP has it."""
    at = one.get("timestamp")
    return at * 1000 if isinstance(at, int) else at


def _seconds(duration: Any) -> float | None:
    try:
        return float(duration) * _MICROSECOND if duration is not None and not isinstance(duration, bool) else None
    except (TypeError, ValueError, OverflowError):
        return None


def _ordered(spans: list[Span]) -> list[Span]:
    return sorted(spans, key=lambda one: one.began.timestamp() if one.began else float("inf"))
