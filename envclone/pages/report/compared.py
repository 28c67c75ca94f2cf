"""What can be said of the cause from answers side by side, before anything else was tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from envclone.pages.report.values import Cause, Evidence, Retrieval

__all__ = ["causes"]


def causes(retrievals: Sequence[Retrieval], wanted: Sequence[str] = ()) -> tuple[Cause, ...]:
    """What the exact search finds and the index did not; sure where that is all of it, or what was `wanted`."""
    return tuple(sorted(_found(retrievals, frozenset(wanted)), key=lambda cause: not cause.certain))


def _found(retrievals: Sequence[Retrieval], wanted: frozenset[str]) -> Iterator[Cause]:
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
            (Evidence(f"{shown}; production did not get it"), Evidence(f"{one.step}: {found} of {what} are there")),
            certain=not found or first.id in wanted,
        )
