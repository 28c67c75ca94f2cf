"""Whether the vector indexes answer as production's do: the same questions to raw and sanitized, side by side."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from envclone.protocols import StoreSession

__all__ = ["QUERIES", "fidelity", "lowest"]

QUERIES = 100
"""Questions per vector index."""


def fidelity(
    raws: Mapping[str, StoreSession], cleans: Mapping[str, StoreSession], placed: Mapping[str, Collection[str]]
) -> dict[str, Any]:
    """Per store and index: how many questions were asked, and how many had the same ids, order and scores.

    `fraction` is that of an index, None for one that the engine would not ask. `placed` are the tables and collections
    of each store whose records are at their addresses, and are known by them.
    """
    found: dict[str, Any] = {}
    for store, raw in raws.items():
        asked = raw.probes(QUERIES)
        if not asked:
            continue
        before, after = raw.answers(asked, placed[store]), cleans[store].answers(asked, placed[store])
        counts: dict[str, list[int]] = {}
        for probe, one, other in zip(asked, before, after, strict=True):
            count = counts.setdefault(probe.index, [0, 0])
            if one is None:
                continue
            count[0] += 1
            count[1] += one == other
        found[store] = {
            index: {"queries": queries, "identical": same, "fraction": same / queries if queries else None}
            for index, (queries, same) in sorted(counts.items())
        }
    return found


def lowest(found: Mapping[str, Any]) -> float | None:
    """The least fraction of any index; None when none was asked."""
    fractions = [one["fraction"] for its in found.values() for one in its.values() if one["fraction"] is not None]
    return min(fractions, default=None)
