"""A running server becomes an image and a branch that answers as it did, and nothing of it stays on the server.

The server is the stand-in of `tests/support/qdrant_server.py`, which gives what a real one was recorded to give.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from ahocorasick_rs import BytesAhoCorasick as AhoCorasick

from envclone.stores.qdrant import identity
from envclone.stores.qdrant.holes import CHUNK, filled
from envclone.stores.qdrant.residue import expand
from tests.support import recorded
from tests.support.qdrant_server import (
    KEY,
    PEER,
    Fleet,
    Handler,
    Node,
    config,
    dropped,
    once,
    serving,
    whole,
)
from tests.support.recorded import answers, people, questions
from tests.support.stack import ROOT, Place, place

COLLECTIONS = {"articles": 1, "plain": 1, "tenants": 2}
RULES = "".join(line for line in recorded.RULES.splitlines(keepends=True) if not line.startswith("      hybrid"))
STACK = f"""\
version: 1
project: live
pool: {{path: "{{pool}}"}}
environments:
  prod:
    stores:
      kb: {{kind: qdrant, source: {{method: snapshot, url: "${{QDRANT_URL}}", api_key: "${{QDRANT_KEY}}"}}}}
sanitize:
  domains: {{email: {{kind: email, unique: true}}}}
  rules:
    kb:
{RULES}"""


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A running server."""
    with serving(whole()) as (made,):
        yield made


@pytest.fixture(scope="module")
def here(node: Node) -> Iterator[Place]:
    """A place with an image of it."""
    with place() as made:
        made.env.update({"QDRANT_URL": node.url, "QDRANT_KEY": KEY})
        made.write(STACK)
        made.call("image", "prod")
        yield made


@pytest.fixture(scope="module")
def branch(here: Place) -> Path:
    """The storage directory of a branch."""
    return Path(here.json("branch", "prod", "--name", "b")["endpoints"]["kb"]["path"])


def test_a_branch_answers_as_the_server_did(here: Place, branch: Path) -> None:
    asked = [one for one in questions() if not one.masked and one.collection in COLLECTIONS]
    wanted = {one.name: [(ident, np.float32(score)) for ident, score, _ in one.points if score] for one in asked}
    (raw,) = (here.pool / "raw").iterdir()
    after = answers(branch, asked)
    assert after == answers(raw / "kb" / "storage", asked)
    same = Counter(one.kind for one in asked if after.get(one.name) == wanted[one.name])
    # the engine's own scores differ from a server's in the last bit here and there, and quantized shards in more
    assert {kind: same[kind] for kind in ("dense", "exact", "groups", "offset")} == {
        "dense": 120, "exact": 30, "groups": 10, "offset": 10
    }  # fmt: skip
    assert same["filter"] >= 44 and same["recommend"] >= 13 and same["tenant"] >= 13
    ordered = [one.name for one in asked if one.kind in ("plain", "recommend")]
    assert len(ordered) == 28
    assert all([one for one, _ in after[name]] == [one for one, _ in wanted[name]] for name in ordered)


def test_the_image_is_verified_and_nobody_is_left(here: Place, branch: Path) -> None:
    (image,) = (here.pool / "images").iterdir()
    here.call("verify", image.name)
    (raw,) = (here.pool / "raw").iterdir()
    known = AhoCorasick([*(one.encode() for one in people()), str(PEER).encode(), PEER.to_bytes(8, "little")])
    assert not [path for path, data in _bytes(branch.parent) if known.find_matches_as_indexes(data)]
    assert [path for path, data in _bytes(raw / "kb") if known.find_matches_as_indexes(data)]


def _bytes(directory: Path) -> Iterator[tuple[str, bytes]]:
    """All that stands in the files of a store, with what compressed records say."""
    yield from expand(directory)
    for path in directory.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                for start in filled(file.fileno(), path.stat().st_size):
                    yield str(path), os.pread(file.fileno(), CHUNK + 100, start)


def test_a_server_can_start_on_it(branch: Path, node: Node) -> None:
    for collection, shards in COLLECTIONS.items():
        there = branch / "collections" / collection
        assert (there / "version.info").read_text() == "0.4.2"
        assert json.loads((there / "config.json").read_text()) == node.fleet.info(collection)["config"] | {"uuid": None}
        assert (there / "shard_key_mapping.json").read_text() == "[]"
        for number in range(shards):
            assert (there / str(number) / "replica_state.json").read_bytes() == identity.REPLICAS
            assert (there / str(number) / "shard_config.json").read_text() == '{"type":"ReplicaSet"}'
    assert json.loads((branch / "collections" / "articles" / "config.json").read_text()) == config("articles")
    assert json.loads((branch / "aliases" / "data.json").read_text()) == {"kb": "articles"}


def test_nothing_stays_on_the_server_and_the_key_in_no_file(here: Place, node: Node) -> None:
    assert node.left == [] and node.keys == {KEY}
    assert list((here.pool / "owed").iterdir()) == []
    assert not [path for path, data in _bytes(here.pool) if KEY.encode() in data]


def test_the_requests_are_those_that_the_docs_list(here: Place, node: Node) -> None:
    listed = set(re.findall(r"`((?:GET|POST|DELETE) /[^`]*)`", (ROOT / "docs" / "production.md").read_text()))
    sent = {
        re.sub(r"snapshots/.+", "snapshots/{snapshot}", re.sub(r"shards/\d+", "shards/{shard}", line)).replace(
            f"/{name}", "/{collection}"
        )
        for line in node.asked
        for name in re.findall(r"/collections/([^/]+)", line) or ["…"]
    }
    assert sent <= listed and listed - sent == {"GET /cluster", "GET /telemetry"}


def test_the_snapshot_says_what_server_it_was(here: Place) -> None:
    (raw,) = (here.pool / "raw").iterdir()
    store = json.loads((raw / "snapshot.json").read_text())["stores"]["kb"]
    assert store["method"] == "snapshot" and store["details"]["server_version"] == "1.18.3"


def test_doctor_says_in_one_line_what_is_wrong(here: Place, node: Node) -> None:
    def told(**env: str) -> str:
        return here.call("doctor", "--env", "prod", check=False, env=env).stdout

    assert re.search(r"prod\.kb .*ready", told())
    wrong = told(QDRANT_KEY="wrong-and-secret")
    assert "does not know the API key" in wrong and "wrong-and-secret" not in wrong
    node.version = "1.12.0"
    refused = here.call("image", "prod", "--fresh", check=False)
    node.version = "1.18.3"
    assert refused.returncode == 7 and "1.13 is the oldest that can be read" in refused.stderr


def test_a_killed_run_is_cleaned_up_by_gc_and_by_the_next() -> None:
    with serving(Fleet({"plain": 1})) as (node,), place() as made:
        made.env.update({"QDRANT_URL": node.url, "QDRANT_KEY": KEY})
        made.write(STACK)
        command = [sys.executable, "-m", "envclone.cli.main", "--file", str(made.file), "snapshot", "prod"]
        env = {**os.environ, "PYTHONPATH": str(ROOT), **made.env}
        for again in (["gc"], ["snapshot", "prod"]):
            child: list[subprocess.Popen[bytes]] = []

            def killed(handler: Handler, child: list[subprocess.Popen[bytes]] = child) -> bool:
                child[0].send_signal(signal.SIGKILL)
                child[0].wait(20)
                return dropped(handler)

            node.faults = [("GET .*/snapshots/.*", once(killed))]
            child.append(subprocess.Popen(command, env=env, cwd=made.directory, stderr=subprocess.DEVNULL))
            assert child[0].wait(60) == -signal.SIGKILL
            assert len(node.left) == 1
            if again == ["gc"]:
                assert "on a server" in made.call("gc", "--dry-run").stdout and len(node.left) == 1
            made.call(*again)
            assert node.left == [] and list((made.pool / "owed").iterdir()) == []


def test_init_looks_at_a_running_server() -> None:
    with serving(Fleet({"plain": 1})) as (node,), place() as made:
        made.env["PROD_QDRANT_KEY"] = KEY
        made.call("init", "--project", "live", "--qdrant", node.url)
        source = yaml.safe_load(made.file.read_text())["environments"]["prod"]["stores"]["kb"]["source"]
        key = "${PROD_QDRANT_KEY?the API key of production's Qdrant}"
        assert source == {"method": "snapshot", "url": node.url, "api_key": key}
        assert '"$.who": person' in made.file.read_text() and node.left == []
    with place() as made:
        refused = made.call("init", "--qdrant", "http://127.0.0.1:9", check=False)
        assert refused.returncode == 7 and not made.file.exists()
        assert "cannot be reached" in refused.stderr.splitlines()[0]
