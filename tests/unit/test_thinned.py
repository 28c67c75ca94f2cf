from __future__ import annotations

from itertools import pairwise

from envclone.thinned import Thinned


def test_all_stay_where_there_are_few() -> None:
    few = Thinned[int](10)
    few.add(range(10))
    assert list(few) == list(range(10))


def test_some_stay_from_all_over_the_stream() -> None:
    some = Thinned[int](100)
    for start in range(0, 100_000, 777):
        some.add(range(start, min(start + 777, 100_000)))
    kept = list(some)
    assert 50 <= len(kept) <= 100
    distances = {b - a for a, b in pairwise(kept)}
    assert len(distances) == 1 and kept[0] == 0 and kept[-1] > 98_000


def test_large_things_are_fewer() -> None:
    some = Thinned[str](100, size=len, most_size=1000)
    some.add("x" * 100 for _ in range(500))
    assert 4 <= len(list(some)) <= 10
