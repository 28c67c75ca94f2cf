"""A masked bundle for other hands: without what statements computed, and without what models and people wrote.

Reversed, cut or encoded such a text can spell a name in ways that no search finds; numbers and booleans stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from envclone.incidents.bundle import COMPUTED, Expected, Incident, SqlStep, Step
from envclone.incidents.maskcalls import mask_call, mask_exchange, mask_origin
from envclone.masking.addresses import known_as
from envclone.models import StorePlan

__all__ = ["handed"]


def handed(incident: Incident, plans: Mapping[str, StorePlan]) -> Incident:
    """The bundle as `incident mask` would hand it over; `plans` are by store. Its signature no longer holds."""
    names = (name for one in incident.calls for name in (one.id, one.parent) if name is not None)
    ids = {
        name: name for name in (*names, *(name for one in incident.exchanges for name in (one.id, one.call) if name))
    }
    return incident.model_copy(
        update={
            "steps": tuple(_step(step, plans) for step in incident.steps),
            "calls": tuple(mask_call(call, _same, ids, computed=False) for call in incident.calls),
            "exchanges": tuple(mask_exchange(one, _same, ids, computed=False) for one in incident.exchanges),
            "origin": mask_origin(incident.origin, _same, computed=False),
            "signature": None,
        }
    )


def _same(text: str) -> str:
    return text


def _step(step: Step, plans: Mapping[str, StorePlan]) -> Step:
    if step.expect is None or not isinstance(step, SqlStep):
        return step
    return step.model_copy(update={"expect": _rows(step, step.expect, plans.get(step.store))})


def _rows(step: SqlStep, expect: Expected, plan: StorePlan | None) -> Expected:
    rules = plan.rules if plan is not None else {}
    width = len(expect.rows[0]) if expect.rows else len(expect.columns)
    shown = [known_as(origin, rules) for origin in expect.origins] or [""] * width
    fields = [(rule := rules.get(origin)) is not None and not rule.derived for origin in shown]
    keyed = dict(zip(expect.columns, fields, strict=False)).get(step.key or "", False)
    return expect.model_copy(
        update={
            "rows": tuple(
                tuple(value if field else _number(value) for value, field in zip(row, fields, strict=True))
                for row in expect.rows
            ),
            "ids": expect.ids if keyed else tuple(one for one in expect.ids if isinstance(one, int)),
        }
    )


def _number(value: Any) -> Any:
    return value if value is None or isinstance(value, int | float | Decimal) else COMPUTED
