"""Langfuse: a trace as its page downloads it (`{trace, observations}`), and the pages of its API's observations.

A generation's own columns (model, parameters, usage) are what Langfuse made of the attributes; both are read, and what
says the same is kept once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from envclone.incidents.traces.langfuserows import KINDS
from envclone.incidents.traces.span import Span, Trace, bounded, flat, loose, moment, parsed

__all__ = ["is_langfuse", "read"]

_SAID = frozenset(
    (
        *("id", "traceId", "parentObservationId", "type", "name", "startTime", "endTime", "level", "statusMessage"),
        *("input", "output", "model", "providedModelName", "modelParameters", "usageDetails", "toolDefinitions"),
        *("promptName", "promptVersion", "promptId", "metadata"),
    )
)
_DUPLICATES = frozenset(["attributes", "resourceAttributes", "scope"])


def is_langfuse(document: Any) -> bool:
    """Whether a parsed document is an export of Langfuse's, or a page of its API."""
    if not isinstance(document, Mapping):
        return False
    if isinstance(document.get("trace"), Mapping) and isinstance(document.get("observations"), list):
        return True
    found = document.get("observations", document.get("data"))
    return isinstance(found, list) and bool(found) and all(
        isinstance(one, Mapping) and one.get("type") in KINDS and "traceId" in one for one in found
    )  # fmt: skip


def read(document: Mapping[str, Any]) -> Trace:
    """The trace as a request, and its observations."""
    about: dict[str, Any] = {"resources": [], "scopes": []}
    several = document.get("traces")
    trace = document.get("trace", document if "observations" in document and several is None else {})
    observations = document.get("observations") or document.get("data") or []
    traces = [one for one in several or [trace] if one.get("id")]
    roots = {str(one["id"]): _request(one, about) for one in traces}
    spans = list(roots.values())
    odd = [one for one in observations if not isinstance(one, Mapping)]
    seen = {one.get("id") for one in observations if isinstance(one, Mapping)}
    ordered = sorted((one for one in observations if isinstance(one, Mapping)), key=lambda one: _when(one))
    spans += bounded((_observation(one, _root(one, roots), seen, about) for one in ordered), len(spans))
    inside = [(each, one.get("id")) for one in traces for each in one.get("observations") or ()]
    inner = [(each, root) for each, root in inside if isinstance(each, Mapping) and each.get("id") not in seen]
    spans += bounded((_observation(each, str(root), seen, about) for each, root in inner), len(spans))
    odd += [each for each, _ in inside if not isinstance(each, Mapping) and each not in seen]
    rest = {key: value for key, value in document.items() if key not in ("trace", "traces", "observations", "data")}
    if not roots:
        about["traces"] = list(dict.fromkeys(one["traceId"] for one in ordered if isinstance(one.get("traceId"), str)))
    return Trace("langfuse", spans, {**about, **({} if trace is document else rest), "not observations": odd})


def _root(one: Mapping[str, Any], roots: Mapping[str, Span]) -> str | None:
    """The trace that an observation is a part of, when the file holds it; of one trace all are."""
    if one.get("traceId") in roots or len(roots) != 1:
        return one["traceId"] if one.get("traceId") in roots else None
    return next(iter(roots))


def _when(one: Mapping[str, Any]) -> dt.datetime:
    return moment(one.get("startTime")) or dt.datetime.max.replace(tzinfo=dt.UTC)


def _metadata(one: Mapping[str, Any], about: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The attributes in a record's metadata, and what else stands there."""
    metadata = dict(loose(one.get("metadata")))
    if not metadata and one.get("metadata") not in (None, "", {}):
        metadata = {"metadata": parsed(one["metadata"])}
    attributes = dict(flat(loose(metadata.get("attributes"))))
    for key, into in (("resourceAttributes", "resources"), ("scope", "scopes")):
        its = metadata.get(key)
        if its and its not in about[into]:
            about[into].append(its)
    for key, value in metadata.items():
        if key not in _DUPLICATES:
            attributes.setdefault(key, parsed(value))
    return attributes, metadata


def _request(trace: Mapping[str, Any], about: dict[str, Any]) -> Span:
    attributes, _ = _metadata(trace, about)
    said = {"input": parsed(trace.get("input")), "output": parsed(trace.get("output")),
            "conversation": trace.get("sessionId")}  # fmt: skip
    spent = ("id", "name", "timestamp", "input", "output", "sessionId", "metadata", "observations")
    rest = {key: parsed(value) for key, value in trace.items() if key not in spent}
    return Span(str(trace["id"]), None, str(trace.get("name") or ""), attributes, moment(trace.get("timestamp")),
                said={**said, "kind": "request"}, rest=rest)  # fmt: skip


def _observation(one: Mapping[str, Any], root: str | None, seen: set[Any], about: dict[str, Any]) -> Span:
    attributes, _ = _metadata(one, about)
    parent = one.get("parentObservationId")
    prompt = {key: one.get(f"prompt{key.title()}") for key in ("name", "version", "id")}
    settings = {key: parsed(value) for key, value in loose(one.get("modelParameters")).items() if value is not None}
    said = {
        "kind": one.get("type"), "input": parsed(one.get("input")), "output": parsed(one.get("output")),
        "model": one.get("model") or one.get("providedModelName"), "settings": settings,
        "usage": loose(one.get("usageDetails")), "prompt": {k: v for k, v in prompt.items() if v is not None},
        "tools": parsed(one.get("toolDefinitions")), "conversation": one.get("sessionId"),
    }  # fmt: skip
    if one.get("type") == "RETRIEVER" and isinstance(said["output"], list):
        said["documents"] = said.pop("output")
    failed = one.get("level") == "ERROR"
    rest = {key: parsed(value) for key, value in one.items() if key not in _SAID}
    if parent is not None and parent not in seen:
        rest["parentObservationId"] = parent  # which this file does not hold
    return Span(
        str(one.get("id") or ""), parent if parent in seen or root is None else root, str(one.get("name") or ""),
        attributes, moment(one.get("startTime")), moment(one.get("endTime")),
        str(one.get("statusMessage") or "failed") if failed else None, said,
        {**rest, **({} if failed else {"statusMessage": one.get("statusMessage"), "level": _level(one)}),
         "providedModelName": one.get("providedModelName") if one.get("model") else None},
    )  # fmt: skip


def _level(one: Mapping[str, Any]) -> Any:
    return None if one.get("level") == "DEFAULT" else one.get("level")
