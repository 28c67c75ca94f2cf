"""The trace in a text or in documents of JSON: its format, and what of a log stands around it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from envclone.errors import ConfigError
from envclone.incidents.traces import (
    collectors,
    frames,
    http,
    langfuse,
    langfuserows,
    lines,
    logs,
    otlp,
    pglogs,
    products,
    runs,
    slowrequests,
    tables,
)
from envclone.incidents.traces.span import DEEPEST, VALUES, Trace, loads, one_behind_the_other, too_deep

__all__ = ["in_text", "of_documents"]

_WITHIN = 3
"""How often a line may stand in another: what a program wrote, in a container's log, in a collector's."""


def in_text(text: str, path: Path, level: int = 0) -> Trace | None:
    """The trace in a text, which may stand in the lines or the records of a log; `path` is for what is said of it."""
    bare = text.strip()
    parted = lines.parted(text) if level < _WITHIN else None
    if parted is not None:
        inner = "\n".join(behind for _, behind in parted)
        if not _BEGINS.match(inner) and (logged := logs.postgres(text)) is not None:
            return logged  # each statement keeps what stands before its line
        found = in_text(inner, path, level + 1)
        if found is not None:
            return _beside(found, "prefixes", [before for before, _ in parted if before.strip()])
    refused: ConfigError | None = None
    documents = None
    try:
        documents = _documents(bare, path)
    except ConfigError as exc:
        refused = exc
    if documents is not None:
        found = of_documents(documents) or (_in_records(documents, path, level) if level < _WITHIN else None)
        return found if found is None or found.spans else None
    if refused is None:
        rows = None if pglogs.is_columns(bare) else frames.rows(bare, path.name)
        found = (rows and of_documents(rows)) or logs.postgres(text)
        if found is not None and found.spans:
            return found
    found = _between(text, path, level)
    if found is None and refused is not None:
        raise refused
    return found


_BEGINS = re.compile(r"\s*(?:\{\s*[\"}]|\[\s*[\[{])")


def _in_records(documents: list[Any], path: Path, level: int) -> Trace | None:
    """The trace that a collector's records hold."""
    taken = lines.records(documents)
    if taken is None:
        return None
    written, around = taken
    if all(isinstance(one, Mapping) for one in written):
        found = of_documents(written) or (_in_records(written, path, level + 1) if level < _WITHIN else None)
    else:
        text = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in written)
        found = in_text(text.replace("\n\n", "\n"), path, level + 1)
    return found and _beside(found, "collector", around)


def _between(text: str, path: Path, level: int) -> Trace | None:
    """The trace in the documents of a text in which other lines stand before and between them."""
    if _values(text) > VALUES or not _BEGINS_INSIDE.search(text):
        return None
    taken = lines.islands(text)
    if taken is None:
        return None
    documents, before, others, cut = taken
    if any(too_deep(one) for one in documents):
        raise ConfigError(f"{path.name} is nested deeper than {DEEPEST} levels")
    found = of_documents(documents) or (_in_records(documents, path, level + 1) if level < _WITHIN else None)
    if found is None or not found.spans:
        known = [one for one in documents if (alone := of_documents([one])) is not None and alone.spans]
        found = of_documents(known) if known else None
        others += [json.dumps(one, ensure_ascii=False) for one in documents if one not in known]
    if found is None or not found.spans:
        return None
    if cut is not None:
        raise ConfigError(f"{path.name}:{cut} is cut off: the lines before it are whole", hint="export it again")
    return _beside(_beside(found, "prefixes", before), "lines", others)


_BEGINS_INSIDE = re.compile(r"[\[{]\s*[\"\[{]")


def _beside(found: Trace, name: str, said: list[Any]) -> Trace:
    """The trace with what stood around it, each once and in order."""
    once = list({json.dumps(one, sort_keys=True, default=str): one for one in said}.values())
    kept = found.about.get(name)
    before = kept if isinstance(kept, list) else [] if kept is None else [kept]
    return replace(found, about={**found.about, name: [*before, *once]}) if once else found


def of_documents(documents: list[Any]) -> Trace | None:
    """The trace that documents are; None for a format that is not known."""
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
    if (told := products.read(documents)) is not None:
        return told
    if slowrequests.is_slow_requests(documents):
        return slowrequests.slow_requests(documents)
    if (made := langfuserows.as_langfuse(documents)) is not None:
        return langfuse.read(made)
    spans = tables.as_otlp(documents)
    if spans is not None:
        return otlp.read(spans)
    found = collectors.read(documents) or runs.read(documents) or logs.collected(documents)
    if found is None and (listed := _by_name(documents)):
        inner = of_documents(listed)
        return inner and _beside(inner, "names", list(documents[0]))
    return found


def _by_name(documents: list[Any]) -> list[Any]:
    """The objects of lists that stand under names of their own, as people put spans together."""
    lists = list(first.values()) if len(documents) == 1 and isinstance(first := documents[0], Mapping) else []
    whole = all(isinstance(one, list) and one and all(isinstance(each, Mapping) for each in one) for one in lists)
    return [each for one in lists for each in one] if whole else []


def _documents(text: str, path: Path) -> list[Any] | None:
    """The JSON documents of a text, one or one a line; None when it is no JSON."""
    if text[:1] not in ("{", "["):
        return None
    if _values(text) > VALUES:
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


def _values(text: str) -> int:
    return text.count(",") + text.count("[") + text.count("{")


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
