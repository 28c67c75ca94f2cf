"""Asks a branch's Qdrant what a recorded search would have given otherwise: in process, or its server."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from envclone.address import Address
from envclone.errors import EnvcloneError, UsageError
from envclone.incidents.bundle import Step, VectorStep
from envclone.incidents.queries import Prefetch, Query, Sparse
from envclone.models import Asked, Endpoint, Hits, Record, Retrieval
from envclone.stores.qdrant.lookups import OfServer, OfShards, Points, record_of
from envclone.stores.qdrant.measured import ranked
from envclone.stores.qdrant.otherwise import BREADTHS, meant, otherwise, request, stages, wanted
from envclone.stores.qdrant.search import EmbeddedRunner, ServerRunner, embedded, to_server

__all__ = ["QdrantExaminer", "examiner"]

_MEASURED = 2000
"""Points that another distance is taken of, nearest first, and as many of the others."""
_FIRST_EF = 100
"""Qdrant's own `ef_construct`, which a search takes that names no `hnsw_ef`."""


class QdrantExaminer:
    """Makes other searches of a step's own."""

    def __init__(self, runner: EmbeddedRunner | ServerRunner, points: Points) -> None:
        self._runner = runner
        self._points = points
        self._known: dict[str, Retrieval] = {}

    def retrieval(self, step: Step) -> Retrieval:
        """What a step searches; `why_not` says what keeps it from being asked otherwise."""
        if step.id not in self._known:
            self._known[step.id] = self._look(step)
        return self._known[step.id]

    def parts(self, step: Step, ident: str) -> Sequence[Step]:
        """Its prefetches; of a query in groups the search in each group that a point is in."""
        if not isinstance(step, VectorStep):
            return ()
        if step.query is not None and step.query.mmr is not None and not step.prefetch and step.group_by is None:
            return (_nearest(step),)
        if step.group_by is None:
            return tuple(_arm(step, number, one) for number, one in enumerate(step.prefetch, 1))
        path = step.group_by.removesuffix("[]").split(".")
        found = {value: None for one in self.records(step, [ident]) for value in _at(one.fields, path)}
        return tuple(_group(step, value) for value in found)

    def search(self, step: Step, asked: Asked) -> Hits:
        """The step's own search with other parameters, other bounds or without some conditions."""
        if not isinstance(step, VectorStep):
            return Hits(error=self.retrieval(step).why_not)
        if asked.distance is not None:
            return self._measured(step, asked)
        other = otherwise(step, asked)
        try:
            result = self._runner.run(other)
        except EnvcloneError as exc:
            return Hits(error=exc.message, command=request(other))
        return Hits(tuple(map(str, result.ids)), result.scores, result.error, result.seconds, request(other))

    def _measured(self, step: VectorStep, asked: Asked) -> Hits:
        """By another distance than the collection's: of the nearest and of others, as many as are looked at."""
        every = otherwise(step, Asked(exact=True, limit=_MEASURED, without=asked.without))
        near = self._runner.run(every.model_copy(update={"score_threshold": None}))
        points = [*self._points.retrieve(step.collection, list(near.ids), step.using),
                  *self._points.scroll(step.collection, every.filter, _MEASURED, step.using)]  # fmt: skip
        records = {one.id: one for one in (record_of(point, step.using) for point in points)}
        ids, scores = ranked(step.vector, list(records.values()), asked.distance or "")
        return Hits(ids[: asked.limit], scores[: asked.limit], command=f"GET /collections/{step.collection}")

    def records(self, step: Step, ids: Sequence[str]) -> Sequence[Record]:
        """Points with these ids."""
        if not isinstance(step, VectorStep):
            return ()
        known = [one for one in map(meant, ids) if one is not None]
        found = self._points.retrieve(step.collection, known, step.using) if known else []
        return tuple(record_of(point, step.using) for point in found)

    def sample(self, step: Step, most: int) -> Sequence[Record]:
        """The first points, in the order of their ids."""
        if not isinstance(step, VectorStep):
            return ()
        return tuple(record_of(p, step.using) for p in self._points.scroll(step.collection, None, most, step.using))

    def having(self, address: str, values: Sequence[str]) -> Sequence[Record]:
        """Points whose payload at `collection.key` has one of the values, or whose id is one (`point_ids`)."""
        collection, *below = Address.parse(address).parts
        if not below or not values:
            return ()
        if below == ["point_ids"]:
            found = self._points.retrieve(collection, [one for one in map(meant, values) if one is not None], "")
        else:
            key = ".".join(below)
            numbers = [int(one) for one in values if re.fullmatch(r"-?\d{1,18}", one)]
            either: list[Any] = [{"key": key, "match": {"any": list(values)}}]
            either += [{"key": key, "match": {"any": numbers}}] if numbers else []
            found = self._points.scroll(collection, {"should": either}, len(values) * 10, "")
        return tuple(record_of(point, "") for point in found)

    def near(self, step: Step, ident: str) -> Sequence[str]:
        """The points whose numbers are one less and one more."""
        if not re.fullmatch(r"\d{1,18}", ident):
            return ()
        beside = [one for one in (int(ident) - 1, int(ident) + 1) if one >= 0]
        return tuple(one.id for one in self.records(step, [str(one) for one in beside]))

    def namesakes(self, step: Step, ident: str) -> Sequence[str]:
        """None: a collection's name is one collection's."""
        return ()

    def look(self, step: Step, ident: str) -> str:
        """The request for a point."""
        return f"GET /collections/{getattr(step, 'collection', '')}/points/{ident}"

    def _look(self, step: Step) -> Retrieval:
        if not isinstance(step, VectorStep):
            return Retrieval(step.id, step.store, "", why_not="it is no search of vectors")
        leaves = [(step.collection, one.using) for _, one in stages(step) if not one.prefetch]
        try:
            configs = [self._points.config(*one) for one in dict.fromkeys(leaves)]
            own = self._points.vectors(step.collection)
        except EnvcloneError as exc:
            return Retrieval(step.id, step.store, step.collection, why_not=exc.message)
        asked, vector = step.asked, step.vector
        by_distance = asked is not None and asked.order_by is None
        exact = all(one.params.get("exact") for _, one in stages(step) if not one.prefetch)
        broad = [int(one.params.get("hnsw_ef") or 0) for _, one in stages(step) if not one.prefetch]
        first = min((int(one.get("ef_construct") or _FIRST_EF) for one in configs), default=_FIRST_EF)
        plain = isinstance(vector, list) and not isinstance(vector[0], list)
        return Retrieval(
            step=step.id,
            store=step.store,
            place=step.collection,
            limit=step.limit * (step.group_size if step.group_by is not None else 1),
            offset=step.offset,
            key="id",
            vector=step.using,
            index="hnsw" if by_distance and not exact and any(one.get("indexed") for one in configs) else "",
            breadth=min((one or first for one in broad), default=first),
            breadths=BREADTHS,
            breadth_name="hnsw_ef",
            conditions=tuple(one for one, _ in wanted(step)),
            dimensions=len(vector) if plain and isinstance(vector, list) else None,
            composed=bool(step.prefetch) or step.group_by is not None or not by_distance or _diverse(step),
            sparse=isinstance(vector, Sparse) or (step.query is not None and isinstance(step.query.nearest, Sparse)),
            examples=tuple(map(str, _examples(step.query))) if step.query is not None and not step.prefetch else (),
            indexed_only=any(one.params.get("indexed_only") for _, one in stages(step)),
            vectors=tuple(
                name
                for name, (size, _) in own.items()
                if plain
                and not step.prefetch
                and name != step.using
                and isinstance(vector, list)
                and size == len(vector)
            ),
            distance=own.get(step.using, (0, ""))[1] if plain and not step.prefetch else "",
            weighted=bool(asked and asked.rrf and asked.rrf.weights and len(set(asked.rrf.weights)) > 1),
            compressed=next((str(one["compressed"]) for one in configs if one.get("compressed")), ""),
        )


@contextmanager
def examiner(endpoint: Endpoint) -> Iterator[QdrantExaminer]:
    """An examiner of a branch's points: on the endpoint's directory, or on its server when it has a host."""
    if endpoint.host is not None and endpoint.port is not None:
        with to_server(f"http://{endpoint.host}:{endpoint.port}", endpoint.password) as server:
            yield QdrantExaminer(server, OfServer(server.client))
    elif endpoint.path is not None:
        with embedded(endpoint.path) as local:
            yield QdrantExaminer(local, OfShards(local))
    else:
        raise UsageError(f"the endpoint of '{endpoint.store}' has neither a directory nor a server")


def _diverse(step: VectorStep) -> bool:
    return step.query is not None and step.query.mmr is not None


def _nearest(step: VectorStep) -> VectorStep:
    """The candidates among which the different ones are chosen."""
    assert step.query is not None and step.query.mmr is not None
    many = step.query.mmr.candidates_limit or step.limit + step.offset
    update = {"id": f"{step.id}/nearest", "query": step.query.model_copy(update={"mmr": None}), "limit": many}
    return step.model_copy(update={**update, "offset": 0, "expect": None})


def _examples(query: Query) -> Iterator[int | str]:
    """The points that a query names instead of vectors."""
    given: list[Any] = [query.nearest]
    if query.recommend is not None:
        given += [*query.recommend.positive, *query.recommend.negative]
    yield from (one for one in given if isinstance(one, int | str))


def _arm(step: VectorStep, number: int, one: Prefetch) -> VectorStep:
    """A prefetch as a step of its own, within the filter of what it is fetched for."""
    given: dict[str, Any] = {"vector": None, "query": None}
    if isinstance(one.query, Query):
        given["query"] = one.query
    elif isinstance(one.query, int | str):
        given["query"] = Query(nearest=one.query)
    elif one.query is not None:
        given["vector"] = one.query
    title = f"prefetch {number}{f' ({one.using})' if one.using else ''}"
    given |= {"id": f"{step.id}/{title}", "using": one.using, "filter": _both(step.filter, one.filter)}
    given |= {"params": one.params, "limit": one.limit, "offset": 0, "score_threshold": one.score_threshold}
    return step.model_copy(update={**given, "prefetch": one.prefetch, "order_by": None, "expect": None})


def _group(step: VectorStep, value: int | str) -> VectorStep:
    """The search within one group, for as many as a group has."""
    key = (step.group_by or "").removesuffix("[]")
    kept = _both(step.filter, {"must": [{"key": key, "match": {"value": value}}]})
    update = {"id": f"{step.id}/group {value}", "filter": kept, "group_by": None, "limit": step.group_size}
    return step.model_copy(update={**update, "expect": None})


def _both(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The filter that lets through what both let through, its conditions side by side."""
    if not one or not other:
        return dict(one or other or {}) or None
    merged: dict[str, Any] = {}
    for clause in ("must", "must_not"):
        if listed := [*_listed(one.get(clause)), *_listed(other.get(clause))]:
            merged[clause] = listed
    for clause in ("should", "min_should"):
        both = [each[clause] for each in (one, other) if each.get(clause)]
        if len(both) == 1:
            merged[clause] = both[0]
        elif both:  # either of each
            merged.setdefault("must", []).extend({clause: inner} for inner in both)
    return merged


def _listed(written: Any) -> list[Any]:
    return written if isinstance(written, list) else [written] if written else []


def _at(fields: Mapping[str, Any], path: Sequence[str]) -> tuple[int | str, ...]:
    value: Any = fields
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    listed = value if isinstance(value, list) else [value]
    return tuple(one for one in listed if isinstance(one, int | str) and not isinstance(one, bool))
