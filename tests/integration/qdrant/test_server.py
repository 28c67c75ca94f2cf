"""A real server, which QDRANT_BIN names, on a branch's files: it starts, and answers what production's answered."""

from __future__ import annotations

import datetime as dt
import json
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from envclone.models import Branch, Endpoint, StoreSnapshot
from envclone.stores.qdrant.store import QdrantStore
from tests.integration.qdrant.test_real_server import PEER, STACK
from tests.support.recorded import Question, people, questions, unpack
from tests.support.stack import Place, place

SNAPSHOT = StoreSnapshot("kb", "qdrant", "directory", "", dt.datetime.now(dt.UTC), 0, 0, 0)


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    """A place with an image of a real server's storage."""
    with place() as made:
        made.write(STACK.replace("@KB@", str(unpack(made.directory))))
        made.open().image("prod")
        yield made


@pytest.fixture(scope="module")
def branch(here: Place) -> Branch:
    """A branch with a server of its own."""
    return here.open().branch("prod", name="own")


def _call(endpoint: Endpoint, path: str, content: Any = None, *, key: str | None = "", method: str = "POST") -> Any:
    assert endpoint.password
    headers = {"content-type": "application/json"}
    if key is not None:
        headers["api-key"] = key or endpoint.password.reveal()
    data = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(
        f"http://{endpoint.host}:{endpoint.port}{path}", data, headers, method="GET" if data is None else method
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["result"]


def _points(question: Question, endpoint: Endpoint, path: str | None = None) -> list[Any]:
    result = _call(endpoint, path or question.path, dict(question.request))
    return Question(question.name, question.path, question.request, result).points


def test_every_answer_is_that_of_production_to_the_bit(branch: Branch) -> None:
    endpoint = branch.endpoints["kb"]
    asked = [one for one in questions() if not one.masked and not one.tied]
    assert len(asked) >= 320
    assert [one.name for one in asked if _points(one, endpoint) != one.points] == []
    fused = [one for one in questions() if one.tied]
    for one in fused:  # equal scores come in an order of their own, in production too
        assert (
            sorted(str(score) for _, score, _ in _points(one, endpoint))[-3:]
            == sorted(str(score) for _, score, _ in one.points)[-3:]
        ), one.name


def test_its_peers_are_new_and_its_aliases_are_there(branch: Branch) -> None:
    endpoint = branch.endpoints["kb"]
    assert str(PEER) not in json.dumps(_call(endpoint, "/telemetry?details_level=6"))
    for name, shards in (("articles", 1), ("tenants", 2)):
        cluster = _call(endpoint, f"/collections/{name}/cluster")
        assert cluster["peer_id"] not in (PEER, 1) and cluster["remote_shards"] == []
        assert [one["state"] for one in cluster["local_shards"]] == ["Active"] * shards
    assert _call(endpoint, "/aliases")["aliases"] == [{"alias_name": "kb", "collection_name": "articles"}]
    first = questions()[0]
    assert _points(first, endpoint, "/collections/kb/points/query") == first.points
    text = json.dumps(_call(endpoint, "/collections/articles/points/scroll", {"limit": 4000, "with_payload": True}))
    assert len(text) > 1_000_000 and not [one for one in people() if one in text]


def test_a_replay_asks_the_server(branch: Branch) -> None:
    """Also what the embedded engine cannot: fusions over several shards, aliases."""
    asked = [one for one in questions() if not one.masked and not one.tied][::10]
    with QdrantStore().connect(branch.endpoints["kb"]) as runner:
        for one in asked:
            if (step := one.step()) is not None:
                result = runner.run(step)
                assert result.error is None and list(result.ids) == [i for i, _, _ in one.points], one.name
    assert QdrantStore().facts(branch.endpoints["kb"], SNAPSHOT, ())["engine"].startswith("qdrant 1.")


def test_nobody_gets_in_without_the_key(branch: Branch) -> None:
    for key in (None, "wrong"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            _call(branch.endpoints["kb"], "/collections", key=key)
        assert caught.value.code in (401, 403)


def test_it_can_be_written_stopped_started_and_reset(here: Place, branch: Branch) -> None:
    from qdrant_client import QdrantClient

    stack, vector = here.open(), [0.5] * 8
    endpoint = branch.endpoints["kb"]
    new = {"points": [{"id": 4242, "vector": vector, "payload": {"who": "nobody"}}]}
    _call(endpoint, "/collections/plain/points?wait=true", new, method="PUT")
    near = {"query": vector, "limit": 1, "with_payload": True}
    assert _call(endpoint, "/collections/plain/points/query", near)["points"][0]["id"] == 4242
    stack.stop("own")
    endpoint = stack.start("own").endpoints["kb"]
    assert endpoint.password and endpoint.port
    found = _call(endpoint, "/collections/plain/points/query", near)["points"][0]
    assert found["id"] == 4242 and found["payload"] == {"who": "nobody"}
    with warnings.catch_warnings(action="ignore"):  # a key over a connection that nobody but this host can see
        client = QdrantClient(
            host="127.0.0.1", port=endpoint.port, grpc_port=endpoint.port + 1, prefer_grpc=True, https=False,
            api_key=endpoint.password.reveal(), check_compatibility=False,
        )  # fmt: skip
    assert client.count("plain").count == 101
    client.close()
    endpoint = stack.reset("own").endpoints["kb"]
    assert _call(endpoint, "/collections/plain", None)["points_count"] == 100
    stack.remove("own")


@pytest.mark.docker
def test_in_a_container_it_answers_alike(here: Place) -> None:
    """An image is made of the program, for the store names none."""
    stack = here.open()
    try:
        endpoint = stack.branch("prod", name="boxed", runtime="docker").endpoints["kb"]
        asked = [one for one in questions() if not one.masked and not one.tied][::20]
        assert [one.name for one in asked if _points(one, endpoint) != one.points] == []
        assert str(PEER) not in json.dumps(_call(endpoint, "/collections/tenants/cluster"))
        with pytest.raises(urllib.error.HTTPError):
            _call(endpoint, "/collections", key="wrong")
        local = stack.start("boxed", runtime="local").endpoints["kb"]
        assert local.password == endpoint.password and _points(asked[0], local) == asked[0].points
    finally:
        stack.remove("boxed", force=True)
