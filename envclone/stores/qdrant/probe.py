"""The same questions to each vector of production's shards and of their clones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from envclone.models import Probe
from envclone.stores.qdrant import engine, wal
from envclone.stores.qdrant.layout import Collection

__all__ = ["answers", "probes"]

_NEAREST = 10
_PAGES = 16


def probes(collection: Collection, most: int) -> list[Probe]:
    """For each vector of each shard: vectors that points have, and points halfway between two of them."""
    from qdrant_edge import ScrollRequest

    found: list[Probe] = []
    for number, shard in enumerate(collection.shards()):
        vectors: dict[str, list[Any]] = {}
        with engine.loaded(shard) as edge:
            offset = None
            for _ in range(_PAGES):
                records, offset = edge.scroll(
                    ScrollRequest(offset=offset, limit=most, with_payload=False, with_vector=True)
                )
                for record in records:
                    named = record.vector if isinstance(record.vector, dict) else {"": record.vector}
                    for name, vector in named.items():
                        if vector is not None and len(vectors.setdefault(name, [])) < most:
                            vectors[name].append(vector)
                if offset is None or all(len(held) >= most for held in vectors.values()):
                    break
        wal.empty(shard)
        for name, held in sorted(vectors.items()):
            index = f"{collection.name}/{number}" + (f"/{name}" if name else "")
            found += [Probe(index, collection.name, vector) for vector in _asked(held)]
    return found


def answers(collections: Mapping[str, Collection], asked: Sequence[Probe]) -> list[list[Any] | None]:
    """Ids and scores of the nearest points, as each shard's own index gives them."""
    import qdrant_edge as q

    result: list[list[Any] | None] = [None] * len(asked)
    for shard_name in dict.fromkeys(_shard_of(probe) for probe in asked):
        collection, number = shard_name
        shard = list(collections[collection].shards())[number]
        with engine.loaded(shard) as edge:
            for i, probe in enumerate(asked):
                if _shard_of(probe) != shard_name:
                    continue
                using = probe.index[len(probe.table) + 1 :].partition("/")[2] or None
                request = q.SearchRequest(
                    query=q.Query.Nearest(probe.query, using), limit=_NEAREST, with_payload=False, with_vector=False
                )
                result[i] = [[str(point.id), repr(float(point.score))] for point in edge.search(request)]
        wal.empty(shard)
    return result


def _shard_of(probe: Probe) -> tuple[str, int]:
    return probe.table, int(probe.index[len(probe.table) + 1 :].partition("/")[0])


def _asked(held: Sequence[Any]) -> Iterable[Any]:
    half = len(held) // 2
    yield from held[:half]
    for one, other in zip(held[half:], held[half - 1 :] if half else held, strict=False):
        dense = isinstance(one, list) and one and isinstance(one[0], float) and len(one) == len(other)
        yield [(a + b) / 2 for a, b in zip(one, other, strict=True)] if dense else one
