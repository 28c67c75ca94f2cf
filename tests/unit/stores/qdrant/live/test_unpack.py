"""A shard's snapshot becomes a shard's directory, and nothing else."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from envclone.errors import UnsafeError
from envclone.stores.qdrant.live.unpack import unpack
from tests.support.qdrant_server import snapshot
from tests.unit.stores.qdrant.live.archives import entry, file

SEGMENT = "37d0f0bd-ed94-4c79-821e-38608631b5a7"


def _segment(*inner: bytes, name: str = SEGMENT) -> bytes:
    return entry(f"segments/{name}.tar", b"".join(inner))


def _inner(path: str, data: bytes = b"{}") -> bytes:
    return entry(f"snapshot/{path}", data)


def test_every_file_of_a_recorded_snapshot_arrives_as_sparse_as_it_was(tmp_path: Path) -> None:
    data = snapshot("tenants", 0)
    counted: list[int] = []
    with file(data, end=False) as opened:
        done = unpack(opened, tmp_path / "0", counted.append)
    wanted: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member)
            if member.name.endswith(".tar") and content is not None:
                with tarfile.open(fileobj=content) as inner:
                    for each in inner.getmembers():
                        name = each.name.removeprefix("snapshot/files/")
                        found = inner.extractfile(each)
                        assert found is not None
                        wanted[f"{member.name.removesuffix('.tar')}/{name}"] = found.read()
    assert len(done.segments) == 2 and len(wanted) > 40
    for path, content in wanted.items():
        assert (tmp_path / "0" / path).read_bytes() == content, path
    page = next((tmp_path / "0").rglob("payload_storage/page_0.dat")).stat()
    assert page.st_size == 32 << 20 and page.st_blocks * 512 < 1 << 20
    assert {oct(one.stat().st_mode & 0o777) for one in tmp_path.rglob("*") if one.is_file()} == {"0o600"}
    assert sum(counted) < len(data) and done.files == sum(1 for one in tmp_path.rglob("*") if one.is_file())
    assert done.left_out.keys() >= {"newest_clocks.json"}


def test_a_streamed_snapshot_has_its_segments_as_directories(tmp_path: Path) -> None:
    made = entry("segments", kind=b"5") + entry(f"segments/{SEGMENT}", kind=b"5")
    made += entry(f"segments/{SEGMENT}/files", kind=b"5") + entry(f"segments/{SEGMENT}/files/segment.json", b"{}")
    with file(made) as opened:
        unpack(opened, tmp_path / "0")
    assert (tmp_path / "0" / "segments" / SEGMENT / "segment.json").read_bytes() == b"{}"


def test_what_the_engine_does_not_make_is_left_out(tmp_path: Path) -> None:
    made = _segment(_inner("files/segment.json"), _inner("files/notes.txt"), _inner("files/payload_storage/x.sh"))
    with file(made, entry("run.sh", b"x"), entry("wal/../../x", b"")[:0] + entry("wal/core", b"x")) as opened:
        done = unpack(opened, tmp_path / "0")
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["segment.json"]
    assert len(done.left_out) == 4


@pytest.mark.parametrize(
    "path", ["db_backup/CURRENT", "payload_index_db_backup", "files/CURRENT", "files/000009.sst", "CURRENT"]
)
def test_rocksdb_is_refused_with_the_remedy(tmp_path: Path, path: str) -> None:
    made = _segment(_inner("files/segment.json"), _inner(path))
    with file(made) as opened, pytest.raises(UnsafeError, match="keeps data in RocksDB") as caught:
        unpack(opened, tmp_path / "0")
    assert "upgrade the server" in str(caught.value.hint)


@pytest.mark.parametrize(
    "made",
    [
        b"",
        entry("shard_config.json", b"{}"),
        entry("segments/notes.tar", b"x"),
        entry(f"segments/{SEGMENT}.tar.gz", b"x"),
        _segment(_inner("segment.json")),
        _segment(_inner("files/../../../x")),
        _segment(_inner("files/segment.json"), _inner("files/segment.json")),
        _segment(_inner("files/segment.json")) * 2,
        _segment(_inner("files/segment.json"), entry("snapshot/files/version.info", kind=b"2", link="/etc/passwd")),
        _segment(_inner("files/segment.json"), entry("snapshot/files/version.info", kind=b"1", link="segment.json")),
        _segment(_inner("files/segment.json")[:-1]),
        _segment(_inner("files/segment.json")) + entry("segments", b"x", b"2", link="/tmp"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(tmp_path: Path, made: bytes) -> None:
    outside = tmp_path / "x"
    with file(made) as opened, pytest.raises(UnsafeError):
        unpack(opened, tmp_path / "in" / "0")
    assert not outside.exists() and not [one for one in tmp_path.rglob("*") if one.is_symlink()]
    assert os.listdir(tmp_path) in ([], ["in"])
