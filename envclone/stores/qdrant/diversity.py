"""Maximal marginal relevance over sparse vectors, which a server does and the embedded engine does not.

Qdrant's own algorithm (`lib/shard/src/query/mmr`), in single precision: the first is the most relevant; then always the
one that is most relevant and least like any chosen before it. The scores are those of the nearest, as a server's are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["diverse"]

_Weights = dict[int, np.float32]


def diverse(points: Sequence[Any], vector: Any, using: str, *, relevance: float, limit: int) -> list[Any]:
    """As many of the points as are wanted, in their order; each has its vector under `using`."""
    kept = [point for point in points if isinstance(point.vector, dict) and using in point.vector]
    if len(kept) < _FEWEST:
        return kept[:limit]
    weights = [_weights(point.vector[using]) for point in kept]
    near = [_alike(_weights(vector), one) for one in weights]
    share, rest = np.float32(relevance), np.float32(1) - np.float32(relevance)
    remaining = list(range(len(kept)))
    chosen: list[int] = []
    nearest_chosen = [np.float32(-np.inf)] * len(kept)
    while remaining and len(chosen) < limit:
        worth = [share * near[i] - rest * nearest_chosen[i] if chosen else near[i] for i in remaining]
        at = max(range(len(remaining)), key=lambda place: (worth[place], place))  # of equals the last, as there
        best = remaining[at]
        remaining[at] = remaining[-1]  # the last one takes its place, which tells equals apart
        remaining.pop()
        chosen.append(best)
        for i in remaining:
            nearest_chosen[i] = max(nearest_chosen[i], _alike(weights[i], weights[best]))
    return [kept[i] for i in chosen]


_FEWEST = 2


def _weights(vector: Any) -> _Weights:
    found = sorted(zip(vector.indices, vector.values, strict=True))
    return {int(index): np.float32(value) for index, value in found}


def _alike(one: _Weights, other: _Weights) -> np.float32:
    total = np.float32(0)
    for index, weight in one.items():
        if index in other:
            total += weight * other[index]
    return total
