"""A real server, which QDRANT_BIN names, on a branch's files: it starts, and answers what production's answered."""

from __future__ import annotations

import datetime as dt
import json
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envclone import process, wait
from envclone.cage.gatekeeper import listen
from envclone.models import Branch, Credentials, Endpoint, Secret, StoreSnapshot
from envclone.stores.qdrant import service
from envclone.stores.qdrant.contained import settings
from envclone.stores.qdrant.layout import Collection
from envclone.stores.qdrant.store import QdrantStore
from tests.integration.qdrant.test_real_server import PEER, STACK
from tests.support.recorded import Question, people, questions, unpack
from tests.support.stack import Place, bytes_hold, place

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


def test_a_node_of_a_cluster_becomes_a_server_alone(tmp_path: Path) -> None:
    """Its shards have keys of the application's; its address among peers is nowhere afterwards."""
    own, (first, second), third = tmp_path / "own", service._two(None), listen(None)
    own.mkdir()
    ports = [one.getsockname()[1] for one in (first, second, third)]
    for one in (first, second, third):
        one.close()
    credentials = Credentials("operator", Secret("k"))
    given = settings(own, credentials, port=ports[0], overrides={})
    environment = {name: value.reveal() for name, value in given.items()}
    environment |= {"QDRANT__CLUSTER__ENABLED": "true", "QDRANT__CLUSTER__P2P__PORT": str(ports[2])}
    for name in ("storage", "snapshots", "temp"):
        (own / name).mkdir()
    program = service.binary()
    assert program
    pid = process.spawn(
        [program, "--uri", f"http://127.0.0.1:{ports[2]}"], log=tmp_path / "log", env=environment, cwd=own
    )
    there = Endpoint("kb", "qdrant", host="127.0.0.1", port=ports[0], password=credentials.password)
    points = [{"id": n, "vector": [n / 9, 1.0, 0.5, 0.25], "payload": {"who": f"Zoë Quux{n}"}} for n in range(9)]
    near = {"query": [0.3, 1.0, 0.5, 0.25], "limit": 5, "with_payload": False}
    try:
        wait.until(lambda: service._said(("127.0.0.1", ports[0]), b"GET /readyz HTTP/1.0\r\n\r\n").split(b" ")[1:2]
                   == [b"200"] or None, what="the node was not ready", timeout=60)  # fmt: skip
        config = {"vectors": {"size": 4, "distance": "Dot"}, "sharding_method": "custom", "shard_number": 1,
                  "optimizers_config": {"flush_interval_sec": 1}}  # fmt: skip
        _call(there, "/collections/kb", config, method="PUT")
        for key in ("berlin", 7):
            _call(there, "/collections/kb/shards", {"shard_key": key}, method="PUT")
            some = points[:5] if key == 7 else points[5:]
            _call(there, "/collections/kb/points?wait=true", {"points": some, "shard_key": key}, method="PUT")
        alias = {"create_alias": {"collection_name": "kb", "alias_name": "docs"}}
        _call(there, "/collections/aliases", {"actions": [alias]})
        asked = [near, near | {"shard_key": "berlin"}, near | {"shard_key": [7]}]
        answers = [_call(there, "/collections/docs/points/query", one)["points"] for one in asked]
        shards = Collection("kb", own / "storage" / "collections" / "kb").shards()
        wait.until(lambda: all(any(one.last_operation is not None for one in shard.segments()) for shard in shards)
                   or None, what="nothing was flushed", timeout=60)  # fmt: skip
    finally:
        process.terminate(pid)
        wait.until(lambda: None if process.alive(pid) else True, what="the node stays", timeout=60)
    state = json.loads((own / "storage" / "raft_state.json").read_bytes())
    assert state["peer_address_by_id"]  # it was one of a cluster
    with place() as here:
        text = STACK.partition("    kb:\n")[0] + "    kb: {kb.who: person, kb.vectors: keep, kb.point_ids: keep}\n"
        here.write(text.replace("@KB@", str(own / "storage")))
        endpoint = here.open().branch("prod", name="alone").endpoints["kb"]
        assert [_call(endpoint, "/collections/docs/points/query", one)["points"] for one in asked] == answers
        cluster = _call(endpoint, "/collections/kb/cluster")
        assert {one["shard_key"] for one in cluster["local_shards"]} == {"berlin", 7} and not cluster["remote_shards"]
        assert _call(endpoint, "/cluster")["status"] == "disabled"
        (image,) = (here.pool / "images").iterdir()
        hidden = [str(state["this_peer_id"]).encode(), f":{ports[2]}".encode(), b"Quux1"]
        assert bytes_hold(image, hidden) == {}
