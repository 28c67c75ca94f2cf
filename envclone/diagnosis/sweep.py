"""Sweeps: one search under other settings, side by side with what an exact search gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from envclone.diagnosis.case import Search
from envclone.models import Asked

__all__ = ["Point", "sweep"]

_LEFT_OUT = 20
"""How many of the results are left out, each in turn."""
_LIMITS = (1, 2, 3, 5, 10, 20, 50, 100)


@dataclass(frozen=True, slots=True)
class Point:
    """One way of asking: what was varied, its value, the part of the exact results that it gave (`recall`), how many it
    gave, the ranks of what is expected (None: not there), how long it took. `own` is the way that production asked."""

    step: str
    varied: str
    value: str
    recall: float
    results: int
    ranks: tuple[int | None, ...] = ()
    seconds: float = 0.0
    own: bool = False


def sweep(search: Search, expected: Sequence[str]) -> tuple[Point, ...]:
    """All that can be varied of a search: breadth, limit, conditions, each result left out, no index at all."""
    retrieval = search.retrieval
    return () if retrieval.why_not else tuple(_points(search, expected))


def _points(search: Search, expected: Sequence[str]) -> Iterator[Point]:
    retrieval = search.retrieval
    last = retrieval.last
    yield _point(search, expected, "as recorded", "", Asked(limit=last), own=True)
    yield _point(search, expected, "exact", "", Asked(exact=True, limit=last))
    if retrieval.index:
        for breadth in sorted({*retrieval.breadths, retrieval.breadth}):
            asked = Asked(limit=last, breadth=breadth)
            own = breadth == retrieval.breadth
            yield _point(search, expected, retrieval.breadth_name, str(breadth), asked, own=own)
    for limit in sorted({*(one for one in _LIMITS if last / 4 <= one <= last * 10), last}):
        yield _point(search, expected, "limit", str(limit), Asked(limit=limit), own=limit == last)
    for number, condition in enumerate(retrieval.conditions):
        yield _point(search, expected, "without", condition.text, Asked(limit=last, without=frozenset({number})))
    if len(retrieval.conditions) > 1:
        yield _point(search, expected, "without", "any condition", Asked(limit=last, without=search.everything))
    for ident in search.hits(Asked(limit=last)).ids[:_LEFT_OUT]:
        yield _point(search, expected, "without", f"record {ident}", Asked(limit=last, excluded=ident))


def _point(
    search: Search, expected: Sequence[str], varied: str, value: str, asked: Asked, *, own: bool = False
) -> Point:
    hits = search.hits(asked)
    exact = [one for one in search.exactly(asked.without).ids if one != asked.excluded]
    truth = set(exact[: asked.limit or search.retrieval.last])
    recall = len(truth & set(hits.ids)) / len(truth) if truth else 1.0
    ranks = tuple(hits.rank(one) for one in expected)
    return Point(search.step.id, varied, value, round(recall, 4), len(hits.ids), ranks, round(hits.seconds, 6), own)
