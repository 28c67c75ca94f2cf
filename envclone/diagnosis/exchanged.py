"""What a model was asked and said over the wire, as OpenAI, Anthropic, Gemini and Ollama write it, also in a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from envclone.incidents.exchanges import Exchange

__all__ = ["Said", "said_in"]

_FINISHED = ("finish_reason", "finishReason", "stop_reason", "done_reason")


@dataclass(frozen=True, slots=True)
class Said:
    """The messages, the system prompt, tools and settings of a request; the answer, and why it ended."""

    messages: Any
    system: Any
    tools: Any
    settings: Mapping[str, Any]
    answer: Any
    finish: tuple[str, ...]


def said_in(one: Exchange) -> Said:
    """An exchange with a model, taken apart."""
    body = one.body if isinstance(one.body, Mapping) else {}
    parts = list(_events(one)) or ([one.answer] if isinstance(one.answer, Mapping) else [])
    reasons = [str(value) for part in parts for value in _reasons(part)]
    return Said(
        messages=next((body[key] for key in ("messages", "contents", "input", "prompt") if body.get(key)), None),
        system=body.get("system") or body.get("systemInstruction") or body.get("instructions"),
        tools=_tools(body.get("tools")),
        settings={**body, **_mapping(body.get("generationConfig"))},
        answer=_message(parts[0]) if len(parts) == 1 else _joined(parts),
        finish=tuple(reasons),
    )


def _events(one: Exchange) -> Iterator[Mapping[str, Any]]:
    """The documents of a stream: of server-sent events, or one a line."""
    text = "".join(chunk.data for chunk in one.chunks)
    if not text and isinstance(one.answer, str) and one.answer_encoding == "text":
        text = one.answer
    for line in text.splitlines():
        try:
            value = json.loads(line.removeprefix("data:").strip())
        except ValueError:
            continue  # `event:` lines, [DONE], half a line
        if isinstance(value, Mapping):
            yield value


def _reasons(part: Mapping[str, Any]) -> Iterator[Any]:
    inner = [*_listed(part.get("choices")), *_listed(part.get("candidates")), part, _mapping(part.get("delta"))]
    for one in inner:
        yield from (one[key] for key in _FINISHED if isinstance(one, Mapping) and one.get(key))
    if reason := _mapping(part.get("incomplete_details")).get("reason"):
        yield reason


def _message(part: Mapping[str, Any]) -> Any:
    """The messages of an answer that came whole."""
    if choices := _listed(part.get("choices")):
        return [one.get("message") or one.get("text") for one in choices if isinstance(one, Mapping)]
    if candidates := _listed(part.get("candidates")):
        return [one.get("content") for one in candidates if isinstance(one, Mapping)]
    return part.get("content") or part.get("message") or part.get("output") or part.get("response")


def _joined(parts: list[Mapping[str, Any]]) -> Any:
    """The one message that the pieces of a stream make."""
    text: list[str] = []
    calls: dict[Any, dict[str, str]] = {}
    for part in parts:
        for choice in _listed(part.get("choices")):
            delta = _mapping(_mapping(choice).get("delta"))
            text += [one for one in (delta.get("content"),) if isinstance(one, str)]
            for call in map(_mapping, _listed(delta.get("tool_calls"))):
                made = calls.setdefault(call.get("index", 0), {"name": "", "arguments": ""})
                for key in made:
                    made[key] += str(_mapping(call.get("function")).get(key) or "")
        block, delta = _mapping(part.get("content_block")), _mapping(part.get("delta"))
        if block.get("type") == "tool_use":
            calls[part.get("index", 0)] = {"name": str(block.get("name") or ""), "arguments": ""}
        text += [one for one in (delta.get("text"), part.get("response")) if isinstance(one, str)]
        if isinstance(delta.get("partial_json"), str) and part.get("index", 0) in calls:
            calls[part.get("index", 0)]["arguments"] += delta["partial_json"]
        message = _mapping(part.get("message"))
        text += [one for one in (message.get("content"),) if isinstance(one, str)]
        for candidate in map(_mapping, _listed(part.get("candidates"))):
            inner = _listed(_mapping(candidate.get("content")).get("parts"))
            text += [one["text"] for one in map(_mapping, inner) if isinstance(one.get("text"), str)]
        if part.get("type") == "response.output_text.delta" and isinstance(part.get("delta"), str):
            text.append(part["delta"])
    asked = [{"function": call} for call in calls.values() if call["name"]]
    return {"role": "assistant", "content": "".join(text), **({"tool_calls": asked} if asked else {})}


def _tools(tools: Any) -> Any:
    """Gemini lists its tools one level further down."""
    found = []
    for one in _listed(tools):
        declared = _listed(_mapping(one).get("functionDeclarations") or _mapping(one).get("function_declarations"))
        found += declared or [one]
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
