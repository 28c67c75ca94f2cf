"""What a model was asked and said over the wire, as its vendor's API has it, also in a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from envclone.incidents.exchanges import Exchange

__all__ = ["Said", "said_in"]

_FINISHED = ("finish_reason", "finishReason", "stop_reason", "stopReason", "done_reason", "completionReason",
             "blockReason", "block_reason", "stop_type")  # fmt: skip
_COUNTS = ("usage", "usageMetadata", "usage_metadata")
_COUNTED = ("prompt_eval_count", "inputTextTokenCount", "prompt_token_count")
_ASKED = ("messages", "contents", "input", "inputs", "prompt", "inputText", "message")
_SYSTEM = ("system", "systemInstruction", "system_instruction", "instructions", "preamble")
_SAID = ("content", "message", "output", "response", "generated_text", "text", "generation", "outputText", "completion")


@dataclass(frozen=True, slots=True)
class Said:
    """The messages, the system prompt, tools and settings of a request; the answer, and why it ended."""

    messages: Any
    system: Any
    tools: Any
    settings: Mapping[str, Any]
    answer: Any
    finish: tuple[str, ...]
    usage: Mapping[str, Any]


def said_in(one: Exchange) -> Said:
    """An exchange with a model, taken apart."""
    body = one.body if isinstance(one.body, Mapping) else {}
    parts = list(_events(one)) or [part for part in (*_listed(one.answer), one.answer) if isinstance(part, Mapping)]
    reasons = [str(value) for part in parts for value in _reasons(part)]
    system = next((body[key] for key in _SYSTEM if body.get(key)), None)
    return Said(
        messages=_messages(body),
        system=system,
        tools=_tools(body.get("tools") or _mapping(body.get("toolConfig")).get("tools")),
        settings={**body, **_mapping(body.get("generationConfig") or body.get("generation_config"))},
        answer=_message(parts[0]) if len(parts) == 1 else _joined(parts),
        finish=tuple(dict.fromkeys(reasons)),
        usage={name: value for part in parts for name, value in _usage(part).items()},
    )


def _messages(body: Mapping[str, Any]) -> Any:
    """What was asked; of Cohere's first API the turns before it and its documents, too."""
    asked = next((body[key] for key in _ASKED if body.get(key)), None)
    before = [one for key in ("chat_history", "documents") for one in _listed(body.get(key))]
    return [*before, {"role": "user", "content": asked}] if before and isinstance(asked, str) else asked


def _usage(part: Mapping[str, Any]) -> dict[str, Any]:
    """The tokens that an answer says it had."""
    inner = [part, _mapping(part.get("message")), _mapping(part.get("response")), _mapping(part.get("metadata"))]
    counted = {name: value for one in inner for key in _COUNTS for name, value in _mapping(one.get(key)).items()}
    return counted | {key: part[key] for key in _COUNTED if key in part}


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
    response = _mapping(part.get("response"))  # the last event of a stream of responses
    for whole in (part, response) if response else (part,):
        inner = [
            *_listed(whole.get("choices")),
            *_listed(whole.get("candidates")),
            *_listed(whole.get("results")),
            whole,
        ]
        inner += [_mapping(whole.get(key)) for key in ("delta", "details", "promptFeedback", "prompt_feedback")]
        inner += [_mapping(whole.get("messageStop"))]
        for one in map(_mapping, inner):
            yield from (one[key] for key in _FINISHED if one.get(key))
        if reason := _mapping(whole.get("incomplete_details")).get("reason"):
            yield reason
    feedback = _mapping(part.get("promptFeedback") or part.get("prompt_feedback"))
    if _refuses(part):
        yield "refusal"
    if feedback.get("blockReason") or feedback.get("block_reason"):
        yield "content_filter"


def _refuses(value: Any) -> bool:
    """Whether a model's message says that it refuses, in the field that is for it."""
    if isinstance(value, list):
        return any(map(_refuses, value))
    if not isinstance(value, Mapping):
        return False
    said = value.get("refusal")
    if (isinstance(said, str) and said) or value.get("type") in ("refusal", "response.refusal.done"):
        return True
    return any(_refuses(value.get(key)) for key in ("choices", "message", "delta", "output", "content", "response"))


def _message(part: Mapping[str, Any]) -> Any:
    """The messages of an answer that came whole."""
    if choices := _listed(part.get("choices")):
        return [one.get("message") or one.get("text") for one in choices if isinstance(one, Mapping)]
    if candidates := _listed(part.get("candidates")):
        return [one.get("content") for one in candidates if isinstance(one, Mapping)]
    if results := _listed(part.get("results")):  # Amazon's Titan
        return [one.get("outputText") for one in results if isinstance(one, Mapping)]
    return next((part[key] for key in _SAID if part.get(key)), next((part[key] for key in _SAID if key in part), None))


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
