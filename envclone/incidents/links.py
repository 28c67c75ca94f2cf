"""How the parts of a bundle belong together: a step, the call of a trace that it is, and its exchange.

Each truth stands once. What a branch can run again (a statement, a search, a request) is a step. What a model, an
embedder, a reranker or a tool did is a call: a branch cannot run it, so it is no step that could be run. A step names
the call that it was made of, and the call tells its time, its place and what else the trace says of it; an exchange
names its call, and holds the bytes with which a cassette answers for it.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from envclone.incidents.bundle import Incident
    from envclone.incidents.calls import Call

__all__ = ["Part", "linked", "not_run", "parts", "wrong"]

_STEPS: Mapping[str, tuple[str, ...]] = {
    "sql": ("sql",),
    "vector": ("vector", "retrieval"),
    "http": ("http", "request", "llm", "embedding", "rerank", "tool"),
}
"""The kinds of calls that a step of a kind can be."""
_EXCHANGES: Mapping[str, tuple[str, ...]] = {
    "llm": ("llm", "agent", "chain"), "embedding": ("embedding",), "rerank": ("rerank",),
    "tool": ("tool", "http", "retrieval", "vector"),
}  # fmt: skip
"""The kinds of calls that an exchange of a kind can be; one of the kind `http` can be any."""
_BOUNDARY = ("llm", "embedding", "rerank", "tool")
"""What lies outside the stores and has an answer of its own: a cassette answers for it, or nothing does."""


def wrong(steps: Sequence[Any], calls: Sequence[Any], exchanges: Sequence[Any]) -> Iterator[str]:
    """What is not right with the links of a bundle, in words."""
    kinds = {call.id: call.kind for call in calls}
    if len(kinds) != len(calls):
        same = next(name for name, count in Counter(call.id for call in calls).items() if count > 1)
        yield f"two calls have the id '{same}'"
    for step in steps:
        if step.call is not None:
            yield from _misfit(f"the step '{step.id}'", step.call, kinds, _STEPS[step.kind], step.kind)
            if step.parent is not None or step.began is not None or step.seconds is not None:
                yield f"the step '{step.id}' names its call, which tells its parent, began and seconds: leave them out"
    for one in exchanges:
        if one.call is not None:
            yield from _misfit(f"the exchange '{one.id}'", one.call, kinds, _EXCHANGES.get(one.kind, ()), one.kind)


def _misfit(who: str, call: str, kinds: Mapping[str, str], fitting: tuple[str, ...], kind: str) -> Iterator[str]:
    if call not in kinds:
        yield f"{who} names the call '{call}', which is not there"
    elif fitting and kinds[call] not in (*fitting, "other"):
        yield f"{who} is of the kind {kind}, and its call '{call}' of the kind {kinds[call]}"


def linked(incident: Incident) -> Incident:
    """The bundle in the version that is written now; one of before whose links would not hold stays as it is."""
    if incident.version == 2 or any(wrong(incident.steps, incident.calls, incident.exchanges)):
        return incident
    return incident.model_copy(update={"version": 2})


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the request: what it was, and what a replay does with it.

    `how` is `step`, when a branch runs it again; `cassette`, when an exchange answers for it; else `not run`, and
    `why` says why.
    """

    id: str
    kind: str
    name: str
    how: str
    why: str = ""
    parent: str | None = None
    began: dt.datetime | None = None
    seconds: float | None = None


def parts(incident: Incident) -> list[Part]:
    """The whole request in its order: calls as the trace has them, and the steps that are none of them."""
    run: dict[str, list[str]] = {}
    for step in incident.steps:
        if step.call is not None:
            run.setdefault(step.call, []).append(step.id)
    played = {one.call for one in incident.exchanges if one.call is not None}
    found = [_of_call(call, run, played) for call in incident.calls]
    found += (
        Part(step.id, step.kind, step.note, "step", "", step.parent, step.began, step.seconds)
        for step in incident.steps
        if step.call is None
    )
    if all(one.began is not None and one.began.tzinfo is not None for one in found):
        found.sort(key=lambda one: one.began or dt.datetime.max)
    return found


def _of_call(call: Call, run: Mapping[str, Sequence[str]], played: set[str]) -> Part:
    how, why = "not run", _why(call)
    if call.id in run:
        how, why = "step", ", ".join(run[call.id])
    elif call.id in played:
        how, why = "cassette", ""
    return Part(call.id, call.kind, call.name, how, why, call.parent, call.began, call.seconds)


def _why(call: Call) -> str:
    """Why a call is not run again by itself."""
    if call.kind in _BOUNDARY:
        return "it lies outside the stores, and no exchange of it was recorded"
    if call.kind in ("vector", "retrieval"):
        return "the trace does not hold its whole query"
    if call.kind == "sql":
        return "the trace does not hold its whole statement, or it writes"
    return "its parts are what is run"


def not_run(incident: Incident, *, whole: bool = False) -> list[str]:
    """What of the request a replay of the steps does not run, in words: a line for each kind and reason.

    With `whole` the application itself was run, and had the answers of exchanges from the cassette.
    """
    counted: Counter[tuple[str, str]] = Counter()
    for one in parts(incident):
        if (
            one.how != "step"
            and not (whole and one.how == "cassette")
            and one.kind in (*_BOUNDARY, "vector", "retrieval", "sql")
        ):
            why = "a replay of the whole application has its answers from the cassette"
            counted[one.kind, one.why if one.how == "not run" else why] += 1
    return [f"not run: {count} {kind}: {why}" for (kind, why), count in counted.items()]
