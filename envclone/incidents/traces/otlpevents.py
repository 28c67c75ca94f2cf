"""What events of a span, and records of a log that name a span, say of it: messages, vectors, results of a search.

OpenTelemetry's GenAI conventions wrote each message as an event, first of the span, then of a log; OpenLLMetry writes
each vector and each result of a search as one. What an event says that the span has no room for stays with the event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from envclone.incidents.traces.span import loose, parsed

__all__ = ["Event", "told"]

Event = dict[str, Any]
"""An event's name, its time and its attributes, by name; `body` of a log's record."""
_MESSAGES = ("system", "user", "assistant", "tool")
_CHOICE = "gen_ai.choice"
_RESULTS = ("db.query.result.", "db.search.result.")
_VECTORS = ("db.query.embeddings.vector", "db.search.embeddings.vector")
_NOT_SAID = ("name", "timeUnixNano", "time_unix_nano", "gen_ai.system", "event.name")
_TIMES = ("name", "timeUnixNano", "time_unix_nano")


def told(attributes: Mapping[str, Any], events: Sequence[Event]) -> tuple[dict[str, Any], list[Event]]:
    """A span's attributes with what its events add, and the events with what is left in each."""
    found: dict[str, Any] = dict(attributes)
    gathered: dict[str, list[Any]] = {"gen_ai.input.messages": [], "gen_ai.output.messages": [],
                                      "retrieval.documents": [], "db.query.embeddings.vector": []}  # fmt: skip
    wanted = {key for key in gathered if key not in attributes and not _numbered(attributes, key)}
    left = []
    for event in events:
        rest = _gather(event, gathered, wanted)
        for key in [key for key in rest if _tells(key) and key not in found]:
            found[key] = rest.pop(key)
        left.append(rest)
    for key, values in gathered.items():
        if values:
            found[key] = values[0] if key.endswith("vector") and len(values) == 1 else values
    return found, left


def _gather(event: Event, gathered: dict[str, list[Any]], wanted: set[str]) -> Event:
    """What is left of an event once its message, result or vector is gathered."""
    name = str(event.get("name") or "")
    if name.startswith("gen_ai.") and (name == _CHOICE or name.removeprefix("gen_ai.").split(".")[0] in _MESSAGES):
        into = "gen_ai.output.messages" if name == _CHOICE else "gen_ai.input.messages"
        message = _message(event, name)
        if into in wanted and len(message) > 1:
            gathered[into].append(message)
            return {key: value for key, value in event.items() if key in _NOT_SAID}
    result = {key: value for key, value in event.items() if key.startswith(_RESULTS)}
    if result and "retrieval.documents" in wanted:
        gathered["retrieval.documents"].append({key.split(".", 3)[3]: value for key, value in result.items()})
        event = {key: value for key, value in event.items() if key not in result}
    for key in _VECTORS:
        if key in event and "db.query.embeddings.vector" in wanted:
            gathered["db.query.embeddings.vector"].append(parsed(event[key]))
            event = {name: value for name, value in event.items() if name != key}
    return event


def _message(event: Event, name: str) -> dict[str, Any]:
    """A message as the conventions of today have it; Azure writes all of it as one text of JSON."""
    said = {
        key: parsed(value) for key, value in event.items() if key not in (*_NOT_SAID, "body", "gen_ai.event.content")
    }
    said |= {**loose(event.get("gen_ai.event.content")), **loose(event.get("body"))}
    if not loose(event.get("body")) and event.get("body") not in (None, "", {}):
        said["content"] = event["body"]
    inner = said.pop("message", None) if name == _CHOICE else None
    if isinstance(inner, Mapping):
        said |= inner
    elif inner is not None:
        said["content"] = inner
    role = "assistant" if name == _CHOICE else name.removeprefix("gen_ai.").split(".")[0]
    return {"role": role, **said}


def _numbered(attributes: Mapping[str, Any], key: str) -> bool:
    """Whether the span itself says what these events would: then they stay as they are."""
    old = {"gen_ai.input.messages": "gen_ai.prompt", "gen_ai.output.messages": "gen_ai.completion"}.get(key, key)
    return old in attributes or any(
        name.startswith(f"{old}.") and name[len(old) + 1 :][:1].isdigit() for name in attributes
    )


def _tells(key: str) -> bool:
    """Whether an event's attribute says what one of the span could."""
    return key.startswith(("gen_ai.", "db.query.", "db.search.", "llm."))
