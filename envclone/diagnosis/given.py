"""What tools gave back: by calls of their own, or in the messages that a model was given."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from envclone.diagnosis.conversation import parsed, texts
from envclone.incidents.bundle import Incident

__all__ = ["Given", "given_by_tools"]


@dataclass(frozen=True, slots=True)
class Given:
    """What a tool gave: its name ('' where the trace has none), what came back, and why it failed, if it did."""

    tool: str
    value: Any
    error: str = ""


def given_by_tools(incident: Incident) -> tuple[Given, ...]:
    """The results of tools: of their own calls, else of the messages that a model was given."""
    own = tuple(Given(one.name or one.id, parsed(one.output), one.error or _failed(parsed(one.output)))
                for one in incident.calls if one.kind == "tool")  # fmt: skip
    if own:
        return own
    turns = [call for call in incident.calls if call.kind == "llm"]
    messages = parsed(turns[-1].input) if turns else None
    messages = messages.get("messages", messages) if isinstance(messages, Mapping) else messages
    names: dict[str, str] = {}
    found = []
    for one in messages if isinstance(messages, list) else ():
        if not isinstance(one, Mapping):
            continue
        for asked in one.get("tool_calls") or ():
            if isinstance(asked, Mapping):
                function = asked.get("function", asked)
                names[str(asked.get("id"))] = str(function.get("name", "")) if isinstance(function, Mapping) else ""
        for block in one["content"] if isinstance(one.get("content"), list) else ():
            kind = block.get("type") if isinstance(block, Mapping) else None
            if kind == "tool_use":
                names[str(block.get("id"))] = str(block.get("name", ""))
            elif kind == "tool_result":
                value = parsed(block.get("content"))
                wrong = "is_error" if block.get("is_error") else _failed(value)
                found.append(Given(names.get(str(block.get("tool_use_id")), ""), value, wrong))
        if one.get("role") == "tool":
            value = parsed(one.get("content"))
            found.append(
                Given(names.get(str(one.get("tool_call_id")), str(one.get("name") or "")), value, _failed(value))
            )
    return tuple(found)


def _failed(value: Any) -> str:
    """Why a tool failed, as its answer says it."""
    if isinstance(value, Mapping):
        if value.get("isError") is True or value.get("is_error") is True:
            return "\n".join(texts(value))[:300] or "isError"
        said = value.get("error")
        return "\n".join(texts(said))[:300] or json.dumps(said)[:300] if said and said is not True else ""
    if isinstance(value, str) and _ERROR.match(value):
        return value.strip()[:300]
    return ""


_ERROR = re.compile(r"\s*(?:Traceback \(most recent|(?:[A-Za-z]*Error|[A-Za-z]*Exception|error)\s*:)", re.IGNORECASE)
