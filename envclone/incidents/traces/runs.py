"""Formats of one object a call: LangSmith's runs, MLflow's and Phoenix' spans, Datadog's LLM Observability.

Sources: langsmith-sdk `run_trees`, MLflow 3 `{info, data.spans}`, Phoenix' `GET /v1/projects/…/spans`, Datadog's intake
(`data.attributes.spans`) and its export of span events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envclone.incidents.traces.span import Span, Trace, bounded, flat, loose, moment, parsed

__all__ = ["datadog", "langsmith", "mlflow", "phoenix", "read"]


def read(documents: Sequence[Any]) -> Trace | None:
    """The trace that some documents are, in the first of these formats that fits; None when none does."""
    for reader in (langsmith, mlflow, datadog, phoenix):
        found = reader(documents)
        if found is not None:
            return found
    return None


def langsmith(documents: Sequence[Any]) -> Trace | None:
    """Runs, in a list, a line each, or as a batch `{post, patch}`; a patch adds to the run that it names."""
    runs: dict[str, dict[str, Any]] = {}
    rows = _rows(documents, "post", "patch", "runs")
    for one in (inner for row in rows for inner in _with_children(row)):
        if not isinstance(one, Mapping) or "id" not in one or not ("run_type" in one or one["id"] in runs):
            return None
        runs[one["id"]] = {**runs.get(one["id"], {}), **{key: value for key, value in one.items() if value is not None}}
    if not runs:
        return None
    about = (
        _beside(documents, "post", "patch", "runs") if not any("run_type" in loose(one) for one in documents) else {}
    )
    return Trace("langsmith", list(bounded(_run(one) for one in runs.values())), about)


def _with_children(run: Any) -> Iterator[Any]:
    """A run, and those that it holds: an export may nest them."""
    pending = [run]
    while pending:
        one = pending.pop(0)
        children = one.get("child_runs") if isinstance(one, Mapping) else None
        if isinstance(children, list) and all(isinstance(each, Mapping) for each in children):
            pending += [{"parent_run_id": one.get("id"), **each} for each in children]
            one = {key: value for key, value in one.items() if key != "child_runs"}
        yield one


def _run(one: Mapping[str, Any]) -> Span:
    extra = loose(one.get("extra"))
    metadata, parameters = loose(extra.get("metadata")), loose(extra.get("invocation_params"))
    outputs = parsed(one.get("outputs"))
    said: dict[str, Any] = {
        "kind": one.get("run_type"), "input": parsed(one.get("inputs")), "output": outputs, "settings": parameters,
        "model": metadata.get("ls_model_name") or parameters.get("model") or parameters.get("model_name"),
        "provider": metadata.get("ls_provider"),
        "conversation": metadata.get("session_id") or metadata.get("thread_id"),
    }  # fmt: skip
    if one.get("run_type") == "retriever" and isinstance(outputs, Mapping):
        said["documents"] = outputs.get("documents")
    usage = outputs.get("usage_metadata") if isinstance(outputs, Mapping) else None
    said["usage"] = loose(usage)
    spent = ("id", "parent_run_id", "name", "run_type", "inputs", "outputs", "start_time", "end_time", "error", "extra")
    rest = {key: value for key, value in one.items() if key not in spent}
    left = {key: value for key, value in extra.items() if key != "invocation_params"}
    return Span(
        str(one["id"]), one.get("parent_run_id"), str(one.get("name") or ""), {}, moment(one.get("start_time")),
        moment(one.get("end_time")), one.get("error"), said, {**rest, **({"extra": left} if left else {})},
    )  # fmt: skip


def mlflow(documents: Sequence[Any]) -> Trace | None:
    """Traces `{info, data: {spans}}`; values of attributes are JSON in JSON."""
    spans: list[Span] = []
    about: dict[str, Any] = {"info": []}
    for one in _rows(documents, "traces"):
        data = loose(one.get("data")) if isinstance(one, Mapping) else {}
        if not isinstance(data.get("spans"), list) or "info" not in one:
            return None
        about["info"].append(one["info"])
        about |= {key: value for key, value in data.items() if key != "spans" and value}
        spans += bounded((_mlflow(span) for span in data["spans"] if isinstance(span, Mapping)), len(spans))
    return Trace("mlflow", spans, about) if about["info"] else None


def _mlflow(one: Mapping[str, Any]) -> Span:
    context = loose(one.get("context"))
    attributes = {key: parsed(value) for key, value in loose(one.get("attributes")).items()}
    usage = loose(attributes.pop("mlflow.chat.tokenUsage", None))
    outputs = attributes.get("mlflow.spanOutputs")
    retrieved = str(attributes.get("mlflow.spanType", one.get("span_type"))).upper() == "RETRIEVER"
    said: dict[str, Any] = {"usage": usage, "kind": one.get("span_type"), "input": parsed(one.get("inputs")),
                            "output": parsed(one.get("outputs"))}  # fmt: skip
    if retrieved and isinstance(outputs, list):
        said["documents"] = attributes.pop("mlflow.spanOutputs")
    status = one.get("status")
    code = str(loose(status).get("code", loose(status).get("status_code", status)) or one.get("status_code") or "")
    failed = "ERROR" in code.upper()
    spent = ("span_id", "parent_id", "parent_span_id", "name", "attributes", "context", "start_time", "end_time",
             "start_time_ns", "end_time_ns", "start_time_unix_nano", "end_time_unix_nano", "inputs", "outputs",
             "span_type", "status")  # fmt: skip
    rest = {key: value for key, value in one.items() if key not in spent}
    return Span(
        str(one.get("span_id") or context.get("span_id") or ""), one.get("parent_id") or one.get("parent_span_id"),
        str(one.get("name") or ""), dict(flat(attributes)) if _nests(attributes) else attributes,
        moment(_first(one, "start_time_unix_nano", "start_time_ns", "start_time")),
        moment(_first(one, "end_time_unix_nano", "end_time_ns", "end_time")),
        str(loose(status).get("message") or one.get("status_message") or "failed") if failed else None, said,
        {**rest, **({} if failed else {"status": status}), "trace_id": one.get("trace_id") or context.get("trace_id")},
    )  # fmt: skip


def _nests(attributes: Mapping[str, Any]) -> bool:
    """Whether dotted names were written as nested objects."""
    return any(key in attributes and isinstance(attributes[key], Mapping) for key in ("llm", "openinference", "input"))


def phoenix(documents: Sequence[Any]) -> Trace | None:
    """Spans with a context and OpenInference's attributes, dotted or nested, in a list, a line each or below `data`."""
    spans: list[Span] = []
    for one in bounded(map(_unflattened, _rows(documents, "data", "spans"))):
        if not isinstance(one, Mapping) or "name" not in one or not ("context" in one or "span_id" in one):
            return None
        attributes = dict(flat(loose(one.get("attributes"))))
        context = loose(one.get("context"))
        failed = str(one.get("status_code") or loose(one.get("status")).get("status_code")).upper() == "ERROR"
        spent = ("name", "context", "span_id", "parent_id", "start_time", "end_time", "attributes", "span_kind",
                 "status_message")  # fmt: skip
        rest = {key: value for key, value in one.items() if key not in spent and not (failed and key == "status_code")}
        spans.append(
            Span(
                str(context.get("span_id") or one.get("span_id") or ""), one.get("parent_id"), str(one["name"]),
                attributes, moment(one.get("start_time")), moment(one.get("end_time")),
                str(one.get("status_message") or loose(one.get("status")).get("description") or "failed")
                if failed else None, {"kind": one.get("span_kind")},
                {**rest, "trace_id": context.get("trace_id"),
                 **({} if failed else {"status_message": one.get("status_message")})},
            )
        )  # fmt: skip
    nested = [one for one in documents if isinstance(one, Mapping) and "name" not in one]
    return Trace("phoenix", spans, _beside(nested, "data", "spans")) if spans else None


def _unflattened(row: Any) -> Any:
    """A row of a table of spans, whose columns are `context.span_id` and `attributes.llm.model_name`."""
    if not isinstance(row, Mapping) or not any(key.startswith("context.") for key in row):
        return row
    made = {key: value for key, value in row.items() if not key.startswith(("context.", "attributes."))}
    for name in ("context", "attributes"):
        inside = {key.removeprefix(f"{name}."): one for key, one in row.items()
                  if key.startswith(f"{name}.") and one is not None}  # fmt: skip
        made[name] = {**loose(row.get(name)), **inside}
    return made


def datadog(documents: Sequence[Any]) -> Trace | None:
    """Spans of the intake, or events of the export; `meta` holds what went in and out."""
    spans: list[Span] = []
    about: dict[str, Any] = {}
    every = [one for each in documents for one in (each if isinstance(each, list) else [each])]
    if every and all(isinstance(one, Mapping) and "meta" in one and "span_id" in one for one in every):
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
        else:
            return None
        if not all(isinstance(one, Mapping) and ("meta" in one or "span_kind" in one) for one in found):
            return None
        spans += bounded(map(_datadog, found), len(spans))
    return Trace("datadog", spans, about) if spans else None


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
        "usage": loose(one.get("metrics")), "conversation": one.get("session_id"),
    }  # fmt: skip
    used = ("kind", "span.kind", "input", "output", "metadata", "model_name", "model_provider")
    spent = ("span_id", "parent_id", "name", "start_ns", "duration", "meta", "metrics", "session_id", "span_kind",
             "input", "output", "metadata", "model_name", "model_provider")  # fmt: skip
    left = {key: value for key, value in meta.items() if key not in used}
    parts = {f"input.{key}": value for key, value in put.items() if said["input"] is not value and key != "messages"}
    rest = {key: value for key, value in one.items() if key not in spent}
    parent = one.get("parent_id")
    return Span(
        str(one.get("span_id") or ""), None if parent in (None, "undefined", "0") else str(parent),
        str(one.get("name") or ""), {}, began, ended, str(error or "failed") if failed else None,
        said, {**rest, **left, **(parts if isinstance(said["input"], list | str) else {})},
    )  # fmt: skip


def _first(one: Mapping[str, Any], *names: str) -> Any:
    return next((one[name] for name in names if one.get(name) is not None), None)


def _rows(documents: Sequence[Any], *names: str) -> Iterator[Any]:
    """The objects of some documents: themselves, the items of lists, or of the lists that one has under these names."""
    for document in documents:
        if isinstance(document, list):
            yield from document
        elif isinstance(document, Mapping) and any(isinstance(document.get(name), list) for name in names):
            for name in names:
                if isinstance(document.get(name), list):
                    yield from document[name]
        else:
            yield document


def _beside(documents: Sequence[Any], *names: str) -> dict[str, Any]:
    """What documents say beside the lists that are read out of them."""
    found: dict[str, Any] = {}
    for one in documents:
        if isinstance(one, Mapping):
            found |= {key: value for key, value in one.items() if key not in names}
    return found
