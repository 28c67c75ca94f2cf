"""A trace out of a file, its format found by what it holds."""

from __future__ import annotations

import json
import shlex
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from envclone.errors import ConfigError, UsageError
from envclone.incidents.calls import Call, Origin
from envclone.incidents.traces import (
    collectors,
    frames,
    http,
    langfuse,
    langfuserows,
    logs,
    otlp,
    pglogs,
    runs,
    slowrequests,
    tables,
)
from envclone.incidents.traces.about import conversation_of
from envclone.incidents.traces.attributes import call_of
from envclone.incidents.traces.curl import curl, is_curl
from envclone.incidents.traces.span import DEEPEST, MOST, VALUES, Trace, bounded, loads, one_behind_the_other, too_deep
from envclone.incidents.traces.whole import whole
from envclone.incidents.traces.within import completed

__all__ = ["LIMIT", "calls", "calls_of", "calls_of_trace", "trace"]

LIMIT = 64 << 20
"""The largest trace that is read, in bytes, unpacked: as large as a bundle."""
_CURL = 1 << 20
_KNOWN = (
    "OTLP in JSON or protobuf, Jaeger, Zipkin, Langfuse, LangSmith, MLflow, Phoenix, Datadog, HAR, a command line of"
    " curl, PostgreSQL's log of slow statements, Qdrant's slow requests"
)


def calls(path: Path) -> tuple[list[Call], Origin]:
    """The calls of a trace, and where they come from.

    Raises UsageError when the file cannot be read or its format is not known, ConfigError for a trace that is damaged.
    """
    return _calls(lambda: _found(_content(path), path), path.name)


def calls_of(documents: list[Any], name: str) -> tuple[list[Call], Origin]:
    """The calls of documents that a tool's API gave, as those of its export; `name` is for what is said of them."""

    def found() -> Trace:
        if any(too_deep(one) for one in documents):
            raise ConfigError(f"{name} is nested deeper than {DEEPEST} levels")
        trace = _of(documents)
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
        calls = _apart([whole(completed(call_of(span))) for span in bounded(found.spans)])
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


def _found(content: bytes, path: Path) -> Trace:
    """The spans in a file's bytes: a text, or else protobuf."""
    if content[:1] == b"\0" and (parts := _in_lengths(content)) is not None:
        found = [otlp.documents_of(part) for part in parts]
        if all(one is not None for one in found):
            return otlp.read([document for one in found for document in one or ()])
    try:
        text = content.decode(_encoding(content))
        if not content.startswith(_OF_PROTOBUF) or text.lstrip()[:1] in ("{", "["):
            return trace(text, path)
    except UnicodeDecodeError as exc:
        if not content.startswith(_OF_PROTOBUF):
            raise UsageError(f"{path.name}: byte {exc.start} is not {exc.encoding.upper()}") from None
    documents = otlp.documents_of(content)
    return trace(content.decode("utf-8", "replace"), path) if documents is None else otlp.read(documents)


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
    documents = _documents(bare, path)
    if documents is not None:
        found = _of(documents)
    else:
        rows = None if pglogs.is_columns(bare) else frames.rows(bare, path.name)
        found = (rows and _of(rows)) or logs.postgres(text)
    if found is None or not found.spans:
        raise UsageError(f"{path.name} is no trace that is known here", hint=f"known are: {_KNOWN}")
    return found


def _of(documents: list[Any]) -> Trace | None:
    first: Any = documents[0] if documents else None
    if all(otlp.is_otlp(one) for one in documents):
        return otlp.read(documents)
    if (rows := frames.columns(documents)) is not None:
        documents = rows
    if pglogs.is_documents(documents):
        return logs.postgres_json(documents)
    if len(documents) > 1 and langfuse.is_langfuse({"data": documents}):
        return langfuse.read({"data": documents})
    if len(documents) == 1:
        if isinstance(first, list) and langfuse.is_langfuse({"data": first}):
            return langfuse.read({"data": first})
        if langfuse.is_langfuse(first):
            return langfuse.read(first)
        if http.is_har(first):
            return http.har(first)
    if slowrequests.is_slow_requests(documents):
        return slowrequests.slow_requests(documents)
    if (made := langfuserows.as_langfuse(documents)) is not None:
        return langfuse.read(made)
    spans = tables.as_otlp(documents)
    if spans is not None:
        return otlp.read(spans)
    return collectors.read(documents) or runs.read(documents) or logs.collected(documents)


def _documents(text: str, path: Path) -> list[Any] | None:
    """The JSON documents of a text, one or one a line; None when it is no JSON."""
    if text[:1] not in ("{", "["):
        return None
    if text.count(",") + text.count("[") + text.count("{") > VALUES:
        raise ConfigError(f"{path.name} holds more than {VALUES:,} values", hint="export the failing request alone")
    try:
        found = [loads(text)]
    except (ValueError, RecursionError):
        lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
        found, number = [], 0
        try:
            for number, line in lines:  # noqa: B007
                found.append(loads(line))
        except (ValueError, RecursionError):
            behind = one_behind_the_other(text)
            if behind is None:
                raise _no_json(path, text, number, last=number == lines[-1][0] and bool(found)) from None
            found = behind
    if any(too_deep(one) for one in found):
        raise ConfigError(f"{path.name} is nested deeper than {DEEPEST} levels")
    return found


def _no_json(path: Path, text: str, number: int, *, last: bool) -> ConfigError:
    if last:
        hint = f"export it again, or take the last line out: sed -i '{number}d' {shlex.quote(path.name)}"
        return ConfigError(f"{path.name}:{number} is cut off: the lines before it are whole", hint=hint)
    try:
        json.loads(text)
    except json.JSONDecodeError as exc:
        if exc.pos >= len(text.rstrip()) or exc.msg.startswith("Unterminated"):
            return ConfigError(f"{path.name} is cut off: its JSON does not end", hint="export it again")
    except (ValueError, RecursionError):
        pass
    return ConfigError(f"{path.name}:{number} is no JSON, neither whole nor a document a line")


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT + 1)
    except OSError as exc:
        raise UsageError(f"{path} cannot be read: {exc.strerror}") from None
    if content.startswith(_GZIP):
        content = _unpacked(content, path)
    if content.startswith(_PACKED):
        raise UsageError(f"{path.name} is an archive", hint="unpack it, and import the trace in it")
    if len(content) > LIMIT:
        raise ConfigError(f"{path.name} is larger than {LIMIT >> 20} MB", hint="export the failing request alone")
    return content


_GZIP = b"\x1f\x8b\x08"
_PARTS = 1_000
"""Parts of a packed file: a writer that goes on with one adds another; each is copied as it is unpacked."""
_PACKED = (b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\x00", _GZIP)
"""How zip, zstandard, bzip2 and xz begin, and gzip in gzip."""


def _unpacked(content: bytes, path: Path) -> bytes:
    """What was packed with gzip, as much of it as is read."""
    parts: list[bytes] = []
    held = 0
    while content and held <= LIMIT:
        if parts and not content.startswith(_GZIP):  # a part that was added is packed, too
            raise ConfigError(f"{path.name} is damaged: something follows the packed trace")
        if len(parts) >= _PARTS:
            raise ConfigError(f"{path.name} is packed in more than {_PARTS:,} parts")
        made = zlib.decompressobj(wbits=31)
        try:
            parts.append(made.decompress(content, LIMIT + 1 - held))
        except zlib.error as exc:
            raise ConfigError(f"{path.name} is damaged: {exc}") from None
        held += len(parts[-1])
        if held <= LIMIT and not made.eof:
            raise ConfigError(f"{path.name} is damaged: it ends early")
        content = made.unused_data
    return b"".join(parts)


def _filled(about: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in about.items() if value not in (None, "", [], {})}
