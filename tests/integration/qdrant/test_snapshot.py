"""Taking a storage directory: what is copied, what is refused, and what a killed writer left is not lost."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import qdrant_edge as q

from envclone.config.schema import SourceConfig, StoreConfig
from envclone.errors import ConfigError, UnreachableError, UnsafeError
from envclone.stores.qdrant import engine
from envclone.stores.qdrant.layout import Shard
from envclone.stores.qdrant.residue import expand
from tests.integration.qdrant.conftest import Pool
from tests.support.qdrant import TextMasks, build, change, files, plan_of, same_length


def _fingerprint(root: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files(root)}


def test_production_is_only_read_and_described(pool: Pool, tmp_path: Path) -> None:
    made = build(tmp_path / "prod" / "storage", points=200)
    change(made, [1, 2], [3])
    for name in ("raft_state.json", "aliases/data.json", "collections/articles/0/replica_state.json"):
        path = made.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text('{"api_key": "s3cret"}')
    (tmp_path / "prod" / "snapshots").mkdir()
    before = _fingerprint(tmp_path / "prod")
    raw, snapshot = pool.snapshot(tmp_path / "prod")
    assert _fingerprint(tmp_path / "prod") == before
    described = snapshot.details["collections"]["articles"]
    assert described["points"] == 199
    assert described["segments"] == 2
    assert described["vectors"] == {"": "vector(16, Cosine)"}
    assert described["payload_schema"] == {"author.email": "keyword", "tag": "keyword"}
    assert described["hnsw"]["m"] == 8
    json.dumps(snapshot.details)
    assert snapshot.engine_version
    assert set(snapshot.details["left_out"]) >= {"raft_state.json", "aliases", "replica_state.json", "snapshots"}
    assert not [path for path in files(raw) if b"s3cret" in path.read_bytes()]
    assert snapshot.files == len(list(files(raw)))
    with pool.store.open(pool.clone(raw, "c"), snapshot, log=pool.path / "log") as session:
        assert {item.detail for item in session.defang()} == set(snapshot.details["left_out"])


def test_the_storage_root_itself_and_some_collections(pool: Pool, tmp_path: Path) -> None:
    root = tmp_path / "prod" / "storage"
    build(root, points=20)
    build(root, points=10, collection="other")
    _, snapshot = pool.snapshot(root, "a")
    assert set(snapshot.details["collections"]) == {"articles", "other"}
    raw, snapshot = pool.snapshot(root, "b", ["oth*"])
    assert set(snapshot.details["collections"]) == {"other"}
    assert not (raw / "storage/collections/articles").exists()
    with pytest.raises(ConfigError, match="no collection 'nope'; there are: articles, other"):
        pool.snapshot(root, "c", ["other", "nope"])


@pytest.mark.parametrize("seen", ["maps", "lock"])
def test_a_writer_in_another_process_is_noticed(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: str
) -> None:
    from envclone.stores.qdrant import snapshot as module

    if seen == "lock":  # as for a user who may not look into the other's /proc
        monkeypatch.setattr(module, "_open_files", lambda prefix: iter(()))
    else:
        monkeypatch.setattr(module.wal, "locked", lambda folder: False)
    made = build(tmp_path / "prod" / "storage", points=20)
    code = "import sys, qdrant_edge as q; s = q.EdgeShard.load(sys.argv[1]); print('up', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(made.shard())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "up\n"
        with pytest.raises(UnsafeError, match="is in use") as caught:
            pool.snapshot(made.root, "a")
        assert "stop the writer, or freeze its file system" in (caught.value.hint or "")
        writer.communicate()
    pool.snapshot(made.root, "b")


def test_a_file_open_for_writing_and_one_that_changes_are_noticed(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from envclone.stores.qdrant import snapshot as module

    made = build(tmp_path / "prod" / "storage", points=20)
    target = made.segments[0] / "segment.json"
    with target.open("r+b"), pytest.raises(UnsafeError, match=r"segment\.json open"):
        pool.snapshot(made.root, "a")
    copy = module._copy_collection

    def and_touch(*args: object) -> None:
        copy(*args)  # type: ignore[arg-type]
        target.write_text(target.read_text() + " ")

    monkeypatch.setattr(module, "_copy_collection", and_touch)
    with pytest.raises(UnsafeError, match="changed meanwhile"):
        pool.snapshot(made.root, "b")


def test_what_a_killed_writer_had_only_in_its_log_is_kept_and_masked(pool: Pool, tmp_path: Path) -> None:
    made = build(tmp_path / "prod" / "storage", points=50)
    code = (
        "import os, sys, qdrant_edge as q\n"
        "s = q.EdgeShard.load(sys.argv[1])\n"
        "p = {'author': {'email': 'raw-late@example.org'}}\n"
        "s.update(q.UpdateOperation.upsert_points([q.Point(n, [1.0] * 16, p) for n in (7, 900)]))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(made.shard())], check=False)
    assert done.returncode == -signal.SIGKILL
    raw, snapshot = pool.snapshot(made.root)
    assert snapshot.details["collections"]["articles"]["log_holds_operations"]
    clean, _ = pool.sanitize(raw, snapshot, plan_of(), TextMasks())
    edge = q.EdgeShard.load(str(clean / "storage/collections/articles/0"))
    try:
        assert edge.info().points_count == 51
        masked = {"author": {"email": same_length("raw-late@example.org")}}
        assert [r.payload for r in edge.retrieve([7, 900], True, False)] == [masked, masked]
    finally:
        edge.close()


def test_formats_that_are_not_known_are_refused_by_name(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = build(tmp_path / "prod" / "storage", points=20)
    segment = made.segments[0]
    path = segment / "segment.json"
    text = path.read_text()
    for number, (kind, said) in enumerate([("in_memory", "RocksDB"), ("on_disk", "RocksDB"), ("novel", "not known")]):
        found = json.loads(text)
        found["config"]["payload_storage_type"] = {"type": kind}
        path.write_text(json.dumps(found))
        with pytest.raises(UnsafeError, match=f"{kind}|{said}") as caught:
            pool.snapshot(made.root, f"k{number}")
        assert said in str(caught.value)
        assert "RocksDB" not in said or "1.13" in (caught.value.hint or "")
    path.write_text(text)
    (segment / "CURRENT").write_text("MANIFEST-000001\n")
    with pytest.raises(UnsafeError, match=r"RocksDB.*before 1\.13"):
        pool.snapshot(made.root, "rocks")
    (segment / "CURRENT").unlink()

    config = segment / "payload_storage" / "config.json"
    found = json.loads(config.read_text())
    config.write_text(json.dumps(found | {"mode": "append_only"}))
    with pytest.raises(UnsafeError, match="cannot load"):
        pool.snapshot(made.root, "whole")
    monkeypatch.setattr(engine, "catch_up", lambda shards: None)
    raw, snapshot = pool.snapshot(made.root, "log")
    with pytest.raises(UnsafeError), pool.store.open(raw, snapshot, log=pool.path / "log") as session:
        session.inventory()
    with pytest.raises(UnsafeError, match="append_only"):
        list(expand(raw))
    config.write_text(json.dumps(found | {"compression": "Zstd"}))
    raw, snapshot = pool.snapshot(made.root, "zstd")
    with pytest.raises(UnsafeError, match="Zstd"):
        list(expand(raw))


def test_sources_that_are_none(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no 'collections'"):
        pool.snapshot(tmp_path, "a")
    with pytest.raises(UnreachableError, match="is not a directory"):
        pool.snapshot(tmp_path / "nowhere", "b")
    (tmp_path / "empty" / "collections").mkdir(parents=True)
    with pytest.raises(ConfigError, match="holds no collection"):
        pool.snapshot(tmp_path / "empty", "c")
    config = StoreConfig(kind="qdrant", source=SourceConfig(method="snapshot", url="http://127.0.0.1:9"))
    with pytest.raises(UnreachableError, match="cannot be reached"):  # a running server: see test_live.py
        pool.store.snapshot("kb", config, tmp_path / "d", lambda event: None)


def test_a_half_removed_segment_is_left_out(pool: Pool, tmp_path: Path) -> None:
    made = build(tmp_path / "prod" / "storage", points=20)
    stale = made.shard() / "segments" / "11111111-2222-3333-4444-555555555555.deleted"
    stale.mkdir()
    (stale / "page_0.dat").write_text("raw-gone@example.org")
    raw, _ = pool.snapshot(made.root)
    assert not [path for path in files(raw) if b"raw-gone" in path.read_bytes()]
    assert len(Shard(raw / "storage/collections/articles/0").segments()) == len(made.segments) - 1
