"""Where things lie in a Qdrant storage directory, and which of its formats are known.

    <storage>/aliases/data.json                                    written by a server
    <storage>/collections/<name>/config.json, version.info         written by a server
    <storage>/collections/<name>/<shard>/replica_state.json        written by a server; see `identity`
    <storage>/collections/<name>/<shard>/edge_config.json          written by qdrant_edge
    <storage>/collections/<name>/<shard>/wal/
    <storage>/collections/<name>/<shard>/segments/<uuid>/segment.json, version.info, id_tracker.*,
        payload_storage/, payload_index/, vector_storage[-<name>]/, vector_index[-<name>]/

Read from Qdrant 1.13 to 1.19 and qdrant_edge 0.9 (`lib/segment`, `lib/shard`, `lib/edge`).
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envclone.address import written
from envclone.errors import ConfigError, UnsafeError

__all__ = ["STORAGE", "Collection", "Segment", "Shard", "collections", "matching", "storage_root"]

STORAGE = "storage"
"""The storage root's name inside a store's directory of the pool."""
_MIGRATE = "start it once with a Qdrant server of version 1.13 or newer, let it migrate, stop it, and take it again"
_PAYLOAD_STORAGES = ("mmap", "in_ram_mmap")
_BEING_WRITTEN = ".atomicwrite"
"""How the name of the directory begins in which the engine writes a file before it renames it."""
_DAMAGED = "check production with its own engine, then take a new snapshot"


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of a shard: an independent set of points with its own payload storage and indexes."""

    path: Path
    version: str
    config: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The segment's UUID."""
        return self.path.name

    @property
    def payload_storage(self) -> Path:
        """The directory of the Gridstore that holds the payloads."""
        return self.path / "payload_storage"

    @property
    def payload_index(self) -> Path:
        """The directory of the payload indexes."""
        return self.path / "payload_index"

    def gridstores(self) -> list[Path]:
        """The directories of all its Gridstores: of the payloads, of sparse vectors, of indexes that can grow."""
        return sorted(path.parent for path in self.entries() if path.name == "tracker.dat")

    def entries(self) -> list[Path]:
        """Everything below it, without what the engine is writing: a process beside may have it loaded.

        It writes a file anew in a directory of its own, renames it and removes the directory, which is left out. Raises
        OSError for all else that cannot be listed.
        """
        found: list[Path] = []
        folders = [self.path]
        while folders:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.name.startswith(_BEING_WRITTEN):
                        continue
                    found.append(Path(entry.path))
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(found[-1])
        return sorted(found)

    @property
    def last_operation(self) -> int | None:
        """The number of the last operation that the segment holds; None for an empty segment."""
        found = read_json(self.path / "segment.json").get("version")
        if found is not None and not isinstance(found, int):
            raise UnsafeError(f"{self.path}/segment.json has a version that is not a number", hint=_DAMAGED)
        return found

    @property
    def vectors(self) -> Mapping[str, str]:
        """The type of each named vector (`''` is the default one): `vector(16, Cosine)` or `sparse`."""
        dense = self.config.get("vector_data") or {}
        found = {name: f"vector({entry.get('size')}, {entry.get('distance')})" for name, entry in dense.items()}
        return found | dict.fromkeys(self.config.get("sparse_vector_data") or {}, "sparse")


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard of a collection: what the engine loads."""

    path: Path

    def segments(self) -> list[Segment]:
        """Its segments, by name; raises UnsafeError for a format that is not known.

        What a killed engine left half made or half removed (hidden, `.deleted`, without `version.info`) is left out, as
        the engine leaves it out.
        """
        folder = self.path / "segments"
        found = sorted(entry for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []
        return [_segment(entry) for entry in found if _is_uuid(entry.name) and (entry / "version.info").exists()]


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection and its shards."""

    name: str
    path: Path

    @property
    def address(self) -> str:
        """The first part of its fields' addresses."""
        return written([self.name])

    @property
    def root(self) -> Path:
        """The storage root that it lies in."""
        return self.path.parent.parent

    @property
    def served(self) -> bool:
        """Whether a server wrote it, and one can start on it; the embedded engine makes shards alone."""
        return all((self.path / name).is_file() for name in ("version.info", "config.json"))

    def shards(self) -> list[Shard]:
        """Its shards, by number."""
        found = [entry for entry in self.path.iterdir() if entry.name.isdecimal() and entry.is_dir()]
        return [Shard(entry) for entry in sorted(found, key=lambda entry: int(entry.name))]

    def segments(self) -> Iterator[tuple[Shard, Segment]]:
        """Every segment of every shard."""
        for shard in self.shards():
            for segment in shard.segments():
                yield shard, segment


def storage_root(path: Path) -> Path:
    """The directory that holds `collections`: `path` itself or its `storage`. Raises ConfigError when neither does."""
    for candidate in (path, path / STORAGE):
        if (candidate / "collections").is_dir():
            return candidate
    raise ConfigError(
        f"{path} is not a Qdrant storage directory: it has no 'collections'",
        hint="source.path is the directory that the server's storage.storage_path names",
    )


def collections(root: Path, names: Sequence[str] | None = None) -> list[Collection]:
    """The collections below a storage root, or those named or described; raises ConfigError naming those there are."""
    folder = root / "collections"
    found = {
        entry.name: Collection(entry.name, entry)
        for entry in sorted(folder.iterdir())
        if entry.is_dir() and not entry.name.startswith(".")
    }
    if names is None:
        return list(found.values())
    missing = sorted({wanted for wanted in names if not matching(wanted, found)})
    if missing:
        raise ConfigError(
            f"the storage directory has no collection {', '.join(map(repr, missing))}; "
            f"there are: {', '.join(found) or 'none'}",
            hint="correct `collections` of the store in the stack file",
        )
    return [found[name] for name in dict.fromkeys(name for wanted in names for name in matching(wanted, found))]


def matching(wanted: str, names: Iterable[str]) -> list[str]:
    """The names of collections that are meant: `*` stands for any characters, `?` for one; no name has either."""
    pattern = re.compile("".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in wanted), re.DOTALL)
    return [name for name in names if pattern.fullmatch(name)]


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of the engine's; raises UnsafeError when it is missing or damaged."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as exc:
        raise UnsafeError(f"{path} cannot be read: {exc}", hint=_DAMAGED) from exc
    if not isinstance(found, dict):
        raise UnsafeError(f"{path} is not a JSON object", hint=_DAMAGED)
    return found


def _segment(path: Path) -> Segment:
    """One segment, its formats checked. Raises UnsafeError naming the one that is not known."""
    version = (path / "version.info").read_bytes().decode("ascii", "replace").strip()
    if (path / "CURRENT").exists() or any(path.glob("*.sst")):
        raise UnsafeError(f"{path} holds a RocksDB, which Qdrant used before 1.13", hint=_MIGRATE)
    config = read_json(path / "segment.json").get("config")
    if not isinstance(config, dict):
        raise UnsafeError(f"{path}/segment.json has no 'config'", hint=_MIGRATE)
    for key in ("vector_data", "sparse_vector_data"):
        named = config.get(key) or {}
        if not isinstance(named, dict) or not all(isinstance(one, dict) for one in named.values()):
            raise UnsafeError(f"{path}/segment.json has '{key}' in a form that is not known", hint=_DAMAGED)
    storage = config.get("payload_storage_type")
    kind = storage.get("type") if isinstance(storage, dict) else storage
    if kind in ("in_memory", "on_disk"):
        raise UnsafeError(f"{path} keeps its payloads in RocksDB (payload_storage_type '{kind}')", hint=_MIGRATE)
    if kind not in _PAYLOAD_STORAGES:
        raise UnsafeError(
            f"{path} keeps its payloads in a format that is not known: payload_storage_type {kind!r}",
            hint=f"known are {', '.join(_PAYLOAD_STORAGES)}; a newer envclone may know it",
        )
    return Segment(path, version, config)


def _is_uuid(name: str) -> bool:
    try:
        uuid.UUID(name)
    except ValueError:
        return False
    return True
