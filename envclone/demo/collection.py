"""The demo's Qdrant collection: the chunks again, with payloads that name people, in one shard as a server keeps it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone.demo.desk import Chunk, Desk

if TYPE_CHECKING:
    from envclone.demo.embeddings import Matrix

__all__ = ["COLLECTION", "build_collection"]

COLLECTION = "articles"
SHARD = 0
BATCH = 2000


def build_collection(storage: Path, desk: Desk, vectors: Matrix) -> int:
    """Make `storage`/collections/articles/0 with an HNSW index over every chunk; returns the number of points.

    The points are written as they were at first, then as they became: customers who changed their address, and
    chunks of people who left. So the write-ahead log holds what the payloads no longer do.
    """
    import qdrant_edge as q

    shard = storage / "collections" / COLLECTION / str(SHARD)
    shard.mkdir(parents=True)
    config = q.EdgeConfig(
        vectors=q.EdgeVectorParams(size=vectors.shape[1], distance=q.Distance.Cosine),
        hnsw_config=q.HnswIndexConfig(m=8, ef_construct=32, full_scan_threshold=10),
        optimizers=q.EdgeOptimizersConfig(indexing_threshold=200, default_segment_number=1),
    )
    edge = q.EdgeShard.create(str(shard), config)
    try:
        rows = vectors.tolist()
        for batch in _batched(desk.chunks):
            points = [q.Point(c.id, rows[c.id - 1], _payload(c, now=False)) for c in batch]
            edge.update(q.UpdateOperation.upsert_points(points))
        for key in ("tags", "author.email"):
            edge.update(q.UpdateOperation.create_field_index(key, q.PayloadSchemaType.Keyword))
        leavers = {c.id for c in desk.people.leavers}
        gone: list[int | uuid.UUID | str] = [
            c.id for c in desk.chunks if c.ticket is not None and c.ticket.customer.id in leavers
        ]
        for chunk in desk.chunks:
            if chunk.ticket is not None and chunk.ticket.customer.former_email:
                author = {"author": _payload(chunk, now=True)["author"]}
                edge.update(q.UpdateOperation.set_payload([chunk.id], author))
        edge.update(q.UpdateOperation.delete_points(gone))
        edge.flush()
        edge.optimize()
        edge.flush()
        return int(edge.info().points_count)
    finally:
        edge.close()


def _batched(chunks: tuple[Chunk, ...]) -> Iterator[tuple[Chunk, ...]]:
    for start in range(0, len(chunks), BATCH):
        yield chunks[start : start + BATCH]


def _payload(chunk: Chunk, *, now: bool) -> dict[str, Any]:
    ticket = chunk.ticket
    if ticket is None:
        author = {"name": chunk.author.full_name, "email": chunk.author.email}
        contacts: list[dict[str, str]] = [{"phone": chunk.author.phone}]
    else:
        customer = ticket.customer
        author = {"name": customer.full_name, "email": customer.email if now else customer.first_email}
        contacts = ticket.meta["contacts"]
    return {
        "chunk_id": chunk.id,
        "ticket_id": ticket.id if ticket is not None else None,
        "title": chunk.title,
        "text": chunk.body,
        "author": author,
        "contacts": contacts,
        "tags": chunk.tags,
    }
