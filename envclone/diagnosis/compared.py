"""The layer of meaning: another vector of the same records, or another distance, finds what the search does not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

from envclone.diagnosis.case import Case, Search
from envclone.diagnosis.finding import Certainty, Finding, Layer
from envclone.models import Asked

__all__ = ["Compared"]

_BELOW = 3
"""How many times the last rank is far away, and how many times nearer it has to be otherwise."""
_VARIED = 0.05
"""How much vectors' lengths vary, in parts of their middle, for a distance to count them."""
_OTHERS = {
    "dot": ("cosine",),
    "euclid": ("cosine", "dot"),
    "manhattan": ("cosine", "euclid"),
    "cosine": ("dot", "euclid"),
}


class Compared:
    """Searches that compare what was not meant to be compared, or not so."""

    layer: ClassVar[Layer] = Layer.SEMANTIC
    causes: ClassVar[tuple[str, ...]] = ("wrong_vector", "wrong_distance")

    def test(self, case: Case) -> Iterator[Finding]:
        """Only of what is far away as it is asked, and near otherwise."""
        for search, ident in case.blamed():
            retrieval = search.retrieval
            if retrieval.why_not or ident in case.then(search.step.id) or not (retrieval.vectors or retrieval.distance):
                continue
            record = search.record(ident)
            if record is None or not search.hits(Asked(only=(ident,), limit=1)).ids:
                continue
            rank = search.exact_rank(ident)
            if rank is None or rank > _BELOW * retrieval.last:
                yield from _vectors(search, ident, rank)
                if retrieval.distance and record.vector and _varied(search):
                    yield from _distances(search, ident, rank)


def _vectors(search: Search, ident: str, rank: int | None) -> Iterator[Finding]:
    last = search.retrieval.last
    for name in search.retrieval.vectors:
        hits = search.hits(Asked(exact=True, using=name, limit=last))
        place = hits.rank(ident)
        if place and (rank is None or place * _BELOW <= rank):
            text = f"{_at(ident, rank)} by its vector {search.retrieval.vector or '(without a name)'}, which the search"
            text += f" compares; by its vector {name or '(without a name)'} it is at rank {place}"
            yield Finding(Layer.SEMANTIC, "wrong_vector", text, hits.command, Certainty.SHOWN, search.step.id, (ident,))
            return


def _distances(search: Search, ident: str, rank: int | None) -> Iterator[Finding]:
    last, own = search.retrieval.last, search.retrieval.distance
    for other in _OTHERS.get(own, ()):
        hits = search.hits(Asked(exact=True, distance=other, limit=last))
        place = hits.rank(ident)
        if place and (rank is None or place * _BELOW <= rank):
            text = f"{_at(ident, rank)} by the distance of the search ({own}), for which the length of a vector counts;"
            text += f" by {other} it is at rank {place}, and the vectors are not of one length"
            yield Finding(Layer.SEMANTIC, "wrong_distance", text, hits.command, Certainty.LIKELY, search.step.id,
                          (ident,))  # fmt: skip
            return


def _at(ident: str, rank: int | None) -> str:
    return f"{ident} is at rank {rank}" if rank else f"{ident} is far down"


def _varied(search: Search) -> bool:
    """Whether the vectors are of several lengths."""
    lengths = sorted(math.hypot(*one.vector) for one in search.sample() if one.vector)
    if not lengths:
        return False
    low, middle, high = (lengths[len(lengths) * part // 10] for part in (1, 5, 9))
    return high - low > _VARIED * middle
