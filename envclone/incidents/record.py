"""Recording: run an incident's steps where it happened, and write down what they return and how that is compared."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from envclone.errors import UnsafeError, UsageError
from envclone.incidents.bundle import Expected, Incident, SqlStep, Step
from envclone.incidents.links import linked
from envclone.incidents.order import order_of
from envclone.incidents.plans import planned
from envclone.incidents.values import canonical
from envclone.protocols import SourceRunner

__all__ = ["explicit", "record", "run"]

_REMEDY = (
    "write what production answered into the step's `expect` by hand, or vouch for a function of yours:"
    " envclone incident record BUNDLE --allow-function SCHEMA.NAME"
)


def record(incident: Incident, runners: Mapping[str, SourceRunner]) -> Incident:
    """The bundle with what each step returned now; a step that fails is recorded as failing. `runners` are by store.

    Raises UsageError for a masked bundle or an unknown store, UnsafeError when a step does more than read,
    UnreachableError when a store does not answer.
    """
    if incident.masked is not None:
        raise UsageError(
            f"incident {incident.incident} is a masked bundle: its parameters are pseudonyms",
            hint="record the raw bundle",
        )
    if not incident.steps:
        raise UsageError(
            f"incident {incident.incident} has no step to run in production",
            hint=f"envclone incident show {incident.incident} says what its trace lacks",
        )
    steps = tuple(_planned(explicit(step, expect), runners[step.store]) for step, expect in run(incident, runners))
    return linked(incident).model_copy(
        update={"signature": None, "steps": steps, "recorded_at": dt.datetime.now(dt.UTC)}
    )


def _planned(step: Step, runner: SourceRunner) -> Step:
    """The step with the plan that production makes for it, which is not run; one that a log told is the witness."""
    if not isinstance(step, SqlStep) or step.plan or step.expect is None or step.expect.error is not None:
        return step
    return step.model_copy(update={"plan": planned(step, runner)})


def run(incident: Incident, runners: Mapping[str, SourceRunner]) -> list[tuple[Step, Expected]]:
    """Run all steps in order; none runs when one of them names a store without a runner (UsageError), or may not run
    in production (UnsafeError with everything that speaks against any of them)."""
    if missing := sorted({step.store for step in incident.steps} - runners.keys()):
        raise UsageError(
            f"incident {incident.incident} names the store '{missing[0]}', which is not there",
            hint=f"there are: {', '.join(sorted(runners)) or 'none'}",
        )
    problems: list[str] = []
    hints: dict[str, None] = {}
    for step in incident.steps:
        try:
            problems += [f"{step.id}: {why}" for why in runners[step.store].examine(step)]
        except UnsafeError as exc:
            problems += [f"{step.id}: {why}" for why in exc.problems or (exc.message,)]
            hints.update(dict.fromkeys([exc.hint] if exc.hint else []))
    if problems:
        raise UnsafeError(
            f"incident {incident.incident} is not recorded, and nothing of it ran: its steps do more than read"
            " production, would run with too many rights, or are no SQL",
            problems=problems,
            hint="\n".join(hints) or _REMEDY,
        )
    return [(step, Expected.of(step, runners[step.store].run(step))) for step in incident.steps]


def explicit(step: Step, expect: Expected) -> Step:
    """The step with its expectation, and with what was left to be found out: `ordered`, `score`, `key`."""
    update: dict[str, Any] = {"expect": expect}
    if isinstance(step, SqlStep):
        order = order_of(step.sql, step.parameters)
        ordered = order.ordered if step.ordered is None else step.ordered
        update["ordered"] = ordered
        if step.score is None and ordered and len(order.columns) == 1:
            update["score"] = _column(order.columns[0], expect.columns)
        if step.key is None:
            update["key"] = _key(expect)
    return step.model_copy(update=update)


def _column(column: str | int, columns: tuple[str, ...]) -> str | None:
    """The name of a column of the result, when it is the only one of that name."""
    if isinstance(column, int):
        column = columns[column - 1] if 0 < column <= len(columns) else ""
    return column if columns.count(column) == 1 else None


def _key(expect: Expected) -> str | None:
    """The column that tells the rows apart: `id`, or the first that is named like one."""
    named = [name for name in expect.columns if name == "id" or name.endswith(("_id", "Id", "_uuid", "_key"))]
    for name in sorted(named, key=lambda name: name != "id"):
        index = expect.columns.index(name)
        values = [row[index] for row in expect.rows]
        if expect.columns.count(name) == 1 and len({canonical(value) for value in values}) == len(values):
            return name
    return None
