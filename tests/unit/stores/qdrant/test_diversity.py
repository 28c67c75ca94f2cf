"""Diverse results over sparse vectors are chosen as a server chooses them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from envclone.stores.qdrant.diversity import diverse


def _sparse(**weights: float) -> Any:
    return SimpleNamespace(indices=[int(key[1:]) for key in weights], values=list(weights.values()))


ASKED = _sparse(i1=1.0, i2=1.0)
POINTS = [
    SimpleNamespace(id=number, score=0.0, vector={"words": vector})
    for number, vector in enumerate(
        (_sparse(i1=1.0, i2=0.9), _sparse(i2=0.9, i1=0.9), _sparse(i1=0.5), _sparse(i2=0.6, i7=3.0), _sparse(i9=1.0))
    )
]


def _ids(relevance: float, limit: int = 5) -> list[int]:
    return [point.id for point in diverse(POINTS, ASKED, "words", relevance=relevance, limit=limit)]


def test_relevance_alone_is_the_order_of_the_nearest() -> None:
    assert _ids(1.0) == [0, 1, 3, 2, 4]


def test_what_is_like_a_chosen_one_comes_last() -> None:
    assert _ids(0.3) == [0, 4, 3, 2, 1]
    assert _ids(0.3, limit=2) == [0, 4]


def test_points_without_the_vector_are_left_out() -> None:
    bare = SimpleNamespace(id=9, score=1.0, vector=None)
    assert diverse([bare], ASKED, "words", relevance=0.5, limit=3) == []
    assert diverse([bare, POINTS[2]], ASKED, "words", relevance=0.5, limit=3) == [POINTS[2]]
