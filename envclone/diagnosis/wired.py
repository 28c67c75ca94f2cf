"""The calls of an incident in one form: those of its trace, and those that only a recorded exchange tells of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from envclone.diagnosis.exchanged import said_in
from envclone.incidents.bundle import Incident
from envclone.incidents.calls import Call
from envclone.incidents.exchanges import Exchange

__all__ = ["calls_of"]

_FAILED = 400


def calls_of(incident: Incident) -> tuple[Call, ...]:
    """A trace's calls, with what their exchanges know more; exchanges of a kind that the trace has no calls of."""
    exchanges = {one.call: one for one in incident.exchanges if one.call is not None}
    kinds = {call.kind for call in incident.calls}
    own = tuple(_filled(call, exchanges[call.id]) if call.id in exchanges else call for call in incident.calls)
    return own + tuple(_made(one) for one in incident.exchanges if one.kind != "http" and one.kind not in kinds)


def _made(one: Exchange) -> Call:
    """The call that an exchange is."""
    said = said_in(one)
    body = one.body if isinstance(one.body, Mapping) else {}
    given = said.messages if one.kind == "llm" else body or one.body
    return Call(
        id=one.id, kind=one.kind, began=one.began, seconds=one.seconds, error=_error(one),
        model=str(body["model"]) if isinstance(body.get("model"), str) else None, input=given, system=said.system,
        tools=said.tools, settings=dict(said.settings), usage=dict(said.usage), finish=list(said.finish),
        output=said.answer if one.kind == "llm" else one.answer,
    )  # fmt: skip


def _filled(call: Call, one: Exchange) -> Call:
    """A call with what its exchange says and the trace does not."""
    made = _made(one)
    missing = {
        name: value
        for name in ("error", "input", "system", "tools", "output", "usage", "finish")
        if getattr(call, name) in (None, "", [], {}) and (value := getattr(made, name)) not in (None, "", [], {})
    }
    return call.model_copy(update={**missing, "settings": {**made.settings, **call.settings}})


def _error(one: Exchange) -> str | None:
    """What a service refused with; a body that tells of an error counts also where its status does not."""
    if one.error:
        return one.error
    said: Any = one.answer.get("error") if isinstance(one.answer, Mapping) else None
    if one.status >= _FAILED:
        text = one.answer if isinstance(one.answer, str) else json.dumps(said or one.answer, ensure_ascii=False)
        return f"{one.status} {text}"
    return json.dumps(said, ensure_ascii=False) if said and said is not True else None
