"""What a masked bundle tells, as the values of its page: who asked what, the calls, the answers, what is unknown."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envclone.incidents import parts
from envclone.incidents.bundle import COMPUTED, Expected, HttpStep, Incident, SqlStep, Step, VectorStep
from envclone.incidents.calls import Call, Kind
from envclone.incidents.completeness import completeness
from envclone.incidents.exchanges import Exchange
from envclone.pages.report.values import Answer, Hit, Missing, Span, Timeline

__all__ = ["LEFT_OUT", "answer", "asked", "happened", "missing", "query", "settings", "timeline", "title"]

CALLS = 400
"""The most calls that are shown."""
HITS = 200
"""The most results of an answer that are shown."""
LEFT_OUT = "(left out)"
"""For a text that a page for other hands does without."""
_VALUE, _TEXT = 200, 2000
"""The most characters of one value, and of what a call said."""


def asked(incident: Incident) -> str:
    """What the incident was about: its note, else what went in first."""
    if incident.note:
        return incident.note
    first = next((call for call in incident.calls if call.input is not None), None)
    return "" if first is None else _text(first.input, _TEXT)


def happened(incident: Incident) -> Iterator[str]:
    """What came of it in production, a line for each failed call, the last answer, and each step."""
    for call in incident.calls:
        if call.error:
            yield f"{call.kind} {call.name} failed: {_text(call.error, _VALUE)}"
    answers = [call for call in incident.calls if call.kind in ("llm", "request") and call.output is not None]
    if answers:
        last = next((call for call in reversed(answers) if call.kind == "llm"), answers[-1])
        finish = f" ({', '.join(last.finish)})" if last.finish else ""
        yield f"answered{finish}: {_text(last.output, _VALUE)}"
    for step in incident.steps:
        if step.expect is not None:
            yield f"{step.id}: {_came(step, step.expect)}"


def _came(step: Step, expect: Expected) -> str:
    if expect.error:
        return f"error {expect.error}"
    if isinstance(step, HttpStep):
        return f"status {expect.rows[0][0]}" if expect.rows else "an answer"
    count = len(expect.ids) or len(expect.rows) or len(expect.scores)
    return "nothing" if not count else "1 result" if count == 1 else f"{count} results"


def title(step: Step) -> str:
    """What a step asks of what, in a few words."""
    if isinstance(step, SqlStep):
        return f"SQL on {step.store}" + (f" as {step.role}" if step.role else "")
    if isinstance(step, VectorStep):
        return f"search in {step.collection} of {step.store}"
    return f"{step.method} {step.path} of {step.store}"


def query(step: Step) -> str:
    """What a step asks, in full; vectors are shortened."""
    if isinstance(step, SqlStep):
        given = "" if step.parameters is None else "\n-- parameters: " + _short(step.parameters)
        return step.sql + given
    left_out = {"id", "kind", "store", "service", "note", "expect", "tolerance", "domains", "ignore"}
    plain = step.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return "\n".join(f"{name}: {_short(value)}" for name, value in plain.items() if name not in left_out)


def settings(step: Step) -> tuple[tuple[str, str], ...]:
    """The settings that a step runs under."""
    if isinstance(step, SqlStep):
        return tuple({**step.settings, **step.local}.items())
    if isinstance(step, VectorStep):
        return tuple((name, _text(value, _VALUE)) for name, value in step.params.items())
    return ()


def _short(value: Any) -> str:
    """A value in which a list of many numbers is named by its length."""
    return json.dumps(_shortened(value), ensure_ascii=False, default=str)


def _shortened(value: Any) -> Any:
    if isinstance(value, list | tuple):
        if len(value) > 8 and all(isinstance(one, int | float) for one in value):
            return [*value[:3], f"… {len(value)} numbers"]
        return [_shortened(one) for one in value]
    if isinstance(value, dict):
        return {key: _shortened(one) for key, one in value.items()}
    return value


def answer(step: Step, got: Expected) -> Answer:
    """What a step returned, as results: named by its key, with the score that orders them."""
    if got.error:
        return Answer(error=got.error)
    return Answer(tuple(_hits(step, got))[:HITS])


def _hits(step: Step, got: Expected) -> Iterator[Hit]:
    if isinstance(step, HttpStep):
        for row in got.rows:
            yield Hit(f"status {row[0]}", "", _text(row[1], _TEXT) if len(row) > 1 else "")
        return
    ids: Sequence[Any] = got.ids
    scores: Sequence[Any] = got.scores
    left_out: set[int] = set()
    if isinstance(step, SqlStep) and got.rows:
        ids = parts.ids_of(step, got, scores=False).ids if got.columns else ()
        key = step.key if step.key in got.columns else next(iter(got.columns), None)
        left_out = {got.columns.index(key)} if key is not None else set()
        if step.score in got.columns:
            at = got.columns.index(str(step.score))
            scores, left_out = [row[at] for row in got.rows], left_out | {at}
    for number in range(max(len(ids), len(got.rows), len(scores))):
        row = got.rows[number] if number < len(got.rows) else ()
        yield Hit(
            str(ids[number]) if number < len(ids) else f"row {number + 1}",
            _score(scores[number]) if number < len(scores) else "",
            _row(got.columns, row, left_out),
        )


def _score(value: Any) -> str:
    try:
        return f"{float(value):.6g}"
    except (TypeError, ValueError, OverflowError):
        return _text(value, 24)


def _row(columns: Sequence[str], row: Sequence[Any], left_out: set[int]) -> str:
    if list(columns) == ["payload"] and row and isinstance(row[0], Mapping):
        pairs = [*_leaves(row[0])]
    else:
        names = columns if len(columns) == len(row) else [""] * len(row)
        pairs = [(name, value) for number, (name, value) in enumerate(zip(names, row, strict=True))
                 if number not in left_out]  # fmt: skip
    return "; ".join(f"{name}: {_text(value, _VALUE)}" if name else _text(value, _VALUE) for name, value in pairs)


def _leaves(value: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """A payload's values by dotted names."""
    for name, one in value.items():
        if isinstance(one, Mapping) and one:
            yield from _leaves(one, f"{above}{name}.")
        else:
            yield f"{above}{name}", one


def _text(value: Any, limit: int) -> str:
    said = value if isinstance(value, str) else _short(value)
    said = said.replace(COMPUTED, LEFT_OUT)
    return said if len(said) <= limit else f"{said[: limit - 1]}…"


def timeline(incident: Incident, ran: Mapping[str, float]) -> Timeline:
    """The calls of the trace in their order; `ran` is how long each step took in the branch (s)."""
    calls: Sequence[Call] = [*incident.calls, *(_call(one) for one in incident.exchanges if not incident.calls)]
    every, calls = len(calls), calls[:CALLS]
    first = min((call.began for call in calls if call.began is not None), default=None)
    depths = _depths(calls)
    began, steps = 0.0, []
    for step in incident.steps:
        if step.id in ran:
            steps.append(Span(step.kind, step.id, began, ran[step.id]))
            began += ran[step.id]
    return Timeline(
        tuple(_span(call, first, depths[number]) for number, call in enumerate(calls)),
        tuple(steps),
        incident.origin.dialect if incident.origin is not None else "",
        every - len(calls),
    )


def _call(one: Exchange) -> Call:
    """An exchange as a call, for a bundle that has no trace beside them."""
    name = f"{one.method} {_text(one.url, _VALUE)}"
    answer = one.answer if not one.chunks else "".join(chunk.data for chunk in one.chunks)
    kind: Kind = one.kind
    return Call(id=one.id, kind=kind, name=name, began=one.began, seconds=one.seconds, error=one.error, input=one.body,
                output=answer, finish=[f"status {one.status}"])  # fmt: skip


def _depths(calls: Sequence[Call]) -> list[int]:
    """How deep each call is nested; what a trace says of parents may be a ring."""
    parents = {call.id: call.parent for call in calls}
    found = []
    for call in calls:
        depth, above, seen = 0, call.parent, {call.id}
        while above in parents and above not in seen and depth < 64:
            seen.add(above)
            depth, above = depth + 1, parents[above]
        found.append(depth)
    return found


def _span(call: Call, first: dt.datetime | None, depth: int) -> Span:
    began = (call.began - first).total_seconds() if call.began is not None and first is not None else None
    said = (
        ("model", call.model), ("provider", call.provider), ("settings", call.settings), ("statement", call.statement),
        ("system", call.system), ("input", call.input), ("output", call.output), ("documents", call.documents),
        ("tokens", call.usage), ("finish", ", ".join(call.finish)),
    )  # fmt: skip
    about = tuple((label, _text(value, _TEXT)) for label, value in said if value not in (None, "", [], {}))
    return Span(
        call.kind, call.name or call.model or call.id, began, call.seconds, depth, _text(call.error or "", _TEXT), about
    )


def missing(incident: Incident) -> tuple[tuple[Missing, ...], int]:
    """What could differ and is not recorded, and how many such variables there are in all; of a trace alone."""
    every = completeness(incident) if incident.calls else []
    return tuple(Missing(one.name, one.hides, one.fill) for one in every if not one.recorded), len(every)
