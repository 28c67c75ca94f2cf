"""Points and what their collection says of its vectors: from the embedded engine's shards, or from a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from envclone.models import Record
from envclone.stores.qdrant.filters import filter_of, point_id
from envclone.stores.qdrant.search import EmbeddedRunner

__all__ = ["OfServer", "OfShards", "Points", "record_of"]

_BATCH = 500


class Points(Protocol):
    """Where points are read by what they are."""

    def config(self, collection: str, using: str) -> Mapping[str, Any]:
        """What is known of a vector's index."""
        ...

    def vectors(self, collection: str) -> Mapping[str, tuple[int, str]]:
        """Its dense vectors by name: how long they are, and what they are compared by."""
        ...

    def retrieve(self, collection: str, ids: Sequence[Any], using: str) -> list[Any]:
        """Points by id, each with its payload and vector."""
        ...

    def scroll(self, collection: str, filter: Mapping[str, Any] | None, most: int, using: str) -> list[Any]:
        """The first points that a filter lets through."""
        ...


class OfShards:
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

    def vectors(self, collection: str) -> Mapping[str, tuple[int, str]]:
        """Its dense vectors by name: how long they are, and what they are compared by."""
        found: dict[str, tuple[int, str]] = {}
        for _, segment in self._runner.collection(collection).segments():
            for name, one in (segment.config.get("vector_data") or {}).items():
                if not one.get("multivector_config"):
                    found[name] = int(one.get("size") or 0), str(one.get("distance") or "").lower()
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


class OfServer:
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

    def vectors(self, collection: str) -> Mapping[str, tuple[int, str]]:
        """Its dense vectors by name: how long they are, and what they are compared by."""
        given = self._client.get_collection(collection).config.params.vectors
        named = given if isinstance(given, Mapping) else {"": given} if given else {}
        return {name: (one.size, str(getattr(one.distance, "value", one.distance)).lower())
                for name, one in named.items() if not getattr(one, "multivector_config", None)}  # fmt: skip

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


def record_of(point: Any, using: str) -> Record:
    """A point with its payload and one of its vectors."""
    vector = point.vector
    if isinstance(vector, Mapping):
        vector = vector.get(using)
    plain = isinstance(vector, list) and all(isinstance(one, int | float) for one in vector)
    numbers = tuple(map(float, vector)) if plain and vector is not None else None if vector is None else ()
    return Record(str(point.id), dict(point.payload or {}), numbers)
