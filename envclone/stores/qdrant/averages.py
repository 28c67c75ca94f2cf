"""The vector that a recommendation by `average_vector` asks for, of each type of vector, as Qdrant makes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from envclone.errors import ConfigError

__all__ = ["average"]


def average(positive: Sequence[Any], negative: Sequence[Any]) -> Any:
    """The mean of what it is like, twice, less the mean of what it is unlike.

    Of sparse vectors an index that one lacks counts as 0; multi-vectors are joined, those that it is unlike negated.
    Raises ConfigError for vectors of several types or lengths.
    """
    import numpy as np
    import qdrant_edge as q

    vectors = [*positive, *negative]
    if all(isinstance(vector, q.SparseVector) for vector in vectors):
        return _sparse(positive, negative)
    try:
        if all(isinstance(vector[0], list) for vector in vectors):
            unlike = [[-number for number in row] for vector in negative for row in vector]
            return [row for vector in positive for row in vector] + unlike
        liked = np.mean(np.array(positive, np.float32), axis=0, dtype=np.float32)
        apart = np.mean(np.array(negative, np.float32), axis=0, dtype=np.float32) if negative else liked
        return [float(number) for number in np.atleast_1d(liked + liked - apart)]
    except (TypeError, ValueError, IndexError) as exc:
        raise ConfigError("a recommendation's examples are vectors of one type and one length") from exc


def _sparse(positive: Sequence[Any], negative: Sequence[Any]) -> Any:
    import numpy as np
    import qdrant_edge as q

    def mean(vectors: Sequence[Any]) -> dict[int, Any]:
        total: dict[int, Any] = {}
        for vector in vectors:
            for index, value in zip(vector.indices, vector.values, strict=True):
                total[index] = np.float32(total.get(index, np.float32(0)) + np.float32(value))
        return {index: np.float32(value / np.float32(len(vectors))) for index, value in total.items()}

    liked = mean(positive)
    if negative:
        apart, zero = mean(negative), np.float32(0)
        liked = {
            index: np.float32(liked.get(index, zero) + liked.get(index, zero) - apart.get(index, zero))
            for index in liked.keys() | apart.keys()
        }
    indices = sorted(liked)
    return q.SparseVector(indices, [float(liked[index]) for index in indices])
