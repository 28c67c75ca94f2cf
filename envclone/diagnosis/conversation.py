"""What was said to models and by them, out of a trace's calls or a cassette's exchanges, in one form."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from envclone.diagnosis.parsed import parsed, texts
from envclone.diagnosis.toolcalls import asked_in, paired
from envclone.diagnosis.wired import calls_of
from envclone.incidents.bundle import COMPUTED, Incident
from envclone.incidents.calls import Call

__all__ = [
    "Document", "Turn", "Used", "asked_again", "documents_of", "later_worked", "left_out", "parsed", "question_of",
    "texts", "turns_of", "used_of",
]  # fmt: skip

_IDS = ("id", "document_id", "doc_id", "chunk_id", "point_id", "_id", "key")
_TEXTS = ("content", "text", "page_content", "body", "chunk", "document")

_FORMS = ("response_format", "text", "format", "output_config", "response_schema", "responseSchema",
          "responseJsonSchema")  # fmt: skip
_SAMPLING = ("temperature", "top_p", "top_k", "seed", "model")
_MARKS = frozenset((
    "role", "choices", "tool_calls", "toolCalls", "parts", "blocks", "block_type", "finish_reason", "message", "type",
))  # fmt: skip
_CONTENTS = ("content", "contents", "text", "message", "output", "parts", "blocks", "choices")
_ASKS = frozenset(("tool_use", "tool_call", "function_call", "tool-call"))
_CALLS = ("functionCall", "function_call", "toolUse")
_PREFIXES = ("message.", "message_content.", "tool_call.", "tool.")


@dataclass(frozen=True, slots=True)
class Used:
    """A call of a tool, its arguments as they were given and as JSON, where they are that; `said` what came back."""

    name: str
    arguments: Any
    said: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A retrieved document: its id as text ('' when the trace has none), and its text."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One call of a model: the prompt, the answer, tools with their schemas, the answer's schema, why it stopped."""

    name: str
    prompt: str
    answer: str
    tools: Mapping[str, Any] = field(default_factory=dict)
    output: Any = None
    schema: Mapping[str, Any] | None = None
    finish: tuple[str, ...] = ()
    question: str = ""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    failed: bool = False
    messages: Any = None
    caller: str = ""
    """What calls of one place have in common: the call's name."""

    @property
    def said_nothing(self) -> bool:
        """Whether the answer is a text, and empty: where none was recorded, nobody knows."""
        return not self.answer.strip() and _blank(self.output) and not any(asked_in(self.output))


def _blank(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_blank, value))
    if isinstance(value, Mapping):
        return any(_blank(value[key]) for key in _CONTENTS if key in value)
    return isinstance(value, str) and not value.strip()


def left_out(incident: Incident) -> bool:
    """Whether the bundle was masked for other hands, without what was said."""
    return any(COMPUTED in texts([call.input, call.output, call.documents]) for call in incident.calls)


def turns_of(incident: Incident) -> tuple[Turn, ...]:
    """The calls of models, in order."""
    return tuple(_turn(call) for call in calls_of(incident) if call.kind == "llm")


def used_of(incident: Incident) -> tuple[Used, ...]:
    """The tools that were called: by calls of their own, else by what models asked for, with what came back later."""
    own = tuple(
        Used(call.name, parsed(call.input), " ".join(texts(call.output)))
        for call in calls_of(incident)
        if call.kind == "tool"
    )
    if own:
        return own
    turns = turns_of(incident)
    told = [one for one in paired(turns[-1].messages) if one.name] if turns else []
    found = [Used(one.name, one.arguments, json.dumps(one.value, default=str) if one.answered else "")
             for one in told if one.arguments is not None]  # fmt: skip
    known = {one.id for one in told if one.id}
    seen = [(one.name, one.arguments) for one in told]
    for turn in turns:
        for one in asked_in(turn.output):
            if one.id in known or (not one.id and (one.name, one.arguments) in seen):
                continue  # it stands in the messages of the last turn, with what came back
            found.append(Used(one.name, one.arguments))
    return tuple(found)


def documents_of(incident: Incident) -> tuple[Document, ...]:
    """The documents that the trace says were retrieved, in order; reranked ones count last."""
    kinds = [kind for kind in ("rerank", "retrieval") if any(c.kind == kind and c.documents for c in incident.calls)]
    return tuple(_document(one) for call in incident.calls if kinds and call.kind == kinds[0] for one in call.documents)


def question_of(incident: Incident) -> str:
    """What was searched for, in words: of the embedding, the retrieval, the request or the last user message."""
    for kind in ("embedding", "retrieval", "request"):
        for call in incident.calls:
            if call.kind == kind and (said := " ".join(texts(call.input)).strip()):
                return said
    return next((turn.question for turn in turns_of(incident) if turn.question), "")


def later_worked(calls: Sequence[Call], number: int) -> bool:
    """Whether a call was made again after it, and then worked."""
    one = calls[number]
    return any((each.kind, each.name) == (one.kind, one.name) and not each.error for each in calls[number + 1 :])


def asked_again(turns: Sequence[Turn], number: int) -> Turn | None:
    """The later turn that asks the same, or the same with what was wrong about the answer: its answer counts."""
    one = turns[number]
    for other in turns[number + 1 :]:
        same = other.prompt == one.prompt
        mended = one.schema is not None and other.schema == one.schema and other.prompt.startswith(one.prompt)
        mended = mended or ("pause_turn" in one.finish and other.prompt.startswith(one.prompt))
        if one.prompt and other.caller == one.caller and (same or mended) and other.answer.strip():
            return other
    return None


def _turn(call: Call) -> Turn:
    given, read = _bare(parsed(call.input)), _bare(parsed(call.output))
    answer = _bare(call.output)
    answer = read if _is_message(read) else answer  # a text that is JSON may be the answer itself
    settings = call.settings | call.other
    messages = given.get("messages", given) if isinstance(given, Mapping) else given
    users = [one for one in messages if isinstance(one, Mapping) and one.get("role") == "user"] if isinstance(
        messages, list) else []  # fmt: skip
    said = answer if isinstance(answer, str) else "\n".join(texts(_contents(answer)))
    return Turn(
        name=call.name or call.id,
        caller=call.name,
        failed=call.error is not None,
        prompt="\n".join([*texts(call.system), *texts(messages)]),
        answer=said,
        tools=dict(_tools(parsed(call.tools))),
        schema=_schema(settings),
        finish=tuple(call.finish),
        sampling={name: settings[name] for name in _SAMPLING if settings.get(name) is not None},
        question="\n".join(texts(users[-1].get("content", users[-1].get("parts"))))
        if users
        else messages
        if isinstance(messages, str)
        else "",
        messages=messages,
        output=answer,
    )


def _contents(answer: Any) -> Any:
    """The text of an answer without the tools that it asks for."""
    if isinstance(answer, list):
        return [_contents(one) for one in answer]
    if isinstance(answer, Mapping):
        if answer.get("type") in _ASKS or answer.get("block_type") in _ASKS or {*answer} & {*_CALLS, "toolName"}:
            return []
        for key in _CONTENTS if _is_message(answer) else ():
            if key in answer:
                return _contents(answer[key])
        return [] if "tool_calls" in answer else json.dumps(answer, ensure_ascii=False)
    return answer


def _is_message(value: Any) -> bool:
    """Whether a value is a message of a model, or several, and not what it said."""
    if isinstance(value, list):
        return bool(value) and all(_is_message(one) for one in value)
    return isinstance(value, Mapping) and bool({*value} & _MARKS or {*value} <= {*_CONTENTS, "id", "index"})


_SCHEMAS = (
    "parameters",
    "input_schema",
    "inputSchema",
    "parameters_json_schema",
    "parametersJsonSchema",
    "json_schema",
)


def _bare(value: Any) -> Any:
    """Messages whose fields have their object's name before them (OpenInference's `message.role`), without it."""
    if isinstance(value, list):
        return [_bare(one) for one in value]
    if isinstance(value, Mapping) and value and all(str(key).startswith(_PREFIXES) for key in value):
        return {str(key).rpartition(".")[2]: _bare(one) for key, one in value.items()}
    return value


def _tools(tools: Any) -> Iterator[tuple[str, Any]]:
    """Tools by name with the schema of their arguments, as OpenAI, Anthropic, Gemini and MCP write them."""
    for one in tools if isinstance(tools, list) else [tools]:
        one = _bare(parsed(one))
        one = parsed(one["json_schema"]) if isinstance(one, Mapping) and {*one} == {"json_schema"} else one
        if not isinstance(one, Mapping):
            continue
        if isinstance(several := one.get("functionDeclarations", one.get("function_declarations")), list):
            yield from _tools(several)
            continue
        function = one.get("function", one.get("toolSpec", one))
        function = function if isinstance(function, Mapping) else one
        schema = next((found for key in _SCHEMAS if isinstance(found := parsed(function.get(key)), Mapping)), None)
        schema = schema["json"] if schema is not None and {*schema} == {"json"} else schema  # Bedrock's
        if function.get("name") and isinstance(schema, Mapping):
            yield str(function["name"]), schema


def _schema(settings: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The schema that an answer was asked to have."""
    for key in (
        "response_format",
        "text",
        "format",
        "output_config",
        "output_format",
        "guided_json",
        "response_schema",
        "responseSchema",
        "responseJsonSchema",
        "json_schema",
    ):
        value = parsed(settings.get(key))
        for inner in ("format", "json_schema", "schema"):
            if isinstance(value, Mapping) and isinstance(value.get(inner), Mapping):
                value = value[inner]
        if isinstance(value, Mapping) and {*value} & {"properties", "$ref", "items", "anyOf", "oneOf", "allOf"}:
            return value
        if isinstance(value, Mapping) and value.get("type") == "json_object":
            return {"type": "object"}
    mime = settings.get("responseMimeType", settings.get("response_mime_type"))
    return {} if mime == "application/json" or settings.get("format") == "json" else None


def _document(value: Any) -> Document:
    value = parsed(value)
    if not isinstance(value, Mapping):
        return Document("", str(value))
    inside = {**_inner(value, "metadata"), **_inner(value, "document"), **value}
    ident = next((str(inside[key]) for key in _IDS if isinstance(inside.get(key), str | int)), "")
    text = next((inside[key] for key in _TEXTS if isinstance(inside.get(key), str)), "\n".join(texts(value)))
    return Document(ident, text)


def _inner(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = parsed(value.get(key))
    return inner if isinstance(inner, Mapping) else {}
