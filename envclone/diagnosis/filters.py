"""The layer of the filter: a condition leaves out what should have come."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from envclone.diagnosis.case import Case, Search
from envclone.diagnosis.finding import Certainty, Finding, Layer
from envclone.incidents.bundle import VectorStep
from envclone.models import Asked, Condition

__all__ = ["Filter"]

_TENANT = re.compile(
    r"(^|[_.])(tenant|org|organi[sz]ation|account|customer|client|workspace|company|owner|user|team|project|site|realm|"
    r"namespace|merchant|subscriber)s?([_.]?(id|ids|key|uuid|name|slug))?$"
    r"|(^|[_.])(shop|agency|firm|clinic|practice|school|hospital|household|partner|franchise|hotel)[_.]?(id|ids|key|uuid)$",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_GROUP = re.compile(r"(^|[_.])group[_.]?id$", re.IGNORECASE)
"""How Qdrant's own documentation calls the payload key of tenants in one collection; in tables it is any group."""


class Filter:
    """Leaves each condition out in turn."""

    layer: ClassVar[Layer] = Layer.FILTER
    causes: ClassVar[tuple[str, ...]] = ("tenant_excludes", "condition_excludes")

    def test(self, case: Case) -> Iterator[Finding]:
        """Which conditions have to go for the record to stay."""
        for search, ident in case.blamed(steady=False):
            if ident in search.retrieval.examples:
                text = f"{ident} is an example that the query itself names, and no example is among the results"
                command = search.hits(Asked(limit=search.retrieval.last)).command
                yield Finding(
                    Layer.FILTER, "condition_excludes", text, command, Certainty.SHOWN, search.step.id, (ident,)
                )
            elif search.step.id in case.unstable and any(ident in ids for ids in case.given(search.step.id)):
                continue  # chance has it in one answer
            elif search.retrieval.around and search.returns(ident):
                yield _dropped(search, ident)
            elif search.record(ident) is not None and search.retrieval.conditions:
                yield from _left_out(search, ident)


def _left_out(search: Search, ident: str) -> Iterator[Finding]:
    only = (ident,)
    if search.hits(Asked(only=only, limit=1)).ids:
        return
    conditions = search.retrieval.conditions
    guilty = [number for number in search.everything if search.hits(
        Asked(only=only, limit=1, without=search.everything - {number})).ids == ()]  # fmt: skip
    if not guilty or not search.hits(Asked(only=only, limit=1, without=search.everything)).ids:
        return
    said = "; ".join(conditions[number].text for number in guilty)
    if all(conditions[number].ranks for number in guilty):
        hits = search.exactly(frozenset(guilty))
        text = f"{ident} is left out by {said}: without that it is at rank {hits.rank(ident)}"
        yield Finding(Layer.RANKING, "below_k", text, hits.command, Certainty.SHOWN, search.step.id, (ident,))
        return
    points = isinstance(search.step, VectorStep)
    tenants = any(_of_tenant(conditions[number], points=points) for number in guilty)
    cause = "tenant_excludes" if tenants else "condition_excludes"
    hits = search.exactly(frozenset(guilty))
    rank = hits.rank(ident)
    there = f"it is at rank {rank}" if rank else "it is among the results, further down"
    record = search.record(ident)
    values = {name: record.fields[name] for number in guilty for name in conditions[number].fields
              if record is not None and name in record.fields}  # fmt: skip
    has = f" (it has {', '.join(f'{name} = {value}' for name, value in values.items())})" if values else ""
    yield Finding(
        Layer.FILTER,
        cause,
        f"{ident} is left out by {said}{has}; without that {there}",
        search.hits(Asked(exact=True, limit=search.retrieval.last, without=frozenset(guilty))).command,
        Certainty.SHOWN,
        search.step.id,
        (ident,),
    )


def _dropped(search: Search, ident: str) -> Finding:
    """The query within a function gives it, and the loop around it does not."""
    hits = search.hits(Asked(limit=search.retrieval.last))
    text = f"the query of {search.retrieval.within} gives {ident} at rank {hits.rank(ident)}, and the loop around it"
    text += f" leaves it out: {'; '.join(search.retrieval.around)}"
    return Finding(Layer.FILTER, "condition_excludes", text, hits.command, Certainty.SHOWN, search.step.id, (ident,))


def _of_tenant(condition: Condition, *, points: bool) -> bool:
    names = [_CAMEL.sub("_", name) for name in condition.fields]
    return condition.policy or any(_TENANT.search(one) or (points and _GROUP.search(one)) for one in names)
