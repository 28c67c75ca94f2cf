"""Results in groups of one payload key, found with the requests that a server makes for them.

A server asks for `limit × group_size` results, up to five times for other groups and up to five times for what the best
of them lack; each prefetch gives `group_size` times as many. So an approximate index and a fusion are asked what they
were asked in production, which is not the same as one question with a large limit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["Asker", "groups_of"]

Asker = Callable[[Sequence[Any]], Sequence[Any]]
"""Asks the query within some more filters, for points with the payload at the key."""

Key = int | str

_ROUNDS = 5


def groups_of(ask: Asker, key: str, *, groups: int, size: int, order: str) -> list[list[Any]]:
    """The best results of each of the best groups.

    `order` is "up" where a greater score is better, "down" where a smaller one is, else the order of the answers.
    A point with a list of values is in the group of each, one with a value that is no text and no whole number in none.
    """
    import qdrant_edge as q

    found = _Found(key, groups, size, order)
    there = q.Filter(must_not=[q.IsEmptyCondition(key)])
    for filling in (False, True):
        for _ in range(_ROUNDS):
            keys = found.lacking() if filling else found.full()
            made: Any = q.MatchAny if filling else q.MatchExcept
            more = [there]
            conditions: list[Any] = [q.FieldCondition(key, match=made(same)) for same in _by_type(keys)]
            if conditions:
                more.append(q.Filter(must=conditions))
            if found.points:
                more.append(q.Filter(must_not=[q.HasIdCondition(set(found.points))]))
            points = ask(more)
            found.add(points)
            if found.enough():
                return found.best_hits()
            if not points:
                break
    return found.best_hits()


class _Found:
    """The points that were found, by group; groups in the order in which they came."""

    def __init__(self, key: str, groups: int, size: int, order: str) -> None:
        self._path = key.split(".")
        self._groups, self._size = groups, size
        self._sign = {"up": -1.0, "down": 1.0}.get(order, 0.0)
        self._hits: dict[Key, list[Any]] = {}
        self.points: dict[Any, None] = {}

    def add(self, points: Sequence[Any]) -> None:
        """Sort the points of an answer into their groups."""
        for point in points:
            for value in _values(point.payload or {}, self._path):
                self.points[point.id] = None
                self._hits.setdefault(value, []).append(point)

    def full(self) -> list[Key]:
        """The groups that have as many results as they may."""
        return [key for key, hits in self._hits.items() if len(hits) >= self._size]

    def lacking(self) -> list[Key]:
        """The best groups that are not full."""
        full = set(self.full())
        return [key for key in self._best() if key not in full]

    def enough(self) -> bool:
        """Whether as many of the best groups are full as there may be groups."""
        return len(self._best()) >= self._groups and not self.lacking()

    def best_hits(self) -> list[list[Any]]:
        """The best results of each of the best groups."""
        return [sorted(self._hits[key], key=self._rank)[: self._size] for key in self._best()]

    def _best(self) -> list[Key]:
        ranked = sorted(self._hits, key=lambda key: min(map(self._rank, self._hits[key])))
        return ranked[: self._groups]

    def _rank(self, point: Any) -> float:
        return float(self._sign * point.score)


def _by_type(keys: Sequence[Key]) -> list[list[Key]]:
    """The keys that are numbers, and those that are texts, without what there is none of."""
    numbers: list[Key] = [key for key in keys if isinstance(key, int)]
    texts: list[Key] = [key for key in keys if isinstance(key, str)]
    return [same for same in (numbers, texts) if same]


def _values(payload: Any, path: Sequence[str]) -> list[Key]:
    """The values at a key of a payload; none when one of them cannot be the key of a group."""
    found = [payload]
    for name in path:
        whole = name.removesuffix("[]")
        found = [item[whole] for item in found if isinstance(item, dict) and whole in item]
        found = [one for item in found for one in (item if isinstance(item, list) else [item])]
    if any(isinstance(one, bool) or not isinstance(one, str | int) for one in found):
        return []
    return list(dict.fromkeys(found))
