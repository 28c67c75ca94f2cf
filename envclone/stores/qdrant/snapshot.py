"""Copies a stopped server's storage directory: only what a branch needs, and only while nobody writes to it."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone.errors import ConfigError, ResourceError, UnreachableError, UnsafeError
from envclone.models import ProgressEvent, StoreSnapshot
from envclone.protocols import Progress
from envclone.stores.qdrant import points, wal
from envclone.stores.qdrant.engine import engine_version
from envclone.stores.qdrant.layout import STORAGE, Collection, collections, read_json, storage_root

if TYPE_CHECKING:
    from envclone.config.schema import StoreConfig

__all__ = ["describe", "take"]

_COLLECTION_FILES = ("config.json", "payload_index.json", "shard_key_mapping.json")
_SHARD_FILES = ("edge_config.json", "shard_config.json")
Listing = Mapping[Path, tuple[int, int]]
"""Per file its size and modification time (ns)."""


@dataclass(slots=True)
class _Copied:
    """What was copied so far, and what was left where it is."""

    files: int = 0
    bytes: int = 0
    left_out: dict[str, int] = field(default_factory=dict)


def take(name: str, config: StoreConfig, into: Path, progress: Progress) -> StoreSnapshot:
    """Copy the collections of a storage directory into `into`/storage, sharing blocks where the file system can.

    Raises ConfigError for a method, path or collection that is not there, UnsafeError when somebody writes to the
    source or its format is not known, ResourceError on a full disk, UnreachableError without the directory.
    """
    source = config.source
    if source.method != "directory" or source.path is None:
        raise ConfigError(
            f"the store '{name}' cannot be taken with the method '{source.method}' yet",
            hint="stop the server (or freeze its file system) and use method: directory with source.path",
        )
    began = time.monotonic()
    if not source.path.is_dir():
        raise UnreachableError(f"{source.path} is not a directory that can be read", hint="correct source.path")
    root = storage_root(source.path)
    chosen = collections(root, config.collections)
    if not chosen:
        raise ConfigError(f"the storage directory {root} holds no collection", hint="correct source.path")
    for collection in chosen:
        for _ in collection.segments():  # refuses what is not known before anything is copied
            pass
    _require_idle(root, chosen)
    before = _listing(chosen)
    copied = _Copied()
    target = into / STORAGE / "collections"
    target.mkdir(parents=True, mode=0o700)
    total = sum(size for size, _ in before.values())

    def told() -> None:
        progress(ProgressEvent(f"copying {name}", copied.bytes, total, "bytes"))

    try:
        for collection in chosen:
            _copy_collection(collection, target / collection.name, copied, told)
    except OSError as exc:
        raise ResourceError(f"{root} cannot be copied: {exc}", hint="see the free space of the pool") from exc
    _require_idle(root, chosen)
    changed = [path for path, seen in _listing(chosen).items() if before.get(path) != seen]
    if changed or len(before) != len(_listing(chosen)):
        raise _in_use(root, f"{changed[0] if changed else 'a file'} changed meanwhile")
    _leave_out(root, copied)
    described = {collection.name: describe(collection) for collection in collections(into / STORAGE)}
    return StoreSnapshot(
        store=name,
        kind="qdrant",
        method="directory",
        engine_version=engine_version(),
        consistent_at=dt.datetime.now(dt.UTC),
        seconds=round(time.monotonic() - began, 3),
        bytes=copied.bytes,
        files=copied.files,
        details={"collections": described, "left_out": copied.left_out},
    )


def describe(collection: Collection) -> dict[str, Any]:
    """What a collection's files say of it: points, vectors, segments, indexes, HNSW parameters. Plain JSON values."""
    from envclone.stores.qdrant import indexes

    found = list(collection.segments())
    counts = [points.count(segment.path) for _, segment in found]
    vectors: dict[str, str] = {}
    schema: dict[str, str] = {}
    for _, segment in found:
        vectors |= segment.vectors
        schema |= indexes.schemas(segment)
    return {
        "points": None if None in counts else sum(number for number in counts if number is not None),
        "shards": len(collection.shards()),
        "segments": len(found),
        "vectors": vectors,
        "payload_schema": schema,
        "hnsw": _hnsw(collection),
        "storage_versions": sorted({segment.version for _, segment in found}),
        "log_holds_operations": any(wal.has_entries(shard) for shard in collection.shards()),
    }


def _hnsw(collection: Collection) -> dict[str, Any]:
    for path in [collection.path / "config.json", *(shard.path / "edge_config.json" for shard in collection.shards())]:
        if path.exists():
            found = read_json(path).get("hnsw_config")
            if isinstance(found, dict):
                return found
    return {}


def _copy_collection(collection: Collection, target: Path, copied: _Copied, told: Callable[[], None]) -> None:
    target.mkdir(mode=0o700)
    wanted = {name for name in _COLLECTION_FILES if (collection.path / name).is_file()}
    for name in sorted(wanted):
        _copy_file(collection.path / name, target / name, copied)
    for shard in collection.shards():
        place = target / shard.path.name
        (place / "segments").mkdir(parents=True, mode=0o700)
        for name in _SHARD_FILES:
            if (shard.path / name).is_file():
                _copy_file(shard.path / name, place / name, copied)
        for segment in shard.segments():
            _copy_tree(segment.path, place / "segments" / segment.name, copied, told)
        if (shard.path / "wal").is_dir():
            _copy_tree(shard.path / "wal", place / "wal", copied, told)
        for entry in shard.path.iterdir():
            if entry.name not in (*_SHARD_FILES, "segments", "wal"):
                copied.left_out[entry.name] = copied.left_out.get(entry.name, 0) + 1
    for entry in collection.path.iterdir():
        if entry.name not in wanted and not entry.name.isdecimal():
            copied.left_out[entry.name] = copied.left_out.get(entry.name, 0) + 1


def _leave_out(root: Path, copied: _Copied) -> None:
    """Count what lies beside the collections: aliases, cluster state, snapshots, temporary files."""
    for folder in {root, root.parent} if root.name == STORAGE else {root}:
        for entry in folder.iterdir():
            if entry.name not in ("collections", STORAGE):
                copied.left_out[entry.name] = copied.left_out.get(entry.name, 0) + 1


def _copy_tree(source: Path, target: Path, copied: _Copied, told: Callable[[], None]) -> None:
    target.mkdir(mode=0o700)
    for entry in sorted(source.iterdir()):
        if entry.is_symlink():
            raise UnsafeError(
                f"{entry} is a symbolic link", hint="a storage directory has none: replace it by its target"
            )
        if entry.is_dir():
            _copy_tree(entry, target / entry.name, copied, told)
        else:
            _copy_file(entry, target / entry.name, copied)
    told()


def _copy_file(source: Path, target: Path, copied: _Copied) -> None:
    """One file, its blocks shared where that is possible; holes stay holes."""
    from envclone.cow.copy import copy_bytes
    from envclone.cow.reflink import share_blocks

    old = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        status = os.fstat(old)
        if not stat.S_ISREG(status.st_mode):
            raise UnsafeError(f"{source} is not an ordinary file", hint="a storage directory has none of that kind")
        new = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            if status.st_size:
                try:
                    share_blocks(old, new, status)
                except OSError:
                    os.ftruncate(new, 0)
                    copy_bytes(old, new, status)
        finally:
            os.close(new)
    finally:
        os.close(old)
    copied.files += 1
    copied.bytes += status.st_size


def _listing(chosen: list[Collection]) -> Listing:
    found: dict[Path, tuple[int, int]] = {}
    for collection in chosen:
        for path in collection.path.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    found[path] = (status.st_size, status.st_mtime_ns)
    return found


def _require_idle(root: Path, chosen: list[Collection]) -> None:
    """Refuse a source that an engine has loaded: its log is locked, or its files are mapped or open."""
    for collection in chosen:
        for shard in collection.shards():
            if wal.locked(shard.path / "wal"):
                raise _in_use(root, f"the log of {shard.path} is locked")
    prefix = f"{root.resolve()}{os.sep}"
    for pid, path in _open_files():
        if path.startswith(prefix):
            raise _in_use(root, f"process {pid} has {path.removeprefix(prefix)} open")


def _open_files() -> Iterator[tuple[str, str]]:
    """Files that processes have mapped or open for writing, as far as this one may see."""
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal():
            continue
        with contextlib.suppress(OSError):
            for line in (process / "maps").read_text(errors="replace").splitlines():
                parts = line.split(maxsplit=5)
                if len(parts) == 6 and parts[5].startswith("/"):
                    yield process.name, parts[5]
        with contextlib.suppress(OSError):
            for link in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if int((process / "fdinfo" / link.name).read_text().split()[3], 8) & os.O_ACCMODE:
                        yield process.name, str(link.readlink())


def _in_use(root: Path, why: str) -> UnsafeError:
    return UnsafeError(
        f"{root} is in use: {why}",
        hint="stop the writer or use method snapshot; a copy of files in motion is no snapshot",
    )
