"""A search is asked otherwise of a client, with the same answers as of shards: here of the client's own local mode."""

from __future__ import annotations

from typing import Any

import pytest
from qdrant_client import QdrantClient, models

from envclone.incidents.bundle import VectorStep
from envclone.models import Asked
from envclone.stores.qdrant.examine import QdrantExaminer, _OfServer
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
    return QdrantExaminer(ServerRunner(client), _OfServer(client))


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


def test_records_and_references(examiner: QdrantExaminer) -> None:
    assert [one.id for one in examiner.records(_step(), ["3", "77", "no id"])] == ["3"]
    assert len(examiner.sample(_step(), 5)) == 5
    assert [one.id for one in examiner.having("a.ticket", ["104", "999"])] == ["4"]
    assert [one.id for one in examiner.having("a.tenant", ["1"])] == ["1", "3", "5", "7"]
    assert [one.id for one in examiner.having("a.point_ids", ["8", "9"])] == ["8"]
    assert examiner.near(_step(), "9") == ("8",)


def test_what_is_no_plain_search_is_named(examiner: QdrantExaminer) -> None:
    fused = _step(id="f", vector=None, query={"fusion": "rrf"}, prefetch=[{"query": [1.0, 0.0]}])
    assert "fuses" in examiner.retrieval(fused).why_not
    assert examiner.search(fused, Asked()).error
