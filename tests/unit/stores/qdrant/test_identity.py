"""What a server needs to start on a storage root: which shards are whole, and what is made new."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from envclone.errors import UnsafeError
from envclone.models import ByteClass, StorePlan
from envclone.stores.qdrant import identity
from envclone.stores.qdrant.account import files
from envclone.stores.qdrant.compare import definitions
from envclone.stores.qdrant.layout import STORAGE, Collection, collections

PEER = 588303273699527


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def _state(states: dict[int, str], *, own: int = PEER, local: bool = True) -> dict[str, Any]:
    return {"is_local": local, "this_peer_id": own, "peers": {str(peer): state for peer, state in states.items()}}


def _collection(root: Path, shards: int = 2, name: str = "kb", **params: Any) -> Collection:
    path = root / "collections" / name
    _write(path / "config.json", {"params": {"shard_number": shards, **params}})
    _write(path / "version.info", "0.4.2")
    _write(path / "shard_key_mapping.json", [])
    for number in range(shards):
        (path / str(number) / "segments").mkdir(parents=True)
        _write(path / str(number) / "shard_config.json", {"type": "ReplicaSet"})
        _write(path / str(number) / "replica_state.json", _state({PEER: "Active"}))
        _write(path / str(number) / "newest_clocks.json", {"clocks": [{"peer_id": PEER, "token": 1}]})
    return Collection(name, path)


@pytest.mark.parametrize(
    ("states", "own", "local", "says"),
    [
        ({PEER: "Active"}, PEER, True, None),
        ({PEER: "Active", 7: "Active"}, PEER, True, None),  # a replica of a cluster, whole here
        ({PEER: "Listener", 7: "Active"}, PEER, True, None),
        ({PEER: "Initializing"}, PEER, True, None),
        ({PEER: "Initializing", 7: "Active"}, PEER, True, "shard 1 is Initializing here"),
        ({PEER: "Partial", 7: "Active"}, PEER, True, "shard 1 is Partial here"),
        ({PEER: "Dead"}, PEER, True, "shard 1 is Dead here"),
        ({7: "Active", 9: "Active"}, PEER, False, r"shard 1 lies on other nodes \(peers 7, 9\)"),
        ({7: "Active"}, PEER, True, r"shard 1 lies on other nodes \(peers 7\)"),
    ],
)
def test_a_shard_that_is_not_whole_here_is_named(
    tmp_path: Path, states: dict[int, str], own: int, local: bool, says: str | None
) -> None:
    collection = _collection(tmp_path)
    _write(collection.path / "1" / "replica_state.json", _state(states, own=own, local=local))
    if says is None:
        identity.require_whole(collection)
        return
    with pytest.raises(UnsafeError, match=says) as caught:
        identity.require_whole(collection)
    assert "shard 0" not in caught.value.message and "a node that holds every shard" in (caught.value.hint or "")


def test_what_else_makes_a_collection_incomplete(tmp_path: Path) -> None:
    collection = _collection(tmp_path, shards=3)
    path = collection.path
    (path / "2" / "shard_config.json").unlink()
    _write(path / "shard_0.initializing", "")
    _write(path / "1" / "shard_config.json", {"type": {"Remote": {"peer_id": 7}}})
    with pytest.raises(UnsafeError) as caught:
        identity.require_whole(collection)
    for number, why in enumerate(("was being received", "is of the kind", "is not there")):
        assert f"shard {number} {why}" in caught.value.message
    _write(path / "resharding_state.json", {"peer_id": 7, "direction": "up"})
    with pytest.raises(UnsafeError, match="was being resharded"):
        identity.require_whole(collection)
    _write(path / "resharding_state.json", "null")
    with pytest.raises(UnsafeError, match="shard 0"):
        identity.require_whole(collection)
    (path / "version.info").unlink()  # the embedded engine's: it has shards and knows of no replicas
    identity.require_whole(collection)


@pytest.mark.parametrize("shape", ["list", "map"])
def test_shards_by_key_are_those_that_the_keys_name(tmp_path: Path, shape: str) -> None:
    collection = _collection(tmp_path, shards=2, sharding_method="custom")
    pairs: dict[Any, list[int]] = {"berlin": [0], 7: [1]}
    _write(
        collection.path / "shard_key_mapping.json",
        [{"key": key, "shard_ids": ids} for key, ids in pairs.items()]
        if shape == "list"
        else {"berlin": [0], "7": [1]},
    )
    identity.require_whole(collection)
    assert "berlin" in identity.shard_keys(collection)
    _write(collection.path / "shard_key_mapping.json", [{"key": "berlin", "shard_ids": [0, 5]}])
    with pytest.raises(UnsafeError, match="shard 5 is not there"):
        identity.require_whole(collection)


@pytest.mark.parametrize("harm", ["[1]", '[{"key": "a"}]', '[{"key": "a", "shard_ids": "0"}]', "{"])
def test_a_mapping_of_another_form_is_refused(tmp_path: Path, harm: str) -> None:
    collection = _collection(tmp_path)
    _write(collection.path / "shard_key_mapping.json", harm)
    with pytest.raises(UnsafeError, match="not known"):
        identity.shard_keys(collection)


def test_nothing_of_peers_is_left_and_doing_it_again_changes_nothing(tmp_path: Path) -> None:
    _collection(tmp_path)
    embedded = tmp_path / "collections" / "alone" / "0" / "edge_config.json"
    _write(embedded, {})
    _write(tmp_path / "aliases" / "data.json", {"docs": "kb", "gone": "other", "a": "alone"})

    def found() -> dict[str, bytes]:
        return {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    identity.establish(tmp_path)
    made = found()
    assert not [name for name, data in made.items() if str(PEER).encode() in data]
    assert made["collections/kb/0/replica_state.json"] == identity.REPLICAS
    assert json.loads(made["aliases/data.json"]) == {"docs": "kb"}
    assert [name for name in made if "/alone/" in name] == ["collections/alone/0/edge_config.json"]
    identity.establish(tmp_path)
    assert found() == made


def test_names_of_shards_and_aliases_are_searched_for_people(tmp_path: Path) -> None:
    collection = _collection(tmp_path)
    _write(tmp_path / "aliases" / "data.json", {"Zoë Quux": "kb", "other": "another"})
    _write(collection.path / "shard_key_mapping.json", [{"key": "Ada Quux", "shard_ids": [0, 1]}])
    ((address, names),) = definitions({"kb": collection})
    assert address == "definition of kb"
    assert {"Zoë Quux", "Ada Quux"} <= set(names) and "other" not in names


@pytest.mark.parametrize("harm", ['{"a": 1}', '{"\\ud800": "kb"}', "[]"])
def test_aliases_of_another_form_are_refused(tmp_path: Path, harm: str) -> None:
    _collection(tmp_path)
    _write(tmp_path / "aliases" / "data.json", harm)
    with pytest.raises(UnsafeError):
        identity.aliases(tmp_path, ["kb"])


def test_the_account_takes_only_replicas_of_its_own(tmp_path: Path) -> None:
    root = tmp_path / STORAGE
    (collection,) = (_collection(root, shards=1),)
    _write(root / "aliases" / "data.json", {"docs": "kb"})

    def accounted() -> dict[str, tuple[dict[ByteClass, int], int]]:
        pieces = [one for job in files.jobs(tmp_path, StorePlan("kb", {})) for one in files.pieces(job, tmp_path)]
        return {one.path: (dict(one.classes), len(one.flaws)) for one in pieces}

    before = accounted()
    name = "storage/collections/kb/0/replica_state.json"
    assert before[name][1] == 1 and ByteClass.UNDECODED in before[name][0]
    identity.establish(root)
    after = accounted()
    assert after[name] == ({ByteClass.STRUCTURE: len(identity.REPLICAS)}, 0)
    assert after["storage/collections/kb/version.info"] == ({ByteClass.STRUCTURE: 5}, 0)
    assert set(after["storage/aliases/data.json"][0]) == {ByteClass.STRUCTURE}
    assert [one.name for one in collections(root)] == [collection.name]
