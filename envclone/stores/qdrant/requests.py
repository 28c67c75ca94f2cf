"""The same steps for a running server, through its API."""

from __future__ import annotations

from typing import Any

from envclone.incidents.bundle import VectorStep
from envclone.incidents.queries import Exclude, Given, Order, Prefetch, Query, Sparse

__all__ = ["ask"]


def ask(client: Any, step: VectorStep) -> list[Any]:
    """The points of an answer, in its order; of groups one group behind the other. `client` is a `QdrantClient`.

    Raises what the client raises, ValueError for a filter that is none.
    """
    from qdrant_client import models

    shared: dict[str, Any] = {
        "collection_name": step.collection,
        "query": _query(step.asked),
        "prefetch": [_prefetch(one) for one in step.prefetch] or None,
        "using": step.using or None,
        "query_filter": models.Filter.model_validate(step.filter) if step.filter else None,
        "search_params": models.SearchParams.model_validate(step.params) if step.params else None,
        "limit": step.limit,
        "with_payload": _selector(step.with_payload),
        "score_threshold": step.score_threshold,
    }
    if step.group_by is not None:
        found = client.query_points_groups(group_by=step.group_by, group_size=step.group_size, **shared)
        return [point for group in found.groups for point in group.hits]
    points: list[Any] = client.query_points(offset=step.offset or None, **shared).points
    return points


def _query(asked: Query | Given | None) -> Any:
    from qdrant_client import models

    if asked is None:
        return None
    if not isinstance(asked, Query):
        return _given(asked)
    if asked.fusion is not None:
        return models.FusionQuery(fusion=models.Fusion(asked.fusion))
    if asked.rrf is not None:
        return models.RrfQuery(rrf=models.Rrf(k=asked.rrf.k, weights=asked.rrf.weights))
    if asked.order_by is not None:
        order = Order(key=asked.order_by) if isinstance(asked.order_by, str) else asked.order_by
        return models.OrderByQuery(order_by=models.OrderBy.model_validate(order.model_dump(exclude_none=True)))
    if asked.recommend is not None:
        return models.RecommendQuery(
            recommend=models.RecommendInput(
                positive=[_given(one) for one in asked.recommend.positive],
                negative=[_given(one) for one in asked.recommend.negative],
                strategy=models.RecommendStrategy(asked.recommend.strategy),
            )
        )
    if asked.discover is not None:
        pairs = [_pair(one) for one in asked.discover.context]
        return models.DiscoverQuery(discover=models.DiscoverInput(target=_given(asked.discover.target), context=pairs))
    if asked.context is not None:
        return models.ContextQuery(context=[_pair(one) for one in asked.context])
    if asked.formula is not None:
        return models.FormulaQuery.model_validate({"formula": asked.formula, "defaults": asked.defaults or None})
    nearest = _given(asked.nearest)
    if asked.mmr is None:
        return nearest
    mmr = models.Mmr(diversity=asked.mmr.diversity, candidates_limit=asked.mmr.candidates_limit)
    return models.NearestQuery(nearest=nearest, mmr=mmr)


def _selector(with_payload: bool | list[str] | Exclude) -> Any:
    from qdrant_client import models

    if isinstance(with_payload, Exclude):
        return models.PayloadSelectorExclude(exclude=with_payload.exclude)
    return with_payload


def _given(given: Given | None) -> Any:
    from qdrant_client import models

    return models.SparseVector(indices=given.indices, values=given.values) if isinstance(given, Sparse) else given


def _pair(one: Any) -> Any:
    from qdrant_client import models

    return models.ContextPair(positive=_given(one.positive), negative=_given(one.negative))


def _prefetch(one: Prefetch) -> Any:
    from qdrant_client import models

    return models.Prefetch(
        prefetch=[_prefetch(below) for below in one.prefetch] or None,
        query=_query(one.query),
        using=one.using or None,
        filter=models.Filter.model_validate(one.filter) if one.filter else None,
        params=models.SearchParams.model_validate(one.params) if one.params else None,
        score_threshold=one.score_threshold,
        limit=one.limit,
    )
