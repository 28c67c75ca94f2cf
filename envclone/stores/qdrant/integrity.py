"""Whether the engine reads a shard as its files say: every point, with a payload that the files hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from envclone.stores.qdrant import engine, payloads
from envclone.stores.qdrant.gridstore import Gridstore
from envclone.stores.qdrant.layout import Shard

__all__ = ["problems"]

_PAGE = 2000


def problems(collection: str, shard: Shard) -> list[str]:
    """What is wrong with a shard; loads it, which the caller's clone must allow. 8 bytes of memory per payload.

    A payload is looked for as the engine's own writer spells it; only what is not among the files' texts is read there.
    """
    import numpy as np

    def held(form: Callable[[bytes], bytes]) -> Any:
        return np.sort(np.fromiter(_digests(shard, form), np.uint64))

    @cache
    def read() -> Any:
        return held(lambda record: payloads.canonical(payloads.parse(payloads.text(record))))

    def missing(some: Sequence[Any], form: Callable[[Any], bytes], among: Any) -> list[Any]:
        digests = np.fromiter((payloads.digest64(form(one)) for one in some), np.uint64, len(some))
        places = np.searchsorted(among, digests)
        there = np.append(among, np.uint64(0))[places] == digests
        return [some[i] for i in np.flatnonzero(~there | (places == len(among))).tolist()]

    written = held(lambda record: record)
    where = f"{collection}, shard {shard.path.name}"
    found: list[str] = []
    with engine.loaded(shard) as edge:
        expected = int(edge.info().points_count)
        seen = strange = 0
        for page in _payloads(edge):
            seen += len(page)
            if left := missing([one for one in page if one], _spelled, written):
                strange += len(missing(left, payloads.canonical, read()))
    if seen != expected:
        found.append(f"{where}: the engine counts {expected} points and reads {seen}")
    if strange:
        found.append(f"{where}: {strange} points have a payload that is not in the files")
    return found


def _spelled(payload: Any) -> bytes:
    """A payload as the engine writes it, but for numbers that it spells in another way than Python."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def _digests(shard: Shard, form: Callable[[bytes], bytes]) -> Iterator[int]:
    for segment in shard.segments():
        with Gridstore(segment.payload_storage) as store:
            for _, records in store.batches():
                for record in records:
                    yield payloads.digest64(form(record))


def _payloads(edge: Any) -> Iterator[list[Any]]:
    """The payload of every point that the engine shows, page by page."""
    from qdrant_edge import ScrollRequest

    offset = None
    while True:
        records, offset = edge.scroll(ScrollRequest(offset=offset, limit=_PAGE, with_payload=True, with_vector=False))
        yield [record.payload for record in records]
        if offset is None:
            return
