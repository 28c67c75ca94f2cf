"""What lies inside what: an identity that holds another one is told once."""

from __future__ import annotations

from envclone.verifier.search import Hit

__all__ = ["holds"]


def holds(outer: Hit, inner: Hit) -> bool:
    """Whether a hit lies inside a longer one; of two that cover the same the one with the smaller number counts."""
    if (outer.start, outer.end) == (inner.start, inner.end):
        return outer.original < inner.original
    return outer.start <= inner.start and inner.end <= outer.end
