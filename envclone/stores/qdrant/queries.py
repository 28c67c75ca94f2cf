"""The forms of Qdrant's query API, made into the embedded engine's request as a server makes them.

Qdrant's own translation: `lib/collection/src/operations/universal_query`. A point that is named as an example gives its
vector, and is left out of the answer.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from envclone.errors import ConfigError
from envclone.incidents.bundle import VectorStep
from envclone.incidents.queries import Exclude, Given, Order, Prefetch, Query, Recommend, Sparse, Vector
from envclone.stores.qdrant.averages import average
from envclone.stores.qdrant.filters import filter_of, params_of, point_id
from envclone.stores.qdrant.formulas import formula_of
from envclone.stores.qdrant.groups import groups_of

__all__ = [
    "NoPointError",
    "by_distance",
    "by_id",
    "diverse_sparse",
    "engine_vector",
    "grouped",
    "merges",
    "request",
    "selected",
    "understood",
]


class NoPointError(Exception):
    """A query names a point that is not there: an answer like another, and production's own may be the same."""


def request(
    step: VectorStep,
    shard: Any,
    *,
    more: Sequence[Any] | None = None,
    among: Sequence[Any] | None = None,
    vectors: bool = False,
) -> Any:
    """A `qdrant_edge.QueryRequest` for one shard; of a query in groups the one that looks for them, within `more`.

    `among` are the shards that a point can be in that is named as an example.

    Raises ConfigError for a point that is not there, and for what the engine cannot do.
    """
    import qdrant_edge as q

    groups = step.group_by is not None
    maker = _Maker(among or [shard], scale=step.group_size if groups else 1)
    query, prefetches, excluded = maker.stage(step.asked, step.using, step.limit, step.prefetch)
    return q.QueryRequest(
        limit=step.limit * step.group_size if groups else step.limit,
        offset=step.offset,
        query=query,
        prefetches=prefetches,
        with_vector=[step.using] if vectors else False,
        with_payload=selected([(step.group_by or "").removesuffix("[]")] if groups else step.with_payload),
        filter=_all_of([filter_of(step.filter), _without(excluded), *(more or ())]),
        score_threshold=step.score_threshold,
        params=params_of(step.params),
    )


def understood(step: VectorStep) -> None:
    """Raise ConfigError for a filter, parameter or formula of any stage that a server would refuse as well."""
    pending: list[VectorStep | Prefetch] = [step]
    while pending:
        one = pending.pop()
        filter_of(one.filter)
        params_of(one.params)
        asked = one.asked if isinstance(one, VectorStep) else one.query
        if isinstance(asked, Query) and asked.formula is not None:
            formula_of(asked.formula, asked.defaults)
        pending += one.prefetch


def engine_vector(vector: Vector | None) -> Any:
    """A query vector as the engine takes it."""
    import qdrant_edge as q

    return q.SparseVector(vector.indices, vector.values) if isinstance(vector, Sparse) else vector


def selected(with_payload: bool | list[str] | Exclude) -> Any:
    """Which payload keys are returned, as the engine takes it."""
    import qdrant_edge as q

    if isinstance(with_payload, Exclude):
        return q.PayloadSelector.Exclude(with_payload.exclude)
    return q.PayloadSelector.Include(with_payload) if isinstance(with_payload, list) else with_payload


@dataclass(frozen=True, slots=True)
class _Hit:
    """A result of a group, with the payload that was asked for."""

    id: Any
    score: float
    payload: Any


def grouped(step: VectorStep, shard: Any, *, smaller_is_better: bool) -> list[Any]:
    """The best results of each of the best groups, group by group, as a server answers a query with `group_by`."""
    diverse = step.asked is not None and step.asked.mmr is not None
    order = "down" if smaller_is_better else "" if diverse else "up"  # diversity has an order of its own
    groups = groups_of(
        lambda more: shard.query(request(step, shard, more=more)),
        step.group_by or "",
        groups=step.limit,
        size=step.group_size,
        order=order,
    )
    hits = [point for group in groups for point in group]
    records = shard.retrieve([point.id for point in hits], with_payload=selected(step.with_payload), with_vector=False)
    shown = {str(record.id): record.payload for record in records}
    return [_Hit(point.id, point.score, shown.get(str(point.id))) for point in hits]


def by_distance(asked: Query | None) -> bool:
    """Whether the scores of an answer are distances to a vector, not made of ranks, payloads or several distances."""
    if asked is None:
        return False
    averaged = asked.recommend is not None and asked.recommend.strategy == "average_vector"
    return (asked.nearest is not None and asked.mmr is None) or averaged


def diverse_sparse(step: VectorStep, shards: Sequence[Any]) -> Any:
    """The sparse vector that a query for diverse results is near to; None for any other query."""
    import qdrant_edge as q

    asked = step.asked
    if asked is None or asked.mmr is None or asked.nearest is None or isinstance(asked.nearest, list):
        return None
    if step.group_by is not None or step.score_threshold is not None:
        return None
    vector = _Maker(shards, scale=1).vector(asked.nearest, step.using)
    return vector if isinstance(vector, q.SparseVector) else None


def merges(step: VectorStep) -> bool:
    """Whether the answers of several shards are merged by their scores or ids alone, once each has made its own.

    What works on other queries' results gets those of all shards.
    """
    asked = step.asked
    if step.group_by is not None or step.prefetch:
        return False
    return asked is None or (
        asked.fusion is None and asked.rrf is None and asked.order_by is None and asked.mmr is None
    )


def by_id(ident: Any) -> tuple[int, int]:
    """What points stand in order by that have no score: numbers before UUIDs."""
    return (0, ident) if isinstance(ident, int) else (1, uuid.UUID(str(ident)).int)


def _without(excluded: Sequence[int | str]) -> Any:
    """A filter that leaves out some points, or None."""
    import qdrant_edge as q

    return q.Filter(must_not=[q.HasIdCondition({point_id(one) for one in excluded})]) if excluded else None


def _all_of(filters: Sequence[Any]) -> Any:
    """What all of the filters let through; None for none of them."""
    import qdrant_edge as q

    given = [one for one in filters if one is not None]
    return q.Filter(must=given) if len(given) > 1 else next(iter(given), None)


class _Maker:
    """Makes queries for one shard; that and others give the vectors of points that are named."""

    def __init__(self, shards: Sequence[Any], *, scale: int) -> None:
        self._shards = shards
        self._scale = scale

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
        if asked.formula is not None:
            return formula_of(asked.formula, asked.defaults), prefetches, []
        if asked.recommend is not None:
            examples = [*asked.recommend.positive, *asked.recommend.negative]
            return self._recommend(asked.recommend, using), prefetches, _ids(examples)
        if asked.discover is not None:
            pairs = [self._pair(one, using) for one in asked.discover.context]
            examples = [asked.discover.target, *(g for c in asked.discover.context for g in (c.positive, c.negative))]
            target = self.vector(asked.discover.target, using)
            return q.Query.Discover(q.DiscoverQuery(target, pairs), named), prefetches, _ids(examples)
        if asked.context is not None:
            pairs = [self._pair(one, using) for one in asked.context]
            examples = [given for one in asked.context for given in (one.positive, one.negative)]
            return q.Query.Context(q.ContextQuery(pairs), named), prefetches, _ids(examples)
        assert asked.nearest is not None  # a query has one form
        vector, excluded = self.vector(asked.nearest, using), _ids([asked.nearest])
        if asked.mmr is None:
            return q.Query.Nearest(vector, named), prefetches, excluded
        if isinstance(vector, q.SparseVector):
            raise ConfigError(
                "mmr over a sparse vector in another query, in groups or with a threshold is what a server does and "
                "the embedded engine does not",
                hint="replay it in a branch that has a server: QDRANT_BIN names its program, or --runtime docker",
            )
        many = asked.mmr.candidates_limit or limit
        nearest = q.Prefetch(limit=many, query=q.Query.Nearest(vector, named), prefetches=prefetches)
        return q.Mmr(vector, 1 - asked.mmr.diversity, many, named), [nearest], excluded

    def _prefetch(self, one: Prefetch) -> Any:
        import qdrant_edge as q

        query, prefetches, excluded = self.stage(one.query, one.using, one.limit, one.prefetch)
        return q.Prefetch(
            limit=one.limit * self._scale,
            query=query,
            prefetches=prefetches,
            params=params_of(one.params),
            filter=_all_of([filter_of(one.filter), _without(excluded)]),
            score_threshold=one.score_threshold,
        )

    def _recommend(self, asked: Recommend, using: str) -> Any:
        import qdrant_edge as q

        positive = [self.vector(one, using) for one in asked.positive]
        negative = [self.vector(one, using) for one in asked.negative]
        named = using or None
        if asked.strategy == "best_score":
            return q.Query.RecommendBestScore(q.RecommendQuery(positive, negative), named)
        if asked.strategy == "sum_scores":
            return q.Query.RecommendSumScores(q.RecommendQuery(positive, negative), named)
        return q.Query.Nearest(average(positive, negative), named)

    def _pair(self, one: Any, using: str) -> Any:
        import qdrant_edge as q

        return q.ContextPair(self.vector(one.positive, using), self.vector(one.negative, using))

    def vector(self, given: Given, using: str) -> Any:
        """A vector as the engine takes it; that of a point when an id is given."""
        if isinstance(given, Sparse | list):
            return engine_vector(given)
        wanted, vectors = [point_id(given)], [using] if using else True
        several = (shard.retrieve(wanted, with_payload=False, with_vector=vectors) for shard in self._shards)
        found = next((one[0] for one in several if one), None)
        if found is None:
            raise NoPointError(f"No point with id {given} found")
        vector = found.vector
        if isinstance(vector, dict):
            vector = vector.get(using)
        if vector is None:
            raise ConfigError(f"the query names a point that has no vector{f' {using!r}' if using else ''} here")
        return vector


def _ids(given: Sequence[Given]) -> list[int | str]:
    return [one for one in given if isinstance(one, int | str)]


def _order(order: str | Order) -> Any:
    import qdrant_edge as q

    made = Order(key=order) if isinstance(order, str) else order
    direction = q.Direction.Asc if made.direction == "asc" else q.Direction.Desc
    try:
        return q.OrderBy(made.key, direction, made.start_from)
    except Exception as exc:  # noqa: BLE001 - the binding raises bare exceptions
        said = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
        raise ConfigError(f"order_by cannot be read: {said}") from None
