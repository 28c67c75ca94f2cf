"""What the request and the answer of a model say of its call, where the trace has no field of its own for it.

A HAR, a command line of curl, a run of LangSmith's and a span of MLflow's hold the provider's own bodies. What is read
there is noted beside them; they stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from envclone.cassette.operations import recognised
from envclone.incidents.calls import Call
from envclone.incidents.traces.span import loads, loose, parsed

__all__ = ["completed"]

_MODELS = ("llm", "embedding", "rerank")
_SETTINGS = frozenset(
    ("temperature", "top_p", "topP", "top_k", "topK", "seed", "max_tokens", "maxTokens", "max_output_tokens",
     "max_completion_tokens", "maxOutputTokens", "num_predict", "num_ctx", "stop", "stop_sequences", "stopSequences",
     "frequency_penalty", "presence_penalty", "n", "tool_choice", "toolChoice", "response_format", "reasoning_effort",
     "logit_bias", "dimensions", "input_type", "top_n", "truncate", "encoding_format")
)  # fmt: skip
_HOLDERS = ("generationConfig", "generation_config", "options", "inferenceConfig", "parameters")
"""Where Gemini, Ollama, Bedrock and others put settings."""
_SYSTEM = ("system", "instructions", "systemInstruction", "system_instruction", "preamble")
_TOOLS = ("tools", "functions", "toolConfig", "tool_config")
_USAGE = ("usage", "usage_metadata", "usageMetadata", "token_usage", "tokenUsage")
_COUNTED = ("prompt_eval_count", "eval_count", "prompt_tokens", "completion_tokens", "total_tokens")
_FINISH = ("finish_reason", "finishReason", "stop_reason", "stopReason", "done_reason", "finish_reasons")
_DEEP, _LONGEST = 8, 60
_MANY = 5_000
"""Values that are looked at for one call."""


def completed(call: Call) -> Call:
    """The call with the fields that it lacks and its own request and answer have."""
    if call.kind not in _MODELS:
        return call
    body, url = _asked(call)
    answers = _answers(call.output)
    found = {name: value for name, value in (
        ("model", (None if url else call.model) or _model(body, url, answers) or call.model),
        ("provider", call.provider or urlsplit(url).hostname),
        ("system", call.system if call.system is not None else _first(body, _SYSTEM)),
        ("tools", call.tools if call.tools is not None else _first(body, _TOOLS) or _first(call.settings, _TOOLS)),
        ("settings", {**_settings(body), **call.settings}),
        ("usage", call.usage or _usage(answers) or _counted(call.other)),
        ("finish", call.finish or _finish(answers)),
    ) if value}  # fmt: skip
    joined = _joined(answers) if isinstance(call.output, str) and answers else ""
    if joined:
        found |= {"output": joined, "other": {**call.other, "stream": call.output}}
    return call.model_copy(update=found)


def _asked(call: Call) -> tuple[Mapping[str, Any], str]:
    """The body of a request, and its address."""
    said = loose(call.input)
    if isinstance(said.get("url"), str) and "method" in said:
        return loose(said.get("body")), said["url"]
    return said, ""


def _answers(output: Any) -> list[Any]:
    """The answer, or the parts of one that was sent as a stream of events or of lines."""
    if not isinstance(output, str):
        return [output] if output else []
    found = []
    for line in output.splitlines():
        text = line.removeprefix("data:").strip()
        if text[:1] == "{":
            try:
                found.append(loads(text))
            except (ValueError, RecursionError):
                return []
        elif text and text != "[DONE]" and not line.startswith((":", "event:", "id:", "retry:")):
            return []  # a text, not a stream
    return found


def _model(body: Mapping[str, Any], url: str, answers: list[Any]) -> str | None:
    said = [loose(one) for one in answers]
    said += [loose(one.get("message")) for one in said] + [loose(one.get("response")) for one in said]
    names = [one.get(key) for one in (*said, body) for key in ("model", "modelVersion")]
    names += [value for _, value in recognised("POST", urlsplit(url).path).named]
    return next((one for one in names if isinstance(one, str) and one), None)


def _settings(body: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in body.items() if key in _SETTINGS}
    for holder in _HOLDERS:
        found |= {key: value for key, value in loose(body.get(holder)).items() if key in _SETTINGS}
    return found


def _first(holder: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((parsed(holder[name]) for name in names if holder.get(name)), None)


def _usage(answers: list[Any]) -> dict[str, Any]:
    """The last count that an answer tells; of a stream each part can add to it."""
    found: dict[str, Any] = {}
    for answer in answers:
        for key, value in _members(answer):
            if key in _USAGE and isinstance(value, Mapping):
                found |= {name: one for name, one in value.items() if one is not None}
        found |= _counted(loose(answer))
    return found


def _counted(holder: Mapping[str, Any]) -> dict[str, Any]:
    return {key: holder[key] for key in _COUNTED if isinstance(holder.get(key), int)}


def _finish(answers: list[Any]) -> list[str]:
    found = []
    for answer in answers:
        for key, value in _members(answer):
            if key in _FINISH:
                found += [one for one in (value if isinstance(value, list) else [value])
                          if isinstance(one, str) and 0 < len(one) < _LONGEST]  # fmt: skip
    return list(dict.fromkeys(found))


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    """Members at any level, but not those of texts: what a model wrote says nothing of its call."""
    pending, seen = [(value, 1)], 0
    while pending and (seen := seen + 1) < _MANY:
        one, depth = pending.pop()
        if depth > _DEEP:
            continue
        if isinstance(one, Mapping):
            yield from one.items()
            pending += [(inner, depth + 1) for key, inner in one.items() if key not in _WRITTEN]
        elif isinstance(one, list):
            pending += [(inner, depth + 1) for inner in one]


_WRITTEN = ("content", "text", "arguments", "args", "input", "parts", "tool_calls", "parsed")
"""Members in which a model's own words stand, which can be any document."""


def _joined(answers: list[Any]) -> str:
    """What the pieces of a stream make together."""
    pieces: list[Any] = []
    for event in map(loose, answers):
        for choice in event.get("choices") or ():
            pieces.append(loose(loose(choice).get("delta")).get("content") or loose(choice).get("text"))
        for candidate in event.get("candidates") or ():
            pieces += [loose(one).get("text") for one in loose(loose(candidate).get("content")).get("parts") or ()]
        delta, message = event.get("delta"), event.get("message")
        pieces.append(delta.get("text") if isinstance(delta, Mapping) else delta)
        pieces.append(message.get("content") if isinstance(message, Mapping) else event.get("response"))
    return "".join(one for one in pieces if isinstance(one, str))
