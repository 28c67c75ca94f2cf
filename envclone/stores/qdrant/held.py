"""What a running branch's Qdrant holds: how many points each collection has, and the sum of their contents."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from envclone.models import Endpoint
from envclone.stores.qdrant.layout import collections
from envclone.stores.qdrant.search import EmbeddedRunner, embedded, to_server

__all__ = ["held"]

_PAGE = 1000
_MODULUS = 2**128


def held(endpoint: Endpoint, *, whole: bool) -> dict[str, str]:
    """By collection how many points there are; with `whole` the sum of their ids, payloads and vectors, too.

    The sum does not depend on the order of points, nor on which segment or shard they lie in. Raises UnreachableError.
    """
    if endpoint.host is not None and endpoint.port is not None:
        with to_server(f"http://{endpoint.host}:{endpoint.port}", endpoint.password) as server:
            names = [one.name for one in server.client.get_collections().collections]
            return {f"points {name}": _told(_of_server(server.client, name, whole), whole) for name in sorted(names)}
    if endpoint.path is None:
        return {}
    with embedded(endpoint.path) as local:
        return {f"points {one.name}": _told(_of_shards(local, one.name, whole), whole)
                for one in collections(endpoint.path)}  # fmt: skip


def _of_server(client: Any, collection: str, whole: bool) -> Iterator[Any]:
    offset: Any = None
    while True:
        points, offset = client.scroll(
            collection, limit=_PAGE, offset=offset, with_payload=whole, with_vectors=whole
        )  # fmt: skip
        yield from points
        if offset is None:
            return


def _of_shards(runner: EmbeddedRunner, collection: str, whole: bool) -> Iterator[Any]:
    import qdrant_edge as q

    for shard in runner.shards(runner.collection(collection)):
        offset: Any = None
        while True:
            asked = q.ScrollRequest(offset=offset, limit=_PAGE, with_payload=whole, with_vector=whole)
            points, offset = shard.scroll(asked)
            yield from points
            if offset is None or not points:
                break


def _told(points: Iterator[Any], whole: bool) -> str:
    count = total = 0
    for point in points:
        count += 1
        total = (total + _sum(point)) % _MODULUS if whole else 0
    return f"{count}, content {total:032x}" if whole else str(count)


def _sum(point: Any) -> int:
    """A number that follows from all that a point holds."""
    digest = hashlib.blake2b(digest_size=16)
    payload = json.dumps(dict(point.payload or {}), sort_keys=True, ensure_ascii=False, default=str)
    for part in (str(point.id).encode(), payload.encode("utf-8", "surrogatepass"), *_bytes(point.vector)):
        digest.update(len(part).to_bytes(8, "little") + part)
    return int.from_bytes(digest.digest(), "little")


def _bytes(vector: Any) -> Iterator[bytes]:
    """A vector of any kind as 32-bit floats: a server and the embedded engine give the same."""
    if isinstance(vector, Mapping):
        for name in sorted(vector):
            yield str(name).encode()
            yield from _bytes(vector[name])
    elif hasattr(vector, "indices"):  # sparse: in whatever order they are told
        for index, value in sorted(zip(vector.indices, vector.values, strict=False)):
            yield int(index).to_bytes(8, "little") + np.float32(value).tobytes()
    elif isinstance(vector, Sequence) and vector:
        yield np.asarray(vector, dtype=np.float32).tobytes()
