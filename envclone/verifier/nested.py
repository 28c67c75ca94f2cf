"""What lies inside what: an identity that holds another one, as an address holds a name, is told once."""

from __future__ import annotations

from collections.abc import Mapping

from envclone.verifier.loose import Found
from envclone.verifier.search import Hit

__all__ = ["holds", "outside"]


def holds(outer: Hit, inner: Hit) -> bool:
    """Whether a hit lies inside a longer one; of two that cover the same the one with the smaller number counts."""
    if (outer.start, outer.end) == (inner.start, inner.end):
        return outer.original < inner.original
    return outer.start <= inner.start and inner.end <= outer.end


def outside(hits: dict[int, list[Found]], told: Mapping[int, list[Found]]) -> dict[int, list[Found]]:
    """Hits that lie inside nothing that was reported already."""
    if not told:
        return hits
    return {
        value: rest
        for value, those in hits.items()
        if (
            rest := [
                one
                for one in those
                if not any(o.hit.start <= one.hit.start and one.hit.end <= o.hit.end for o in told.get(value, ()))
            ]
        )
    }
