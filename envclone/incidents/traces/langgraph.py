"""LangGraph's checkpoints of a thread, as its Postgres saver keeps them: a call for each step, message and tool.

Source: langgraph-checkpoint-postgres 3, tables `checkpoints`, `checkpoint_blobs`, `checkpoint_writes`. A value of the
type pickle would run code when it is read: only its size is told. An encrypted one stays encrypted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envclone.incidents.traces.packed import unpacked
from envclone.incidents.traces.span import Span, Trace, bounded, loads, loose, moment

__all__ = ["BLOBS", "CHECKPOINTS", "WRITES", "thread", "value_of"]

CHECKPOINTS = ("checkpoint_ns", "checkpoint_id", "parent_checkpoint_id", "checkpoint", "metadata")
BLOBS = ("checkpoint_ns", "channel", "version", "type", "blob")
WRITES = ("checkpoint_ns", "checkpoint_id", "task_id", "idx", "channel", "type", "blob")
"""The columns that are read, bytes in hexadecimal digits."""
_MESSAGES = {"ai": "llm", "AIMessageChunk": "llm", "tool": "tool", "human": "request", "system": "other"}

Row = Sequence[Any]


def thread(ident: str, checkpoints: Sequence[Row], blobs: Sequence[Row], writes: Sequence[Row]) -> Trace:
    """A thread's steps in order, and the messages that each added; rows have the columns above."""
    values = {(row[0], row[1], str(row[2])): value_of(row[3], row[4]) for row in blobs}
    pending: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for ns, checkpoint, task, index, channel, kind, blob in writes:
        told = {"task": task, "index": index, "channel": channel, "value": value_of(kind, blob)}
        pending.setdefault((ns, checkpoint), []).append(told)
    spans = bounded(_spans(ident, checkpoints, values, pending))
    return Trace("langgraph checkpoints", list(spans), {"thread": ident})


def _spans(
    ident: str, checkpoints: Sequence[Row], values: Mapping[tuple[str, str, str], Any],
    pending: Mapping[tuple[str, str], list[dict[str, Any]]],
) -> Iterator[Span]:  # fmt: skip
    known: dict[str, Any] = {}
    history: dict[str, list[Any]] = {}
    seen: dict[str, set[str]] = {}
    for ns, name, parent, document, metadata in sorted(checkpoints, key=lambda row: str(row[1])):
        checkpoint, about = loose(document), loose(metadata)
        versions = loose(checkpoint.get("channel_versions"))
        state = dict(loose(checkpoint.get("channel_values")))
        state |= {key: values[ns, key, str(version)] for key, version in versions.items()
                  if (ns, key, str(version)) in values}  # fmt: skip
        changed = {key: one for key, one in state.items() if known.get(f"{ns}.{key}", known) != one}
        known |= {f"{ns}.{key}": one for key, one in changed.items()}
        written = pending.get((ns, name), [])
        failed = [one["value"] for one in written if one["channel"] == "__error__"]
        began = moment(checkpoint.get("ts"))
        messages = {key: one for key, one in changed.items() if _is_messages(one)}
        rest = {key: one for key, one in checkpoint.items() if key not in ("id", "ts", "channel_values")}
        yield Span(
            str(name), str(parent) if parent else None,
            f"step {about.get('step', '')} {about.get('source', '')}".strip(),
            began=began, error=str(failed[0]) if failed else None,
            said={"kind": "chain", "conversation": ident, "prompt": {},
                  "output": {key: one for key, one in changed.items() if key not in messages}},
            rest={**rest, "metadata": dict(about), "namespace": ns, "writes": written},
        )  # fmt: skip
        for key, all_of in messages.items():
            place = f"{ns}.{key}"
            before, ids = history.setdefault(place, []), seen.setdefault(place, set())
            for number, message in enumerate(all_of):
                its = str(message.get("id") or f"{place}.{number}")
                if its not in ids:
                    ids.add(its)
                    yield _message(f"{name}/{its}", str(name), ident, message, list(before), began)
                    before.append(message)


def _is_messages(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(
        isinstance(one, Mapping) and "content" in one and ("type" in one or "class" in one) for one in value
    )  # fmt: skip


def _message(name: str, parent: str, ident: str, message: Mapping[str, Any], before: list[Any], began: Any) -> Span:
    kind = str(message.get("type") or "")
    told = loose(message.get("response_metadata"))
    said: dict[str, Any] = {"kind": _MESSAGES.get(kind, "other"), "conversation": ident}
    if said["kind"] == "llm":
        calls = message.get("tool_calls")
        said |= {
            "input": before, "output": {"content": message.get("content"), **({"tool_calls": calls} if calls else {})},
            "model": told.get("model_name") or told.get("model"), "provider": told.get("model_provider"),
            "revision": told.get("system_fingerprint"), "usage": dict(loose(message.get("usage_metadata"))),
            "finish": [str(one) for one in (told.get("finish_reason"), told.get("stop_reason")) if one],
        }  # fmt: skip
    elif said["kind"] == "tool":
        asked = [
            call for one in before for call in (one.get("tool_calls") or ())
            if isinstance(call, Mapping) and call.get("id") == message.get("tool_call_id")
        ]  # fmt: skip
        said |= {"input": asked[-1].get("args") if asked else None, "output": message.get("content")}
    elif said["kind"] == "request":
        said["input"] = message.get("content")
    else:
        said["output"] = message.get("content")
    spent = ("content", "tool_calls", "usage_metadata") if said["kind"] == "llm" else ("content",)
    failed = message.get("status") == "error"
    return Span(
        name, parent, str(message.get("name") or kind), began=began,
        error=str(message.get("content")) if failed else None,
        said={key: one for key, one in said.items() if one is not None},
        rest={key: one for key, one in message.items() if key not in spent},
    )  # fmt: skip


def value_of(kind: str | None, blob: str | None) -> Any:
    """A stored value, whose bytes are given in hexadecimal digits."""
    if blob is None or kind in ("null", "empty"):
        return None
    try:
        data = bytes.fromhex(blob)
        if kind == "msgpack":
            return unpacked(data)
        if kind == "json":
            return loads(data.decode())
    except ValueError:
        return {"damaged": kind, "size": len(blob) // 2}
    if kind in ("bytes", "bytearray"):
        return {"bytes": data.hex()}
    return {"not read": kind, "size": len(data)}
