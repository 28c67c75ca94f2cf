"""The forms of Qdrant's query API, made into the embedded engine's request as a server makes them.

Qdrant's own translation: `lib/collection/src/operations/universal_query`. A point that is named as an example gives its
vector, and is left out of the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from envclone.errors import ConfigError
from envclone.incidents.bundle import VectorStep
from envclone.incidents.queries import Given, Order, Prefetch, Query, Recommend, Sparse, Vector
from envclone.stores.qdrant.filters import filter_of, params_of, point_id

__all__ = ["engine_vector", "grouped", "request", "selected"]

_GROUPS_AT_ONCE = 10_000
"""Results among which groups are looked for, at most."""


def request(step: VectorStep, shard: Any) -> Any:
    """A `qdrant_edge.QueryRequest` for one shard. Raises ConfigError for a point that is not there."""
    import qdrant_edge as q

    maker = _Maker(shard)
    limit = step.limit if step.group_by is None else _GROUPS_AT_ONCE
    query, prefetches, excluded = maker.stage(step.asked, step.using, limit + step.offset, step.prefetch)
    return q.QueryRequest(
        limit=limit,
        offset=step.offset,
        query=query,
        prefetches=prefetches,
        with_vector=False,
        with_payload=True if step.group_by is not None else selected(step.with_payload),
        filter=_without(step.filter, excluded),
        score_threshold=step.score_threshold,
        params=params_of(step.params),
    )


def engine_vector(vector: Vector | None) -> Any:
    """A query vector as the engine takes it."""
    import qdrant_edge as q

    return q.SparseVector(vector.indices, vector.values) if isinstance(vector, Sparse) else vector


def selected(with_payload: bool | list[str]) -> Any:
    """Which payload keys are returned, as the engine takes it."""
    import qdrant_edge as q

    return q.PayloadSelector.Include(with_payload) if isinstance(with_payload, list) else with_payload


@dataclass(frozen=True, slots=True)
class _Hit:
    """A result of a group, with the payload that was asked for."""

    id: Any
    score: float
    payload: Any


def grouped(points: Sequence[Any], step: VectorStep, shard: Any) -> list[Any]:
    """The best results of each of the first groups, group by group, as a server answers a query with `group_by`.

    A point with a list of values is in the group of each; without a value it is in none.
    """
    groups: dict[Any, list[Any]] = {}
    key = (step.group_by or "").split(".")
    for point in points:
        for value in _values(point.payload or {}, key):
            group = groups.get(value)
            if group is None and len(groups) < step.limit:
                group = groups.setdefault(value, [])
            if group is not None and len(group) < step.group_size:
                group.append(point)
    hits = [point for group in groups.values() for point in group]
    if step.with_payload is True:
        return hits
    records = shard.retrieve([point.id for point in hits], with_payload=selected(step.with_payload), with_vector=False)
    shown = {str(record.id): record.payload for record in records}
    return [_Hit(point.id, point.score, shown.get(str(point.id))) for point in hits]


def _values(payload: Any, key: Sequence[str]) -> list[Any]:
    """The strings and whole numbers at a key of a payload."""
    found = [payload]
    for name in key:
        whole = name.removesuffix("[]")
        found = [item[whole] for item in found if isinstance(item, dict) and whole in item]
        found = [one for item in found for one in (item if isinstance(item, list) else [item])]
    return list(dict.fromkeys(one for one in found if isinstance(one, str | int) and not isinstance(one, bool)))


def _without(filter: Any, excluded: Sequence[int | str]) -> Any:
    """A filter that also leaves out some points."""
    made = filter_of(filter)
    if not excluded:
        return made
    import qdrant_edge as q

    apart = q.Filter(must_not=[q.HasIdCondition({point_id(one) for one in excluded})])
    return apart if made is None else q.Filter(must=[made, apart])


class _Maker:
    """Makes queries for one shard, which gives the vectors of points that are named."""

    def __init__(self, shard: Any) -> None:
        self._shard = shard

    def stage(
        self, asked: Query | Given | None, using: str, limit: int, prefetch: Sequence[Prefetch]
    ) -> tuple[Any, Any, list[int | str]]:
        """The scoring query, the prefetches, and the points that were named as examples."""
        import qdrant_edge as q

        prefetches: list[Any] | None = [self._prefetch(one) for one in prefetch] or None
        if asked is None:
            return None, prefetches, []
        if not isinstance(asked, Query):
            asked = Query(nearest=asked)
        named = using or None
        if asked.fusion is not None:
            return (q.Fusion.Rrf(2) if asked.fusion == "rrf" else q.Fusion.Dbsf()), prefetches, []
        if asked.rrf is not None:
            return q.Fusion.Rrf(asked.rrf.k, asked.rrf.weights), prefetches, []
        if asked.order_by is not None:
            return _order(asked.order_by), prefetches, []
        if asked.recommend is not None:
            examples = [*asked.recommend.positive, *asked.recommend.negative]
            return self._recommend(asked.recommend, using), prefetches, _ids(examples)
        if asked.discover is not None:
            pairs = [self._pair(one, using) for one in asked.discover.context]
            examples = [asked.discover.target, *(g for c in asked.discover.context for g in (c.positive, c.negative))]
            target = self._vector(asked.discover.target, using)
            return q.Query.Discover(q.DiscoverQuery(target, pairs), named), prefetches, _ids(examples)
        if asked.context is not None:
            pairs = [self._pair(one, using) for one in asked.context]
            examples = [given for one in asked.context for given in (one.positive, one.negative)]
            return q.Query.Context(q.ContextQuery(pairs), named), prefetches, _ids(examples)
        assert asked.nearest is not None  # a query has one form
        vector, excluded = self._vector(asked.nearest, using), _ids([asked.nearest])
        if asked.mmr is None:
            return q.Query.Nearest(vector, named), prefetches, excluded
        many = asked.mmr.candidates_limit or limit
        nearest = q.Prefetch(limit=many, query=q.Query.Nearest(vector, named), prefetches=prefetches)
        return q.Mmr(vector, 1 - asked.mmr.diversity, many, named), [nearest], excluded

    def _prefetch(self, one: Prefetch) -> Any:
        import qdrant_edge as q

        query, prefetches, excluded = self.stage(one.query, one.using, one.limit, one.prefetch)
        return q.Prefetch(
            limit=one.limit,
            query=query,
            prefetches=prefetches,
            params=params_of(one.params),
            filter=_without(one.filter, excluded),
            score_threshold=one.score_threshold,
        )

    def _recommend(self, asked: Recommend, using: str) -> Any:
        import qdrant_edge as q

        positive = [self._vector(one, using) for one in asked.positive]
        negative = [self._vector(one, using) for one in asked.negative]
        named = using or None
        if asked.strategy == "best_score":
            return q.Query.RecommendBestScore(q.RecommendQuery(positive, negative), named)
        if asked.strategy == "sum_scores":
            return q.Query.RecommendSumScores(q.RecommendQuery(positive, negative), named)
        return q.Query.Nearest(_average(positive, negative), named)

    def _pair(self, one: Any, using: str) -> Any:
        import qdrant_edge as q

        return q.ContextPair(self._vector(one.positive, using), self._vector(one.negative, using))

    def _vector(self, given: Given, using: str) -> Any:
        """A vector as the engine takes it; that of a point when an id is given."""
        if isinstance(given, Sparse | list):
            return engine_vector(given)
        found = self._shard.retrieve([point_id(given)], with_payload=False, with_vector=[using] if using else True)
        vector = found[0].vector if found else None
        if isinstance(vector, dict):
            vector = vector.get(using)
        if vector is None:
            raise ConfigError(f"the query names a point that has no vector{f' {using!r}' if using else ''} here")
        return vector


def _ids(given: Sequence[Given]) -> list[int | str]:
    return [one for one in given if isinstance(one, int | str)]


def _average(positive: Sequence[Any], negative: Sequence[Any]) -> list[float]:
    """The mean of what it is like, twice, less the mean of what it is unlike (Qdrant's `average_vector`)."""
    import numpy as np

    try:
        liked = np.mean(np.array(positive, np.float32), axis=0, dtype=np.float32)
        apart = np.mean(np.array(negative, np.float32), axis=0, dtype=np.float32) if negative else liked
    except (TypeError, ValueError) as exc:
        raise ConfigError("average_vector takes dense vectors; best_score and sum_scores take others too") from exc
    return [float(number) for number in np.atleast_1d(liked + liked - apart)]


def _order(order: str | Order) -> Any:
    import qdrant_edge as q

    made = Order(key=order) if isinstance(order, str) else order
    direction = q.Direction.Asc if made.direction == "asc" else q.Direction.Desc
    return q.OrderBy(made.key, direction, made.start_from)
