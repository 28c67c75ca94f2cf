"""The log's files in the pool: what is used of a directory, and what is refused."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import pytest

from envclone.errors import UnsafeError, UsageError
from envclone.stores.postgres.track import lsn, segments
from envclone.stores.postgres.track.segments import Segment

SIZE = 1 << 20
SYSTEM = "7300000000000000001"


def image(number: int, *, timeline: int = 1, system: str = SYSTEM, size: int = SIZE, used: int = 100) -> bytes:
    """A segment's bytes: a first page's header, and something behind it."""
    head = struct.pack("=HHIQIxxxxQII", 0xD118, 2, timeline, number * SIZE, 0, int(system), size, 8192)
    return head.ljust(64, b"\x01") + b"\x02" * (used - 64) + b"\0" * (SIZE - used)


def put(folder: Path, number: int, suffix: str = "", content: bytes | None = None, timeline: int = 1) -> Segment:
    path = folder / (lsn.file_name(timeline, number, SIZE) + suffix)
    path.write_bytes(image(number, timeline=timeline) if content is None else content)
    return next(one for one in segments.segments(folder, SIZE) if one.path == path)


def test_names_and_positions_are_postgresqls() -> None:
    assert lsn.file_name(1, 0x1_0000_0000 // (16 << 20), 16 << 20) == "000000010000000100000000"
    assert lsn.parse("A/30001") == (10 << 32) + 0x30001
    assert lsn.lsn_text(lsn.parse("0/3000148")) == "0/3000148"
    for wrong in ("", "3000148", "0/30001480000", "0/x", "0/1; DROP"):
        with pytest.raises(UsageError):
            lsn.parse(wrong)


def test_only_what_postgresql_names_so_is_a_segment(tmp_path: Path) -> None:
    put(tmp_path, 3)
    put(tmp_path, 4, ".partial")
    for stray in ("notes.txt", "000000010000000000000003.sh", "0" * 24, "00000002.history", ".000000010000000000000009",
                  "00000001000000000000FFFF"):  # fmt: skip
        (tmp_path / stray).write_bytes(b"x")
    found = segments.segments(tmp_path, SIZE)
    assert [(one.number, one.partial) for one in found] == [(3, False), (4, True)]
    assert list(segments.histories(tmp_path)) == [2]


@pytest.mark.parametrize("compress", [True, False])
def test_a_packed_segment_is_laid_as_it_was(tmp_path: Path, compress: bool) -> None:
    incoming, wal, server = (tmp_path / name for name in ("incoming", "wal", "server"))
    for folder in (incoming, wal, server):
        folder.mkdir()
    whole = put(incoming, 3)
    packed = segments.pack(whole, wal, SIZE, SYSTEM, compress=compress)
    assert not whole.path.exists() and (packed.suffix == ".gz") is compress
    assert packed.stat().st_mode & 0o777 == 0o600
    segments.lay(segments.segments(wal, SIZE), server, SIZE, SYSTEM)
    assert (server / lsn.file_name(1, 3, SIZE)).read_bytes() == image(3)
    assert sorted(path.name for path in server.iterdir()) == [lsn.file_name(1, 3, SIZE)]


def test_of_a_partial_segment_the_longer_one_counts(tmp_path: Path) -> None:
    server = tmp_path / "server"
    server.mkdir()
    partial = put(tmp_path, 3, ".partial", image(3, used=500))
    target = server / lsn.file_name(1, 3, SIZE)
    target.write_bytes(image(3, used=900))
    segments.lay([partial], server, SIZE, SYSTEM)
    assert target.read_bytes() == image(3, used=900)
    partial.path.write_bytes(image(3, used=1000))
    segments.lay([partial], server, SIZE, SYSTEM)
    assert target.read_bytes() == image(3, used=1000)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (image(4), "not that of the segment"),
        (image(3, system="42"), "of the cluster 42"),
        (image(3, timeline=2), "timeline 2"),
        (image(3, size=1 << 24), "not that of the segment"),
        (image(3)[:-1], "not 1048576"),
        (image(3) + b"x", "more than"),
        (bytes(SIZE), "not that of the segment"),
    ],
)
def test_a_segment_that_is_another_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    segment = put(tmp_path, 3, "", content)
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(UnsafeError, match=why):
        segments.lay([segment], into, SIZE, SYSTEM)
    with pytest.raises(UnsafeError, match=why):
        segments.pack(segment, into, SIZE, SYSTEM, compress=True)
    assert segment.path.exists()
    assert not [path for path in into.iterdir() if not path.name.startswith(".")]


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(image(3) + bytes(SIZE)),  # unpacks to more
        gzip.compress(image(3))[:-4],
        gzip.compress(image(3)) + b"more",
        b"no gzip",
    ],
)
def test_a_packed_file_that_unpacks_to_anything_else_is_refused(tmp_path: Path, content: bytes) -> None:
    segment = put(tmp_path, 3, ".gz", content)
    with pytest.raises(UnsafeError, match="cannot be used as production's log"):
        b"".join(segments.content(segment, SIZE))


def test_a_link_a_pipe_and_a_second_name_are_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(image(3))
    wal = tmp_path / "wal"
    wal.mkdir()
    path = wal / lsn.file_name(1, 3, SIZE)
    for make in (lambda: path.symlink_to(outside), lambda: os.mkfifo(path), lambda: os.link(outside, path)):
        make()
        with pytest.raises(UnsafeError):
            b"".join(segments.content(segments.segments(wal, SIZE)[0], SIZE))
        path.unlink()
    history = wal / "00000002.history"
    history.symlink_to("/etc/passwd")
    with pytest.raises(UnsafeError):
        segments.lay_history(history, tmp_path)
