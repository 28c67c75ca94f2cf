"""A real server's storage directory: sanitized, nobody is left in it, and it answers as that server did."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ahocorasick_rs import BytesAhoCorasick

from envclone.incidents.bundle import VectorStep
from envclone.stores.qdrant import identity
from envclone.stores.qdrant.residue import expand
from envclone.stores.qdrant.search import embedded
from tests.support.recorded import RULES, answers, people, questions, unpack
from tests.support.stack import Place, place

PEER = 588303273699527
"""The server's number among peers."""
STACK = f"""\
version: 1
project: real
pool: {{path: "{{pool}}"}}
environments:
  prod: {{stores: {{kb: {{kind: qdrant, source: {{method: directory, path: "@KB@"}}}}}}}}
sanitize:
  domains: {{email: {{kind: email, unique: true}}}}
  rules:
    kb:
{RULES}"""


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    """A place with an image of it."""
    with place() as made:
        made.write(STACK.replace("@KB@", str(unpack(made.directory))))
        made.call("image", "prod")
        yield made


@pytest.fixture(scope="module")
def clean(here: Place) -> Path:
    """The image's store."""
    (image,) = (here.pool / "images").iterdir()
    return image / "kb"


def test_it_answers_as_the_server_did(here: Place, clean: Path) -> None:
    asked = [one for one in questions() if not one.masked]
    (raw,) = (here.pool / "raw").iterdir()
    branch = here.json("branch", "prod", "--name", "b")["endpoints"]["kb"]["path"]
    recorded = {one.name: [(i, np.float32(score)) for i, score, _ in one.points if score] for one in asked}
    before, after = answers(raw / "kb" / "storage", asked), answers(Path(branch), asked)
    kinds = {one.name: one.kind for one in asked}
    assert [name for name in before if before[name] != after[name] and kinds[name] != "hybrid"] == []
    # of production's own files the embedded engine's answers are the server's but for ties, rounding and what it
    # finds in several shards with quantization
    same = Counter(kinds[name] for name in after if after[name] == recorded[name])
    assert {kind: same[kind] for kind in ("dense", "exact", "groups", "offset", "late", "scalar")} == {
        "dense": 120, "exact": 30, "groups": 10, "offset": 10, "late": 20, "scalar": 20
    }  # fmt: skip
    assert same["filter"] >= 44 and same["recommend"] >= 13 and same["sparse"] >= 14 and same["tenant"] >= 13
    ids = {name: [one for one, _ in answer] for name, answer in after.items()}
    plain = [name for name in ids if kinds[name] in ("plain", "recommend")]
    assert len(plain) == 28 and all(ids[name] == [one for one, _ in recorded[name]] for name in plain)


def test_nobody_is_left_and_nothing_of_its_peers(here: Place, clean: Path) -> None:
    (raw,) = (here.pool / "raw").iterdir()
    peers = [str(PEER).encode(), PEER.to_bytes(8, "little")]
    search = BytesAhoCorasick([*(one.encode() for one in people()), *peers])

    def found(store: Path) -> tuple[set[str], set[str]]:
        """Where somebody or a peer stands: in files, and in what only decompression shows."""
        files = {path.name for path in store.rglob("*") if path.is_file() and search.find_matches_as_indexes(
            path.read_bytes())}  # fmt: skip
        return files, {where for where, data in expand(store) if search.find_matches_as_indexes(data)}

    assert found(clean) == (set(), set())
    assert all(found(raw / "kb"))  # the search finds what is there


def test_it_has_what_a_server_needs(clean: Path) -> None:
    root = clean / "storage"
    for collection, shards in (("articles", 1), ("hybrid", 1), ("plain", 1), ("tenants", 2)):
        there = root / "collections" / collection
        assert (there / "version.info").read_text() == "0.4.2"
        assert json.loads((there / "config.json").read_bytes())["params"]["shard_number"] == shards
        assert (there / "shard_key_mapping.json").read_bytes() == b"[]"
        assert (there / "payload_index.json").exists() is (collection != "plain")
        for number in range(shards):
            assert (there / str(number) / "replica_state.json").read_bytes() == identity.REPLICAS
            assert (there / str(number) / "shard_config.json").read_bytes() == b'{"type":"ReplicaSet"}'
    assert not (root / "raft_state.json").exists() and not list(root.rglob("newest_clocks.json"))
    assert json.loads((root / "aliases" / "data.json").read_bytes()) == {"kb": "articles"}
    with embedded(root) as runner:
        step = questions()[0].step("kb")
        assert isinstance(step, VectorStep) and runner.run(step).ids == tuple(i for i, _, _ in questions()[0].points)
        # a text is a part of the value where no index has its words, as that server answered
        for key, match, count in (("lang", {"text": "e"}, 2639), ("lang", {"text_any": "n r"}, 2639),
                                  ("text", {"text": "or"}, 0)):  # fmt: skip
            some = {"filter": {"must": [{"key": key, "match": match}]}, "limit": 5000, "with_payload": False}
            asked = VectorStep.model_validate({"id": "s", "store": "kb", "collection": "kb", **some})
            assert len(runner.run(asked).ids) == count, (key, match)


def test_a_node_that_lacks_a_shard_is_refused_before_anything_is_copied(here: Place) -> None:
    state = here.directory / "storage" / "collections" / "tenants" / "1" / "replica_state.json"
    kept = state.read_bytes()
    state.write_text('{"is_local":false,"this_peer_id":1,"peers":{"7":"Active"}}')
    try:
        before = here.leftovers()
        refused = here.call("image", "prod", "--fresh", check=False)
        assert refused.returncode == 4 and "shard 1 lies on other nodes (peers 7)" in refused.stderr
        assert here.leftovers() == before
    finally:
        state.write_bytes(kept)
