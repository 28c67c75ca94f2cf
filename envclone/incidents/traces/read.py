"""A trace out of a file, its format found by what it holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from envclone.errors import ConfigError, UsageError
from envclone.incidents.calls import Call, Origin
from envclone.incidents.traces import otlp
from envclone.incidents.traces.about import conversation_of
from envclone.incidents.traces.attributes import call_of
from envclone.incidents.traces.copied import copied
from envclone.incidents.traces.curl import curl, is_curl
from envclone.incidents.traces.haystack import by_component
from envclone.incidents.traces.opened import LIMIT, content
from envclone.incidents.traces.span import DEEPEST, MOST, Trace, bounded, too_deep
from envclone.incidents.traces.texts import in_text, of_documents
from envclone.incidents.traces.whole import whole
from envclone.incidents.traces.within import completed

__all__ = ["LIMIT", "calls", "calls_of", "calls_of_trace", "trace"]

_CURL = 1 << 20
_KNOWN = (
    "OTLP in JSON or protobuf, Jaeger, Zipkin, Langfuse, LangSmith, MLflow, Phoenix, Datadog, Bedrock,"
    " Vertex AI, Azure's API Management and Application Insights, Helicone, PostHog, Weave, DSPy, OpenAI's Agents SDK,"
    " LiteLLM, Braintrust, Mastra, AutoGen, LlamaIndex's events, PromptLayer, Opik, CrewAI, Pydantic AI's messages,"
    " Haystack's results, OpenAI's assistants, pgBadger, a request beside its answer, HAR, a command line of"
    " curl, `fetch` or PowerShell as a browser copies it, PostgreSQL's log of slow statements, Qdrant's slow requests"
)


def calls(path: Path) -> tuple[list[Call], Origin]:
    """The calls of a trace, and where they come from.

    Raises UsageError when the file cannot be read or its format is not known, ConfigError for a trace that is damaged.
    """
    return _calls(lambda: _found(content(path), path), path.name)


def calls_of(documents: list[Any], name: str) -> tuple[list[Call], Origin]:
    """The calls of documents that a tool's API gave, as those of its export; `name` is for what is said of them."""

    def found() -> Trace:
        if any(too_deep(one) for one in documents):
            raise ConfigError(f"{name} is nested deeper than {DEEPEST} levels")
        trace = of_documents(documents)
        if trace is None or not trace.spans:
            raise UsageError(f"{name} is no trace that is known here", hint=f"known are: {_KNOWN}")
        return trace

    return _calls(found, name)


def calls_of_trace(found: Trace, name: str) -> tuple[list[Call], Origin]:
    """The calls of a trace that was read elsewhere; `name` is for what is said of it."""
    return _calls(lambda: found, name)


def _calls(read: Callable[[], Trace], name: str) -> tuple[list[Call], Origin]:
    try:
        found = read()
    except (TypeError, AttributeError, KeyError, ValueError, IndexError, OverflowError, RecursionError) as exc:
        raise ConfigError(f"{name} is damaged: a part of it has another shape ({exc})") from None
    try:
        calls = _apart([whole(completed(call_of(by_component(span)))) for span in bounded(found.spans)])
    except (TypeError, AttributeError, ValueError, OverflowError, RecursionError) as exc:
        said = exc.errors(include_input=False)[0]["msg"] if isinstance(exc, ValidationError) else str(exc)
        raise ConfigError(f"{name} is damaged: a part of a span has another shape ({said})") from None
    origin = whole(Origin(dialect=found.dialect, about=_filled(found.about)))
    if not any(call.conversation for call in calls) and (named := conversation_of(origin.about)):
        calls = [call.model_copy(update={"conversation": named}) for call in calls]
    return calls, origin


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


def _found(read: bytes, path: Path) -> Trace:
    """The spans in a file's bytes: a text, or else protobuf."""
    if read[:1] == b"\0" and (parts := _in_lengths(read)) is not None:
        found = [otlp.documents_of(part) for part in parts]
        if all(one is not None for one in found):
            return otlp.read([document for one in found for document in one or ()])
    try:
        text = read.decode(_encoding(read))
        if not read.startswith(_OF_PROTOBUF) or text.lstrip()[:1] in ("{", "["):
            return trace(text, path)
    except UnicodeDecodeError as exc:
        if not read.startswith(_OF_PROTOBUF):
            raise UsageError(f"{path.name}: byte {exc.start} is not {exc.encoding.upper()}") from None
    documents = otlp.documents_of(read)
    return trace(read.decode("utf-8", "replace"), path) if documents is None else otlp.read(documents)


def _encoding(content: bytes) -> str:
    """The encoding of a text: by its mark, or by the zeros beside its first characters."""
    if content.startswith(_OF_UTF_16):
        return "utf-16"
    zeros = [one == 0 for one in content[:8]]
    if len(zeros) == len(_EVERY_SECOND) and zeros in (_EVERY_SECOND, _EVERY_SECOND[::-1]):
        return "utf-16-be" if zeros[0] else "utf-16-le"
    return "utf-8-sig"


_EVERY_SECOND = [True, False] * 4


def _in_lengths(content: bytes) -> list[bytes] | None:
    """The messages of a file in which each has its length before it, as a collector writes to files; else None."""
    parts: list[bytes] = []
    at = 0
    while at < len(content):
        length = int.from_bytes(content[at : at + 4])
        if length == 0 or at + 4 + length > len(content) or len(parts) >= MOST:
            return None
        parts.append(content[at + 4 : at + 4 + length])
        at += 4 + length
    return parts


_OF_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""How a text begins that a shell of Windows wrote."""
_OF_PROTOBUF = b"\n"
"""How a request of spans begins in protobuf: its first field, with a length; a text may begin with a line, too."""


def trace(text: str, path: Path) -> Trace:
    """The spans in a text; `path` is for what is said of it."""
    bare = text.strip()
    if is_curl(bare):
        if len(bare) > _CURL:
            raise ConfigError(f"{path.name}: the command line of curl is longer than {_CURL >> 20} MB")
        try:
            return curl(bare)
        except ValueError as exc:
            raise ConfigError(f"{path.name}: the command line of curl cannot be read: {exc}") from None
    found = copied(bare) or in_text(text, path)
    if found is None or not found.spans:
        lacks = next((hint for pattern, hint in _WITHOUT if pattern.search(bare[:_CURL])), None)
        if lacks is not None:
            raise UsageError(f"{path.name} holds nothing that could be run again", hint=lacks)
        raise UsageError(f"{path.name} is no trace that is known here", hint=f"known are: {_KNOWN}")
    return found


_WITHOUT = (
    (
        re.compile(r"actix_web:{2}middleware:{2}logger[^\n]{1,200}/collections/|qdrant:{2}tonic:{2}logging"),
        "Qdrant's access log has no bodies of requests: take GET /profiler/slow_requests, or the recorder",
    ),
    (
        re.compile(r"\"category\":\s{0,9}\"(?:RequestResponse|Audit)\"[^\n]{1,2000}(?:modelDeploymentName|COGNITIVE)"),
        "Azure OpenAI's diagnostic log has no messages: take API Management's LLM log or Application Insights",
    ),
)
"""Logs that people have and that tell too little, and what tells more."""


def _filled(about: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in about.items() if value not in (None, "", [], {})}
