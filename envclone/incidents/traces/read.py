"""A trace out of a file, its format found by what it holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from envclone.errors import ConfigError, UsageError
from envclone.incidents.calls import Call, Origin
from envclone.incidents.traces import http, langfuse, logs, otlp, runs
from envclone.incidents.traces.attributes import call_of
from envclone.incidents.traces.span import Trace

__all__ = ["LIMIT", "MOST", "calls", "calls_of", "trace"]

LIMIT = 256 << 20
"""The largest trace that is read, in bytes."""
MOST = 20_000
"""Spans of one incident; a file of more holds more than one failing request."""
_DEEPEST = 100
_KNOWN = (
    "OTLP in JSON or protobuf, Langfuse, LangSmith, MLflow, Phoenix, Datadog, HAR, a command line of curl, PostgreSQL's"
    " log of slow statements, Qdrant's slow requests"
)


def calls(path: Path) -> tuple[list[Call], Origin]:
    """The calls of a trace, and where they come from.

    Raises UsageError when the file cannot be read or its format is not known, ConfigError for a trace that is damaged.
    """
    return _calls(lambda: _found(_content(path), path), path.name)


def calls_of(documents: list[Any], name: str) -> tuple[list[Call], Origin]:
    """The calls of documents that a tool's API gave, as those of its export; `name` is for what is said of them."""

    def found() -> Trace:
        if any(_too_deep(one) for one in documents):
            raise ConfigError(f"{name} is nested deeper than {_DEEPEST} levels")
        trace = _of(documents)
        if trace is None or not trace.spans:
            raise UsageError(f"{name} is no trace that is known here", hint=f"known are: {_KNOWN}")
        return trace

    return _calls(found, name)


def _calls(read: Callable[[], Trace], name: str) -> tuple[list[Call], Origin]:
    try:
        found = read()
    except (TypeError, AttributeError, KeyError, ValueError, IndexError) as exc:
        raise ConfigError(f"{name} is damaged: a part of it has another shape ({exc})") from None
    if len(found.spans) > MOST:
        raise ConfigError(
            f"{name} holds {len(found.spans):,} spans, and an incident has at most {MOST:,}",
            hint="export the trace of the failing request alone",
        )
    try:
        calls = _apart([call_of(span) for span in found.spans])
    except (TypeError, AttributeError, ValueError) as exc:
        said = exc.errors(include_input=False)[0]["msg"] if isinstance(exc, ValidationError) else str(exc)
        raise ConfigError(f"{name} is damaged: a part of a span has another shape ({said})") from None
    return calls, Origin(dialect=found.dialect, about=_filled(found.about))


def _apart(calls: list[Call]) -> list[Call]:
    """Calls whose ids differ: a span that a trace holds twice, or without an id, has a number behind it."""
    used: set[str] = set()
    made = []
    for call in calls:
        name, number = call.id, 2
        while name in used or not name:
            name, number = f"{call.id or 'span'}#{number}", number + 1
        used.add(name)
        made.append(call if name == call.id else call.model_copy(update={"id": name}))
    return made


def _found(content: bytes, path: Path) -> Trace:
    """The spans in a file's bytes: a text, or else protobuf."""
    try:
        text = content.decode("utf-8-sig")
        if not content.startswith(_OF_PROTOBUF) or text.lstrip()[:1] in ("{", "["):
            return trace(text, path)
    except UnicodeDecodeError as exc:
        if not content.startswith(_OF_PROTOBUF):
            raise UsageError(f"{path.name}: byte {exc.start} is not UTF-8") from None
    documents = otlp.documents_of(content)
    return trace(content.decode("utf-8", "replace"), path) if documents is None else otlp.read(documents)


_OF_PROTOBUF = b"\n"
"""How a request of spans begins in protobuf: its first field, with a length; a text may begin with a line, too."""


def trace(text: str, path: Path) -> Trace:
    """The spans in a text; `path` is for what is said of it."""
    bare = text.strip()
    if bare.startswith("curl "):
        try:
            return http.curl(bare)
        except ValueError as exc:
            raise ConfigError(f"{path.name}: the command line of curl cannot be read: {exc}") from None
    documents = _documents(bare, path)
    found = logs.postgres(text) if documents is None else _of(documents)
    if found is None or not found.spans:
        raise UsageError(f"{path.name} is no trace that is known here", hint=f"known are: {_KNOWN}")
    return found


def _of(documents: list[Any]) -> Trace | None:
    first: Any = documents[0] if documents else None
    if all(otlp.is_otlp(one) for one in documents):
        return otlp.read(documents)
    if len(documents) == 1:
        if langfuse.is_langfuse(first):
            return langfuse.read(first)
        if http.is_har(first):
            return http.har(first)
        if logs.is_slow_requests(first):
            return logs.slow_requests(first)
    return runs.read(documents)


def _documents(text: str, path: Path) -> list[Any] | None:
    """The JSON documents of a text, one or one a line; None when it is no JSON."""
    if text[:1] not in ("{", "["):
        return None
    try:
        found = [json.loads(text)]
    except (ValueError, RecursionError):
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            found = [json.loads(line) for line in lines]
        except (ValueError, RecursionError) as exc:
            where = f":{exc.lineno}" if isinstance(exc, json.JSONDecodeError) else ""
            raise ConfigError(f"{path.name}{where} is no JSON, neither whole nor a document a line") from None
    if any(_too_deep(one) for one in found):
        raise ConfigError(f"{path.name} is nested deeper than {_DEEPEST} levels")
    return found


def _too_deep(value: Any) -> bool:
    pending = [(value, 1)]
    while pending:
        one, depth = pending.pop()
        if isinstance(one, dict | list):
            if depth > _DEEPEST:
                return True
            pending += [(item, depth + 1) for item in (one.values() if isinstance(one, dict) else one)]
    return False


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT + 1)
    except OSError as exc:
        raise UsageError(f"{path} cannot be read: {exc.strerror}") from None
    if len(content) > LIMIT:
        raise ConfigError(f"{path.name} is larger than {LIMIT >> 20} MB", hint="export the failing request alone")
    return content


def _filled(about: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in about.items() if value not in (None, "", [], {})}
