"""Running vector steps: filters, windows, thresholds, errors, and one holder at a time."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import qdrant_edge as q
from qdrant_client import QdrantClient, models

from envclone.errors import BusyError, ConfigError, UsageError
from envclone.incidents.bundle import SqlStep, VectorStep
from envclone.models import Credentials, Endpoint, Secret, StepResult
from envclone.stores.qdrant import engine
from envclone.stores.qdrant.layout import Shard
from envclone.stores.qdrant.search import EmbeddedRunner, ServerRunner
from envclone.stores.qdrant.store import QdrantStore
from tests.integration.qdrant.conftest import Pool
from tests.support.qdrant import build

PLACES = {
    n: {
        "n": n,
        "price": n * 1.5,
        "tag": f"t{n % 5}",
        "when": f"2026-01-{n % 28 + 1:02d}T00:00:00Z",
        "text": "red fox jumps" if n % 2 else "blue whale sings",
        "maybe": None if n % 3 else "there",
        "items": [{"kind": "a", "count": n}, {"kind": "b", "count": -n}],
        "many": list(range(n % 4)),
        "at": {"lon": n / 10, "lat": 0.0},
        "on": n % 2 == 0,
        "mixed": [True, 1, "true", False, 0, None][n % 6],
    }
    for n in range(60)
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small collection, searched by every test of this file."""
    made = build(
        tmp_path_factory.mktemp("kb") / "storage", points=60, payload=lambda n: PLACES[n], indexed=("tag",), size=4
    )
    edge = made.edge()
    edge.update(q.UpdateOperation.create_field_index("text", q.PayloadSchemaType.Text))
    edge.flush()
    edge.close()
    return made.root


@pytest.fixture
def runner(root: Path) -> Iterator[EmbeddedRunner]:
    """A runner on it."""
    with QdrantStore().connect(Endpoint("kb", "qdrant", path=root)) as found:
        assert isinstance(found, EmbeddedRunner)
        yield found


def step(**parts: Any) -> VectorStep:
    """A search of everything."""
    base: dict[str, Any] = {
        "id": "s",
        "store": "kb",
        "collection": "articles",
        "vector": [1.0, 0.0, 0.0, 0.0],
        "limit": 60,
    }
    return VectorStep(**(base | parts))


FILTERS: list[tuple[dict[str, Any], Callable[[int, dict[str, Any]], bool]]] = [
    ({"must": [{"key": "tag", "match": {"value": "t3"}}]}, lambda n, p: p["tag"] == "t3"),
    ({"must": {"key": "n", "match": {"value": 7}}}, lambda n, p: n == 7),
    ({"must": [{"key": "tag", "match": {"any": ["t1", "t2"]}}]}, lambda n, p: p["tag"] in ("t1", "t2")),
    ({"must": [{"key": "tag", "match": {"except": ["t1", "t2"]}}]}, lambda n, p: p["tag"] not in ("t1", "t2")),
    ({"must_not": [{"key": "tag", "match": {"value": "t3"}}]}, lambda n, p: p["tag"] != "t3"),
    (
        {"should": [{"key": "n", "match": {"value": 1}}, {"key": "n", "match": {"value": 2}}]},
        lambda n, p: n in (1, 2),
    ),
    ({"must": [{"key": "text", "match": {"text": "fox"}}]}, lambda n, p: n % 2 == 1),
    ({"must": [{"key": "text", "match": {"text_any": "fox whale"}}]}, lambda n, p: True),
    ({"must": [{"key": "price", "range": {"gte": 10, "lt": 20}}]}, lambda n, p: 10 <= p["price"] < 20),
    (
        {"must": [{"key": "when", "range": {"gt": "2026-01-20T00:00:00Z"}}]},
        lambda n, p: p["when"] > "2026-01-20T00:00:00Z",
    ),
    ({"must": [{"is_null": {"key": "maybe"}}]}, lambda n, p: p["maybe"] is None),
    ({"must": [{"is_empty": {"key": "many"}}]}, lambda n, p: not p["many"]),
    ({"must": [{"has_id": [3, 9, 4000]}]}, lambda n, p: n in (3, 9)),
    ({"must": [{"key": "many", "values_count": {"gte": 2}}]}, lambda n, p: len(p["many"]) >= 2),
    (
        {"must": [{"key": "at", "geo_radius": {"center": {"lon": 0.0, "lat": 0.0}, "radius": 30_000}}]},
        lambda n, p: n <= 2,
    ),
    (
        {
            "must": [
                {
                    "nested": {
                        "key": "items",
                        "filter": {
                            "must": [{"key": "kind", "match": {"value": "b"}}, {"key": "count", "range": {"lt": -50}}]
                        },
                    }
                }
            ]
        },
        lambda n, p: n > 50,
    ),
    (
        {
            "must": [{"should": [{"key": "n", "match": {"value": 4}}, {"key": "tag", "match": {"value": "t0"}}]}],
            "must_not": [{"has_id": [0]}],
        },
        lambda n, p: (n == 4 or n % 5 == 0) and n != 0,
    ),
    (
        {
            "min_should": {
                "conditions": [{"key": "tag", "match": {"value": "t1"}}, {"key": "price", "range": {"lt": 30}}],
                "min_count": 2,
            }
        },
        lambda n, p: p["tag"] == "t1" and p["price"] < 30,
    ),
    ({"must": [{"has_vector": ""}]}, lambda n, p: True),
    ({"must": [{"key": "on", "match": {"value": True}}]}, lambda n, p: p["on"]),
    ({"must": [{"key": "on", "match": {"value": False}}]}, lambda n, p: not p["on"]),
    ({"must_not": [{"key": "on", "match": {"value": True}}]}, lambda n, p: not p["on"]),
    ({"must": [{"key": "mixed", "match": {"value": True}}]}, lambda n, p: p["mixed"] is True),
    ({"must": [{"key": "mixed", "match": {"value": 1}}]}, lambda n, p: p["mixed"] == 1 and p["mixed"] is not True),
    ({"must": [{"key": "mixed", "match": {"value": 0}}]}, lambda n, p: p["mixed"] == 0 and p["mixed"] is not False),
    ({"must": [{"key": "mixed", "match": {"value": "true"}}]}, lambda n, p: p["mixed"] == "true"),
    ({"must": [{"key": "tag", "match": {"prefix": "t"}}]}, lambda n, p: p["tag"].startswith("t")),
    ({"must": [{"key": "tag", "match": {"substring": "3"}}]}, lambda n, p: "3" in p["tag"]),
    ({"must": {"key": "tag", "match": {"value": "t1"}}}, lambda n, p: p["tag"] == "t1"),
    ({"must": [{}]}, lambda n, p: True),
]


@pytest.mark.parametrize(("data", "holds"), FILTERS, ids=[json.dumps(data)[:60] for data, _ in FILTERS])
def test_filters(runner: EmbeddedRunner, data: dict[str, Any], holds: Callable[[int, dict[str, Any]], bool]) -> None:
    result = runner.run(step(filter=data))
    assert result.error is None
    assert sorted(result.ids) == [n for n, payload in PLACES.items() if holds(n, payload)]  # type: ignore[type-var]


def test_window_threshold_and_payload(runner: EmbeddedRunner) -> None:
    everything = runner.run(step(params={"exact": True}))
    window = runner.run(step(params={"exact": True}, offset=5, limit=7))
    assert window.ids == everything.ids[5:12]
    assert window.scores == everything.scores[5:12]
    middle = everything.scores[20]
    good = runner.run(step(params={"exact": True}, score_threshold=middle))
    assert good.ids == everything.ids[:20]  # the engine leaves out the threshold itself
    assert everything.columns == ("payload",)
    assert everything.rows[0][0] == PLACES[int(everything.ids[0])]
    json.dumps(everything.rows)
    some = runner.run(step(with_payload=["n", "tag"], limit=1))
    assert some.rows[0][0].keys() == {"n", "tag"}
    assert runner.run(step(with_payload=False, limit=1)).rows == (({},),)


WRONG: list[tuple[Any, str]] = [
    ({"key": "on", "match": {"any": [True]}}, "match.any takes texts, or whole numbers of 64 bits"),
    ({"key": "on", "match": {"except": [False]}}, "match.except takes texts, or whole numbers of 64 bits"),
    ({"key": "n", "match": {"any": [1, "1"]}}, "all of one type"),
    ({"key": "n", "match": {"any": 1}}, "match.any must be a list, not a whole number"),
    ({"key": "n", "match": {"any": "secret"}}, "match.any must be a list, not a text"),
    ({"key": "n", "match": {"value": 1.5}}, "not a number"),
    ({"key": "n", "match": {"value": None}}, "not null"),
    ({"key": "n", "match": {"value": 1 << 63}}, "not a number of more than 64 bits"),
    ({"key": "n", "match": {}}, "exactly one of value, text"),
    ({"key": "n", "range": {"gt": True}}, "range.gt must be a number, not true"),
    ({"key": "n", "range": {"gt": "2024-01-01", "lt": 5}}, "range.gt must be a number, not a text"),
    ({"key": "n", "range": {"gt": "yesterday"}}, "a filter cannot be read: failed to parse date-time"),
    ({"key": "n", "values_count": {"gt": "1"}}, "values_count.gt must be a whole number"),
    ({"key": "a b", "match": {"value": 1}}, "a filter cannot be read: invalid JSON path a b"),
    ({"key": 5, "match": {"value": 1}}, "key must be a text, not a whole number"),
    ({"key": "at", "geo_radius": {"radius": 5}}, "geo_radius needs 'center'"),
    ({"key": "at", "geo_radius": {"center": {"lon": 1}, "radius": 5}}, "a geo point needs 'lat'"),
    ({"key": "at", "geo_polygon": {"exterior": {"points": []}}}, "a filter cannot be read"),
    ({"key": "n", "is_null": "no"}, "condition.is_null must be true or false, not a text"),
    ({"is_empty": "n"}, "is_empty must be an object, not a text"),
    ({"has_id": 1}, "has_id must be a list"),
    ({"has_id": ["secret"]}, "a point's id is a whole number from 0 or a UUID, not a text"),
    ({"nested": {"filter": {}}}, "nested needs 'key'"),
    ({"min_should": {"min_count": 1}}, "min_should needs 'conditions'"),
    ("secret", "a filter's condition must be an object, not a text"),
]


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"filter": {"must": [{"key": "n", "match": {"fuzzy": "x"}}]}}, "'fuzzy'"),
        ({"filter": {"must": [{"key": "n", "near": 1}]}}, "'near'"),
        ({"filter": {"musn't": []}}, "musn't"),
        ({"filter": {"must": [{"strange": 1}]}}, "'strange'"),
        ({"params": {"speed": 9}}, "'speed'"),
        ({"params": {"exact": "false"}}, "params.exact must be true or false, not a text"),
        *[({"filter": {"must": [one]}}, said) for one, said in WRONG],
        ({"collection": "nope"}, "no collection 'nope'; there are: articles"),
    ],
)
def test_what_is_not_known_is_named(runner: EmbeddedRunner, parts: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        runner.run(step(**parts))
    assert said in str(caught.value)


def test_a_failing_search_is_a_result(runner: EmbeddedRunner) -> None:
    result = runner.run(step(vector=[1.0]))
    assert result.error
    assert "dim" in result.error.lower()
    assert runner.run(step(using="nope")).error


def test_sql_is_refused(runner: EmbeddedRunner) -> None:
    with pytest.raises(UsageError, match="is SQL"):
        runner.run(SqlStep(id="x", store="kb", sql="select 1"))


def test_one_holder_at_a_time(root: Path) -> None:
    shard = Shard(root / "collections/articles/0")
    code = "import sys, qdrant_edge as q; s = q.EdgeShard.load(sys.argv[1]); print('up', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(shard.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "up\n"
        with pytest.raises(BusyError, match="loaded by another process"), engine.loaded(shard, wait=0.2):
            pass
        other.communicate()
    with engine.loaded(shard, wait=0.2):
        pass


def test_serve_says_where_the_branch_lies(pool: Pool, root: Path) -> None:
    _, snapshot = pool.snapshot(root, "raw")
    credentials = Credentials("envclone", Secret("x"))
    endpoint = pool.store.serve(pool.path / "raw", snapshot, credentials, port=None, log=pool.path / "log")
    assert endpoint.path == pool.path / "raw" / "storage"
    assert pool.store.running(pool.path / "raw")
    assert pool.store.stop(pool.path / "raw") is False
    with pool.store.connect(endpoint) as found:
        assert found.run(step(limit=3)).ids


def test_the_server_runner_gives_the_same_parts(runner: EmbeddedRunner, root: Path) -> None:
    client = QdrantClient(":memory:")
    client.create_collection("articles", vectors_config=models.VectorParams(size=4, distance=models.Distance.COSINE))
    rows = build(root.parent / f"copy-{uuid.uuid4().hex}", points=60, payload=lambda n: PLACES[n], size=4).vectors
    client.upsert("articles", [models.PointStruct(id=n, vector=rows[n].tolist(), payload=PLACES[n]) for n in PLACES])
    asked = step(limit=5, offset=2, filter={"must": [{"key": "tag", "match": {"value": "t3"}}]})
    mine: StepResult = runner.run(asked)
    theirs = ServerRunner(client).run(asked)
    assert theirs.error is None
    assert theirs.ids == mine.ids
    assert theirs.rows == mine.rows
    assert theirs.scores == pytest.approx(mine.scores, abs=1e-5)
    assert ServerRunner(client).run(step(collection="nope")).error
    with pytest.raises(ConfigError, match=r"the step 's': match\.any takes texts"):  # and is no answer of production's
        ServerRunner(client).run(step(filter={"must": [{"key": "on", "match": {"any": [True]}}]}))
    client.close()
