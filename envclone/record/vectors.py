"""qdrant-client: the whole query as it goes to the server, its vectors bit for bit, and which points came back."""

from __future__ import annotations

import importlib
import inspect
import json
import time
from collections.abc import Mapping
from typing import Any

from envclone.record.patches import Hooks, around, around_async, replace
from envclone.record.sessions import CURRENT, INSIDE, PARENT, Session, described, recorder
from envclone.record.sql import _span
from envclone.record.values import frozen

__all__ = ["install"]

_CLIENTS = (
    ("qdrant_client.qdrant_remote", "QdrantRemote", False),
    ("qdrant_client.local.qdrant_local", "QdrantLocal", False),
    ("qdrant_client.async_qdrant_remote", "AsyncQdrantRemote", True),
    ("qdrant_client.local.async_qdrant_local", "AsyncQdrantLocal", True),
)
"""The classes below QdrantClient: what reaches them has its vectors, also where the client embeds."""
_METHODS = ("query_points", "query_points_groups", "query_batch_points", "scroll", "retrieve", "search",
            "search_groups", "search_batch", "recommend", "search_matrix_pairs", "search_matrix_offsets")  # fmt: skip
_LEFT = ("timeout", "consistency", "kwargs", "self")


class _Note:
    __slots__ = ("at", "clock", "inside", "method", "number", "parent", "said", "session")

    session: Session
    method: str
    said: dict[str, Any]
    number: int
    parent: int | None
    at: float
    clock: float
    inside: Any


def install() -> None:
    """Wrap the searches of every kind of client that this version has."""
    for module, name, is_async in _CLIENTS:
        try:
            holder = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            continue
        for method in _METHODS:
            if method in holder.__dict__:
                hooks = Hooks(_before(method, holder.__dict__[method]), _after, _failed)
                replace(holder, method, around_async(hooks) if is_async else around(hooks))


def _before(method: str, original: Any) -> Any:
    names = list(inspect.signature(original).parameters)[1:]

    def before(self: Any, args: tuple[Any, ...], named: dict[str, Any]) -> _Note | None:
        session = CURRENT.get()
        if session is None or session.ended or INSIDE.get() or recorder.writer is None:
            return None
        given = {**dict(zip(names, args, strict=False)), **named}
        note = _Note()
        note.session, note.method = session, method
        note.said = {
            key: frozen(value, single=True) for key, value in given.items() if value is not None and key not in _LEFT
        }
        note.number, note.parent = next(session.numbers), PARENT.get()
        note.at, note.clock = time.time(), time.perf_counter()
        note.inside = INSIDE.set(True)
        return note

    return before


def _after(note: _Note, result: Any) -> None:
    seconds = _over(note)
    found = _answer(result)  # the application may change payloads that it got
    made = {**_base(note, seconds), "answer": found}
    recorder.call(note.session, made, 1000, note.number)


def _failed(note: _Note, error: BaseException) -> None:
    seconds = _over(note)
    status = getattr(error, "status_code", None)
    made = {**_base(note, seconds), "error": described(error), "status": status}
    recorder.call(note.session, made, 1000, note.number)


def _over(note: _Note) -> float:
    seconds = time.perf_counter() - note.clock
    try:
        INSIDE.reset(note.inside)
    except (ValueError, RuntimeError):
        INSIDE.set(False)
    return seconds


def _base(note: _Note, seconds: float) -> dict[str, Any]:
    return {"t": "call", "kind": "vector", "method": note.method, "at": note.at, "s": seconds, "parent": note.parent,
            "query": note.said, **_span()}  # fmt: skip


def _answer(result: Any) -> Any:
    """Points in order: ids, scores, payloads; of groups and batches one list for each."""
    if hasattr(result, "points"):
        return {"points": [_point(one) for one in result.points]}
    if hasattr(result, "groups"):
        return {
            "groups": [{"id": frozen(one.id), "points": [_point(hit) for hit in one.hits]} for one in result.groups]
        }
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[0], list):
        return {"points": [_point(one) for one in result[0]], "next": frozen(result[1])}
    if isinstance(result, list):
        return {"batch": [_answer(one) for one in result]} if result and not hasattr(result[0], "id") else {
            "points": [_point(one) for one in result]
        }  # fmt: skip
    return {}


def _point(one: Any) -> Mapping[str, Any]:
    payload = getattr(one, "payload", None)
    said = None if payload is None else json.dumps(payload, ensure_ascii=False, default=str)
    return {"id": frozen(one.id), "score": getattr(one, "score", None), "payload": said}
