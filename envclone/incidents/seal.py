"""What envclone's signature covers of a bundle, and what a bundle asks for that nobody vouches for.

The author of a bundle who sees its masked form learns the pseudonym of every name that she wrote into it: that is an
oracle. So a value of the bundle's own choice is made a pseudonym only when production itself gave it, or when the
operator says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from envclone.address import written
from envclone.incidents.bundle import HttpStep, Incident, SqlStep, Step, VectorStep
from envclone.masking.addresses import known_as
from envclone.models import StorePlan

__all__ = ["chosen", "message", "names_domains"]

_KEEP = "keep"
_LATER = ("at", "exchanges", "application", "clock")
_LATER_OF_STEPS = ("call", "parent", "began", "seconds", "plan")
_LATER_OF_CALLS = ("revision",)
"""Fields that bundles did not always have."""


def message(incident: Incident) -> bytes:
    """The bytes that are signed: everything in the bundle but the signature, in one form for YAML and JSON."""
    content = incident.model_dump(exclude={"signature"}, warnings=False)
    for names, those in ((_LATER, [content]), (_LATER_OF_STEPS, content["steps"]), (_LATER_OF_CALLS, content["calls"])):
        for one in those:
            for name in names:
                if name in one and one[name] in (None, (), {}):
                    del one[name]  # what was sealed before bundles had it stays valid
    return b"envclone incident\n" + json.dumps(content, sort_keys=True, default=str).encode()


def names_domains(incident: Incident) -> list[str]:
    """The steps that name a domain."""
    return [step.id for step in incident.steps if not isinstance(step, VectorStep) and step.domains]


def chosen(incident: Incident, plans: Mapping[str, StorePlan], *, recorded: bool, strict: bool) -> list[str]:
    """What would become pseudonyms because somebody wrote it into the bundle: one line for each place, without values.

    `recorded`: the answers are production's own, by envclone's signature. `strict`: a value that a domain is named for
    must then stand in an answer too, in a field that is masked.
    """
    lines: list[str] = []
    for step in incident.steps:
        plan = plans.get(step.store)
        if not recorded:
            lines += _written_answers(step, plan)
        if not recorded or strict:
            shown = set(_shown(incident, plans)) if recorded else set()
            lines += _written_values(step, shown)
    return lines


def _written_values(step: Step, shown: set[str]) -> Iterator[str]:
    if isinstance(step, SqlStep):
        given: dict[str, Any] = dict(step.settings) | dict(step.local)
        if isinstance(step.parameters, dict):
            given |= step.parameters
        else:
            given |= {str(number): value for number, value in enumerate(step.parameters or (), 1)}
        for name, domain in step.domains.items():
            whole = isinstance(domain, str)
            wanted = {domain} if isinstance(domain, str) else set(domain.values())
            texts = _texts(given.get(name) if whole else _parsed(given.get(name)))
            count = sum(text not in shown for text in texts)
            if wanted != {_KEEP} and count:
                yield f"{step.id}: {_values(count)} of '{name}', as {', '.join(repr(one) for one in sorted(wanted))}"
    elif isinstance(step, HttpStep) and not shown:
        for name, domain in step.domains.items():
            if domain != _KEEP:
                yield f"{step.id}: what stands at '{name}', as '{domain}'"


def _parsed(value: Any) -> Any:
    """A document that is given as its text; anything else as it is."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return value


def _written_answers(step: Step, plan: StorePlan | None) -> Iterator[str]:
    if plan is None or step.expect is None or not step.expect.rows:
        return
    if isinstance(step, VectorStep):
        rule = plan.rules.get(written([step.collection]))
        if any(any(row) for row in step.expect.rows) and rule is not None and (rule.masked or rule.json):
            yield f"{step.id}: the payloads of its answer"
        return
    for origin in step.expect.origins:
        rule = plan.rules.get(known_as(origin, plan.rules))
        if rule is not None and (rule.masked or rule.json) and not rule.derived:
            yield f"{step.id}: {_values(len(step.expect.rows))} of {origin} in its answer"


def _shown(incident: Incident, plans: Mapping[str, StorePlan]) -> Iterator[str]:
    """The texts that production gave in fields that are masked, and in its services' answers."""
    for step in incident.steps:
        expect, plan = step.expect, plans.get(step.store)
        if expect is None:
            continue
        if isinstance(step, SqlStep) and plan is not None:
            for index, origin in enumerate(expect.origins):
                rule = plan.rules.get(known_as(origin, plan.rules))
                if rule is not None and rule.masked:
                    for row in expect.rows:
                        yield from _texts(row[index])
        else:
            yield from _texts([list(row) for row in expect.rows])


def _texts(value: Any) -> Iterator[str]:
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            pending += one.values()
        elif isinstance(one, list | tuple):
            pending += one
        elif one is not None and not isinstance(one, bool):
            yield str(one)


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"
