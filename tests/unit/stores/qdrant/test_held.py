"""What collections hold: counted and summed up, the same of shards and of a client, another for any change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import qdrant_edge as q
from qdrant_client import QdrantClient, models

from envclone.models import Endpoint
from envclone.stores.qdrant import held as module
from envclone.stores.qdrant.held import held

POINTS: list[tuple[Any, list[float], dict[str, Any]]] = [
    (n, [n / 7, 1.0, 0.5], {"title": f"Ü {n}", "tags": ["a", {"b": n}]}) for n in range(1, 1203)
]


def _shards(root: Path, points: list[tuple[Any, list[float], dict[str, Any]]], count: int = 1) -> Endpoint:
    for number in range(count):
        shard = root / "collections" / "articles" / str(number)
        shard.mkdir(parents=True)
        config = q.EdgeConfig(vectors={"": q.EdgeVectorParams(size=3, distance=q.Distance.Dot)})
        edge = q.EdgeShard.create(str(shard), config)
        edge.update(q.UpdateOperation.upsert_points([q.Point(*one) for one in points[number::count]]))
        edge.close()
    return Endpoint(store="kb", kind="qdrant", path=root)


def test_any_change_of_a_point_is_seen_and_its_place_makes_no_difference(tmp_path: Path) -> None:
    first = held(_shards(tmp_path / "a", POINTS), whole=True)
    assert first["points articles"].startswith("1202, content ") and set(first) == {"points articles"}
    assert held(_shards(tmp_path / "b", POINTS[::-1]), whole=True) == first
    changes = {
        "payload": (7, POINTS[6][1], {**POINTS[6][2], "title": "other"}),
        "vector": (7, [1.0, 1.0, 0.5000001], POINTS[6][2]),
        "id": (70_000, *POINTS[6][1:]),
    }
    for name, one in changes.items():
        other = _shards(tmp_path / name, [*POINTS[:6], one, *POINTS[7:]])
        assert held(other, whole=True) != first and held(other, whole=False) == {"points articles": "1202"}


@pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning")
def test_a_server_tells_the_same(tmp_path: Path) -> None:
    client = QdrantClient(":memory:")
    client.create_collection("articles", vectors_config=models.VectorParams(size=3, distance=models.Distance.DOT))
    client.upsert("articles", [models.PointStruct(id=id, vector=v, payload=p) for id, v, p in POINTS])
    said = module._told(module._of_server(client, "articles", True), True)
    assert held(_shards(tmp_path, POINTS), whole=True) == {"points articles": said}
    client.close()
