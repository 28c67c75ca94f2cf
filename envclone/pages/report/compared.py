"""What can be said of the cause from answers side by side, before anything else was tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from envclone.pages.report.values import Cause, Evidence, Retrieval, Sweep

__all__ = ["causes"]


def causes(
    retrievals: Sequence[Retrieval], wanted: Sequence[str] = (), sweeps: Sequence[Sweep] = ()
) -> tuple[Cause, ...]:
    """What the exact search finds and the index did not; sure where that is all of it, or what was `wanted`."""
    return tuple(sorted(_found(retrievals, frozenset(wanted), sweeps), key=lambda cause: not cause.certain))


def _found(retrievals: Sequence[Retrieval], wanted: frozenset[str], sweeps: Sequence[Sweep]) -> Iterator[Cause]:
    for one in retrievals:
        if one.exact is None or not one.exact.hits:
            continue
        nearest = [hit.id for hit in one.exact.hits]
        there = {hit.id for hit in one.production.hits}
        missed = [hit for hit in one.exact.hits if hit.id not in there]
        if not missed:
            continue
        first = next((hit for hit in missed if hit.id in wanted), missed[0])
        found = len(nearest) - len(missed)
        what = "the nearest one" if len(nearest) == 1 else f"the {len(nearest)} nearest"
        says = f"{one.step}: the index gave {found or 'none'} of {what}; an exact search of the same state has them."
        if first.id in wanted:
            says = f"{one.step}: the index does not give {first.id}, which an exact search of the same state has."
        score = f" ({first.score})" if first.score else ""
        shown = f"{one.step}: an exact search has {first.id} at place {nearest.index(first.id) + 1}{score}"
        yield Cause(
            "index",
            says,
            (
                Evidence(f"{shown}; production did not get it"),
                *(Evidence(said) for tried in sweeps if tried.step == one.step and (said := _wider(tried))),
                Evidence(f"{one.step}: {found} of {what} are there"),
            ),
            certain=not found or first.id in wanted,
        )


def _wider(tried: Sweep) -> str:
    """From which value of a setting on more is found, when production's gives less; '' where that says nothing."""
    at = next((number for number, point in enumerate(tried.points) if point.used), None)
    if not tried.numeric or at is None:
        return ""
    own, above = tried.points[at], tried.points[at + 1 :]
    if tried.wanted:
        better = next((point for point in above if point.rank is not None), None)
        if own.rank is not None or not above:
            return ""
        then = "nor at any above" if better is None else f"at {better.value} it is at place {better.rank}"
        return f"{tried.step}: {tried.wanted} is not found at {tried.setting} {own.value}, {then}"
    best = max(above, key=lambda point: point.recall, default=own)
    if best.recall <= own.recall:
        return ""
    more = f"gives {own.recall:.0%} of the exact search's results, {best.value} {best.recall:.0%}"
    return f"{tried.step}: {tried.setting} {own.value} {more}"
