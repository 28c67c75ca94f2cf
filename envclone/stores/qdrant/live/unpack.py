"""Unpacks a shard's snapshot into the directory that the shard has in a storage root.

A snapshot holds the shard's own files and one archive per segment (`segments/<uuid>.tar`), in which the segment's
files lie below `snapshot/files/`; a streamed one holds `segments/<uuid>/files/` instead. Servers that kept anything in
RocksDB put a backup of it beside the files. Read from Qdrant 1.13 to 1.19: `lib/segment/src/segment/snapshot.rs`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from envclone.errors import UnsafeError
from envclone.stores.equal import Shared
from envclone.stores.intake import Verdict, printable
from envclone.stores.qdrant import enginefiles
from envclone.stores.qdrant.live.tar import Entry, Span, entries

__all__ = ["Unpacked", "unpack"]

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ARCHIVE = re.compile(rf"segments/({_UUID})\.tar")
_STREAMED = re.compile(rf"segments/({_UUID})/(.+)")
_ROCKSDB = re.compile(r"db_backup(/.*)?|payload_index_db_backup(/.*)?|(files/)?(CURRENT|.*\.sst|MANIFEST-\d+)")
_STEP = 2**20
_UPGRADE = (
    "upgrade the server to 1.16 or newer, which moves what is in RocksDB to its own storage when it starts and "
    "optimizes, and take it again"
)


@dataclass(slots=True)
class Unpacked:
    """What came out of one snapshot."""

    files: int = 0
    bytes: int = 0
    segments: set[str] = field(default_factory=set)
    left_out: dict[str, int] = field(default_factory=dict)


def unpack(
    descriptor: int,
    into: Path,
    told: Callable[[int], None] = lambda count: None,
    shared: Shared | None = None,
    shard: str = "",
) -> Unpacked:
    """Unpack the shard snapshot in an open file into `into`, the shard's directory, which must not exist.

    What is the same in an earlier copy of the `shard` has its blocks. What the engine does not make is left out and
    counted. `told` is given the bytes written. Raises UnsafeError for anything that is not a shard's snapshot, or keeps
    data in RocksDB; OSError on a full disk.
    """
    into.mkdir(mode=0o700, parents=True)
    done = Unpacked()
    for path, entry in _contents(Span.whole(descriptor), done):
        verdict = enginefiles.judge(f"{into.name}/{path}", entry.folder)
        if verdict is not Verdict.TAKE:
            label = path.rpartition("/")[2] if path.count("/") < 2 else path
            done.left_out[printable(label)] = done.left_out.get(printable(label), 0) + 1
            continue
        target = into / path
        try:
            if entry.folder:
                target.mkdir(mode=0o700, parents=True, exist_ok=True)
            else:
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _write(entry.content, target, told, shared or Shared(), f"{shard}/{path}")
                done.files += 1
                done.bytes += entry.content.size
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as exc:
            raise _unknown(f"holds {printable(path)} twice") from exc
    if not done.segments:
        raise _unknown("holds no segment")
    (into / "wal").mkdir(mode=0o700, exist_ok=True)
    return done


def _contents(archive: Span, done: Unpacked) -> Iterator[tuple[str, Entry]]:
    """Every entry with its path in the shard's directory."""
    for entry in entries(archive):
        packed, streamed = _ARCHIVE.fullmatch(entry.path), _STREAMED.fullmatch(entry.path)
        if packed and not entry.folder:
            if packed[1] in done.segments:
                raise _unknown(f"holds the segment {packed[1]} twice")
            done.segments.add(packed[1])
            for inner in entries(entry.content):
                path = _of_segment(inner.path.removeprefix("snapshot/"), packed[1], inner.folder)
                if path:
                    yield f"segments/{packed[1]}/{path}", inner
        elif streamed:
            done.segments.add(streamed[1])
            path = _of_segment(streamed[2], streamed[1], entry.folder)
            if path:
                yield f"segments/{streamed[1]}/{path}", entry
        elif entry.path.startswith("segments/") and not (
            entry.folder and re.fullmatch(rf"segments/{_UUID}", entry.path)
        ):
            raise _unknown(f"holds something among its segments that is none: {printable(entry.path)[:200]}")
        else:
            yield entry.path, entry


def _of_segment(path: str, segment: str, folder: bool) -> str:
    """A path in a segment's directory; empty for the directories around it. Raises UnsafeError."""
    if _ROCKSDB.fullmatch(path):
        raise UnsafeError(f"its segment {segment} keeps data in RocksDB", hint=_UPGRADE)
    if folder and path in ("files", "snapshot"):
        return ""
    if not path.startswith("files/"):
        raise _unknown(f"has a segment in a form that is not known: {printable(path)[:200]}")
    return path.removeprefix("files/")


def _write(content: Span, target: Path, told: Callable[[int], None], shared: Shared, name: str) -> None:
    """One file, its holes left as holes."""
    new = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        if shared.take(name, content.size, content.read, new):
            told(sum(piece.length for piece in content.pieces))
            return
        for piece in content.pieces:
            for start in range(0, piece.length, _STEP):
                length = min(_STEP, piece.length - start)
                data = os.pread(content.descriptor, length, piece.offset + start)
                if len(data) != length:
                    raise _unknown("is cut off")
                _write_all(new, data, piece.at + start)
                told(length)
        os.ftruncate(new, content.size)
    finally:
        os.close(new)


def _write_all(descriptor: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, at)
        view, at = view[written:], at + written


def _unknown(what: str) -> UnsafeError:
    return UnsafeError(
        f"the snapshot {what}",
        hint="nothing of it was kept; is the server of a version from 1.13 on?",
    )
