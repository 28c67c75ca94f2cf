"""What can be said of the cause from answers side by side, before anything else was tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from envclone.pages.report.values import Cause, Evidence, Retrieval

__all__ = ["causes"]


def causes(retrievals: Sequence[Retrieval]) -> tuple[Cause, ...]:
    """What the exact search finds and the index did not; sure only where the index gave nothing of it."""
    return tuple(sorted(_found(retrievals), key=lambda cause: not cause.certain))


def _found(retrievals: Sequence[Retrieval]) -> Iterator[Cause]:
    for one in retrievals:
        if one.exact is None or not one.exact.hits:
            continue
        nearest = [hit.id for hit in one.exact.hits]
        there = {hit.id for hit in one.production.hits}
        found = sum(ident in there for ident in nearest)
        if found == len(nearest):
            continue
        what = "the nearest one" if len(nearest) == 1 else f"the {len(nearest)} nearest"
        first = next(hit for hit in one.exact.hits if hit.id not in there)
        place = nearest.index(first.id) + 1
        score = f" ({first.score})" if first.score else ""
        yield Cause(
            "index",
            f"{one.step}: the index gave {found or 'none'} of {what}; an exact search of the same state has them.",
            (
                Evidence(
                    f"{one.step}: an exact search has {first.id} at place {place}{score}; production did not get it"
                ),
            ),
            certain=not found,
        )
