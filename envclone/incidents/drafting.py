"""A new bundle from what somebody has at hand, and what a bundle still lacks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envclone.errors import UsageError
from envclone.incidents.bundle import Incident, SqlStep, VectorStep

__all__ = ["Held", "held", "vector_of", "vector_step"]

_VECTOR_KEYS = ("embedding", "vector", "data")


@dataclass(frozen=True, slots=True)
class Held:
    """What a bundle says of a step, without a value of it: `lacks` are the next things to do, in words."""

    step: str
    kind: str
    store: str
    asks: str
    recorded: str
    lacks: tuple[str, ...]


def vector_of(text: str, source: str) -> list[float]:
    """The query vector in a text: a JSON list, an answer of an embeddings API, or numbers apart by commas or spaces.

    Raises UsageError when there is none.
    """
    try:
        value: Any = json.loads(text)
    except ValueError:
        value = text.replace(",", " ").split()
    for _ in range(4):  # {"data": [{"embedding": [...]}]}
        if isinstance(value, Mapping):
            value = next((value[key] for key in _VECTOR_KEYS if key in value), None)
        elif isinstance(value, list) and len(value) == 1 and isinstance(value[0], list | dict):
            value = value[0]
    try:
        vector = [float(number) for number in value]
    except (TypeError, ValueError):
        vector = []
    if not vector:
        raise UsageError(
            f"{source} holds no vector",
            hint="a JSON list of numbers, the answer of an embeddings API, or numbers apart by commas",
        )
    return vector


def vector_step(
    name: str, store: str, collection: str, vector: Sequence[float], *, using: str = "", limit: int = 10,
    filter: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """A vector step as plain values; defaults are left out."""
    step: dict[str, Any] = {"id": name, "kind": "vector", "store": store, "collection": collection}
    step |= {"using": using} if using else {}
    step |= {"vector": list(vector), "limit": limit}
    return step | ({"filter": dict(filter)} if filter else {})


def held(incident: Incident, stores: Mapping[str, str], path: Path) -> list[Held]:
    """What each step of a bundle is, and what it lacks to be recorded and replayed.

    `stores` are the environment's, by name the kind; no value of the bundle is in what is said.
    """
    return [_held(incident, step, stores, path) for step in incident.steps]


def _held(incident: Incident, step: Any, stores: Mapping[str, str], path: Path) -> Held:
    lacks = []
    wanted = {"sql": "postgres", "vector": "qdrant"}.get(step.kind)
    if wanted is not None and stores.get(step.store) != wanted:
        there = ", ".join(sorted(name for name, kind in stores.items() if kind == wanted)) or "none"
        lacks.append(f"its store '{step.store}' is no {wanted} store of {incident.environment}; there are: {there}")
    if isinstance(step, SqlStep):
        parameters = step.parameters or ()
        names = list(parameters) if isinstance(parameters, dict) else [str(i + 1) for i in range(len(parameters))]
        asks = f"one statement of {len(step.sql)} characters"
        asks += f", parameters {', '.join(_parameter(name, step) for name in names)}" if names else ""
        asks += f", as {step.role}" if step.role else ""
        if step.role is None and incident.masked is None:
            lacks.append(f"a role: envclone incident record {path} --role NAME, or `role:` in the step")
    elif isinstance(step, VectorStep):
        asked = step.asked
        forms = [name for name in type(asked).model_fields if getattr(asked, name) is not None] if asked else ["by id"]
        asks = f"{step.limit} results of {step.collection}, {' and '.join(forms)}"
        asks += f" of {len(step.prefetch)} queries" if step.prefetch else ""
        asks += f", grouped by {step.group_by}" if step.group_by else ""
        asks += f", by {step.using}" if step.using else ""
        asks += ", filtered" if step.filter else ""
    else:
        asks = f"{step.method} of the service {step.store}"
    if step.expect is None:
        recorded = "no"
        lacks.append(f"what production returned: envclone incident record {path}")
    elif step.expect.error is not None:
        recorded = "an error"
    else:
        recorded = f"{len(step.expect.rows or step.expect.ids or step.expect.scores)} results"
    return Held(step.id, step.kind, step.store, asks, recorded, tuple(lacks))


def _parameter(name: str, step: SqlStep) -> str:
    domain = step.domains.get(name)
    if domain is None:
        return f"{name} (masked as text)"
    return f"{name} ({domain if isinstance(domain, str) else 'JSON by path'})"
