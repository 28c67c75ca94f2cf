"""Searches of a Qdrant server as steps, with the ids and scores that it gave: of its client, and of its API.

Sources: Qdrant's OpenAPI document (query, search, scroll, recommend and discover, each alone, in groups or in a batch).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError

from envclone.incidents.bundle import VectorStep

__all__ = ["asked_at", "of_request", "plain", "points", "search"]

_PATH = re.compile(
    r"/collections/(?P<collection>[^/]{1,255})/points/(?P<name>query|search|scroll|recommend|discover)"
    r"(?:/(?P<how>groups|batch))?$"
)
_NAMES = {"collection_name": "collection", "query_filter": "filter", "search_params": "params", "query_vector": "query"}
_TAKEN = ("collection", "query", "using", "prefetch", "filter", "params", "limit", "offset", "score_threshold",
          "order_by", "with_payload", "group_by", "group_size", "lookup_from")  # fmt: skip
_EXAMPLES = {"recommend": ("positive", "negative", "strategy"), "discover": ("target", "context")}
"""What these operations' bodies have beside a query, which asks the same in one member."""


def asked_at(url: str) -> tuple[str, str, str] | None:
    """The collection that an address of Qdrant's API searches, the operation, and how: alone, in groups or a batch."""
    match = _PATH.search(urlsplit(url).path)
    return None if match is None else (unquote(match["collection"]), match["name"], match["how"] or "")


def of_request(url: str, body: Mapping[str, Any], answer: Any, store: str, name: str) -> list[VectorStep]:
    """The searches of a request; without an expectation where the answer is not there whole."""
    asked = asked_at(url)
    if asked is None:
        return []
    collection, operation, how = asked
    bodies = body.get("searches") if how == "batch" else [body]
    if not isinstance(bodies, list) or not all(isinstance(one, Mapping) for one in bodies):
        return []
    result = answer.get("result") if isinstance(answer, Mapping) else None
    results = result if how == "batch" and isinstance(result, list) else [result]
    found = []
    for number, one in enumerate(bodies):
        said = _said(operation, one)
        if said is None:
            continue
        hits = _hits(results[number]) if number < len(results) else None
        ident = name if len(bodies) == 1 else f"{name}-{number + 1}"
        found += search({**said, "collection": collection}, hits, store, ident)
    return found


def _said(operation: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
    """A body as the query API has it; None for a page that begins at a point, not behind a number of them."""
    said = dict(body)
    if operation == "scroll":
        return None if said.get("offset") is not None else {"filter": {}, **said}
    if operation == "search" and "vector" in said:
        said["query"] = said.pop("vector")
    elif operation in _EXAMPLES and "query" not in said:
        examples = {key: said.pop(key) for key in _EXAMPLES[operation] if said.get(key) is not None}
        said["query"] = {operation: examples}
    return said


def _hits(result: Any) -> list[Mapping[str, Any]] | None:
    """The points of one result; None when it is not there, or has something else in it."""
    if isinstance(result, Mapping) and isinstance(result.get("groups"), list):
        hits: Any = [hit for one in result["groups"] if isinstance(one, Mapping) for hit in one.get("hits") or ()]
    else:
        hits = result.get("points") if isinstance(result, Mapping) else result
    whole = isinstance(hits, list) and all(isinstance(one, Mapping) and "id" in one for one in hits)
    return list(hits) if whole else None


def search(said: Mapping[str, Any], hits: Any, store: str, name: str) -> list[VectorStep]:
    """A search as a step, and what it is to give when its points are known; none for a form that cannot be asked."""
    if said.get("shard_key_selector") is not None or said.get("shard_key") is not None:
        return []
    given = {_NAMES.get(key, key): value for key, value in said.items()}
    given = {key: value for key, value in given.items() if key in _TAKEN and value is not None}
    query = plain(given.pop("query", None))
    if isinstance(query, list) and len(query) == 2 and isinstance(query[0], str):  # a name and its vector
        given["using"], query = query
    elif isinstance(query, dict) and "vector" in query and "name" in query:
        given["using"], query = query["name"], query["vector"]
    if query is None and not given.get("prefetch") and "filter" not in given and "order_by" not in given:
        return []
    if isinstance(query, list) or (isinstance(query, dict) and "indices" in query):
        given["vector"] = query
    elif query is not None:
        given["query"] = query
    if isinstance(hits, list):
        scores = [hit.get("score") for hit in hits]
        given["expect"] = {"ids": [hit.get("id") for hit in hits]}
        if all(isinstance(score, int | float) for score in scores):
            given["expect"]["scores"] = scores
    try:
        return [VectorStep.model_validate({**given, "id": name, "store": store})]
    except ValidationError:
        return []


def points(answer: Any) -> list[list[dict[str, Any]]]:
    """The points that a client's answer holds: one list, or one for each group or query of a batch."""
    found = answer if isinstance(answer, dict) else {}
    if isinstance(found.get("points"), list):
        return [[one for one in found["points"] if isinstance(one, dict)]]
    return list(_many(found.get("groups") or found.get("batch") or []))


def _many(many: Any) -> Iterator[list[dict[str, Any]]]:
    for one in many:
        if isinstance(one, dict):
            yield from points({"points": one.get("points")})


def plain(query: Any) -> Any:
    """The vector of a query that is nothing but a vector's nearest."""
    if isinstance(query, dict) and set(query) == {"nearest"} and isinstance(query["nearest"], list | dict):
        return query["nearest"]
    return query
