"""The verdict per layer: where an answer began to be another, from the state of the data up to what was said."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from envclone.incidents.bundle import Incident, SqlStep, Step
from envclone.incidents.plans import difference
from envclone.incidents.verdicts import LAYERS, LayerVerdict, Played, ReplayReport, StepVerdict
from envclone.models import Counters

__all__ = ["judged", "layer_of", "within_noise"]

_NEAREST = re.compile(r"<->|<=>|<#>|<\+>|<~>|<%>")
"""Operators that order by the distance of vectors."""
_LAYER = {"vector": "retrieval", "embedding": "retrieval", "rerank": "retrieval", "http": "answer", "llm": "context",
          "tool": "tools"}  # fmt: skip
_MATCH, _DIVERGED, _UNTOLD = "match", "diverged", "cannot tell"


def layer_of(step: Step) -> str:
    """The layer that a step shows: a search of neighbours is retrieval, also where SQL asks for them."""
    if isinstance(step, SqlStep):
        return "retrieval" if step.score is not None or _NEAREST.search(step.sql) else "rows"
    return _LAYER.get(step.kind, "rows")


def judged(
    report: ReplayReport, incident: Incident, state: dt.datetime, plans: Mapping[str, Sequence[str]] | None = None
) -> ReplayReport:
    """The report with a verdict on each layer; what the application asked counts for whether it is reproduced.

    `plans` are the nodes of the plans of now, by step. A plan that differs is told, and does not decide whether the
    incident is reproduced.
    """
    steps = {step.id: step for step in incident.steps}
    by_layer: dict[str, list[StepVerdict]] = {}
    for one in report.steps:
        if one.step in steps:
            by_layer.setdefault(layer_of(steps[one.step]), []).append(one)
    asked = _asked(report.played, incident)
    found = {layer: _of(layer, by_layer.get(layer, ()), asked.get(layer, ()), report.played) for layer in LAYERS}
    found["state"] = _state(report, incident, state, by_layer)
    found["plan"] = _plan(incident, plans or {})
    found["resources"] = _resources(report)
    good = report.reproduced and (report.played is None or _played_well(report.played))
    return replace(
        report,
        layers=tuple(found.values()),
        reproduced=good,
        reproduced_runs=int(good),
        notes=(*report.notes, *_notes(report)),
    )


def _played_well(played: Played) -> bool:
    """Whether what was asked of models speaks for the incident; what live ones say is other each time."""
    if played.live or played.withheld:
        return not played.withheld
    return bool(played.why_not) or played.exact


def within_noise(reports: Sequence[ReplayReport], notes: Sequence[str] = ()) -> ReplayReport:
    """Several replays of one incident as one: a layer that some matched and some did not is within its noise."""
    last = reports[-1]
    good = sum(one.reproduced for one in reports)
    if len(reports) == 1:
        return last
    layers = []
    for number, layer in enumerate(last.layers):
        seen = [one.layers[number] for one in reports]
        matched = sum(one.verdict == _MATCH for one in seen)
        differing = [one for one in seen if one.verdict == _DIVERGED]
        if matched and differing:
            why = f"{matched} of {len(seen)} runs match, others differ at {differing[0].why}"
            layers.append(LayerVerdict(layer.layer, "within noise", why))
        elif len({one.why for one in differing}) > 1:
            why = f"{differing[0].why} (no run matches, and {len(seen)} runs differ among themselves)"
            layers.append(LayerVerdict(layer.layer, _DIVERGED, why))
        else:
            layers.append(layer)
    shown = next((one for one in reports if not one.reproduced), last)
    return replace(
        shown, layers=tuple(layers), runs=len(reports), reproduced_runs=good, reproduced=good == len(reports),
        seconds=sum(one.seconds for one in reports), notes=(*shown.notes, *notes),
    )  # fmt: skip


def _asked(played: Played | None, incident: Incident) -> dict[str, list[str]]:
    """By layer, where what the application asked differs from what it asked in production."""
    if played is None or played.why_not:
        return {}
    kinds = {one.id: one.kind for one in incident.exchanges}
    found: dict[str, list[str]] = {}
    for line in played.withheld:
        found.setdefault("context", []).append(f"a call that the guard withheld: {line}")
    for call in played.unmatched:
        found.setdefault(_layer_of_call(call, kinds), []).append(_in_words(call))
    for id in played.unplayed:
        layer = _LAYER.get(kinds[id], "tools") if kinds[id] != "http" else "tools"
        found.setdefault(layer, []).append(f"{id}, which was not asked")
    return found


def _layer_of_call(call: Mapping[str, Any], kinds: Mapping[str, str]) -> str:
    provider, _, name = str(call.get("operation", "")).partition(" ")
    if provider == "http":
        return "tools"
    if re.search("embed|rerank", name, re.IGNORECASE):
        return "retrieval"
    kind = kinds.get(str(call.get("exchange")), "llm")
    return "tools" if kind == "tool" else "context"


def _in_words(call: Mapping[str, Any]) -> str:
    """A call that nothing recorded answers: the nearest, and the first places that differ."""
    nearest = call.get("exchange")
    if nearest is None:
        return f"a call that nothing recorded comes near: {call.get('operation')}"
    if call.get("outcome") == "surplus":
        return f"{nearest}, asked more often than it was recorded"
    said = [f"{one['place']} (recorded {_short(one['recorded'])}, asked {_short(one['asked'])})"
            for one in call.get("changes", ())[:3]]  # fmt: skip
    more = len(call.get("changes", ())) + int(call.get("more", 0)) - len(said)
    return f"{nearest}: {', '.join(said)}" + (f" and {more} more places" if more > 0 else "")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else "nothing" if value is None else str(value)
    return repr(text if len(text) <= 120 else f"{text[:119]}…") if isinstance(value, str) else text


def _of(layer: str, steps: Sequence[StepVerdict], asked: Sequence[str], played: Played | None) -> LayerVerdict:
    """A layer by its steps, and by what was asked of models and tools."""
    differing = [
        (f"{one.step}: {one.reasons[0]}" if one.reasons else one.step) + _rows_of(one)
        for one in steps if not one.reproduced
    ]  # fmt: skip
    places = [*differing, *asked]
    if places:
        more = f", and {len(places) - 1} more" if len(places) > 1 else ""
        return LayerVerdict(layer, _DIVERGED, places[0] + more)
    if steps:
        return LayerVerdict(layer, _MATCH)
    if layer in ("context", "tools") and played is not None and played.recorded and not played.why_not:
        return LayerVerdict(layer, _MATCH)
    return LayerVerdict(layer, _UNTOLD, _wanting(layer, played))


def _rows_of(verdict: StepVerdict) -> str:
    """Which rows or hits differ, and in which column: the first three."""
    named = [f"{one.key}.{one.column}" if one.column else one.key for one in verdict.differences if one.key]
    named = list(dict.fromkeys(named))
    return f" ({', '.join(named[:3])}{', …' if len(named) > 3 else ''})" if named else ""


def _wanting(layer: str, played: Played | None) -> str:
    if layer in ("context", "tools"):
        if played is not None and played.why_not:
            return f"nothing was played: {played.why_not}"
        return "the bundle holds no exchanges with models and tools"
    return {
        "retrieval": "no step asks for neighbours",
        "rows": "no step asks for rows",
        "answer": "no step asks a service",
    }.get(layer, "nothing was recorded of it")


def _plan(incident: Incident, plans: Mapping[str, Sequence[str]]) -> LayerVerdict:
    """How statements are answered: the nodes of production's plans, and of the plans of now."""
    recorded = [step for step in incident.steps if isinstance(step, SqlStep) and step.plan]
    if not recorded:
        return LayerVerdict("plan", _UNTOLD, "no plan was recorded")
    told = [step for step in recorded if plans.get(step.id)]
    differing = [f"{step.id}: {why}" for step in told if (why := difference(step.plan, plans[step.id]))]
    if differing:
        more = f", and {len(differing) - 1} more" if len(differing) > 1 else ""
        return LayerVerdict("plan", _DIVERGED, differing[0] + more)
    if without := [step.id for step in recorded if step not in told]:
        return LayerVerdict("plan", _UNTOLD, f"the branch makes no plan for {without[0]}")
    return LayerVerdict("plan", _MATCH)


def _state(
    report: ReplayReport, incident: Incident, state: dt.datetime, by_layer: Mapping[str, Sequence[StepVerdict]]
) -> LayerVerdict:
    """The data: what was changed in the branch, else whether what was asked of it was answered as then."""
    if report.changed:
        more = f", and {len(report.changed) - 1} more" if len(report.changed) > 1 else ""
        return LayerVerdict("state", _DIVERGED, report.changed[0] + more)
    asked = [one for layer in ("retrieval", "rows") for one in by_layer.get(layer, ())]
    if asked and all(one.reproduced for one in asked):
        return LayerVerdict("state", _MATCH)
    when = incident.at or incident.recorded_at
    if when is None:
        return LayerVerdict("state", _UNTOLD, "the bundle does not say when it happened")
    if not asked:
        return LayerVerdict("state", _UNTOLD, "no step asks a store; nothing changed since the branch's birth")
    why = f"copied {_span(state, when)}, and what changed between is not known; envclone track recovers the moment"
    return LayerVerdict("state", _UNTOLD, why)


def _span(state: dt.datetime, when: dt.datetime) -> str:
    moment = when if when.tzinfo else when.replace(tzinfo=dt.UTC)
    seconds = (state - moment).total_seconds()
    word = "after" if seconds >= 0 else "before"
    minutes = abs(int(seconds)) // 60
    size = f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
    return f"{size} {word} it happened"


def _resources(report: ReplayReport) -> LayerVerdict:
    """What limits did: without production's limits nothing can be told."""
    felt = list(_felt(report.evidence))
    if felt:
        return LayerVerdict("resources", _DIVERGED, felt[0])
    if not report.limits or report.degraded:
        return LayerVerdict("resources", _UNTOLD, "production's limits are not applied")
    return LayerVerdict("resources", _MATCH)


def _felt(evidence: Mapping[str, Counters]) -> Iterator[str]:
    for part, seen in sorted(evidence.items()):
        if seen.oom_kills:
            yield f"{part}: killed for memory"
        elif seen.exit_code is not None:
            yield f"{part}: ended with exit code {seen.exit_code}"
        elif seen.timeouts:
            yield f"{part}: {seen.timeouts} statements ran into a timeout"


def _notes(report: ReplayReport) -> Iterator[str]:
    if report.played is not None and report.played.live:
        yield "its models are live: what they say differs from run to run, and what they are asked behind that"
    whole = report.played is not None and report.played.recorded and not report.played.why_not
    if whole and not any(line.startswith("the clock of ") for line in report.notes):
        yield "the clock is this machine's, not the incident's: what depends on the time of day can differ"
