"""Formats of one object a call: LangSmith's runs, MLflow's and Phoenix' spans; Datadog's stand in `datadog`.

Sources: langsmith-sdk `run_trees` (the one for JavaScript names a run by its `dotted_order` alone), MLflow 2 and 3
`{info, data.spans}`, its REST API and `search_traces`, Phoenix' `GET /v1/projects/…/spans` and its command line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envclone.incidents.traces.datadog import datadog
from envclone.incidents.traces.otlp import attributes_of
from envclone.incidents.traces.span import Span, Trace, bounded, flat, loose, moment, parsed

__all__ = ["langsmith", "mlflow", "phoenix", "read"]


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
    for one in (_with_id(inner) for row in rows for inner in _with_children(row)):
        if not isinstance(one, Mapping) or "id" not in one or not ("run_type" in one or one["id"] in runs):
            return None
        runs[one["id"]] = {**runs.get(one["id"], {}), **{key: value for key, value in one.items() if value is not None}}
    if not runs:
        return None
    about = (
        _beside(documents, "post", "patch", "runs") if not any("run_type" in loose(one) for one in documents) else {}
    )
    return Trace("langsmith", list(bounded(_run(one) for one in runs.values())), about)


def _with_id(run: Any) -> Any:
    """A run with the id that its place in the trace ends in, when it has no other."""
    order = run.get("dotted_order") if isinstance(run, Mapping) and "id" not in run else None
    last = order.rpartition(".")[2].partition("Z")[2] if isinstance(order, str) else ""
    return {**run, "id": last} if last else run


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
    """Traces `{info, data: {spans}}`, or the spans with what stands beside them; attributes are JSON in JSON."""
    spans: list[Span] = []
    about: dict[str, Any] = {"info": []}
    for one in map(_of_mlflow, _table(documents)):
        if one is None:
            return None
        info, data, rest = one
        about["info"] += [info] if info else []
        about |= {key: value for key, value in (*rest.items(), *data.items()) if key != "spans" and value}
        spans += bounded((_mlflow(span) for span in data["spans"] if isinstance(span, Mapping)), len(spans))
    lists = [one for one in documents if isinstance(one, Mapping) and isinstance(one.get("traces"), list)]
    return Trace("mlflow", spans, {**_beside(lists, "traces"), **about}) if about["info"] or spans else None


def _table(documents: Sequence[Any]) -> Iterator[Any]:
    """Traces, or the rows of a table of them that pandas wrote as columns and data."""
    for row in _rows(documents, "traces"):
        columns, data = (row.get("columns"), row.get("data")) if isinstance(row, Mapping) else (None, None)
        if isinstance(columns, list) and isinstance(data, list) and all(isinstance(one, list) for one in data):
            yield from (dict(zip(map(str, columns), one, strict=False)) for one in data)
        else:
            yield row


def _of_mlflow(one: Any) -> tuple[Any, Mapping[str, Any], dict[str, Any]] | None:
    """What a trace says of itself, its data with the spans, and the rest; None for something else."""
    if not isinstance(one, Mapping):
        return None
    whole = loose(one.get("trace"))
    if whole:  # an answer of the REST API, or a row of `search_traces`
        inside = _of_mlflow(whole)
        return inside and (inside[0], inside[1], {**inside[2], **_others(one, "trace", "spans")})
    info, data = one.get("info", one.get("trace_info")), loose(one.get("data"))
    if info is not None and isinstance(data.get("spans"), list):
        return info, data, _others(one, "info", "trace_info", "data")
    spans = parsed(one.get("spans"))
    if isinstance(spans, list) and spans and (info is not None or all(map(_is_of_mlflow, spans))):
        return info, {"spans": spans}, _others(one, "info", "trace_info", "spans")
    return None


def _is_of_mlflow(span: Any) -> bool:
    return any(key.startswith("mlflow.") for key in attributes_of(span))


def _others(one: Mapping[str, Any], *spent: str) -> dict[str, Any]:
    return {key: parsed(value) for key, value in one.items() if key not in spent}


def _mlflow(one: Mapping[str, Any]) -> Span:
    context = loose(one.get("context"))
    attributes = {key: parsed(value) for key, value in attributes_of(one).items()}
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
    above: dict[str, Any] = {}
    for one in bounded(map(_unflattened, _below(_rows(documents, "data", "spans"), above))):
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
    return Trace("phoenix", spans, {**_beside(nested, "data", "spans"), **above}) if spans else None


def _below(rows: Iterator[Any], above: dict[str, Any]) -> Iterator[Any]:
    """Spans, those of traces that hold them and of lists with a name; what else a trace says goes to `above`."""
    for row in rows:
        inside = row.get("spans") if isinstance(row, Mapping) and "name" not in row else None
        lists = list(row.values()) if isinstance(row, Mapping) else []
        if isinstance(inside, list):
            above.setdefault("traces", []).append(
                {key: one for key, one in row.items() if key not in ("spans", "rootSpan")}
            )
            yield from inside
        elif lists and all(isinstance(one, list) and all(isinstance(each, Mapping) for each in one) for one in lists):
            above.setdefault("names", []).extend(row)
            yield from (each for one in lists for each in one)
        else:
            yield row


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
