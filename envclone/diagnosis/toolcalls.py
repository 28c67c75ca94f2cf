"""Tools in what models were told and said: what they were asked for, and what came back, as every API writes it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from envclone.diagnosis.parsed import parsed, texts

__all__ = ["Asked", "asked_in", "failed", "paired"]

_ASKS = frozenset(("tool_use", "tool_call", "function_call", "tool-call", "mcp_call"))
_ANSWERS = frozenset(("tool_result", "function_call_output", "tool-result", "tool_call_response", "tool_response"))
_CALLS = ("functionCall", "function_call", "toolUse")
_RESULTS = ("functionResponse", "function_response", "toolResult")
_NAMES = ("name", "toolName", "tool_name")
_GIVEN = ("input", "arguments", "args", "tool_kwargs", "parameters")
_VALUES = ("content", "output", "result", "response")
_IDS = ("call_id", "tool_use_id", "toolUseId", "tool_call_id", "toolCallId", "id")
_INSIDE = (
    "content",
    "contents",
    "message",
    "messages",
    "parts",
    "blocks",
    "choices",
    "output",
    "generations",
    "kwargs",
)
_ERROR = re.compile(
    r"\s*(?:Traceback \(most recent|(?:[A-Za-z]*Error|[A-Za-z]*Exception|error)\s*:|ToolException\b|"
    r"(?:an? )?(?:unexpected |internal |unknown )?error "
    r"(?:occurred|executing|calling|invoking|running|while|during|in tool)|"
    r"(?:the )?(?:tool|function|request)(?: \w+)? (?:call |execution |invocation )?failed\b|"
    r"failed to (?:call|execute|fetch|connect|reach|invoke|run)\b|HTTP(?: error)? [45]\d\d\b)",
    re.IGNORECASE,
)
_STATUS = ("status", "status_code", "statusCode", "http_status")


@dataclass(frozen=True, slots=True)
class Asked:
    """A tool that was asked for: its arguments as JSON, where they are that, and what came back, where it is known."""

    name: str
    arguments: Any
    id: str = ""
    answered: bool = False
    value: Any = None
    error: str = ""


def asked_in(value: Any) -> Iterator[Asked]:
    """The tools that messages ask for, in order."""
    for one in _walked(value):
        if not one.answered:
            yield one


def paired(messages: Any) -> tuple[Asked, ...]:
    """The tools that messages ask for, with what later ones give back; results that nobody asked for come last."""
    open_: list[Asked] = []
    done: dict[int, Asked] = {}
    alone = []
    for one in _walked(messages):
        if not one.answered:
            open_.append(one)
            continue
        place = next((n for n, other in enumerate(open_) if n not in done and _same(one, other)), None)
        if place is None:
            alone.append(one)
        else:
            asked = open_[place]
            done[place] = Asked(asked.name, asked.arguments, asked.id, True, one.value, one.error)
    return (*(done.get(n, one) for n, one in enumerate(open_)), *alone)


def failed(value: Any) -> str:
    """Why a tool failed, as its answer says it."""
    if isinstance(value, Mapping):
        if value.get("isError") is True or value.get("is_error") is True:
            return "\n".join(texts(value))[:300] or "isError"
        status = next((value[key] for key in _STATUS if key in value), None)
        bad = isinstance(status, int) and not isinstance(status, bool) and 400 <= status < 600
        if bad or status in ("error", "ERROR") or value.get("success") is False or value.get("ok") is False:
            return "\n".join(texts(value))[:300] or json.dumps(value, default=str)[:300]
        said = value.get("error")
        return "\n".join(texts(said))[:300] or json.dumps(said)[:300] if said and said is not True else ""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], Mapping):
        return failed(value[0].get("text", value[0].get("json")))
    if isinstance(value, str) and _ERROR.match(value):
        return value.strip()[:300]
    return ""


def _same(answer: Asked, asked: Asked) -> bool:
    if answer.id and asked.id:
        return answer.id == asked.id
    return not answer.name or answer.name == asked.name


def _walked(value: Any) -> Iterator[Asked]:
    if isinstance(value, list | tuple):
        for one in value:
            yield from _walked(one)
        return
    if not isinstance(value, Mapping):
        return
    kind = value.get("type") or value.get("block_type")
    inner = next((value[key] for key in _CALLS if isinstance(value.get(key), Mapping)), None)
    named = kind not in _ANSWERS and "toolName" in value and any(key in value for key in _GIVEN)
    asks = inner or (value if kind in _ASKS or "tool_kwargs" in value or named else None)
    if asks is not None and (made := _asked(asks)) is not None:
        yield made
        return
    result = next((value[key] for key in _RESULTS if isinstance(value.get(key), Mapping)), None)
    if result is not None or kind in _ANSWERS or value.get("role") in ("tool", "function") or kind == "tool":
        yield from _answered(result or value)
        return
    for one in [*_listed(value.get("tool_calls")), *_listed(value.get("toolCalls"))]:
        function = one.get("function", one) if isinstance(one, Mapping) else {}
        if isinstance(function, Mapping) and (made := _asked(function, str(one.get("id") or ""))) is not None:
            yield made
    for key in _INSIDE:
        if isinstance(value.get(key), list | Mapping):
            yield from _walked(value[key])


def _asked(value: Mapping[str, Any], ident: str = "") -> Asked | None:
    name = next((value[key] for key in _NAMES if value.get(key)), None)
    if name is None:
        return None
    given: Any = next((value[key] for key in _GIVEN if key in value), {})
    return Asked(str(name), parsed(given), ident or _id(value))


def _answered(value: Mapping[str, Any]) -> Iterator[Asked]:
    """Results of a message: itself, or the results in it."""
    below = value.get("content")
    if isinstance(below, list) and any(isinstance(one, Mapping) and one.get("type") in _ANSWERS for one in below):
        yield from _walked(below)
        return
    said = parsed(next((value[key] for key in _VALUES if key in value), None))
    wrong = value.get("is_error") is True or value.get("isError") is True or value.get("status") == "error"
    error = failed(said) or ("\n".join(texts(said))[:300] or "is_error" if wrong else "")
    name = str(next((value[key] for key in _NAMES if value.get(key)), ""))
    yield Asked(name, None, _id(value), True, said, error)


def _id(value: Mapping[str, Any]) -> str:
    return str(next((value[key] for key in _IDS if value.get(key)), ""))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
