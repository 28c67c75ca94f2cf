"""A search is asked otherwise of a client, with the same answers as of shards: here of the client's own local mode."""

from __future__ import annotations

from typing import Any

import pytest
from qdrant_client import QdrantClient, models

from envclone.incidents.bundle import VectorStep
from envclone.models import Asked
from envclone.stores.qdrant.examine import QdrantExaminer
from envclone.stores.qdrant.lookups import OfServer
from envclone.stores.qdrant.search import ServerRunner

FILTER = {
    "must": [{"key": "lang", "match": {"value": "en"}}, {"key": "tenant", "match": {"value": 1}}],
    "must_not": {"key": "draft", "match": {"value": True}},
}


def _step(**given: Any) -> VectorStep:
    asked: dict[str, Any] = {"id": "s", "store": "kb", "collection": "a", "vector": [1.0, 0.0], "limit": 2}
    return VectorStep(**(asked | given))


@pytest.fixture(scope="module")
def examiner() -> QdrantExaminer:
    client = QdrantClient(":memory:")
    client.create_collection("a", vectors_config=models.VectorParams(size=2, distance=models.Distance.COSINE))
    points = [
        models.PointStruct(id=n, vector=[1.0, n / 10], payload={"lang": "en", "tenant": n % 2, "ticket": str(n + 100)})
        for n in range(1, 9)
    ]
    client.upsert("a", points)
    return QdrantExaminer(ServerRunner(client), OfServer(client))


@pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning")
def test_limits_conditions_and_single_points(examiner: QdrantExaminer) -> None:
    step = _step(filter=FILTER, params={"hnsw_ef": 16}, score_threshold=0.9)
    said = examiner.retrieval(step)
    assert (said.place, said.last, said.breadth, said.dimensions) == ("a", 2, 16, 2)
    assert [one.fields for one in said.conditions] == [("lang",), ("tenant",), ("draft",), ()]
    assert examiner.search(step, Asked()).ids == ("1", "3")
    assert examiner.search(step, Asked(exact=True, limit=3)).ids == ("1", "3")
    assert examiner.search(step, Asked(limit=3, without=frozenset({1}))).ids == ("1", "2", "3")
    assert examiner.search(step, Asked(limit=9, without=frozenset({3}))).ids == ("1", "3", "5", "7")
    assert examiner.search(step, Asked(only=("2",))).ids == ()
    assert examiner.search(step, Asked(only=("2",), without=frozenset({1}))).ids == ("2",)
    assert '"hnsw_ef": 64' in examiner.search(step, Asked(breadth=64)).command


def test_examples_sparse_vectors_and_the_candidates_of_a_diverse_answer(examiner: QdrantExaminer) -> None:
    asked: dict[str, Any] = {"vector": None, "query": {"recommend": {"positive": [3, [1.0, 0.1]], "negative": [5]}}}
    assert examiner.retrieval(_step(id="like", **asked)).examples == ("3", "5")
    said = examiner.retrieval(_step(id="terms", vector={"indices": [1], "values": [1.0]}))
    assert said.sparse and not examiner.retrieval(_step(id="dense")).sparse
    diverse = _step(id="mmr", vector=None, query={"nearest": [1.0, 0.0], "mmr": {"candidates_limit": 6}})
    (near,) = examiner.parts(diverse, "4")
    assert examiner.retrieval(diverse).composed and isinstance(near, VectorStep)
    assert (near.limit, near.query.mmr if near.query else None) == (6, None)


def test_records_and_references(examiner: QdrantExaminer) -> None:
    assert [one.id for one in examiner.records(_step(), ["3", "77", "no id"])] == ["3"]
    assert len(examiner.sample(_step(), 5)) == 5
    assert [one.id for one in examiner.having("a.ticket", ["104", "999"])] == ["4"]
    assert [one.id for one in examiner.having("a.tenant", ["1"])] == ["1", "3", "5", "7"]
    assert [one.id for one in examiner.having("a.point_ids", ["8", "9"])] == ["8"]
    assert examiner.near(_step(), "9") == ("8",)


@pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning")
def test_a_fusion_is_asked_as_one_and_each_prefetch_apart(examiner: QdrantExaminer) -> None:
    tenant = {"must": [{"key": "tenant", "match": {"value": 1}}]}
    fetched = [{"query": [1.0, 0.0], "filter": tenant, "limit": 3}, {"query": [0.0, 1.0], "filter": tenant, "limit": 3}]
    fused = _step(id="f", vector=None, query={"fusion": "rrf"}, prefetch=fetched, limit=4)
    said = examiner.retrieval(fused)
    assert said.composed and not said.why_not and len(said.conditions) == 1  # the same one in both
    assert set(examiner.search(fused, Asked()).ids) == {"1", "3", "5", "7"}
    assert not examiner.search(fused, Asked(only=("2",))).ids
    assert examiner.search(fused, Asked(only=("2",), without=frozenset({0}))).ids == ("2",)
    parts = examiner.parts(fused, "")
    assert [one.id for one in parts] == ["f/prefetch 1", "f/prefetch 2"]
    assert examiner.search(parts[0], Asked()).ids == ("1", "3", "5")
    assert examiner.search(parts[0], Asked(limit=2, without=frozenset({0}))).ids == ("1", "2")
    assert '"prefetch"' in examiner.search(fused, Asked(exact=True)).command


@pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning")
def test_a_search_in_groups_is_asked_within_one(examiner: QdrantExaminer) -> None:
    grouped = _step(id="g", group_by="tenant", group_size=2, limit=1, filter={"must": {"key": "lang", "match": {
        "value": "en"}}})  # fmt: skip
    assert examiner.retrieval(grouped).last == 2
    (within,) = examiner.parts(grouped, "6")
    assert within.id == "g/group 0"
    assert examiner.search(within, Asked()).ids == ("2", "4")
    assert examiner.search(within, Asked(limit=9)).ids == ("2", "4", "6", "8")
    assert examiner.parts(grouped, "99") == () == examiner.parts(_step(), "6")


def test_other_vectors_of_the_same_points_and_another_distance() -> None:
    client = QdrantClient(":memory:")
    dense = models.VectorParams(size=2, distance=models.Distance.DOT)
    longer = models.VectorParams(size=3, distance=models.Distance.COSINE)
    client.create_collection("a", vectors_config={"title": dense, "body": dense, "long": longer})
    client.upsert("a", [
        models.PointStruct(id=1, vector={"title": [0.0, 1.0], "body": [1.0, 0.0], "long": [1.0, 0.0, 0.0]}),
        models.PointStruct(id=2, vector={"title": [9.0, 9.0], "body": [0.0, 1.0], "long": [1.0, 0.0, 0.0]}),
        models.PointStruct(id=3, vector={"title": [1.0, 0.1], "body": [0.1, 1.0], "long": [1.0, 0.0, 0.0]}),
    ])  # fmt: skip
    examiner = QdrantExaminer(ServerRunner(client), OfServer(client))
    step = _step(using="title", limit=1)
    said = examiner.retrieval(step)
    assert (said.vectors, said.distance) == (("body",), "dot")
    assert examiner.search(step, Asked(exact=True, limit=1)).ids == ("2",)
    assert examiner.search(step, Asked(exact=True, using="body", limit=1)).ids == ("1",)
    assert examiner.search(step, Asked(exact=True, distance="cosine", limit=1)).ids == ("3",)


def test_a_fusion_is_weighed_alike() -> None:
    client = QdrantClient(":memory:")
    client.create_collection("a", vectors_config=models.VectorParams(size=2, distance=models.Distance.COSINE))
    client.upsert("a", [models.PointStruct(id=n, vector=[1.0, n / 10]) for n in range(1, 9)])
    examiner = QdrantExaminer(ServerRunner(client), OfServer(client))
    fused = {"rrf": {"k": 2, "weights": [9.0, 0.1]}}
    step = _step(vector=None, prefetch=[{"query": [1.0, 0.0]}, {"query": [0.0, 1.0]}], query=fused)
    assert examiner.retrieval(step).weighted
    assert "weights" not in examiner.search(step, Asked(evenly=True)).command
