"""Asks a branch's Qdrant what a recorded search would have given otherwise: in process, or its server."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from envclone.address import Address
from envclone.errors import EnvcloneError, UsageError
from envclone.incidents.bundle import Step, VectorStep
from envclone.incidents.queries import Prefetch, Query
from envclone.models import Asked, Endpoint, Hits, Record, Retrieval
from envclone.stores.qdrant.filters import filter_of, point_id
from envclone.stores.qdrant.otherwise import BREADTHS, meant, otherwise, request, stages, wanted
from envclone.stores.qdrant.search import EmbeddedRunner, ServerRunner, embedded, to_server

__all__ = ["QdrantExaminer", "examiner"]

_BATCH = 500
_FIRST_EF = 100
"""Qdrant's own `ef_construct`, which a search takes that names no `hnsw_ef`."""


class _Points(Protocol):
    """Where points are read by what they are."""

    def config(self, collection: str, using: str) -> Mapping[str, Any]: ...

    def retrieve(self, collection: str, ids: Sequence[Any], using: str) -> list[Any]: ...

    def scroll(self, collection: str, filter: Mapping[str, Any] | None, most: int, using: str) -> list[Any]: ...


class QdrantExaminer:
    """Makes other searches of a step's own."""

    def __init__(self, runner: EmbeddedRunner | ServerRunner, points: _Points) -> None:
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
        if step.group_by is None:
            return tuple(_arm(step, number, one) for number, one in enumerate(step.prefetch, 1))
        path = step.group_by.removesuffix("[]").split(".")
        found = {value: None for one in self.records(step, [ident]) for value in _at(one.fields, path)}
        return tuple(_group(step, value) for value in found)

    def search(self, step: Step, asked: Asked) -> Hits:
        """The step's own search with other parameters, other bounds or without some conditions."""
        if not isinstance(step, VectorStep):
            return Hits(error=self.retrieval(step).why_not)
        other = otherwise(step, asked)
        try:
            result = self._runner.run(other)
        except EnvcloneError as exc:
            return Hits(error=exc.message, command=request(other))
        return Hits(tuple(map(str, result.ids)), result.scores, result.error, result.seconds, request(other))

    def records(self, step: Step, ids: Sequence[str]) -> Sequence[Record]:
        """Points with these ids."""
        if not isinstance(step, VectorStep):
            return ()
        known = [one for one in map(meant, ids) if one is not None]
        found = self._points.retrieve(step.collection, known, step.using) if known else []
        return tuple(_record(point, step.using) for point in found)

    def sample(self, step: Step, most: int) -> Sequence[Record]:
        """The first points, in the order of their ids."""
        if not isinstance(step, VectorStep):
            return ()
        return tuple(_record(p, step.using) for p in self._points.scroll(step.collection, None, most, step.using))

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
        return tuple(_record(point, "") for point in found)

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
        except EnvcloneError as exc:
            return Retrieval(step.id, step.store, step.collection, why_not=exc.message)
        asked, vector = step.asked, step.vector
        by_distance = asked is not None and asked.order_by is None
        exact = all(one.params.get("exact") for _, one in stages(step) if not one.prefetch)
        own = [int(one.params.get("hnsw_ef") or 0) for _, one in stages(step) if not one.prefetch]
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
            breadth=min((one or first for one in own), default=first),
            breadths=BREADTHS,
            breadth_name="hnsw_ef",
            conditions=tuple(one for one, _ in wanted(step)),
            dimensions=len(vector) if plain and isinstance(vector, list) else None,
            composed=bool(step.prefetch) or step.group_by is not None or not by_distance,
            indexed_only=any(one.params.get("indexed_only") for _, one in stages(step)),
            compressed=next((str(one["compressed"]) for one in configs if one.get("compressed")), ""),
        )


@contextmanager
def examiner(endpoint: Endpoint) -> Iterator[QdrantExaminer]:
    """An examiner of a branch's points: on the endpoint's directory, or on its server when it has a host."""
    if endpoint.host is not None and endpoint.port is not None:
        with to_server(f"http://{endpoint.host}:{endpoint.port}", endpoint.password) as server:
            yield QdrantExaminer(server, _OfServer(server.client))
    elif endpoint.path is not None:
        with embedded(endpoint.path) as local:
            yield QdrantExaminer(local, _OfShards(local))
    else:
        raise UsageError(f"the endpoint of '{endpoint.store}' has neither a directory nor a server")


class _OfShards:
    """Points of the shards that the embedded engine loaded."""

    def __init__(self, runner: EmbeddedRunner) -> None:
        self._runner = runner

    def config(self, collection: str, using: str) -> Mapping[str, Any]:
        """What the segments say of a vector's index."""
        found: dict[str, Any] = {}
        for _, segment in self._runner.collection(collection).segments():
            data = (segment.config.get("vector_data") or {}).get(using) or {}
            index = data.get("index") or {}
            if index.get("type") == "hnsw":
                found = {"indexed": True, "ef_construct": (index.get("options") or {}).get("ef_construct"),
                         "compressed": next(iter(data.get("quantization_config") or {}), "")}  # fmt: skip
        return found

    def retrieve(self, collection: str, ids: Sequence[Any], using: str) -> list[Any]:
        """Points by id, each with its payload and vector."""
        shards = self._runner.shards(self._runner.collection(collection))
        wanted = [point_id(one) for one in ids]
        return [p for shard in shards for p in shard.retrieve(wanted, with_payload=True, with_vector=True)]

    def scroll(self, collection: str, filter: Mapping[str, Any] | None, most: int, using: str) -> list[Any]:
        """The first points that a filter lets through."""
        import qdrant_edge as q

        found: list[Any] = []
        for shard in self._runner.shards(self._runner.collection(collection)):
            offset: Any = None
            while len(found) < most:
                asked = q.ScrollRequest(
                    offset=offset, limit=min(_BATCH, most - len(found)), filter=filter_of(filter), with_payload=True,
                    with_vector=True,
                )  # fmt: skip
                points, offset = shard.scroll(asked)
                found += points
                if offset is None or not points:
                    break
        return found


class _OfServer:
    """Points of a running server; `client` is a `QdrantClient`."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def config(self, collection: str, using: str) -> Mapping[str, Any]:
        """What the server says of the collection's index."""
        info = self._client.get_collection(collection)
        hnsw = info.config.hnsw_config
        vectors = info.config.params.vectors
        own = (vectors.get(using) if isinstance(vectors, Mapping) else vectors) if vectors else None
        small = (getattr(own, "quantization_config", None) or info.config.quantization_config) if own else None
        return {
            "indexed": bool(info.indexed_vectors_count),
            "ef_construct": hnsw.ef_construct if hnsw else None,
            "compressed": next(iter(small.model_dump()), "") if small else "",
        }

    def retrieve(self, collection: str, ids: Sequence[Any], using: str) -> list[Any]:
        """Points by id, each with its payload and vector."""
        return list(self._client.retrieve(collection, ids=list(ids), with_payload=True, with_vectors=True))

    def scroll(self, collection: str, filter: Mapping[str, Any] | None, most: int, using: str) -> list[Any]:
        """The first points that a filter lets through."""
        from qdrant_client import models

        wanted = models.Filter.model_validate(filter) if filter else None
        found: list[Any] = []
        offset: Any = None
        while len(found) < most:
            points, offset = self._client.scroll(
                collection, scroll_filter=wanted, limit=min(_BATCH, most - len(found)), offset=offset,
                with_payload=True, with_vectors=True,
            )  # fmt: skip
            found += points
            if offset is None:
                break
        return found


def _record(point: Any, using: str) -> Record:
    vector = point.vector
    if isinstance(vector, Mapping):
        vector = vector.get(using)
    plain = isinstance(vector, list) and all(isinstance(one, int | float) for one in vector)
    numbers = tuple(map(float, vector)) if plain and vector is not None else None if vector is None else ()
    return Record(str(point.id), dict(point.payload or {}), numbers)


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
