"""Every shard once, from a node that holds it: a set that is not whole is refused by the shard's name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from envclone.config.schema import StoreConfig
from envclone.errors import EnvcloneError, UnreachableError, UnsafeError
from envclone.stores.qdrant.live.check import obstacles
from envclone.stores.qdrant.live.client import Waits
from envclone.stores.qdrant.live.take import take
from tests.support.qdrant_server import Fleet, Node, dropped, says, serving, source

QUICK = Waits(connect=2.0, silence=1.0, making=2.0, between=0.01)
ACTIVE = "Active"


def _fleet(first: dict[int, str], second: dict[int, str]) -> Fleet:
    return Fleet({"tenants": 2}, held={("tenants", 0): first, ("tenants", 1): second})


def _config(nodes: list[Node], entry: int = 0, **more: Any) -> StoreConfig:
    peers = {str(node.peer): node.url for node in nodes}
    return StoreConfig.model_validate({"kind": "qdrant", "source": source(nodes[entry], peers=peers, **more)})


def _take(config: StoreConfig, into: Path) -> dict[str, Any]:
    into.mkdir()
    found = take("kb", config, into, lambda event: None, waits=QUICK)
    return dict(found.details)


def _refused(config: StoreConfig, into: Path) -> str:
    """The error of a snapshot, which the look before it finds, too."""
    said = [one.message for one in obstacles(config, waits=QUICK)]
    with pytest.raises(EnvcloneError) as caught:
        _take(config, into)
    assert said == [caught.value.message] and caught.value.hint
    return caught.value.message


def _made(nodes: list[Node]) -> list[list[str]]:
    return [[line.split("/")[4] for line in node.asked if line.startswith("POST")] for node in nodes]


def test_each_shard_comes_from_the_node_that_holds_it(tmp_path: Path) -> None:
    for entry in (0, 1, 2):  # a node that holds no shard makes empty snapshots of a collection
        with serving(_fleet({1: ACTIVE}, {2: ACTIVE}), 1, 2, 3) as nodes:
            details = _take(_config(nodes, entry), tmp_path / str(entry))
            assert _made(nodes) == [["0"], ["1"], []]
            assert details["collections"]["tenants"]["points"] == 1600
            assert all(node.left == [] for node in nodes)


def test_a_replica_that_is_not_active_or_does_not_answer_is_passed_over(tmp_path: Path) -> None:
    fleet = _fleet({1: "Dead", 2: "Partial", 3: ACTIVE}, {1: ACTIVE, 2: ACTIVE, 3: ACTIVE})
    with serving(fleet, 1, 2, 3) as nodes:
        config = _config(nodes, 1)
        _take(config, tmp_path / "a")
        assert _made(nodes) == [[], ["1"], ["0"]]
        nodes[1].faults = [("GET /collections/tenants/cluster", dropped)]
        nodes[0].faults = [("GET /.*", says(503, "starting"))]
        config = _config(nodes, 2)
        assert list(obstacles(config, waits=QUICK)) == []
        _take(config, tmp_path / "b")
        assert _made(nodes) == [[], ["1"], ["0", "0", "1"]]


def test_a_shard_without_an_active_replica_is_named(tmp_path: Path) -> None:
    with serving(_fleet({1: ACTIVE}, {1: "Dead", 2: "Recovery"}), 1, 2) as nodes:
        said = _refused(_config(nodes), tmp_path / "a")
        assert said == "the shard tenants/1 has no active replica: Dead on peer 1, Recovery on peer 2"


def test_a_shard_that_nobody_holds_is_named(tmp_path: Path) -> None:
    with serving(_fleet({1: ACTIVE}, {}), 1) as nodes:
        assert "'tenants' without the shards tenants/1" in _refused(_config(nodes), tmp_path / "a")
    with serving(_fleet({}, {}), 1) as nodes:
        assert "tenants/0, tenants/1" in _refused(_config(nodes), tmp_path / "b")


def test_a_node_that_is_down_and_holds_the_only_replica(tmp_path: Path) -> None:
    with serving(_fleet({1: ACTIVE}, {2: ACTIVE}), 1, 2) as nodes:
        config = _config(nodes)
        nodes[1].faults = [(".*", dropped)]
        said = _refused(config, tmp_path / "a")
        assert "no replica of the shard tenants/1 can be read" in said and "cut the connection" in said


def test_a_load_balancer_in_front_of_the_nodes_is_seen(tmp_path: Path) -> None:
    with serving(_fleet({1: ACTIVE}, {2: ACTIVE}), 1, 2) as nodes:
        peers = {"1": nodes[0].url, "2": nodes[0].url}
        config = StoreConfig.model_validate({"kind": "qdrant", "source": source(nodes[0], peers=peers)})
        assert "peer 1 answers, and peer 2 was looked for" in _refused(config, tmp_path / "a")


def test_nodes_by_their_hosts_and_by_the_clusters_own_addresses(tmp_path: Path) -> None:
    with serving(_fleet({1: ACTIVE}, {2: ACTIVE}), 1, 2) as nodes:
        nodes[0].fleet.hosts = {1: "qdrant-0.internal", 2: "qdrant-1.internal"}
        peers = {"qdrant-0.internal": nodes[0].url, "qdrant-1.internal": nodes[1].url}
        config = StoreConfig.model_validate({"kind": "qdrant", "source": source(nodes[0], peers=peers)})
        _take(config, tmp_path / "a")
        assert _made(nodes) == [["0"], ["1"]]
        # the URI's host, with the scheme and port of the address that is known
        nodes[0].fleet.hosts = {1: "127.0.0.1", 2: "127.0.0.1"}
        config = StoreConfig.model_validate({"kind": "qdrant", "source": source(nodes[0])})
        assert "peer 1 answers, and peer 2 was looked for" in _refused(config, tmp_path / "b")
        nodes[0].fleet.hosts = {1: "127.0.0.1"}
        assert "no address for its peer 2" in _refused(config, tmp_path / "c")


def test_a_token_of_collections_may_not_ask_for_nodes(tmp_path: Path) -> None:
    with serving(_fleet({1: ACTIVE}, {2: ACTIVE}), 1, 2) as nodes:
        nodes[0].faults = [("GET /cluster", says(403, {"status": {"error": "Forbidden: Global access is required"}}))]
        config = StoreConfig.model_validate({"kind": "qdrant", "source": source(nodes[0])})
        (found,) = obstacles(config, waits=QUICK)
        assert "refuses the API key" in found.message and "source.peers" in str(found.hint)
        assert list(obstacles(_config(nodes), waits=QUICK)) == []  # with them named nobody has to be asked


def test_a_request_that_a_load_balancer_sends_elsewhere(tmp_path: Path) -> None:
    with serving(_fleet({1: ACTIVE}, {1: ACTIVE}), 1) as nodes:
        config = StoreConfig.model_validate({"kind": "qdrant", "source": source(nodes[0])})
        for place, answer in (
            ("POST .*", says(400, {"status": {"error": "Bad request: Shard 0 is not a local shard"}})),
            ("GET .*/snapshots/.*", says(404, "Not found")),
        ):
            nodes[0].faults = [(place, answer)]
            with pytest.raises(UnreachableError, match="the shard tenants/0: ") as caught:
                _take(config, tmp_path / place[:3])
            assert "load balancer" in str(caught.value.hint) and nodes[0].left == []


def test_a_server_newer_than_what_was_read_is_told(tmp_path: Path) -> None:
    with serving(_fleet({1: ACTIVE}, {1: ACTIVE}), 1) as nodes:
        for version, told in (("1.19.7", False), ("1.20.0-dev", True), ("2.0.0", True)):
            nodes[0].version = version
            details = _take(_config(nodes), tmp_path / version)
            assert details["server_version"] == version and bool(details["warnings"]) is told
        assert "the server is 2.0.0" in details["warnings"][0]


def test_a_collection_on_the_move_is_refused(tmp_path: Path) -> None:
    with serving(_fleet({1: ACTIVE}, {1: ACTIVE}), 1) as nodes:
        fleet = nodes[0].fleet
        answer = fleet.cluster("tenants", 1) | {"resharding_operations": [{"shard_id": 2}]}
        nodes[0].faults = [("GET /collections/tenants/cluster", says(200, {"result": answer}))]
        assert "is being resharded" in _refused(_config(nodes), tmp_path / "a")
        for number, odd in enumerate(({}, [], {"peer_id": 1}, {**fleet.cluster("tenants", 1), "local_shards": [1]})):
            nodes[0].faults = [("GET /collections/tenants/cluster", says(200, {"result": odd}))]
            assert "of a form that is not known" in _refused(_config(nodes), tmp_path / f"b{number}")


def test_shards_that_change_while_they_are_copied(tmp_path: Path) -> None:
    with serving(_fleet({1: ACTIVE}, {1: ACTIVE}), 1) as nodes:
        fleet = nodes[0].fleet

        def grown(handler: Any) -> bool:
            fleet.shards["tenants"], fleet.held["tenants", 2] = 3, {1: ACTIVE}
            return False

        nodes[0].faults = [("DELETE .*", grown)]
        with pytest.raises(UnsafeError, match="'tenants' was changed while it was copied: its shards"):
            _take(_config(nodes), tmp_path / "a")
        assert nodes[0].left == []


def test_an_empty_or_partial_snapshot_is_refused(tmp_path: Path) -> None:
    with serving(_fleet({1: ACTIVE}, {1: ACTIVE}), 1) as nodes:
        fleet = nodes[0].fleet
        fleet.counts["tenants", 1] = 768
        with pytest.raises(UnsafeError, match=r"of the shard tenants/1 is not whole: it holds 767 points.* 768"):
            _take(_config(nodes), tmp_path / "a")

        def written(handler: Any) -> bool:
            fleet.counts["tenants", 1] += 1
            return False

        nodes[0].faults = [("POST .*/1/snapshots", written)]  # somebody writes: no count is exact
        _take(_config(nodes), tmp_path / "b")
        fleet.counts["tenants", 1] = 1600
        with pytest.raises(UnsafeError, match="not whole: it holds 767 points"):
            _take(_config(nodes), tmp_path / "c")
        assert nodes[0].left == []


def test_shards_with_keys_are_written_as_a_server_keeps_them(tmp_path: Path) -> None:
    with serving(_fleet({1: ACTIVE}, {1: ACTIVE}), 1) as nodes:
        fleet = nodes[0].fleet
        answer = fleet.cluster("tenants", 1)
        for number, one in enumerate(answer["local_shards"]):
            one["shard_key"] = ["eu", 7][number]
        nodes[0].faults = [("GET /collections/tenants/cluster", says(200, {"result": answer}))]
        _take(_config(nodes), tmp_path / "a")
        written = tmp_path / "a" / "storage" / "collections" / "tenants" / "shard_key_mapping.json"
        assert json.loads(written.read_text()) == [{"key": "eu", "shard_ids": [0]}, {"key": 7, "shard_ids": [1]}]


def test_a_key_that_one_node_refuses_is_told_at_once(tmp_path: Path) -> None:
    with serving(_fleet({1: ACTIVE}, {2: ACTIVE}), 1, 2) as nodes:
        nodes[1].faults = [("GET /.*", says(401, "Invalid API key or JWT"))]
        with pytest.raises(UnreachableError, match="does not know the API key"):
            _take(_config(nodes), tmp_path / "a")
