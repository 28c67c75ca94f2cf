"""qdrant-client: the whole query, bit for bit, and the points that came back."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from qdrant_client import AsyncQdrantClient, QdrantClient, models

from envclone import record
from envclone.record import vectors
from tests.unit.record.ring import Recording

VECTOR = [float(number) / 7 for number in range(32)]


@pytest.fixture(scope="module")
def client() -> Iterator[QdrantClient]:
    made = QdrantClient(":memory:")
    _fill(made)
    yield made
    made.close()


def _fill(client: Any) -> None:
    client.create_collection("articles", vectors_config=models.VectorParams(size=32, distance=models.Distance.DOT))
    points = [
        models.PointStruct(id=number, vector=[number + one for one in VECTOR], payload={"n": number, "t": "a"})
        for number in range(8)
    ]
    client.upsert("articles", points)


def _floats(value: dict[str, str]) -> list[float]:
    data = base64.b64decode(value["$f32"])
    return list(struct.unpack(f"<{len(data) // 4}f", data))


@pytest.mark.parametrize(
    "vector", [VECTOR, np.array(VECTOR), np.array(VECTOR, dtype=np.float32)], ids=["list", "f8", "f4"]
)
def test_a_query_and_its_points(recording: Recording, client: QdrantClient, vector: Any) -> None:
    condition = models.FieldCondition(key="n", range=models.Range(gte=3))
    with record.session("search"):
        found = client.query_points(
            "articles", query=vector, limit=2, query_filter=models.Filter(must=[condition]), with_payload=True
        )
        found.points[0].payload = {"changed": "afterwards"}
        condition.range = None
    (one,) = recording.calls()
    assert (one["kind"], one["method"]) == ("vector", "query_points")
    query = one["query"]
    assert _floats(query["query"].get("nearest", query["query"])) == [float(np.float32(each)) for each in VECTOR]
    assert query["query_filter"] == {"must": [{"key": "n", "range": {"gte": 3.0}}]} and query["limit"] == 2
    points = one["answer"]["points"]
    assert [each["id"] for each in points] == [7, 6] and points[0]["score"] == found.points[0].score
    assert json.loads(points[0]["payload"]) == {"n": 7, "t": "a"}


def test_prefetch_groups_batches_and_failures(recording: Recording, client: QdrantClient) -> None:
    nearest = models.NearestQuery(nearest=VECTOR)
    with record.session("search"):
        client.query_points(
            "articles",
            prefetch=[models.Prefetch(query=VECTOR, limit=4), models.Prefetch(query=3, limit=4)],
            query=models.FusionQuery(fusion=models.Fusion.RRF),
            limit=3,
        )
        client.query_points_groups("articles", group_by="t", query=VECTOR, limit=1, group_size=2)
        client.query_batch_points("articles", [models.QueryRequest(query=nearest, limit=2)] * 2)
        client.scroll("articles", limit=1)
        with pytest.raises(ValueError):
            client.query_points("nothing", query=VECTOR)
    fused, grouped, batch, scrolled, failed = recording.calls()
    assert fused["query"]["query"] == {"fusion": "rrf"} and len(fused["query"]["prefetch"]) == 2
    assert [len(group["points"]) for group in grouped["answer"]["groups"]] == [2]
    assert [len(each["points"]) for each in batch["answer"]["batch"]] == [2, 2]
    assert scrolled["method"] == "scroll" and failed["error"].startswith("ValueError: Collection nothing not found")


def test_an_async_client(recording: Recording) -> None:
    async def search() -> None:
        client = AsyncQdrantClient(":memory:")
        await client.create_collection(
            "articles", vectors_config=models.VectorParams(size=32, distance=models.Distance.DOT)
        )
        await client.upsert("articles", [models.PointStruct(id=1, vector=VECTOR)])
        async with record.session("search"):
            await client.query_points("articles", query=VECTOR)
        await client.close()

    asyncio.run(search())
    (one,) = recording.calls()
    assert [each["id"] for each in one["answer"]["points"]] == [1]


def test_a_server_is_asked_once_and_recorded_once(recording: Recording) -> None:
    with record.session("search"), pytest.raises(Exception, match=r"[Cc]onnection refused"):
        client = QdrantClient(url="http://127.0.0.1:1", check_compatibility=False)
        client.query_points("articles", query=VECTOR)
    (one,) = recording.calls()
    assert one["kind"] == "vector" and "refused" in one["error"]


def test_our_failures_do_not_reach_the_application(
    recording: Recording, client: QdrantClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("ours")

    for name in ("frozen", "_answer", "_base"):
        with monkeypatch.context() as patched, record.session("search"):
            patched.setattr(vectors, name, broken)
            assert len(client.query_points("articles", query=VECTOR, limit=2).points) == 2
    assert record.status()["errors"] == 3
