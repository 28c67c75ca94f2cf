"""Datadog's LLM Observability, and the spans of its tracer.

Sources: its intake (`data.attributes.spans`), what dd-trace-py writes there (`_writer.py`), the export of span events
as an answer or an event a line, and the traces that an agent is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envclone.incidents.traces.span import Span, Trace, bounded, loose, moment

__all__ = ["datadog"]


def datadog(documents: Sequence[Any]) -> Trace | None:
    """Spans of the intake, or events of the export; `meta` holds what went in and out."""
    spans: list[Span] = []
    about: dict[str, Any] = {}
    every = list(_flat(documents))
    if every and all(isinstance(one, Mapping) and "service" in one and "resource" in one and "start" in one
                     and "span_id" in one for one in every):  # fmt: skip
        return Trace("datadog", list(bounded(map(_of_apm, every))))
    if every and all(isinstance(one, Mapping) and one.get("type") == "span" and "attributes" in one for one in every):
        every = [_event(one) for one in every]
    if every and all(map(_is_span, every)):
        return Trace("datadog", list(bounded(map(_datadog, every))))
    for document in every:
        data = document.get("data") if isinstance(document, Mapping) else None
        about |= _beside([document], "data")
        if isinstance(data, Mapping) and isinstance(loose(data.get("attributes")).get("spans"), list):
            inside = loose(data["attributes"])
            about |= {key: value for key, value in inside.items() if key != "spans"}
            found = inside["spans"]
        elif isinstance(data, list) and all("attributes" in one for one in data if isinstance(one, Mapping)):
            found = [_event(one) for one in data if isinstance(one, Mapping)]
        elif isinstance(document, Mapping) and isinstance(document.get("spans"), list) and _is_written(document):
            about |= _beside([document], "spans")
            found = document["spans"]
        else:
            return None
        if not all(isinstance(one, Mapping) and ("meta" in one or "span_kind" in one) for one in found):
            return None
        spans += bounded(map(_datadog, found), len(spans))
    return Trace("datadog", spans, about) if spans else None


def _flat(found: Sequence[Any]) -> Iterator[Any]:
    """Documents, and the items of lists: those of traces, too, which an agent is sent."""
    for one in found:
        if isinstance(one, list):
            yield from _flat(one)
        else:
            yield one


def _is_span(one: Any) -> bool:
    known = isinstance(one, Mapping) and "span_id" in one and "context" not in one
    return known and ("meta" in one or ("span_kind" in one and bool({"ml_app", "input", "output", "start_ns",
                                                                     "start_ms"} & one.keys())))  # fmt: skip


def _is_written(document: Mapping[str, Any]) -> bool:
    """Whether a library wrote it for the intake."""
    return document.get("event_type") == "span" or "_dd.stage" in document or all(map(_is_span, document["spans"]))


def _of_apm(one: Mapping[str, Any]) -> Span:
    """A span of the tracer, whose `meta` are its attributes."""
    attributes, began, duration = loose(one.get("meta")), moment(one.get("start")), one.get("duration")
    ended = moment(began.timestamp() + duration / 1e9) if began and isinstance(duration, int | float) else None
    failed = one.get("error") not in (None, 0, False)
    parent = one.get("parent_id")
    spent = ("span_id", "parent_id", "name", "meta", "start", "error") + (("duration",) if ended else ())
    kind = attributes.get("_dd.llmobs.span_kind") or attributes.get("llmobs.span_kind")
    system = {} if "db.system" in attributes or one.get("type") != "sql" else {"db.system": "sql"}
    statement = {"db.query.text": one["resource"]} if one.get("type") == "sql" else {}
    return Span(
        str(one["span_id"]), None if parent in (None, 0, "0") else str(parent), str(one.get("name") or ""),
        {**attributes, **system, **statement}, began, ended,
        str(attributes.get("error.message") or attributes.get("error.msg") or "failed") if failed else None,
        {"kind": kind, "model": attributes.get("_dd.llmobs.model_name")},
        {key: value for key, value in one.items() if key not in spent},
    )  # fmt: skip


def _event(one: Mapping[str, Any]) -> Any:
    """What an event of the export says, with what stands beside it."""
    inside = one["attributes"]
    rest = {f"event.{key}": value for key, value in one.items() if key != "attributes"}
    return {**inside, **rest} if isinstance(inside, Mapping) else inside


def _datadog(one: Mapping[str, Any]) -> Span:
    meta = loose(one.get("meta")) or {key: one[key] for key in ("input", "output", "metadata") if key in one}
    put, got, metadata = loose(meta.get("input")), loose(meta.get("output")), loose(meta.get("metadata"))
    began = moment(_first(one, "start_ns", "start_ms"))
    duration = one.get("duration")
    ended = None
    if began is not None and isinstance(duration, int | float):
        ended = moment(began.timestamp() + duration / 1e9)
    error = meta.get("error.message") or loose(meta.get("error")).get("message")
    failed = one.get("status") == "error" or error is not None
    said = {
        "kind": meta.get("kind") or meta.get("span.kind") or one.get("span_kind"),
        "input": put.get("messages") or put.get("value") or put.get("documents") or (dict(put) or meta.get("input")),
        "output": got.get("messages") or got.get("value") or (dict(got) if "documents" not in got else None),
        "documents": got.get("documents"), "model": meta.get("model_name") or one.get("model_name"),
        "provider": meta.get("model_provider") or one.get("model_provider"), "settings": dict(metadata),
        "usage": loose(one.get("metrics")), "conversation": one.get("session_id") or _tag(one, "session_id"),
        "prompt": dict(loose(put.get("prompt"))),
        "tools": meta.get("tool_definitions") or one.get("tool_definitions"),
    }  # fmt: skip
    used = ("kind", "span.kind", "input", "output", "metadata", "model_name", "model_provider", "tool_definitions")
    spent = ("span_id", "parent_id", "name", "start_ns", "duration", "meta", "metrics", "session_id", "span_kind",
             "input", "output", "metadata", "model_name", "model_provider", "tool_definitions")  # fmt: skip
    left = {key: value for key, value in meta.items() if key not in used}
    parts = {f"input.{key}": value for key, value in put.items()
             if said["input"] is not value and not (key == "prompt" and said["prompt"])}  # fmt: skip
    beside = got if isinstance(said["output"], list | str) else {}
    more = {f"output.{key}": value for key, value in beside.items()
            if said["output"] is not value and key != "documents"}  # fmt: skip
    rest = {key: value for key, value in one.items() if key not in spent}
    parent = one.get("parent_id")
    return Span(
        str(one.get("span_id") or ""), None if parent in (None, "undefined", "0") else str(parent),
        str(one.get("name") or ""), {}, began, ended, str(error or "failed") if failed else None,
        said, {**rest, **left, **(parts if isinstance(said["input"], list | str) else {}), **more},
    )  # fmt: skip


def _tag(one: Mapping[str, Any], name: str) -> str | None:
    """A tag that is written as `name:value`."""
    tags = one.get("tags")
    found = (each.partition(":") for each in tags if isinstance(each, str)) if isinstance(tags, list) else ()
    return next((value for key, _, value in found if key == name and value), None)


def _first(one: Mapping[str, Any], *names: str) -> Any:
    return next((one[name] for name in names if one.get(name) is not None), None)


def _beside(documents: Sequence[Any], *names: str) -> dict[str, Any]:
    """What documents say beside the lists that are read out of them."""
    found: dict[str, Any] = {}
    for one in documents:
        if isinstance(one, Mapping):
            found |= {key: value for key, value in one.items() if key not in names}
    return found
