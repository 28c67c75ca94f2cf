"""Kinds of collections: several shards, named and sparse vectors, quantization, payloads in RAM, one segment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qdrant_edge as q

from envclone.incidents.bundle import VectorStep
from envclone.models import Endpoint
from envclone.stores.qdrant.residue import expand
from tests.integration.qdrant.conftest import Pool
from tests.support.qdrant import SECRET, TextMasks, build, change, files, payload_of, plan_of

NEEDLE = SECRET.encode()


def _sanitized_and_proven(pool: Pool, root: Path, vectors: tuple[str, ...] = ("",)) -> Path:
    raw, snapshot = pool.snapshot(root)
    plan, masks = plan_of(vectors=vectors), TextMasks()
    clean, _ = pool.sanitize(raw, snapshot, plan, masks)
    with (
        pool.store.open(pool.clone(raw, "counterpart"), snapshot, log=pool.path / "log") as before,
        pool.store.open(clean, snapshot, log=pool.path / "log") as after,
    ):
        assert set(plan.rules) == set(before.inventory().fields)
        assert before.digest(plan, masks) == after.digest(plan, None)
        assert after.integrity().problems == ()
        questions = before.probes(20)
        assert not [one for one in questions if one.unasked]
        asked = [probe for one in questions for probe in one.probes]
        assert {probe.index for probe in asked} and before.answers(asked, ()) == after.answers(asked, ())
        assert all(before.answers(asked[:1], ()))
    assert not [path for path in files(clean) if NEEDLE in path.read_bytes()]
    assert not [place for place, data in expand(clean) if NEEDLE in data]
    return clean / "storage"


def _answers(pool: Pool, root: Path, queries: list[Any], **step: Any) -> list[Any]:
    with pool.store.connect(Endpoint("kb", "qdrant", path=root)) as runner:
        results = [
            runner.run(VectorStep(id="s", store="kb", collection="articles", vector=query, **step)) for query in queries
        ]
    assert not [result.error for result in results if result.error]
    return [(result.ids, result.scores) for result in results]


@pytest.mark.parametrize(
    "config",
    [
        {"on_disk_payload": False},
        {"quantization_config": q.ScalarQuantizationConfig(type=q.ScalarType.Int8, quantile=0.9)},
        {"hnsw_config": q.HnswIndexConfig(m=8, ef_construct=32, full_scan_threshold=10, payload_m=8)},
        {"wal_enabled": False},
    ],
    ids=["payload in RAM", "scalar quantization", "graph per payload value", "no log"],
)
def test_configurations(pool: Pool, tmp_path: Path, config: dict[str, Any]) -> None:
    made = build(tmp_path / "prod" / "storage", points=600, config=config)
    change(made, [5, 6], [7])
    clean = _sanitized_and_proven(pool, made.root)
    queries = np.random.default_rng(5).normal(size=(30, 16)).tolist()
    params = {"hnsw_ef": 4, "quantization": {"rescore": False}}
    assert _answers(pool, made.root, queries, params=params) == _answers(pool, clean, queries, params=params)


def test_an_appendable_segment_alone(pool: Pool, tmp_path: Path) -> None:
    made = build(tmp_path / "prod" / "storage", points=300, optimize=False)
    change(made, [5, 6], [7])
    clean = _sanitized_and_proven(pool, made.root)
    queries = np.random.default_rng(5).normal(size=(10, 16)).tolist()
    assert _answers(pool, made.root, queries) == _answers(pool, clean, queries)


def test_points_without_payload_and_with_uuids(pool: Pool, tmp_path: Path) -> None:
    import uuid

    made = build(tmp_path / "prod" / "storage", points=30, payload=lambda n: payload_of(n) if n % 2 else {})
    edge = made.edge()
    ident = uuid.UUID(int=5)
    edge.update(q.UpdateOperation.upsert_points([q.Point(ident, [9.0] * 16, payload_of(77))]))
    edge.update(q.UpdateOperation.clear_payload([1, 3]))
    edge.flush()
    edge.close()
    clean = _sanitized_and_proven(pool, made.root)
    ((ids, _),) = _answers(pool, clean, [[9.0] * 16], limit=1)
    assert ids == (str(ident),)


def test_several_shards_are_merged_by_score(pool: Pool, tmp_path: Path) -> None:
    root = tmp_path / "prod" / "storage"
    whole = build(tmp_path / "whole", points=400)
    rows = dict(enumerate(whole.vectors.tolist()))
    for shard in (0, 1):
        ids = [n for n in range(400) if n % 2 == shard]
        made = build(root, shard=shard, ids=ids)
        edge = made.edge(shard)  # the same vectors as in the one shard beside
        edge.update(q.UpdateOperation.upsert_points([q.Point(n, rows[n], payload_of(n)) for n in ids]))
        edge.flush()
        edge.close()
    clean = _sanitized_and_proven(pool, root)
    queries = np.random.default_rng(5).normal(size=(20, 16)).tolist()
    step: dict[str, Any] = {"params": {"exact": True}, "limit": 7, "offset": 3}
    expected = _answers(pool, whole.root, queries, **step)
    assert _answers(pool, root, queries, **step) == expected
    assert _answers(pool, clean, queries, **step) == expected
    asked: list[dict[str, Any]] = [  # points by id, and what names points that lie in the other shard
        {"filter": {"must_not": {"has_id": [0, 3]}}, "offset": 4},
        {"query": {"nearest": 5}},
        {"query": {"recommend": {"positive": [5, 6], "negative": [9]}}, "offset": 2},
        {"query": {"discover": {"target": 5, "context": [{"positive": 6, "negative": 9}]}}},
    ]
    steps = [VectorStep.model_validate({"id": "s", "store": "kb", "collection": "articles", "limit": 7,
                                        "params": {"exact": True}, **one}) for one in asked]  # fmt: skip
    with (
        pool.store.connect(Endpoint("kb", "qdrant", path=whole.root)) as one,
        pool.store.connect(Endpoint("kb", "qdrant", path=root)) as two,
    ):
        found = [(one.run(each), two.run(each)) for each in steps]
    assert all(a.ids and (a.ids, a.scores) == (b.ids, b.scores) for a, b in found)
    assert found[0][0].ids == (6, 7, 8, 9, 10, 11, 12)


def test_named_and_sparse_vectors(pool: Pool, tmp_path: Path) -> None:
    root = tmp_path / "prod" / "storage"
    shard = root / "collections/articles/0"
    shard.parent.mkdir(parents=True)
    config = q.EdgeConfig(
        vectors={
            "title": q.EdgeVectorParams(size=8, distance=q.Distance.Euclid),
            "body": q.EdgeVectorParams(size=4, distance=q.Distance.Dot),
        },
        sparse_vectors={"words": q.EdgeSparseVectorParams()},
        hnsw_config=q.HnswIndexConfig(m=8, ef_construct=32, full_scan_threshold=10),
        optimizers=q.EdgeOptimizersConfig(indexing_threshold=1, default_segment_number=1),
    )
    edge = q.EdgeShard.create(str(shard), config)
    rng = np.random.default_rng(0)
    points = [
        q.Point(
            n,
            {
                "title": rng.normal(size=8).tolist(),
                "body": rng.normal(size=4).tolist(),
                "words": q.SparseVector([n % 50, 50 + n % 7], [1.0, 0.5]),
            },
            payload_of(n),
        )
        for n in range(300)
    ]
    edge.update(q.UpdateOperation.upsert_points(points))
    edge.flush()
    edge.optimize()
    edge.flush()
    edge.close()
    clean = _sanitized_and_proven(pool, root, ("title", "body", "words"))
    for using, size in (("title", 8), ("body", 4)):
        queries = rng.normal(size=(10, size)).tolist()
        step: dict[str, Any] = {"using": using, "params": {"hnsw_ef": 4}}
        assert _answers(pool, root, queries, **step) == _answers(pool, clean, queries, **step)
