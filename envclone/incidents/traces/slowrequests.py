"""Qdrant's slow requests: `GET /profiler/slow_requests`, since 1.16, whole, as a list or an entry a line.

The server logs a request as its shards get it (`ShardQueryRequest`), not as it was asked: that form is brought back
into the API's. Up to 1.18 a vector is logged as its length alone, later cut at 64 numbers; no step is made of either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from envclone.incidents.traces.span import Span, Trace, bounded, moment

__all__ = ["is_slow_requests", "slow_requests"]


def is_slow_requests(documents: Sequence[Any]) -> bool:
    """Whether parsed documents are Qdrant's list of slow requests."""
    return any(_is_entry(one) for one in _requests(documents))


def slow_requests(documents: Sequence[Any]) -> Trace:
    """Each query as a call; of several that were sent at once each."""
    spans: list[Span] = []
    odd = []
    for number, one in enumerate(bounded(_requests(documents)), 1):
        if not _is_entry(one):
            odd.append(one)
            continue
        body = one["request_body"]
        several = isinstance(body, list) and body and all(isinstance(each, Mapping) for each in body)
        for part, each in enumerate(body if several else [body], 1):
            ident = str(number) if not several or len(body) == 1 else f"{number}.{part}"
            spans.append(_span(ident, one, each))
    beside: dict[str, Any] = {}
    for document in documents:
        if isinstance(document, Mapping) and not _is_entry(document):
            beside |= {key: value for key, value in document.items() if key not in ("result", "requests")}
    return Trace("qdrant slow requests", list(bounded(spans)), {**beside, "other requests": odd} if spans else {})


def _span(ident: str, one: Mapping[str, Any], body: Any) -> Span:
    began, seconds = moment(one.get("datetime") or one.get("timestamp")), one.get("duration")
    ended = None
    if began is not None and isinstance(seconds, int | float) and not isinstance(seconds, bool):
        ended = moment(began.timestamp() + seconds)
    spent = ("collection_name", "request_name", "request_body")
    rest = {key: value for key, value in one.items() if key not in spent}
    asked = _as_asked(body) if isinstance(body, Mapping) and "prefetches" in body else body
    logged = {} if asked == body else {"request_body": body}
    attributes = {"db.system": "qdrant", "db.collection.name": one.get("collection_name")}
    return Span(ident, None, str(one.get("request_name") or ""), attributes, began, ended, None, {"input": asked},
                {**rest, **logged})  # fmt: skip


def _as_asked(body: Any) -> Any:
    """A request as the API has it; what is not known stays as it was logged, and makes no step."""
    if not isinstance(body, Mapping):
        return body
    made = {key: value for key, value in body.items() if key not in ("prefetches", "query", "offset", "with_vector")}
    made |= {key: body[key] for key in ("offset", "with_vector") if body.get(key)}
    if body.get("prefetches"):
        made["prefetch"] = [_as_asked(one) for one in body["prefetches"]]
    query = body.get("query")
    if not (isinstance(query, Mapping) and len(query) == 1):
        return made | ({"query": query} if query is not None else {})
    ((kind, said),) = query.items()
    if kind == "Vector" and isinstance(said, Mapping) and len(said) == 1:
        ((form, named),) = said.items()
        if isinstance(named, Mapping) and named.get("using"):
            made["using"] = named["using"]
        if form == "Nearest" and isinstance(named, Mapping):
            return made | {"query": _vector(named.get("query"))}
    elif kind == "Fusion":
        rrf = said.get("Rrf") if isinstance(said, Mapping) else None
        if isinstance(rrf, Mapping):
            return made | {"query": {"rrf": {key: one for key, one in rrf.items() if one is not None}}}
        if said == "Dbsf":
            return made | {"query": {"fusion": "dbsf"}}
    elif kind == "OrderBy":
        return made | {"query": {"order_by": said}}
    return made | {"query": query}


def _vector(logged: Any) -> Any:
    """A vector of the log; of one that is its length alone what cannot be taken for one."""
    if not (isinstance(logged, Mapping) and len(logged) == 1):
        return {"logged": logged}
    ((form, numbers),) = logged.items()
    if form == "Dense" and isinstance(numbers, list) and len(numbers) > 1:
        return numbers
    if form == "Sparse" and isinstance(numbers, Mapping) and _is_whole(numbers):
        return numbers
    return {"logged": logged}


def _is_whole(sparse: Mapping[str, Any]) -> bool:
    indices, values = sparse.get("indices"), sparse.get("values")
    return (
        isinstance(indices, list) and isinstance(values, list) and len(indices) == len(values)
        and all(isinstance(one, int) for one in indices) and all(isinstance(one, int | float) for one in values)
    )  # fmt: skip


def _is_entry(one: Any) -> bool:
    return isinstance(one, Mapping) and "request_body" in one


def _requests(documents: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for document in documents:
        result = document.get("result", document) if isinstance(document, Mapping) else document
        if isinstance(result, Mapping) and not _is_entry(result):
            result = result.get("requests", result.get("slow_requests"))
        found += result if isinstance(result, list) else [result] if _is_entry(result) else []
    return found
