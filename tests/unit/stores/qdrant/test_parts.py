"""The small parts: index names and paths, broken LZ4 blocks, payload paths, logs, id trackers."""

from __future__ import annotations

import json
import random
from pathlib import Path

import lz4.block
import pytest

from envclone.masking import jsonscan, jsontext
from envclone.stores.qdrant import indexes, payloads, points, wal
from envclone.stores.qdrant.layout import Shard
from envclone.stores.qdrant.lz4block import salvage


@pytest.mark.parametrize(
    ("key", "paths", "expected"),
    [
        ("author.email", ["$.author.email"], True),
        ("author.email", ["$.author.name"], False),
        ("author", ["$.author.name"], True),
        ("author.name.first", ["$.author.name"], True),
        ("contacts[].phone", ["$.contacts[*].phone"], True),
        ("contacts.phone", ["$.contacts[*].phone"], True),
        ("contacts[0].phone", ["$.contacts[*].phone"], True),
        ("tags", ["$.tags[*]"], True),
        ("tag", ["$.tags[*]"], False),
        ("price", ["$.*"], True),
        ("price", ["$..phone"], True),
        ("author.email", ["$.author.**"], True),
        ("author.email", ["$.user.**", "$.author.name"], False),
        ("a.b.email", ["$..email"], True),
        ("author.email", ["$.*.email"], True),
        ('"a key".b', ['$["a key"].b'], True),
        ('"a key".b', ["$['a key'].b"], True),
        ("price", [], False),
    ],
)
def test_which_indexes_hold_masked_values(key: str, paths: list[str], expected: bool) -> None:
    assert indexes.touches(key, paths) is expected


def test_the_name_that_the_engine_gives_an_index() -> None:
    assert indexes.prefix("author.email") == "9m3pu46mumtthcdi2a4imdi6-"  # as qdrant_edge 0.9.0 wrote it


def test_a_dropped_index_is_listed_in_a_form_that_no_loader_makes_up(tmp_path: Path) -> None:
    """An engine that finds a mutable index missing may begin an empty one, and no filter would find anything."""
    (segment,) = _shard(tmp_path, 3).segments()
    segment.payload_index.mkdir()
    mutable = [{"index_type": "keyword_index", "mutability": "mutable", "storage_type": "gridstore"}]
    config = {
        "indexed_fields": {"a": "keyword", "b": {"type": "integer", "lookup": True}, "c": "keyword"},
        "indexed_types": {"a": mutable, "c": mutable},
    }
    (segment.payload_index / "config.json").write_text(json.dumps(config))
    for key in "abc":
        (segment.payload_index / f"{indexes.prefix(key)}{key}-map").mkdir()
    (segment.payload_index / "0-stray-map").mkdir()
    assert indexes.drop(segment, {"a", "b", "nope"}) == 2
    written = json.loads((segment.payload_index / "config.json").read_text())
    assert written["indexed_fields"] == config["indexed_fields"]
    assert written["indexed_types"]["c"] == mutable
    assert {entry["mutability"] for key in "ab" for entry in written["indexed_types"][key]} == {"immutable"}
    assert [entry["index_type"] for entry in written["indexed_types"]["b"]] == [
        "int_map_index",
        "int_index",
        "null_index",
    ]
    left = sorted(path.name for path in segment.payload_index.iterdir())
    assert left == sorted(["config.json", "0-stray-map", f"{indexes.prefix('c')}c-map"])
    assert [path.name for path in indexes.unexplained(segment)] == ["0-stray-map"]


@pytest.mark.parametrize("seed", range(20))
def test_an_lz4_block_with_an_unknown_end(seed: int) -> None:
    rng = random.Random(seed)
    words = [rng.randbytes(rng.randrange(2, 20)) for _ in range(10)]
    value = b"".join(rng.choice(words) for _ in range(rng.choice([1, 10, 500]))) + b"z" * rng.randrange(400)
    block = lz4.block.compress(value)
    assert salvage(block) == value
    assert salvage(block + rng.randbytes(100)) == value
    torn = salvage(block[: len(block) // 2])
    assert value.startswith(torn)


def test_noise_is_no_lz4_block() -> None:
    assert salvage(b"") == b""
    assert salvage(b"\xff" * 50) == b""
    assert len(salvage(b"\x10\0\0\0" + b"\xf0" * 3)) <= 16


DOCUMENTS = [
    {"a": {"b": 1}, "c": [{"d": "x"}, ["y", None]], "e": {}, "f": [], "g": True, "odd key": {"it's": 1.5}},
    {"Grüße": {"日本": "x"}, "": 1, "a.b": {"c[*]": False}},
    [],
    {},
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_leaves_are_those_that_the_masks_see(document: object) -> None:
    seen = [leaf.path for leaf in jsontext.leaves(json.dumps(document))]
    assert [jsonscan.render(steps) for steps, _ in payloads.leaves(document)] == seen


def test_digests_do_not_depend_on_the_order_of_keys_and_parts_do_not_run_together() -> None:
    assert payloads.canonical({"b": "ü", "a": 1}) == payloads.canonical({"a": 1, "b": "ü"})
    assert payloads.digest128(b"ab", b"c") != payloads.digest128(b"a", b"bc")


def _shard(tmp_path: Path, version: int | None) -> Shard:
    segment = tmp_path / "0" / "segments" / "11111111-2222-3333-4444-555555555555"
    segment.mkdir(parents=True)
    (segment / "version.info").write_text("0.6.0")
    config = {"vector_data": {}, "payload_storage_type": {"type": "mmap"}}
    (segment / "segment.json").write_text(json.dumps({"version": version, "config": config}))
    (tmp_path / "0" / "wal").mkdir()
    return Shard(tmp_path / "0")


@pytest.mark.parametrize(("version", "begun", "expected"), [(41, None, 42), (None, None, 1), (41, 60, 60), (41, 7, 42)])
def test_an_emptied_log_goes_on_counting(tmp_path: Path, version: int | None, begun: int | None, expected: int) -> None:
    shard = _shard(tmp_path, version)
    (shard.path / "wal" / "open-1").write_bytes(b"wal\0seed" + (5).to_bytes(8, "little") + b"hello")
    (shard.path / "wal" / "first-index").write_text('{"ack_index":3}')
    if begun is not None:
        (shard.path / "wal" / f"closed-{begun}").write_bytes(b"wal\0seed" + bytes(8))
    assert wal.has_entries(shard)
    assert wal.empty(shard) > 0
    assert [path.name for path in (shard.path / "wal").iterdir()] == [f"closed-{expected}"]
    assert not wal.has_entries(shard)
    assert wal.empty(shard) == 0
    assert [path.name for path in (shard.path / "wal").iterdir()] == [f"closed-{expected}"]


def test_points_of_both_trackers(tmp_path: Path) -> None:
    assert points.count(tmp_path) == 0
    log = tmp_path / "mutable_id_tracker.mappings"
    number = (9).to_bytes(8, "little")
    log.write_bytes(
        b"\1"
        + number
        + bytes(4)
        + b"\2"
        + bytes(16)
        + bytes(4)
        + b"\1"
        + bytes(8)
        + bytes(4)
        + b"\3"
        + number
        + b"\2torn"
    )
    assert points.count(tmp_path) == 2
    (tmp_path / "id_tracker.mappings").write_bytes((10).to_bytes(8, "little") + bytes(130))
    assert points.count(tmp_path) == 10
    (tmp_path / "id_tracker.deleted").write_bytes(b"\x07\0\0\0\0\0\0\0")
    assert points.count(tmp_path) == 7
    (tmp_path / "id_tracker.i2e").write_bytes(b"")
    assert points.count(tmp_path) is None
