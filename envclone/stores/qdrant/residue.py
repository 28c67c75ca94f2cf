"""What the engine no longer shows: found for a search of the bytes, and erased."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from envclone.models import Cleaned
from envclone.stores.qdrant import identity, indexes, wal
from envclone.stores.qdrant.gridstore import Gridstore
from envclone.stores.qdrant.gridwriter import GridWriter, wipe
from envclone.stores.qdrant.layout import STORAGE, collections
from envclone.stores.qdrant.lz4block import salvage

__all__ = ["expand", "scrub"]

_COPIED = {"config.json", "payload_index.json", "shard_key_mapping.json", "version.info"}
_OF_SHARD = {"edge_config.json", "shard_config.json", identity.REPLICA_STATE, "segments", "wal"}
_RUN = 2**20


def scrub(directory: Path) -> Sequence[Cleaned]:
    """Empty the logs, zero what no record refers to, remove what no index, segment or shard accounts for."""
    found: list[Cleaned] = []
    for entry in sorted(directory.iterdir()):
        if entry.name != STORAGE:
            found.append(_remove(entry, directory))
    root = directory / STORAGE
    identity.establish(root)
    aliases = root / identity.ALIASES
    beside = [entry for entry in sorted(root.iterdir()) if entry.name != "collections"]
    if aliases.exists():
        beside.remove(aliases.parent)
        beside += [entry for entry in sorted(aliases.parent.iterdir()) if entry != aliases]
    found += [_remove(entry, directory) for entry in beside]
    logs = erased = journals = 0
    for collection in collections(root):
        found += [
            _remove(entry, directory)
            for entry in sorted(collection.path.iterdir())
            if entry.name not in _COPIED and not (entry.is_dir() and entry.name.isdecimal())
        ]
        for shard in collection.shards():
            logs += wal.empty(shard)
            segments = shard.segments()
            kept = {segment.path for segment in segments}
            strays = [entry for entry in sorted(shard.path.iterdir()) if entry.name not in _OF_SHARD]
            strays += [entry for entry in sorted((shard.path / "segments").iterdir()) if entry not in kept]
            for segment in segments:
                strays += indexes.unexplained(segment)
                strays += sorted(segment.path.rglob("*.tmp"))
                for place in segment.gridstores():
                    if place.parent in strays:
                        continue
                    with Gridstore(place, writable=True) as store:
                        journals += _settle(store)
                        erased += wipe(store)
            found += [_remove(entry, directory) for entry in strays]
    if logs:
        found.append(Cleaned("bytes of write-ahead logs", logs))
    if journals:
        found.append(Cleaned("journals of payloads and indexes", journals))
    if erased:
        found.append(Cleaned("bytes of overwritten and deleted payloads", erased))
    return found


def _settle(store: Gridstore) -> bool:
    """Write what a journal says into its tracker, and remove it; returns whether it said anything."""
    if not (store.path / "tracker_journal.dat").exists():
        return False
    GridWriter(store).finish()
    return store.journaled


def expand(directory: Path) -> Iterator[tuple[str, bytes]]:
    """Every compressed value decompressed, and what the blocks that nothing refers to decompress to, with its place."""
    root = directory / STORAGE
    for tracker in sorted(root.rglob("tracker.dat")):
        if not (tracker.parent / "config.json").exists() or not (tracker.parent / "bitmask.dat").exists():
            continue
        place = str(tracker.parent.relative_to(root))
        with Gridstore(tracker.parent) as store:
            if not store.config.compressed:
                continue  # a search of the file itself sees it
            for points, values in store.batches():
                for point, value in zip(points, values, strict=True):
                    yield f"{place}, record {point}", value
            yield from _stale(store, place)


def _stale(store: Gridstore, place: str) -> Iterator[tuple[str, bytes]]:
    """What can be read from blocks that hold something and that no slot refers to."""
    live = store.live_blocks()
    size = store.config.block
    for number in range(store.pages):
        first = number * store.config.blocks_per_page
        page = store.page_bytes(number)
        filled = np.flatnonzero(page.reshape(-1, size).any(axis=1))
        stale = filled[~live[first + filled]].tolist()
        del page
        for block in stale:
            start = (first + block) * size
            length = min(_RUN, store.pages * store.config.page - start)
            value = salvage(store.read(start, length))
            if value:
                yield f"{place}, free block {first + block}", value


def _remove(entry: Path, directory: Path) -> Cleaned:
    what = str(entry.relative_to(directory))
    if entry.is_dir() and not entry.is_symlink():
        count = sum(1 for path in entry.rglob("*") if path.is_file())
        shutil.rmtree(entry)
    else:
        count = 1
        entry.unlink(missing_ok=True)
    return Cleaned("removed", count, what)
