"""A recorded request as the parts of a bundle: calls, steps that can be run again, exchanges with models and tools."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from envclone.errors import ConfigError
from envclone.incidents.bundle import SqlStep, Step
from envclone.incidents.calls import Call, Origin
from envclone.incidents.clock import Clock
from envclone.incidents.exchanges import Exchange
from envclone.incidents.plans import nodes
from envclone.incidents.traces.attributes import call_of
from envclone.incidents.traces.recordedhttp import exchange_of, http_call, request_step
from envclone.incidents.traces.recordedsteps import sql_call, sql_step, vector_call, vector_steps
from envclone.incidents.traces.recordedvalues import revived
from envclone.incidents.traces.recording import Request, moment, records
from envclone.incidents.traces.span import Span
from envclone.incidents.traces.steps import Stores

__all__ = ["Parts", "parts"]

DIALECT = "envclone"
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}|[+-]\d\d:\d\d")
_REQUEST = "request"
_VERSIONS = ("image", "commit", "version", "chunker", "embedder", "reranker", "tokenizer")
"""What the application may note of itself, beside what it said when it began to record."""


@dataclass
class Parts:
    """What a recording gives a bundle."""

    calls: list[Call] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    application: dict[str, str] = field(default_factory=dict)
    origin: Origin = field(default_factory=lambda: Origin(dialect=DIALECT))
    clock: Clock | None = None
    damaged: int = 0
    """Records that were left out, because they are not what the recorder writes."""


def parts(path: Path, request: Request, stores: Stores) -> Parts:
    """The parts of one request's bundle. Raises ConfigError when nothing of it can be read."""
    (_, about), *found = records(path, request)
    made = Parts(application=_texts(about.get("application")))
    spans = {
        f"span-{one['span']}" for _, one in found if one.get("kind") == "span" and isinstance(one.get("span"), str)
    }
    resources: list[Any] = [resource] if (resource := _resource(made.application)) else []
    head: dict[str, Any] = {}
    notes: dict[str, Any] = {}
    plans: dict[str, tuple[str, ...]] = {}
    for number, one in found:
        try:
            if one.get("t") == "note":
                notes |= revived(one.get("values") or {})
            elif one.get("t") == "plan":
                plans[f"call-{one['of']}"] = nodes(one.get("plan"))
            elif one.get("t") != "call":
                head |= {f"{one.get('t')}.{key}": value for key, value in one.items() if key != "t"}
            else:
                _add(made, number, one, stores, spans, resources)
        except (ValidationError, ValueError, TypeError, KeyError, AttributeError, IndexError):
            made.damaged += 1
    try:
        made.calls.insert(0, _request(request, head, notes))
        made.steps[:0] = [
            one.model_copy(update={"call": _REQUEST}) for one in request_step(head, stores, ended=request.ended)
        ]
    except (ValidationError, ValueError, TypeError, KeyError, AttributeError) as exc:
        raise ConfigError(f"the request {request.id} is damaged: its own record has another shape") from exc
    made.steps = [_with_plan(one, plans.get(one.call or "", ())) for one in made.steps]
    made.application |= {name: value for name in _VERSIONS if isinstance(value := notes.get(name), str)}
    extra = {key: about[key] for key in ("recorder", "python") if isinstance(about.get(key), str | int)}
    zone = about.get("zone")
    made.clock = Clock(zone=zone) if isinstance(zone, str) and _ZONE.fullmatch(zone[:60]) else None
    made.origin = Origin(dialect=DIALECT, about={"request": request.id, **extra, "resources": resources})
    return made


def _with_plan(step: Step, plan: tuple[str, ...]) -> Step:
    return step.model_copy(update={"plan": plan}) if plan and isinstance(step, SqlStep) else step


def _add(made: Parts, number: int, one: dict[str, Any], stores: Stores, spans: set[str], resources: list[Any]) -> None:
    kind, name = one.get("kind"), f"call-{number}"
    parent = one.get("parent")
    within = f"span-{one.get('span')}"
    above = within if within in spans else f"call-{parent}" if isinstance(parent, int) else _REQUEST
    common: dict[str, Any] = {
        "id": name,
        "parent": above,
        "began": moment(one.get("at")),
        "seconds": _seconds(one.get("s")),
        "error": one.get("error"),
    }
    if kind == "sql":
        made.calls.append(sql_call(common, one))
        made.steps += [step.model_copy(update={"call": name}) for step in sql_step(one, stores, number)]
    elif kind == "vector":
        made.calls.append(vector_call(common, one))
        made.steps += [step.model_copy(update={"call": name}) for step in vector_steps(one, stores, number)]
    elif kind == "http":
        exchange = exchange_of(one, number, name)
        made.calls.append(http_call(common, one, exchange))
        made.exchanges += [exchange] if exchange is not None else []
    elif kind == "span":
        if any(call.id == f"span-{one['span']}" for call in made.calls):
            return  # a processor and an exporter told of it
        made.calls.append(_span(one, spans))
        if one.get("resource") and one["resource"] not in resources:
            resources.append(one["resource"])
    else:
        made.calls.append(
            Call(**common, kind="chain", name=str(one.get("name") or ""), input=revived(one.get("about")))
        )


def _span(one: Mapping[str, Any], spans: set[str]) -> Call:
    above = f"span-{one.get('above')}"
    began = moment(one.get("at"))
    ended = moment(one["at"] + one["s"]) if began is not None and isinstance(one.get("s"), int | float) else None
    rest = {
        "events": one.get("events"),
        "trace_id": one.get("trace"),
        "dropped_attributes": one.get("left_out") or None,
    }
    attributes = revived(one.get("attributes") or {})
    return call_of(
        Span(
            f"span-{one['span']}", above if above in spans else _REQUEST, str(one.get("name") or ""), attributes, began,
            ended, one.get("error"), rest=rest,
        )
    )  # fmt: skip


def _request(request: Request, head: Mapping[str, Any], notes: Mapping[str, Any]) -> Call:
    """The request itself."""
    asked = {key: head.get(f"start.{key}") for key in ("method", "path", "headers", "about")}
    answer = {key: head.get(f"end.{key}") for key in ("status", "headers")}
    other = {"flags": request.flags, "notes": {**notes}, "cut": head.get("asked.cut") or head.get("end.cut")}
    conversation = notes.get("conversation")
    prompt = {key: value for key, value in notes.items() if key.startswith("prompt")}
    return Call(
        id=_REQUEST, kind="request", name=request.name, began=request.at, seconds=request.seconds,
        error=request.error or None if request.ended else "did not end", prompt=prompt,
        conversation=conversation if isinstance(conversation, str) else None,
        input=_filled({**asked, "body": _body(head.get("asked.body"))}),
        output=_filled({**answer, "body": _body(head.get("end.body"))}) or None,
        other=_filled(other),
    )  # fmt: skip


def _body(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, "", [], {})}


def _texts(value: Any) -> dict[str, str]:
    found = value if isinstance(value, dict) else {}
    return {str(key): str(one) for key, one in found.items() if isinstance(one, str | int)}


def _resource(application: Mapping[str, str]) -> dict[str, str]:
    """The application as OpenTelemetry's resources name its parts."""
    names = {"version": "service.version", "commit": "vcs.ref.head.revision", "image": "container.image.tags"}
    return {names[key]: value for key, value in application.items() if key in names}


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
