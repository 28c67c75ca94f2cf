"""Asks a branch's Qdrant what a recorded search would have given otherwise: in process, or its server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from envclone.address import Address
from envclone.errors import EnvcloneError, UsageError
from envclone.incidents.bundle import Step, VectorStep
from envclone.models import Asked, Condition, Endpoint, Hits, Record, Retrieval
from envclone.stores.qdrant.filters import filter_of, point_id
from envclone.stores.qdrant.search import EmbeddedRunner, ServerRunner, embedded, to_server

__all__ = ["QdrantExaminer", "examiner"]

_BREADTHS = (8, 16, 32, 64, 128, 256, 512, 1024, 4096)
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

    def search(self, step: Step, asked: Asked) -> Hits:
        """The step's own search with other parameters, other bounds or without some conditions."""
        if not isinstance(step, VectorStep) or not step.plain:
            return Hits(error=self.retrieval(step).why_not)
        other = _otherwise(step, asked)
        try:
            result = self._runner.run(other)
        except EnvcloneError as exc:
            return Hits(error=exc.message, command=_command(other))
        return Hits(tuple(map(str, result.ids)), result.scores, result.error, result.seconds, _command(other))

    def records(self, step: Step, ids: Sequence[str]) -> Sequence[Record]:
        """Points with these ids."""
        if not isinstance(step, VectorStep):
            return ()
        found = self._points.retrieve(step.collection, [one for one in map(_id, ids) if one is not None], step.using)
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
            found = self._points.retrieve(collection, [one for one in map(_id, values) if one is not None], "")
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

    def look(self, step: Step, ident: str) -> str:
        """The request for a point."""
        return f"GET /collections/{getattr(step, 'collection', '')}/points/{ident}"

    def _look(self, step: Step) -> Retrieval:
        if not isinstance(step, VectorStep):
            return Retrieval(step.id, step.store, "", why_not="it is no search of vectors")
        if not step.plain:
            why = "it fuses, groups or orders: only the nearest of one vector is asked otherwise"
            return Retrieval(step.id, step.store, step.collection, why_not=why)
        try:
            config = self._points.config(step.collection, step.using)
        except EnvcloneError as exc:
            return Retrieval(step.id, step.store, step.collection, why_not=exc.message)
        exact = bool(step.params.get("exact"))
        first = int(config.get("ef_construct") or _FIRST_EF)
        vector = step.vector
        return Retrieval(
            step=step.id,
            store=step.store,
            place=step.collection,
            limit=step.limit,
            offset=step.offset,
            key="id",
            vector=step.using,
            index="hnsw" if config.get("indexed") and not exact else "",
            breadth=int(step.params.get("hnsw_ef") or first),
            breadths=_BREADTHS,
            breadth_name="hnsw_ef",
            conditions=tuple(one for one, _ in _conditions(step)),
            dimensions=len(vector) if isinstance(vector, list) and not isinstance(vector[0], list) else None,
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
            index = ((segment.config.get("vector_data") or {}).get(using) or {}).get("index") or {}
            if index.get("type") == "hnsw":
                found = {"indexed": True, "ef_construct": (index.get("options") or {}).get("ef_construct")}
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
        return {"indexed": bool(info.indexed_vectors_count), "ef_construct": hnsw.ef_construct if hnsw else None}

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


def _conditions(step: VectorStep) -> list[tuple[Condition, tuple[str, int | None]]]:
    """Each condition of a filter with its place in it; a bound on the score is one, too."""
    found: list[tuple[Condition, tuple[str, int | None]]] = []
    for clause in ("must", "must_not"):
        written = (step.filter or {}).get(clause)
        for number, one in enumerate(written if isinstance(written, list) else [written] if written else []):
            text = json.dumps(one, ensure_ascii=False)
            found.append((Condition(f"{clause}: {text}", _keys(one)), (clause, number)))
    for clause in ("should", "min_should"):
        if one := (step.filter or {}).get(clause):
            found.append((Condition(f"{clause}: {json.dumps(one, ensure_ascii=False)}", _keys(one)), (clause, None)))
    if step.score_threshold is not None:
        found.append((Condition(f"score_threshold: {step.score_threshold:g}"), ("score_threshold", None)))
    return found


def _keys(condition: Any) -> tuple[str, ...]:
    """The payload keys in a condition."""
    if isinstance(condition, Mapping):
        own = (str(condition["key"]),) if isinstance(condition.get("key"), str) else ()
        return own + tuple(key for value in condition.values() for key in _keys(value))
    return tuple(key for one in condition for key in _keys(one)) if isinstance(condition, list) else ()


def _otherwise(step: VectorStep, asked: Asked) -> VectorStep:
    params = dict(step.params)
    if asked.exact or asked.only is not None:
        params = {"exact": True}
    elif asked.breadth is not None or asked.unbounded:
        params["hnsw_ef"] = asked.breadth or _BREADTHS[-1]
    places = [place for _, place in _conditions(step)]
    gone = {places[number] for number in asked.without if number < len(places)}
    kept: dict[str, Any] = {}
    for clause, written in (step.filter or {}).items():
        if clause in ("must", "must_not"):
            listed = written if isinstance(written, list) else [written] if written else []
            if left := [one for number, one in enumerate(listed) if (clause, number) not in gone]:
                kept[clause] = left
        elif (clause, None) not in gone:
            kept[clause] = written
    if asked.only is not None:
        wanted = [one for one in map(_id, asked.only) if one is not None]
        must = kept.get("must", [])
        kept["must"] = [*(must if isinstance(must, list) else [must]), {"has_id": wanted}]
    update: dict[str, Any] = {"params": params, "filter": kept or None, "with_payload": False}
    if ("score_threshold", None) in gone:
        update["score_threshold"] = None
    if asked.limit is not None:
        update |= {"limit": asked.limit, "offset": 0}
    return step.model_copy(update=update)


def _command(step: VectorStep) -> str:
    """The request to Qdrant's API that asks the same."""
    body: dict[str, Any] = {"query": step.vector if isinstance(step.vector, list) else step.vector and {
        "indices": step.vector.indices, "values": step.vector.values}, "limit": step.limit}  # fmt: skip
    body |= {"using": step.using} if step.using else {}
    body |= {"offset": step.offset} if step.offset else {}
    body |= {"filter": step.filter} if step.filter else {}
    body |= {"params": step.params} if step.params else {}
    body |= {"score_threshold": step.score_threshold} if step.score_threshold is not None else {}
    return f"POST /collections/{step.collection}/points/query\n{json.dumps(body, ensure_ascii=False)}"


def _id(text: str) -> int | str | None:
    """A point's id as the API has it; None for a text that cannot be one."""
    if re.fullmatch(r"\d{1,19}", text):
        return int(text)
    return text if re.fullmatch(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}", text) else None


def _record(point: Any, using: str) -> Record:
    vector = point.vector
    if isinstance(vector, Mapping):
        vector = vector.get(using)
    plain = isinstance(vector, list) and all(isinstance(one, int | float) for one in vector)
    return Record(str(point.id), dict(point.payload or {}), tuple(map(float, vector)) if plain else None)
