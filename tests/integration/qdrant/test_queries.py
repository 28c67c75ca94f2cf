"""Every form of query against the embedded engine and against Qdrant's own client-side model of its API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qdrant_edge as q
from qdrant_client import QdrantClient, models

from envclone.errors import ConfigError
from envclone.incidents.bundle import VectorStep
from envclone.models import Endpoint, StepResult
from envclone.stores.qdrant.search import EmbeddedRunner, ServerRunner
from envclone.stores.qdrant.store import QdrantStore

POINTS = 80


def _rows() -> list[tuple[int, list[float], list[list[float]], tuple[list[int], list[float]], dict[str, Any]]]:
    rng = np.random.default_rng(7)
    rows = []
    for i in range(POINTS):
        dense = rng.normal(size=8).astype(np.float32)
        late = rng.normal(size=(3, 8)).astype(np.float32)
        indices = sorted(rng.choice(40, size=5, replace=False).tolist())
        values = rng.random(5).astype(np.float32)
        payload = {"thread": f"t{i % 9}", "n": i, "tags": [f"x{i % 4}", f"y{i % 3}"]}
        rows.append((i + 1, dense.tolist(), late.tolist(), (indices, values.tolist()), payload))
    return rows


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("queries") / "storage"
    shard = root / "collections" / "docs" / "0"
    shard.parent.mkdir(parents=True)
    late = q.EdgeVectorParams(
        size=8, distance=q.Distance.Cosine, multivector_config=q.MultiVectorConfig(q.MultiVectorComparator.MaxSim)
    )
    config = q.EdgeConfig(
        vectors={"dense": q.EdgeVectorParams(size=8, distance=q.Distance.Cosine), "late": late},
        sparse_vectors={"words": q.EdgeSparseVectorParams()},
    )
    edge = q.EdgeShard.create(str(shard), config)
    points = [
        q.Point(ident, {"dense": dense, "late": many, "words": q.SparseVector(*sparse)}, payload)
        for ident, dense, many, sparse, payload in _rows()
    ]
    edge.update(q.UpdateOperation.upsert_points(points))
    for key, kind in (("n", q.PayloadSchemaType.Integer), ("thread", q.PayloadSchemaType.Keyword)):
        edge.update(q.UpdateOperation.create_field_index(key, kind))
    edge.flush()
    edge.close()
    return root


@pytest.fixture(scope="module")
def client() -> Iterator[QdrantClient]:
    """The client's local mode: written by Qdrant for tests, and independent of the embedded engine."""
    made = QdrantClient(":memory:")
    late = models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)
    made.create_collection(
        "docs",
        vectors_config={
            "dense": models.VectorParams(size=8, distance=models.Distance.COSINE),
            "late": models.VectorParams(size=8, distance=models.Distance.COSINE, multivector_config=late),
        },
        sparse_vectors_config={"words": models.SparseVectorParams()},
    )
    made.upsert(
        "docs",
        [
            models.PointStruct(
                id=ident,
                vector={
                    "dense": dense,
                    "late": many,
                    "words": models.SparseVector(indices=sparse[0], values=sparse[1]),
                },
                payload=payload,
            )
            for ident, dense, many, sparse, payload in _rows()
        ],
    )
    yield made
    made.close()


@pytest.fixture
def runner(root: Path) -> Iterator[EmbeddedRunner]:
    with QdrantStore().connect(Endpoint("kb", "qdrant", path=root)) as found:
        assert isinstance(found, EmbeddedRunner)
        yield found


def step(**parts: Any) -> VectorStep:
    return VectorStep.model_validate({"id": "s", "store": "kb", "collection": "docs", "limit": 7} | parts)


DENSE = [0.3, -0.2, 0.9, 0.1, 0.0, 0.4, -0.5, 0.2]
OTHER = [-0.3, 0.8, 0.1, 0.1, 0.7, -0.4, 0.5, 0.2]
SPARSE = {"indices": [1, 5, 12, 30], "values": [1.0, 0.5, 0.25, 2.0]}
NOT_T1 = {"must_not": [{"key": "thread", "match": {"value": "t1"}}]}
HYBRID = [{"query": DENSE, "using": "dense", "limit": 20}, {"query": SPARSE, "using": "words", "limit": 20}]
FORMS: dict[str, dict[str, Any]] = {
    "dense": {"vector": DENSE, "using": "dense"},
    "sparse": {"vector": SPARSE, "using": "words"},
    "late": {"vector": [DENSE, OTHER], "using": "late"},
    "nearest-by-id": {"query": {"nearest": 5}, "using": "dense"},
    "filtered": {"vector": DENSE, "using": "dense", "filter": NOT_T1, "offset": 3},
    "rrf": {"query": {"fusion": "rrf"}, "prefetch": HYBRID},
    "rrf-filtered": {"query": {"fusion": "rrf"}, "prefetch": [HYBRID[0] | {"filter": NOT_T1}, HYBRID[1]]},
    "dbsf": {"query": {"fusion": "dbsf"}, "prefetch": HYBRID},
    "ranked-again": {"vector": [DENSE, OTHER], "using": "late", "prefetch": [HYBRID[0]]},
    "nested": {
        "vector": DENSE,
        "using": "dense",
        "prefetch": [{"query": {"fusion": "rrf"}, "prefetch": HYBRID, "limit": 15}],
    },
    "recommend": {"query": {"recommend": {"positive": [1, 2], "negative": [3]}}, "using": "dense"},
    "recommend-vector": {"query": {"recommend": {"positive": [DENSE, 4]}}, "using": "dense"},
    "best-score": {
        "query": {"recommend": {"positive": [1, 2], "negative": [3], "strategy": "best_score"}},
        "using": "dense",
    },
    "recommend-sparse": {"query": {"recommend": {"positive": [1, 2], "negative": [3]}}, "using": "words"},
    "recommend-late": {"query": {"recommend": {"positive": [1, 2], "negative": [3]}}, "using": "late"},
    "formula": {
        "query": {
            "formula": {
                "sum": [
                    "$score",
                    {"mult": [0.5, {"key": "thread", "match": {"any": ["t1", "t2"]}}]},
                    {"div": {"left": "n", "right": {"abs": -200}}},
                    {"neg": {"sqrt": "absent"}},
                    {"exp_decay": {"x": "n", "target": 40, "scale": 9.0, "midpoint": 0.5}},
                ]
            },
            "defaults": {"absent": 4},
        },
        "prefetch": [HYBRID[0]],
    },
    "payload-but-some": {"vector": DENSE, "using": "dense", "with_payload": {"exclude": ["tags", "n"]}},
    "sum-scores": {"query": {"recommend": {"positive": [1, 2], "strategy": "sum_scores"}}, "using": "dense"},
    "discover": {
        "query": {"discover": {"target": DENSE, "context": [{"positive": 1, "negative": 2}]}},
        "using": "dense",
    },
    "context": {
        "query": {"context": [{"positive": 1, "negative": 2}, {"positive": 3, "negative": 4}]},
        "using": "dense",
    },
    "order": {"order_by": "n"},
    "order-down": {"order_by": {"key": "n", "direction": "desc", "start_from": 40}},
    "order-by-id": {"filter": NOT_T1},
    "order-by-id-from-there": {"filter": {}, "offset": 5, "with_payload": ["n"]},
    "groups": {"vector": DENSE, "using": "dense", "limit": 3, "group_by": "thread", "group_size": 2},
    "groups-of-lists": {"vector": DENSE, "using": "dense", "limit": 4, "group_by": "tags", "with_payload": ["n"]},
}
TIES = {"context", "rrf", "rrf-filtered"}
"""Forms that give several points the same score: their order, and which of the last are there, is anybody's."""


def _whole_ties(result: StepResult) -> list[set[int | str]]:
    """The ids of each score but the last."""
    found: dict[float, set[int | str]] = {}
    for ident, score in zip(result.ids, result.scores, strict=True):
        found.setdefault(round(score, 4), set()).add(ident)
    return [found[score] for score in sorted(found, reverse=True)][:-1]


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_answered_as_qdrant_answers_it(runner: EmbeddedRunner, client: QdrantClient, form: str) -> None:
    asked = step(**FORMS[form])
    mine, theirs = runner.run(asked), ServerRunner(client).run(asked)
    assert mine.error is None and theirs.error is None
    assert mine.ids
    if form in TIES:
        assert _whole_ties(mine) == _whole_ties(theirs)
    else:
        assert mine.ids == theirs.ids
        assert mine.rows == theirs.rows
    if not form.startswith("order"):
        assert sorted(mine.scores) == pytest.approx(sorted(theirs.scores), abs=1e-4)


def test_groups_are_found_with_a_server_s_requests(runner: EmbeddedRunner) -> None:
    """Every stage below gives `group_size` times as many, and each request looks for as many as all groups hold."""
    asked = step(query={"fusion": "rrf"}, prefetch=HYBRID, limit=3, group_by="thread", group_size=2)
    wider = [one | {"limit": 40} for one in HYBRID]
    flat = runner.run(step(query={"fusion": "rrf"}, prefetch=wider, limit=1000))
    score = dict(zip(flat.ids, flat.scores, strict=True))
    found = runner.run(asked)
    assert len(found.ids) == 6
    first = found.ids[::2]
    # what the first request returned is scored among all; later ones leave out what was found
    assert found.scores[0] == flat.scores[0] and all(one in score for one in first)
    threads = [row[0]["thread"] for row in found.rows]
    assert threads[::2] == threads[1::2] and len(set(threads)) == 3


def test_diversity_is_the_engine_s_own(runner: EmbeddedRunner) -> None:
    plain = runner.run(step(vector=DENSE, using="dense", limit=20))
    alike = runner.run(step(query={"nearest": DENSE, "mmr": {"diversity": 0.0, "candidates_limit": 20}}, using="dense"))
    mixed = runner.run(step(query={"nearest": DENSE, "mmr": {"diversity": 0.9, "candidates_limit": 20}}, using="dense"))
    assert alike.ids == plain.ids[:7]
    assert set(mixed.ids) <= set(plain.ids) and mixed.ids != alike.ids
    later = runner.run(
        step(query={"nearest": DENSE, "mmr": {"diversity": 0.9, "candidates_limit": 20}}, using="dense", offset=5)
    )
    assert later.ids == mixed.ids[5:7], "a server chooses as many as the limit says, and leaves out of these"


def test_diversity_of_sparse_vectors_is_a_server_s(runner: EmbeddedRunner) -> None:
    plain = runner.run(step(vector=SPARSE, using="words", limit=20))
    alike = runner.run(step(query={"nearest": SPARSE, "mmr": {"diversity": 0, "candidates_limit": 20}}, using="words"))
    mixed = runner.run(
        step(query={"nearest": SPARSE, "mmr": {"diversity": 0.9, "candidates_limit": 20}}, using="words", offset=1)
    )
    assert sorted(alike.scores) == sorted(plain.scores[: len(alike.scores)])
    assert set(mixed.ids) <= set(plain.ids) and mixed.scores != plain.scores[1:8]


def test_diversity_of_sparse_vectors_in_groups_is_refused(runner: EmbeddedRunner) -> None:
    with pytest.raises(ConfigError, match="the step 's': mmr over a sparse vector") as told:
        runner.run(step(query={"nearest": SPARSE, "mmr": {}}, using="words", group_by="thread"))
    assert "--runtime docker" in str(told.value.hint)


def test_a_point_that_is_not_there_is_an_answer_as_a_server_gives_it(runner: EmbeddedRunner) -> None:
    """Production may have failed so itself."""
    found = runner.run(step(query={"nearest": 9999}, using="dense"))
    assert found.error == "No point with id 9999 found"
