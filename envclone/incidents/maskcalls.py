"""Masks over what a trace tells: all of it is free text but times, numbers, vectors and ids.

What a model, an application or a person wrote can spell a name in any way, as what a statement computed can: a bundle
for other hands does without it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from envclone.incidents.bundle import COMPUTED
from envclone.incidents.calls import Call, Origin
from envclone.incidents.clock import Clock
from envclone.incidents.exchanges import Exchange
from envclone.incidents.maskjson import mask_leaves
from envclone.incidents.maskstreams import mask_stream
from envclone.incidents.maskurl import mask_url

__all__ = ["mask_call", "mask_clock", "mask_exchange", "mask_origin", "masked_ids"]

_SAID = ("prompt", "system", "tools", "input", "output", "documents", "vectors", "error", "statement", "other")
"""What of a call people, models and applications wrote; the numbers of a vector stay."""
_TOLD = ("name", "model", "revision", "provider", "settings", "usage", "finish", "conversation")
"""What of a call is of a few words."""

Text = Callable[[str], str]


class _Ids(dict[str, str]):
    """Ids that are masked as the texts that they are."""

    def __init__(self, text: Text) -> None:
        super().__init__()
        self._text = text

    def __missing__(self, name: str) -> str:
        return self._text(name)


def masked_ids(ids: Iterable[str], text: Text) -> dict[str, str]:
    """The masks of ids that name each other; two different ids stay different."""
    found: dict[str, str] = {}
    used: set[str] = set()
    for one in ids:
        if one in found:
            continue
        mask = wanted = text(one)
        number = 2
        while mask in used:
            mask, number = f"{wanted}.{number}", number + 1
        found[one] = mask
        used.add(mask)
    return found


def mask_call(call: Call, text: Text, ids: Mapping[str, str] | None = None, *, computed: bool) -> Call:
    """A call whose texts went through `text`; without `computed`, what was written in it is left out.

    `ids` are masks of ids that name each other; without them an id is a text.
    """
    ids = _Ids(text) if ids is None else ids
    told = {name: mask_leaves(getattr(call, name), text, keys=True) for name in _TOLD}
    said = {name: _said(getattr(call, name), text, computed) for name in _SAID}
    parent = None if call.parent is None else ids[call.parent]
    return call.model_copy(update={**told, **said, "id": ids[call.id], "parent": parent})


def mask_exchange(exchange: Exchange, text: Text, ids: Mapping[str, str] | None = None, *, computed: bool) -> Exchange:
    """An exchange whose texts went through `text`; without `computed`, what was said in it is left out."""
    ids = _Ids(text) if ids is None else ids

    def written(value: Any, encoding: str) -> Any:
        if encoding == "base64" and isinstance(value, str):
            return _decoded(value, text) if computed else COMPUTED
        return _said(value, text, computed)

    if computed:
        chunks = mask_stream(exchange.chunks, text)
    else:
        chunks = tuple(one.model_copy(update={"data": COMPUTED}) for one in exchange.chunks)
    method = exchange.method if text(exchange.method) == exchange.method else "X"
    return exchange.model_copy(
        update={
            "id": ids[exchange.id],
            "call": None if exchange.call is None else ids[exchange.call],
            "method": method,
            "url": mask_url(exchange.url, text),
            "headers": _headers(exchange.headers, text, computed),
            "body": written(exchange.body, exchange.encoding),
            "answer_headers": _headers(exchange.answer_headers, text, computed),
            "answer": written(exchange.answer, exchange.answer_encoding),
            "chunks": chunks,
            "error": mask_leaves(exchange.error, text),
        }
    )


def mask_origin(origin: Origin | None, text: Text, *, computed: bool) -> Origin | None:
    """What a trace says of all its calls, masked likewise."""
    if origin is None:
        return None
    return origin.model_copy(update={"dialect": text(origin.dialect), "about": _said(origin.about, text, computed)})


def mask_clock(clock: Clock | None, text: Text) -> Clock | None:
    """A clock without a zone that names somebody."""
    if clock is None or clock.zone is None or text(clock.zone) == clock.zone:
        return clock
    return clock.model_copy(update={"zone": None})


def _headers(headers: Mapping[str, str], text: Text, computed: bool) -> dict[str, str]:
    masked: dict[str, str] = _said(dict(headers), text, computed)
    return masked


def _decoded(value: str, text: Text) -> str:
    """Bytes in base64: masked where they are text, left out where they are not, for nothing can be found in them."""
    try:
        inside = base64.b64decode(value, validate=True).decode("utf-8")
    except ValueError:
        return COMPUTED
    masked = text(inside)
    return value if masked == inside else base64.b64encode(masked.encode()).decode("ascii")


def _said(value: Any, text: Text, computed: bool) -> Any:
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
