"""Copies a stopped server's storage directory: only what a branch needs, and only while nobody writes to it."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone.cow.frozen import frozen
from envclone.errors import ConfigError, EnvcloneError, ResourceError, UnreachableError, UnsafeError
from envclone.models import ProgressEvent, StoreSnapshot
from envclone.protocols import Progress, Since
from envclone.stores.equal import Shared
from envclone.stores.intake import Intake, printable, require_directory, require_plain_place
from envclone.stores.qdrant import engine, enginefiles, identity, points, wal
from envclone.stores.qdrant.layout import STORAGE, Collection, collections, read_json, storage_root

if TYPE_CHECKING:
    from envclone.config.schema import StoreConfig

__all__ = ["describe", "judged", "obstacles", "refresh", "require_idle", "sources", "take"]


@dataclass(slots=True)
class _Copied:
    """What was copied so far, and what was left where it is."""

    bytes: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    shared: Shared = field(default_factory=Shared)


def take(name: str, config: StoreConfig, into: Path, progress: Progress, since: Since | None = None) -> StoreSnapshot:
    """Copy the collections of a storage directory into `into`/storage, sharing blocks where the file system can.

    Files that are in an earlier snapshot with the very same bytes share its blocks.
    Raises ConfigError for a method, path or collection that is not there, UnsafeError when somebody writes to the
    source or its format is not known, ResourceError on a full disk, UnreachableError without the directory.
    """
    began = time.monotonic()
    root, chosen = sources(config)
    copied = _Copied(shared=Shared(None if since is None else since.place / STORAGE / "collections"))
    with contextlib.ExitStack() as stack:
        taken = [(collection, stack.enter_context(judged(collection))) for collection in chosen]
        for collection in chosen:
            _require_known(collection)
        require_idle(root, chosen)
        named = identity.aliases(root, [collection.name for collection in chosen if collection.served])
        total = sum(file.size for _, found in taken for file in found.files)

        def told() -> None:
            progress(ProgressEvent(f"copying {name}", copied.bytes, total, "bytes"))

        try:
            for collection, found in taken:
                _copy_collection(collection, found, into / STORAGE / "collections" / collection.name, copied, told)
        except OSError as exc:
            raise ResourceError(f"{root} cannot be copied: {exc}", hint="see the free space of the pool") from exc
        require_idle(root, chosen)
        for collection, found in taken:
            _require_unchanged(root, collection, found)
    progress(ProgressEvent(f"applying the log of {name}", 0))
    engine.aside(lambda: engine.catch_up(shard for one in collections(into / STORAGE) for shard in one.shards()))
    identity.establish(into / STORAGE, named)
    _leave_out(root, copied, bool(named))
    described = {collection.name: describe(collection) for collection in collections(into / STORAGE)}
    files = [one.stat().st_size for one in (into / STORAGE).rglob("*") if one.is_file()]
    mounted = config.source.mounted
    return StoreSnapshot(
        store=name,
        kind="qdrant",
        method="directory" if mounted is None else "volume",
        engine_version=engine.engine_version(),
        consistent_at=dt.datetime.now(dt.UTC),
        seconds=round(time.monotonic() - began, 3),
        bytes=sum(files),
        files=len(files),
        details={
            "collections": described,
            "left_out": copied.left_out,
            "frozen": frozen([root]) if mounted is None else mounted.moment or None,
            **refresh(since, copied.shared),
        },
    )


def refresh(since: Since | None, shared: Shared) -> dict[str, Any]:
    """What a snapshot's record says of what it shares with an earlier one."""
    return {} if since is None else {"refresh": {"since": since.id, "files": shared.files, "bytes": shared.size}}


def sources(config: StoreConfig) -> tuple[Path, list[Collection]]:
    """The storage root that a store is taken from, and its collections. Raises as `take` does."""
    source = config.source
    if source.method != "directory" or source.path is None:
        raise ConfigError(
            f"a Qdrant store is no directory under the method '{source.method}'",
            hint="method: directory with source.path, or method: snapshot with source.url",
        )
    if not source.path.is_dir():
        raise UnreachableError(f"{source.path} is not a directory that can be read", hint="correct source.path")
    root = storage_root(require_plain_place(source.path))
    for place in (root, root / "collections"):
        require_directory(place)
    chosen = collections(root, config.collections)
    if not chosen:
        raise ConfigError(f"the storage directory {root} holds no collection", hint="correct source.path")
    return root, chosen


def obstacles(config: StoreConfig) -> Iterator[EnvcloneError]:
    """What would keep `take` from copying: nothing but a look at names, types and small files."""
    try:
        root, chosen = sources(config)
        for collection in chosen:
            with judged(collection):
                _require_known(collection)
        require_idle(root, chosen)
    except EnvcloneError as exc:
        yield exc


def _require_known(collection: Collection) -> None:
    """Refuse, before anything is copied, formats that are not known and a collection that is not whole."""
    for _ in collection.segments():
        pass
    identity.require_whole(collection)


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
        "served": collection.served,
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


def judged(collection: Collection) -> Intake:
    """Everything in a collection's directory, judged."""
    require_directory(collection.path)
    return Intake.of(collection.path, enginefiles.judge)


def _copy_collection(
    collection: Collection, found: Intake, target: Path, copied: _Copied, told: Callable[[], None]
) -> None:
    """Copy what the engine loads; a segment that it would not load, and what it did not make, is left out."""
    target.mkdir(parents=True, mode=0o700)
    loaded = _loaded(collection)
    for path in found.folders:
        if path and _belongs(path, loaded):
            (target / path).mkdir(mode=0o700, exist_ok=True)
        elif path and (path.count("/") == 2 or path.rpartition("/")[0] in loaded):
            found.left_out.setdefault(f"{path}/", 1)
    for shard in collection.shards():
        (target / shard.path.name / "segments").mkdir(parents=True, mode=0o700, exist_ok=True)
    for file in found.files:
        if identity.made_anew(file.path):
            found.left_out.setdefault(file.path, 1)
        elif _belongs(file.path, loaded):
            with found.opened(file) as source:
                _copy_file(source, target / file.path, f"{collection.name}/{file.path}", copied)
            told()
    for path, count in found.left_out.items():
        plain = path.removesuffix("/")
        label = f"{collection.name}/{plain}" if plain.count("/") > 1 else plain.rpartition("/")[2]
        copied.left_out[label] = copied.left_out.get(label, 0) + count


def _loaded(collection: Collection) -> dict[str, set[str]]:
    """Per segment that the engine loads, the directories of the vectors that its configuration names."""
    return {
        f"{shard.path.name}/segments/{segment.name}": {
            f"{kind}-{name}" if name else kind
            for name in segment.vectors
            for kind in ("vector_storage", "vector_index")
        }
        for shard, segment in collection.segments()
    }


def _belongs(path: str, loaded: Mapping[str, set[str]]) -> bool:
    """Whether a path is of a segment that is loaded, and there of a vector that exists, or of no segment."""
    parts = path.split("/")
    if len(parts) < 3 or parts[1] != "segments":
        return True
    vectors = loaded.get("/".join(parts[:3]))
    if vectors is None:
        return False
    return len(parts) == 3 or not parts[3].startswith(("vector_storage", "vector_index")) or parts[3] in vectors


def _require_unchanged(root: Path, collection: Collection, found: Intake) -> None:
    with judged(collection) as again:
        changed = {(file.path, file.stamp) for file in found.files} ^ {(file.path, file.stamp) for file in again.files}
    if changed:
        raise _in_use(root, f"{collection.path / min(path for path, _ in changed)} changed meanwhile")


def _leave_out(root: Path, copied: _Copied, aliases: bool) -> None:
    """Count what lies beside the collections: cluster state, snapshots, temporary files, aliases of none of them."""
    for folder in {root, root.parent} if root.name == STORAGE else {root}:
        for entry in folder.iterdir():
            if entry.name not in ("collections", STORAGE, *(["aliases"] if aliases else [])):
                label = printable(entry.name)
                copied.left_out[label] = copied.left_out.get(label, 0) + 1


def _copy_file(source: int, target: Path, name: str, copied: _Copied) -> None:
    """One open file, its blocks shared where that is possible; holes stay holes."""
    from envclone.cow.copy import copy_bytes
    from envclone.cow.reflink import share_blocks

    status = os.fstat(source)
    new = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:

        def read(at: int, length: int) -> bytes:
            return os.pread(source, length, at)

        if status.st_size and not copied.shared.take(name, status.st_size, read, new):
            try:
                share_blocks(source, new, status)
            except OSError:
                os.ftruncate(new, 0)
                copy_bytes(source, new, status)
    finally:
        os.close(new)
    copied.bytes += status.st_size


def require_idle(root: Path, chosen: list[Collection]) -> None:
    """Refuse a source that an engine has loaded: its log is locked, or its files are mapped or open."""
    for collection in chosen:
        for shard in collection.shards():
            if wal.locked(shard.path / "wal"):
                raise _in_use(root, f"the log of {shard.path} is locked")
    prefix = f"{root.resolve()}{os.sep}"
    for pid, path in _open_files(prefix):
        raise _in_use(root, f"process {pid} has {path.removeprefix(prefix)} open")


def _open_files(prefix: str) -> Iterator[tuple[str, str]]:
    """Files below a place that processes have mapped or open for writing, as far as this one may see.

    A host has a hundred processes with a hundred mappings each: most are ruled out by one look at their text.
    """
    sought = os.fsencode(prefix)
    for pid in filter(str.isdecimal, _names("/proc")):
        with contextlib.suppress(OSError):
            mapped = Path(f"/proc/{pid}/maps").read_bytes()
            for line in mapped.splitlines() if sought in mapped else ():
                parts = line.split(maxsplit=5)
                if len(parts) == 6 and parts[5].startswith(sought):
                    yield pid, os.fsdecode(parts[5])
        with contextlib.suppress(OSError):
            for number in _names(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    path = str(Path(f"/proc/{pid}/fd/{number}").readlink())
                    if path.startswith(prefix) and _writes(pid, number):
                        yield pid, path


def _names(place: str) -> list[str]:
    with os.scandir(place) as found:
        return [one.name for one in found]


def _writes(pid: str, number: str) -> bool:
    """Whether a process has a file open for writing."""
    return bool(int(Path(f"/proc/{pid}/fdinfo/{number}").read_text().split()[3], 8) & os.O_ACCMODE)


def _in_use(root: Path, why: str) -> UnsafeError:
    return UnsafeError(
        f"{root} is in use: {why}",
        hint="stop the writer, or freeze its file system and name the frozen copy; "
        "a copy of files in motion is not a snapshot",
    )
