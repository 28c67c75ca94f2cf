"""What of a trace can be run again: whole statements, searches with their vectors, requests to a service."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from envclone.errors import UsageError
from envclone.incidents.bundle import HttpStep, SqlStep, Step, VectorStep
from envclone.incidents.calls import Call
from envclone.incidents.placeholders import standard
from envclone.incidents.plans import nodes
from envclone.incidents.traces.embedded import Embedded, numbers
from envclone.incidents.traces.searches import asked_at, of_request

__all__ = ["Stores", "steps_of"]

_READS = re.compile(r"\s*+(?:--[^\n]*+\n\s*+|/\*(?>.*?\*/)\s*+)*+(?:select|with|table|values)\b", re.I | re.S)
"""Statements that read, behind their comments; it never goes back, for a text can hold any number of comments."""
_SQLSTATE = re.compile(r"[0-9A-Z]{5}\b(?<!ERROR)")
_POSTGRES = ("postgresql", "postgres", "pgvector")
_FAILS = 400
"""The first status of an answer that failed."""
_LONGEST = 4 << 20
_CUT = 64
"""Numbers at which Qdrant cuts a vector in its list of slow requests."""
_TEXTS = ("query", "question", "input", "value", "text", "input.value")


class Stores:
    """Which stores and services the steps run on, and how a text becomes a vector; None where nothing was chosen."""

    def __init__(
        self, *, postgres: str | None = None, qdrant: str | None = None, service: str | None = None,
        host: str | None = None, role: str | None = None, collection: str | None = None,
        embed: Callable[[str], list[float]] | None = None,
    ) -> None:  # fmt: skip
        self.postgres, self.qdrant, self.service = postgres, qdrant, service
        self.host = host
        self.role, self.collection, self.embed = role, collection, embed


def steps_of(calls: Sequence[Call], stores: Stores) -> list[Step]:
    """The steps, in the order of the calls; what lacks a part of its query is none."""
    found: list[Step] = []
    embedded = Embedded(calls)
    ran = {call.statement for call in calls if call.name == "execute"}
    services = {host for call in calls if call.kind == "http" and (host := _host(call))}
    asked = _asked(calls, stores) if stores.service is not None else frozenset()
    for call in calls:
        if call.kind == "http" and asked and _host(call) not in asked:
            continue
        if call.name in ("parse", "bind") and call.statement in ran:
            continue  # PostgreSQL's log tells of one statement three times
        if call.kind == "llm" and services and _host(call) not in services:
            continue  # what the service itself asked of its model: nothing that could be asked of the service
        for step in _steps(call, stores, len(found) + 1, embedded):
            found.append(step.model_copy(update={"call": call.id}))
    return found


def _steps(call: Call, stores: Stores, number: int, embedded: Embedded) -> Iterator[Step]:
    if call.kind == "sql" and stores.postgres is not None and _system(call) in _POSTGRES:
        yield from _statement(call, stores.postgres, stores.role, number)
    elif call.kind in ("vector", "retrieval") and stores.qdrant is not None:
        yield from _search(call, stores, number, embedded)
    elif call.kind in ("http", "llm") and stores.service is not None and isinstance(call.input, Mapping):
        yield from _request(call, stores.service, number)


def _asked(calls: Sequence[Call], stores: Stores) -> frozenset[str]:
    """The hosts whose requests are the service's: the one that is named, else of several the one that failed.

    Raises UsageError where several may be meant.
    """
    there = {host: True for call in calls if call.kind == "http" and (host := _host(call))}
    if stores.host is not None:
        if stores.host not in there:
            raise UsageError(f"the trace asks nothing of {stores.host}", hint=f"it asks {', '.join(there) or 'nobody'}")
        return frozenset({stores.host})
    if len(there) < 2 or not any(_status(call) for call in calls if call.kind == "http"):  # typed, one by one
        return frozenset(there)
    failed = {_host(call) for call in calls if call.kind == "http" and (call.error or _status(call) >= _FAILS)}
    sends = {_host(call) for call in calls if call.kind == "http" and isinstance(call.input, Mapping)
             and call.input.get("body") not in (None, "")}  # fmt: skip
    for some in (failed, failed & sends, sends - failed if not failed else set()):
        if len(some) == 1:
            return frozenset(some)
    raise UsageError(
        f"the trace asks several services: {', '.join(there)}",
        hint=f"say which is {stores.service}: --service {stores.service}@{next(iter(failed or sends or there))}",
    )


def _status(call: Call) -> int:
    status = call.other.get("status")
    return status if isinstance(status, int) else 0


def _host(call: Call) -> str:
    return urlsplit(str(call.input.get("url") or "")).netloc if isinstance(call.input, Mapping) else ""


def _system(call: Call) -> str:
    return str(call.other.get("db.system.name") or call.other.get("db.system") or "").lower()


def _statement(call: Call, store: str, role: str | None, number: int) -> Iterator[Step]:
    sql = call.statement or ""
    if not _READS.match(sql):
        return
    parameters = _parameters(call)
    if "prefix" in call.other and any(isinstance(one, str) and one.endswith("...") for one in call.settings.values()):
        return  # cut by log_parameter_max_length
    try:
        standard("", sql, parameters)
    except UsageError:  # parameters that the trace does not hold
        return
    # an error is compared by its SQLSTATE; a trace that does not tell it leaves the answer to `record`
    expect = {"error": call.error} if call.error and _SQLSTATE.match(call.error) else None
    try:
        yield SqlStep.model_validate({
            "id": f"sql-{number}", "store": store, "sql": sql, "role": role, "parameters": parameters,
            "expect": expect, "plan": nodes(call.output),
        })  # fmt: skip
    except ValidationError:
        return


def _parameters(call: Call) -> list[Any] | dict[str, Any] | None:
    """Parameters by position or by name, as logs and OpenTelemetry's database conventions tell them."""
    by_name = {key.lstrip("$"): value for key, value in call.settings.items() if re.fullmatch(r"\$\d+", key)}
    for key, value in call.other.items():
        if key.startswith("db.query.parameter."):
            by_name[key.removeprefix("db.query.parameter.")] = value
    for name in ("db.query.parameter", "db.postgresql.values"):
        if isinstance(listed := call.other.get(name), list):
            return listed
    written = call.other.get("db.statement.parameters")
    if not by_name and isinstance(written, str) and len(written) < _LONGEST:  # as Python writes its values
        try:
            given = ast.literal_eval(written)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
        if isinstance(given, Mapping):
            return {str(name): value for name, value in given.items()}
        return list(given) if isinstance(given, list | tuple) else None
    if not by_name:
        return None
    if all(key.isdigit() for key in by_name):
        return [by_name[key] for key in sorted(by_name, key=int)]
    return by_name


def _search(call: Call, stores: Stores, number: int, embedded: Embedded) -> Iterator[Step]:
    body = call.input if isinstance(call.input, Mapping) else {}
    if isinstance(body.get("url"), str) and isinstance(body.get("body"), Mapping):  # a request to the server itself
        if stores.qdrant is not None and asked_at(body["url"]) is not None:
            answer = None if call.error else call.output
            yield from of_request(body["url"], body["body"], answer, stores.qdrant, f"search-{number}")
            return
        body = body["body"]
    collection = str(call.other.get("db.collection.name") or stores.collection or "") or next(
        (str(value) for key, value in call.other.items() if key.endswith(".collection_name")), ""
    )
    if not collection or _system(call) not in ("", "qdrant"):
        return
    named = {"id": f"search-{number}", "store": stores.qdrant, "collection": collection}
    scrolls = (
        _system(call) == "qdrant"
        and "query" not in body
        and "vector" not in body
        and "filter" in body
        and not body.get("offset")
    )
    asks = ("query" in body and not isinstance(body["query"], str)) or numbers(body.get("vector"))
    if (scrolls or asks) and not _is_cut(body):
        wanted = set(VectorStep.model_fields) - {"id", "store", "expect", "note", "kind"}
        step = _valid({**named, **{key: value for key, value in body.items() if key in wanted}})
        if step is not None:
            yield step
            return
    limit = call.settings.get("top_k") or call.settings.get("limit") or (len(call.documents) or 10)
    vector = next((one for one in call.vectors if numbers(one)), call.vectors if numbers(call.vectors) else None)
    text = _text(call.input)
    if vector is None:
        vector = embedded.of(call, text)
    if vector is None and stores.embed is not None and text:
        vector = stores.embed(text)
    if vector is None:
        return
    expect = _expected(call.documents)
    step = _valid({**named, "vector": vector, "limit": limit, **({"expect": expect} if expect else {})})
    if step is not None:
        yield step


def _valid(values: dict[str, Any]) -> VectorStep | None:
    try:
        return VectorStep.model_validate(values)
    except ValidationError:
        return None


def _is_cut(body: Any) -> bool:
    """Whether a list of numbers in a request is as long as Qdrant leaves them."""
    if isinstance(body, Mapping):
        return any(_is_cut(one) for one in body.values())
    return isinstance(body, list) and ((len(body) == _CUT and numbers(body)) or any(_is_cut(one) for one in body))


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return next((value[key] for key in _TEXTS if isinstance(value.get(key), str)), None)
    return None


def _expected(documents: Sequence[Any]) -> dict[str, Any] | None:
    """Ids and scores of what was retrieved, where every document has an id."""
    ids, scores = [], []
    for one in documents:
        if not isinstance(one, Mapping):
            return None
        ids.append(next((value for key, value in one.items() if key in ("id", "document.id")), None))
        scores.append(next((value for key, value in one.items() if key in ("score", "document.score")), None))
    if not ids or any(not isinstance(one, int | str) for one in ids):
        return None
    scored = all(isinstance(one, int | float) for one in scores)
    return {"ids": ids, **({"scores": scores} if scored else {})}


def _request(call: Call, service: str, number: int) -> Iterator[Step]:
    asked = call.input
    parts = urlsplit(str(asked.get("url") or ""))
    if not parts.path or asked.get("form") or call.other.get("unexpanded"):
        return
    status = call.other.get("status")
    rows = [[status, call.output]] if isinstance(status, int) else []
    headers = {name: value for name, value in (asked.get("headers") or {}).items() if name.lower() in ("content-type",)}
    try:
        yield HttpStep.model_validate({
            "id": f"request-{number}", "service": service, "method": asked.get("method") or "GET",
            "path": parts.path + (f"?{parts.query}" if parts.query else ""), "headers": headers,
            "body": asked.get("body"), **({"expect": {"rows": rows}} if rows else {}),
        })  # fmt: skip
    except ValidationError:
        return
