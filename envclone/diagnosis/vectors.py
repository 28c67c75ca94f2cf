"""What can be said of an embedding without its model: how it lies among the others, and beside texts like its own."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envclone.diagnosis.words import words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[Any]

__all__ = ["Agreement", "Crowd"]

_BUCKETS = 4096
_FEWEST = 40
"""Records below which nothing is said."""
_NEIGHBOURS = 8
_LIKE = 0.2
"""The cosine of two texts' words from which one is a neighbour of the other."""
_SAME = 0.999
_COMPARED = 200
_ASIDE = 0.5
"""Which part of the usual agreement is none."""
_RIDGE = 0.05
_OUTSIDE = 3.7
_NEAREST = 3


@dataclass(frozen=True, slots=True)
class Agreement:
    """How much nearer a vector is to those of texts like its own than to any: its own, and what is usual."""

    own: float
    usual: float
    low: float

    @property
    def broken(self) -> bool:
        """Whether the vector is not that of its text."""
        return self.weak and self.own < _ASIDE * self.usual

    @property
    def weak(self) -> bool:
        """Whether it is less so than of nearly all others."""
        return self.usual > 1 and self.own < self.low


class Crowd:
    """A sample of vectors with their texts."""

    def __init__(self, vectors: Sequence[Sequence[float]], texts: Sequence[str]) -> None:
        import numpy as np

        self._lengths = np.linalg.norm(np.asarray(vectors, np.float64), axis=1) if len(vectors) else np.empty(0)
        self._unit = _unit(np.asarray(vectors, np.float64)) if len(vectors) else np.empty((0, 0))
        self._seen: Matrix = np.zeros(_BUCKETS)
        self._texts = list(texts)
        self._terms: Any = None

    def __len__(self) -> int:
        return len(self._unit)

    def odd_length(self, vector: Sequence[float]) -> tuple[float, float] | None:
        """A vector's length and the usual one, when it is far from all others."""
        import numpy as np

        if len(self) < _FEWEST:
            return None
        length, middle = float(np.linalg.norm(vector)), float(np.median(self._lengths))
        spread = float(np.median(np.abs(self._lengths - middle)))
        far = abs(length - middle) > max(10 * spread, 0.02 * middle)
        beyond = np.mean(np.abs(self._lengths - middle) >= abs(length - middle)) < 0.25
        return (length, middle) if far and beyond else None

    def odd_place(self, vector: Sequence[float]) -> float | None:
        """How many deviations a vector lies outside of where the others lie; None when it lies where they do.

        Three things are looked at: how far from their middle it is by their own spread, how much it has of the
        direction that all share, and how near its nearest are. Their spread is that of one half of the others, and
        the other half says what is usual.
        """
        import numpy as np

        if len(self) < _FEWEST or len(vector) != self._unit.shape[1]:
            return None
        first, second = self._unit[::2], self._unit[1::2]
        for _ in range(2):  # what stands out itself is not to widen the spread
            middle = first.mean(axis=0)
            own = _far(first - middle, _inverse(first - middle))
            first = first[own <= np.quantile(own, 0.9)]
        usual = _measured(second, first)
        mine = _measured(_unit(np.asarray([vector], np.float64)), first)
        out = float(sum(_deviations(one[0], many) for one, many in zip(mine, usual, strict=True)) / len(usual) ** 0.5)
        return out if out > _OUTSIDE else None

    def agreement(self, vector: Sequence[float], text: str) -> Agreement | None:
        """Whether the vector lies where vectors of texts like this one lie; None when that cannot be told."""
        import numpy as np

        if len(self) < _FEWEST or len(vector) != self._unit.shape[1] or not text:
            return None
        terms = self._all_terms()
        mine = _unit(np.asarray([vector], np.float64))
        own = self._agree(mine, self._weigh(text)[None, :])[0]
        step = max(1, len(self) // _COMPARED)
        places = np.arange(0, len(self), step)
        others = self._agree(self._unit[places], terms[places])
        others = others[~np.isnan(others)]
        if np.isnan(own) or len(others) < _FEWEST // 2:
            return None
        return Agreement(float(own), float(np.median(others)), float(np.quantile(others, 0.1)))

    def _agree(self, units: Matrix, terms: Matrix) -> Matrix:
        """For each vector with its text's words: how many deviations nearer it is to texts like it than to any.

        NaN where too few texts are like it; a text that is the same, such as its own, counts for neither.
        """
        import numpy as np

        alike = terms @ self._all_terms().T
        near = units @ self._unit.T
        same = alike > _SAME
        alike[same] = -1
        best = np.argpartition(-alike, _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS]
        chosen = np.take_along_axis(alike, best, axis=1) >= _LIKE
        like = np.where(chosen, np.take_along_axis(near, best, axis=1), np.nan)
        rest = np.where(same, np.nan, near)
        found = np.full(len(units), np.nan)
        enough = chosen.sum(axis=1) >= 3
        if enough.any():
            spread = np.nanstd(rest[enough], axis=1)
            nearer = np.nanmedian(like[enough], axis=1) - np.nanmean(rest[enough], axis=1)
            found[enough] = nearer / np.where(spread > 0, spread, 1e-9)
        return found

    def _all_terms(self) -> Matrix:
        import numpy as np

        if self._terms is None:
            counts = np.stack([_counted(text) for text in self._texts]).astype(np.float32)
            there = (counts > 0).sum(axis=0)
            self._seen = np.log((1 + len(counts)) / (1 + there)).astype(np.float32)
            self._terms = _unit(np.sqrt(counts) * self._seen)
        made: Matrix = self._terms
        return made

    def _weigh(self, text: str) -> Matrix:
        import numpy as np

        made: Matrix = _unit((np.sqrt(_counted(text)) * self._seen)[None, :])[0]
        return made


def _counted(text: str) -> Matrix:
    import numpy as np

    found = np.zeros(_BUCKETS)
    for word in words(text):
        found[zlib.crc32(word.encode()) % _BUCKETS] += 1
    return found


def _unit(rows: Matrix) -> Matrix:
    import numpy as np

    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    made: Matrix = rows / np.where(lengths > 0, lengths, 1)
    return made


def _inverse(rows: Matrix) -> Matrix:
    import numpy as np

    spread = rows.T @ rows / len(rows)
    size = spread.shape[0]
    made: Matrix = np.linalg.inv(spread + np.eye(size) * (_RIDGE * np.trace(spread) / size))
    return made


def _far(rows: Matrix, inverse: Matrix) -> Matrix:
    import numpy as np

    made: Matrix = np.einsum("ij,jk,ik->i", rows, inverse, rows)
    return made


def _measured(rows: Matrix, others: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """How far out rows are, how little they share, and how far their nearest are: more of each is odder."""
    import numpy as np

    middle = others.mean(axis=0)
    shared = middle / (np.linalg.norm(middle) or 1.0)
    nearest = np.sort(rows @ others.T, axis=1)[:, -_NEAREST:].mean(axis=1)
    return _far(rows - middle, _inverse(others - middle)), -(rows @ shared), -nearest


def _deviations(one: float, many: Matrix) -> float:
    """How many deviations a number is above others; their middle half says what one is."""
    import numpy as np

    middle = float(np.median(many))
    return (float(one) - middle) / (1.4826 * float(np.median(np.abs(many - middle))) or 1e-9)
