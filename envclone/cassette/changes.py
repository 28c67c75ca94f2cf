"""Changes on the way: another model, temperature or system prompt than the application asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from envclone.cassette.operations import recognised

__all__ = ["Changed", "changed"]

_SAYING = frozenset(("chat/completions", "completions", "responses", "messages", "chat", "generate", "generateContent",
                     "streamGenerateContent"))  # fmt: skip
"""The operations of which a model's words are the answer."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What is put in place of what the application asks for; None leaves it."""

    model: str | None = None
    temperature: float | None = None
    prompt: str | None = None


def changed(body: Any, url: str, wanted: Changed) -> tuple[Any, tuple[str, ...]]:
    """A request's body with the changes that apply to it, and which of them did. Raises ValueError."""
    if not isinstance(body, dict) or wanted == Changed():
        return body, ()
    operation = recognised("POST", urlsplit(url).path)
    if not operation.known or operation.name not in _SAYING:
        return body, ()
    made, done = dict(body), []
    if wanted.model is not None and "model" in made and made["model"] != wanted.model:
        made["model"] = wanted.model
        done.append("model")
    if wanted.temperature is not None:
        place = _sampling(made, operation.provider)
        if place.get("temperature") != wanted.temperature:
            place["temperature"] = wanted.temperature
            done.append("temperature")
    if wanted.prompt is not None and _prompt(made, operation.provider, wanted.prompt):
        done.append("prompt")
    return made, tuple(done)


def _sampling(body: dict[str, Any], provider: str) -> dict[str, Any]:
    """The member that holds sampling settings, copied into the body."""
    name = {"gemini": "generationConfig", "ollama": "options"}.get(provider)
    if name is None:
        return body
    body[name] = dict(body[name]) if isinstance(body.get(name), Mapping) else {}
    inner: dict[str, Any] = body[name]
    return inner


def _prompt(body: dict[str, Any], provider: str, text: str) -> bool:
    """Put another system prompt in; whether that made a difference."""
    name = {"anthropic": "system", "gemini": "systemInstruction"}.get(provider)
    if name is None and "instructions" in body:
        name = "instructions"
    if name is not None:
        new: Any = {"parts": [{"text": text}]} if name == "systemInstruction" else text
        same = body.get(name) == new
        body[name] = new
        return not same
    messages = body.get("messages", body.get("input"))
    if not isinstance(messages, list):
        return False
    at = next((i for i, one in enumerate(messages) if isinstance(one, dict) and _is_system(one)), None)
    made = list(messages)
    if at is None:
        made.insert(0, {"role": "system", "content": text})
    elif made[at].get("content") == text:
        return False
    else:
        made[at] = {**made[at], "content": text}
    body["messages" if "messages" in body else "input"] = made
    return True


def _is_system(message: Mapping[str, Any]) -> bool:
    return re.fullmatch("system|developer", str(message.get("role", ""))) is not None
