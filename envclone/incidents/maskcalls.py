"""Masks over what a trace tells: all of it is free text but times, numbers, vectors and ids.

What a model, an application or a person wrote can spell a name in any way, as what a statement computed can: a bundle
for other hands does without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from envclone.incidents.bundle import COMPUTED
from envclone.incidents.calls import Call, Origin
from envclone.incidents.exchanges import Exchange
from envclone.incidents.maskjson import mask_leaves

__all__ = ["mask_call", "mask_exchange", "mask_origin"]

_SAID = ("prompt", "system", "tools", "input", "output", "documents", "error", "statement", "other")
"""What of a call people, models and applications wrote."""
_TOLD = ("id", "parent", "name", "model", "provider", "settings", "usage", "finish", "conversation")
"""What of a call is of a few words."""
_EXCHANGED = ("headers", "body", "answer_headers", "answer")
"""What of an exchange an application, a model or a tool wrote."""


def mask_call(call: Call, text: Callable[[str], str], *, computed: bool) -> Call:
    """A call whose texts went through `text`; without `computed`, what was written in it is left out."""
    told = {name: mask_leaves(getattr(call, name), text, keys=True) for name in _TOLD}
    return call.model_copy(update={**told, **{name: _said(getattr(call, name), text, computed) for name in _SAID}})


def mask_exchange(exchange: Exchange, text: Callable[[str], str], *, computed: bool) -> Exchange:
    """An exchange whose texts went through `text`; without `computed`, what was said in it is left out."""
    told = {name: mask_leaves(getattr(exchange, name), text, keys=True) for name in ("id", "call", "url", "error")}
    said = {name: _said(getattr(exchange, name), text, computed) for name in _EXCHANGED}
    chunks = [one.model_copy(update={"data": _said(one.data, text, computed)}) for one in exchange.chunks]
    return exchange.model_copy(update={**told, **said, "chunks": tuple(chunks)})


def mask_origin(origin: Origin | None, text: Callable[[str], str], *, computed: bool) -> Origin | None:
    """What a trace says of all its calls, masked likewise."""
    return None if origin is None else origin.model_copy(update={"about": _said(origin.about, text, computed)})


def _said(value: Any, text: Callable[[str], str], computed: bool) -> Any:
    masked = mask_leaves(value, text, keys=True)
    return masked if computed else _left_out(masked)


def _left_out(value: Any) -> Any:
    """A value whose texts are left out, its shape, names and numbers kept."""
    if isinstance(value, str):
        return COMPUTED
    if isinstance(value, list | tuple):
        return [_left_out(item) for item in value]
    if isinstance(value, dict):
        return {key: _left_out(item) for key, item in value.items()}
    return value
