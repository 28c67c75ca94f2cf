"""Whether the engine reads a shard as its files say: every point, with a payload that the files hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from envclone.stores.qdrant import engine, payloads
from envclone.stores.qdrant.gridstore import Gridstore
from envclone.stores.qdrant.layout import Shard

__all__ = ["problems"]

_PAGE = 2000


def problems(collection: str, shard: Shard) -> list[str]:
    """What is wrong with a shard; loads it, which the caller's clone must allow. 8 bytes of memory per payload."""
    import numpy as np

    held = np.sort(np.fromiter(_digests(shard), np.uint64))
    where = f"{collection}, shard {shard.path.name}"
    found: list[str] = []
    with engine.loaded(shard) as edge:
        expected = int(edge.info().points_count)
        seen = strange = 0
        for payload in _payloads(edge):
            seen += 1
            if payload:
                digest = np.uint64(payloads.digest64(payloads.canonical(payload)))
                place = int(np.searchsorted(held, digest))
                strange += place == len(held) or held[place] != digest
    if seen != expected:
        found.append(f"{where}: the engine counts {expected} points and reads {seen}")
    if strange:
        found.append(f"{where}: {strange} points have a payload that is not in the files")
    return found


def _digests(shard: Shard) -> Iterator[int]:
    for segment in shard.segments():
        with Gridstore(segment.payload_storage) as store:
            for _, records in store.batches():
                for record in records:
                    yield payloads.digest64(payloads.canonical(payloads.parse(payloads.text(record))))


def _payloads(edge: Any) -> Iterator[Any]:
    """The payload of every point that the engine shows."""
    from qdrant_edge import ScrollRequest

    offset = None
    while True:
        records, offset = edge.scroll(ScrollRequest(offset=offset, limit=_PAGE, with_payload=True, with_vector=False))
        for record in records:
            yield record.payload
        if offset is None:
            return
