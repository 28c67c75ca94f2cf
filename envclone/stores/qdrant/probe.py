"""The same questions to each vector of production's shards and of their clones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from envclone.errors import EnvcloneError
from envclone.masking.shown import foreign
from envclone.models import Probe, Questions, Unanswered
from envclone.stores.qdrant import engine, wal
from envclone.stores.qdrant.layout import Collection, Shard

__all__ = ["answers", "probes"]

_NEAREST = 10
Answer = list[Any] | Unanswered


def probes(collection: Collection, most: int) -> list[Questions]:
    """For each vector of each shard: vectors that points have, and points halfway between two of them."""
    found: list[Questions] = []
    for number, shard in enumerate(collection.shards()):
        names = sorted({name for segment in shard.segments() for name in segment.vectors})
        indexes = {name: f"{collection.address}/{number}" + (f"/{name}" if name else "") for name in names}
        try:
            with engine.loaded(shard) as edge:
                held = {name: list(_vectors(edge, name, most)) for name in names}
        except Exception as exc:  # noqa: BLE001 - the binding raises bare Exception
            why = f"its vectors cannot be read: {_why(exc)}"
            found += [Questions(index, unasked=why) for index in indexes.values()]
            continue
        finally:
            wal.empty(shard)
        for name, index in indexes.items():
            asked = tuple(Probe(index, collection.address, vector) for vector in _asked(held[name]))
            found.append(Questions(index, asked, empty="" if asked else "no point has it"))
    return found


def answers(collections: Mapping[str, Collection], asked: Sequence[Probe]) -> list[Answer]:
    """Ids and scores of the nearest points, as each shard's own index gives them; or why it does not."""
    result: list[Answer] = [Unanswered("it was not asked")] * len(asked)
    places: dict[tuple[str, int], list[int]] = {}
    for place, probe in enumerate(asked):
        places.setdefault(_shard_of(probe), []).append(place)
    for (name, number), its in places.items():
        shards = collections[name].shards() if name in collections else []
        if number >= len(shards):
            answered: list[Answer] = [Unanswered("its shard is not there")] * len(its)
        else:
            answered = _answers(shards[number], [asked[place] for place in its])
        for place, answer in zip(its, answered, strict=True):
            result[place] = answer
    return result


def _answers(shard: Shard, asked: Sequence[Probe]) -> list[Answer]:
    import qdrant_edge as q

    found: list[Answer] = []
    try:
        with engine.loaded(shard) as edge:
            for probe in asked:
                using = probe.index[len(probe.table) + 1 :].partition("/")[2] or None
                try:
                    request = q.SearchRequest(
                        query=q.Query.Nearest(_of_engine(probe.query), using),
                        limit=_NEAREST,
                        with_payload=False,
                        with_vector=False,
                    )
                    found.append([[str(point.id), repr(float(point.score))] for point in edge.search(request)])
                except Exception as exc:  # noqa: BLE001 - the binding raises bare Exception
                    found.append(Unanswered(_why(exc)))
    except EnvcloneError as exc:
        found += [Unanswered(_why(exc))] * (len(asked) - len(found))
    finally:
        wal.empty(shard)
    return found


def _vectors(edge: Any, name: str, most: int) -> Iterator[Any]:
    """The first vectors of this name: the filter finds those that few points have."""
    from qdrant_edge import Filter, HasVectorCondition, ScrollRequest

    having = Filter(must=[HasVectorCondition(name)])
    offset, count = None, 0
    while count < most:
        records, offset = edge.scroll(
            ScrollRequest(offset=offset, limit=most, filter=having, with_payload=False, with_vector=True)
        )
        for record in records:
            named = record.vector if isinstance(record.vector, dict) else {"": record.vector}
            if count < most and (vector := named.get(name)) is not None:
                count += 1
                yield _plain(vector)
        if offset is None:
            break


def _plain(vector: Any) -> Any:
    """A vector that another process can be given: a sparse one as its indices and values."""
    return {"indices": list(vector.indices), "values": list(vector.values)} if hasattr(vector, "indices") else vector


def _of_engine(vector: Any) -> Any:
    from qdrant_edge import SparseVector

    return SparseVector(vector["indices"], vector["values"]) if isinstance(vector, dict) else vector


def _shard_of(probe: Probe) -> tuple[str, int]:
    return probe.table, int(probe.index[len(probe.table) + 1 :].partition("/")[0])


def _asked(held: Sequence[Any]) -> Iterable[Any]:
    half = len(held) // 2
    yield from held[:half]
    for one, other in zip(held[half:], held[half - 1 :] if half else held, strict=False):
        dense = isinstance(one, list) and one and isinstance(one[0], float) and len(one) == len(other)
        yield [(a + b) / 2 for a, b in zip(one, other, strict=True)] if dense else one


def _why(exc: Exception) -> str:
    return str(exc) if isinstance(exc, EnvcloneError) else foreign(str(exc)) or type(exc).__name__
