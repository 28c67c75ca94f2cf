"""Which build answered and by what clock, out of what a trace says of all its calls."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envclone.incidents.calls import Call, Origin
from envclone.incidents.clock import Clock
from envclone.incidents.traces.span import flat, loose

__all__ = ["application_of", "clock_of", "conversation_of"]

_NAMES: Mapping[str, tuple[str, ...]] = {
    "image": ("container.image.repo_digests", "oci.manifest.digest", "container.image.id"),
    "commit": ("vcs.ref.head.revision", "vcs.repository.ref.revision", "git.commit.sha", "git.commit", "revision_id",
               "mlflow.source.git.commit", "vercel.git.commit_sha", "commit"),
    "version": ("service.version", "langfuse.release", "release", "app.version", "version"),
    "chunker": ("chunker.version", "chunker"),
    "embedder": ("embedder.version", "embedder"),
    "reranker": ("reranker.version", "reranker"),
    "tokenizer": ("tokenizer.version", "tokenizer", "gen_ai.tokenizer"),
}  # fmt: skip
"""The attributes that say a part of the application, the best first; a prefix with a dot may stand before them."""
_PARTS = ("chunker", "embedder", "reranker", "tokenizer")
_LONGEST = 500


def application_of(calls: Sequence[Call], origin: Origin) -> dict[str, str]:
    """What answered, by the resources of a trace, else by its calls."""
    said = dict(_said(calls, origin))
    found = {}
    for part, names in _NAMES.items():
        if part in _PARTS:  # no convention names them: whatever prefix an application gives them
            names = (*names, *(key for key in said if key.endswith(tuple(f".{name}" for name in names))))
        value = next((said[name] for name in names if said.get(name)), None)
        if value:
            found[part] = value
    image, tags = said.get("container.image.name"), said.get("container.image.tags")
    if image and "image" not in found:
        found["image"] = f"{image}:{tags}" if tags else image
    return found


def _said(calls: Sequence[Call], origin: Origin) -> Iterator[tuple[str, str]]:
    """Names and texts, those of calls first, so that what holds for all of them wins."""
    for call in calls:
        for key, one in call.other.items():
            if key in ("release", "version", "langfuse.release"):
                yield from _text(key, one)
        yield from _tags(call.other.get("tags"))
        extra = loose(call.other.get("extra"))
        for place in ("metadata", "runtime"):
            for key in ("revision_id", "git_commit"):
                yield from _text("revision_id", loose(extra.get(place)).get(key))
    about = origin.about
    yield from _tags(about.get("tags"))
    holders = [*about.get("resources", ()), *about.get("info", ())]
    for one in holders if isinstance(holders, list) else ():
        for key, value in flat(loose(one)):
            if key.split(".")[-1] == "version" and not key.endswith((*_ALL, "service.version", "app.version")):
                continue  # of the SDK, of the runtime
            yield from _text(key, value)
            yield from _text(key.removeprefix("tags.").removeprefix("trace_metadata."), value)


def _tags(tags: Any) -> Iterator[tuple[str, str]]:
    """Tags that are written as `name:value`, of a build."""
    for one in tags if isinstance(tags, list) else ():
        name, _, value = one.partition(":") if isinstance(one, str) else ("", "", "")
        if value and name in ("version", "git.commit.sha", "service.version"):
            yield name, value


def conversation_of(about: Mapping[str, Any]) -> str | None:
    """The conversation that a trace names once for all its calls."""
    holders = [about, *(one for key in ("info", "resources") for one in _many(about.get(key)))]
    for one in holders:
        for name, value in flat({key: one[key] for key in one if key not in ("info", "resources")}):
            if name.endswith(_CONVERSATION) and isinstance(value, str) and value:
                return value
    return None


def _many(value: Any) -> list[Mapping[str, Any]]:
    return [loose(one) for one in value] if isinstance(value, list) else []


_CONVERSATION = ("mlflow.trace.session", "session_id", "session.id", "sessionId", "thread_id", "gen_ai.conversation.id")
_ALL = tuple(name for names in _NAMES.values() for name in names if "." in name)


def _text(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    if isinstance(value, str | int | float) and not isinstance(value, bool) and 0 < len(str(value)) <= _LONGEST:
        yield key, str(value)


_ZONE = re.compile(r"[A-Za-z]+(?:/[A-Za-z0-9_+-]+){1,2}|UTC")


def clock_of(calls: Sequence[Call], origin: Origin) -> Clock | None:
    """The zone of the application's clock, by its resources or by the times that it wrote with one."""
    for one in origin.about.get("resources", ()):
        for key, value in flat(loose(one)):
            named = key.rpartition(".")[2] in ("timezone", "time_zone", "tz")
            if named and isinstance(value, str) and _ZONE.fullmatch(value):
                return Clock(zone=value)
    ahead = {call.began.utcoffset() for call in calls if call.began is not None}
    if len(ahead) == 1 and (offset := next(iter(ahead))):  # UTC is what most tools write whatever the zone
        sign = "-" if offset < dt.timedelta() else "+"
        minutes = int(abs(offset).total_seconds()) // 60
        return Clock(zone=f"{sign}{minutes // 60:02}:{minutes % 60:02}")
    return None
