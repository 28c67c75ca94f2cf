"""Copies a running server's collections: a snapshot of each shard, made there, downloaded, unpacked, removed again."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone.errors import ResourceError, UnsafeError
from envclone.models import ProgressEvent, StoreSnapshot
from envclone.protocols import Notes, Progress, Since
from envclone.stores.equal import Shared
from envclone.stores.qdrant import identity, points
from envclone.stores.qdrant.engine import engine_version
from envclone.stores.qdrant.layout import STORAGE, Shard, collections
from envclone.stores.qdrant.live.client import Client, Failed, Waits, path
from envclone.stores.qdrant.live.download import download
from envclone.stores.qdrant.live.making import Unnoted, made, place, settle
from envclone.stores.qdrant.live.shards import Nodes, ShardMap, shard_map
from envclone.stores.qdrant.live.source import (
    Described,
    chosen,
    client_of,
    describe,
    nodes_of,
    server,
    settings,
)
from envclone.stores.qdrant.live.unpack import Unpacked, unpack
from envclone.stores.qdrant.snapshot import describe as describe_files
from envclone.stores.qdrant.snapshot import refresh

if TYPE_CHECKING:
    from envclone.config.schema import StoreConfig

__all__ = ["settle_note", "take"]

_COLLECTION_VERSION = "0.4.2"
"""What servers from 1.13 to 1.19 write into a collection's `version.info`."""
_ROOM = 64 * 2**20


@dataclass
class _Copied:
    """What came so far."""

    received: int = 0
    expected: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    moments: list[dt.datetime] = field(default_factory=list)
    shared: Shared = field(default_factory=Shared)

    def add(self, collection: str, unpacked: Unpacked) -> None:
        for name, count in unpacked.left_out.items():
            label = f"{collection}/{name}" if "/" in name else name
            self.left_out[label] = self.left_out.get(label, 0) + count


def take(
    name: str,
    config: StoreConfig,
    into: Path,
    progress: Progress,
    notes: Notes | None = None,
    since: Since | None = None,
    *,
    waits: Waits | None = None,
) -> StoreSnapshot:
    """Copy collections of a running server into `into`/storage, each shard from one active replica.

    Nothing is written there but the snapshots, which are gone afterwards; what could not be removed is in the warnings.
    Raises UnreachableError, ConfigError for a collection that is not there, UnsafeError for a set of shards that is not
    whole or files that are not as promised, ResourceError on a full disk.
    """
    began = time.monotonic()
    entry = client_of(config.source, waits)
    nodes = nodes_of(config.source, entry)
    about = server(entry)
    names = chosen(entry, config)
    copied = _Copied(shared=Shared(None if since is None else since.place / STORAGE / "collections"))

    def told(count: int = 0) -> None:
        copied.received += count
        progress(ProgressEvent(f"copying {name}", copied.received, max(copied.expected, copied.received), "bytes"))

    for collection in names:
        _collection(entry, nodes, collection, into, notes or Unnoted(), copied, told)
    found = collections(into / STORAGE)
    for one in found:
        for _ in one.segments():  # refuses what is not known
            pass
        identity.require_whole(one)
    identity.establish(into / STORAGE, copied.aliases)
    files = [one.stat().st_size for one in (into / STORAGE).rglob("*") if one.is_file()]
    warnings = [*([about.warning] if about.warning else ()), *copied.problems]
    return StoreSnapshot(
        store=name,
        kind="qdrant",
        method="snapshot",
        engine_version=engine_version(),
        consistent_at=max(copied.moments),
        seconds=round(time.monotonic() - began, 3),
        bytes=sum(files),
        files=len(files),
        details={
            "collections": {one.name: describe_files(one) for one in found},
            "left_out": copied.left_out,
            "server_version": about.version,
            "downloaded": copied.received,
            "spread_ms": round((max(copied.moments) - min(copied.moments)).total_seconds() * 1000),
            "ran": copied.ran,
            "warnings": warnings,
            **refresh(since, copied.shared),
        },
    )


def _collection(
    entry: Client,
    nodes: Nodes,
    collection: str,
    into: Path,
    notes: Notes,
    copied: _Copied,
    told: Callable[[int], None],
) -> None:
    """Every shard of a collection, and what the server keeps beside them. Raises UnsafeError when either changes."""
    before = describe(entry, collection)
    shards = shard_map(entry, collection, before.params)
    target = into / STORAGE / "collections" / collection
    for shard in shards.replicas:
        node, own = nodes.holding(shards, shard, before.params)
        _shard(node, own, shard, target / str(shard), notes, copied, told, entry=entry, before=before)
    after, again = describe(entry, collection), shard_map(entry, collection, before.params)
    if set(again.replicas) != set(shards.replicas) or again.keys != shards.keys:
        raise _changed(collection, "its shards")
    if dict(after.config) != dict(before.config) or dict(after.schema) != dict(before.schema):
        raise _changed(collection, "its configuration or its payload indexes")
    for file, document in settings(before, shards.keys).items():
        _write(target / file, document)
    (target / "version.info").write_text(_COLLECTION_VERSION)
    copied.aliases |= _aliases(entry, collection)


def _shard(
    node: Client,
    own: ShardMap,
    shard: int,
    target: Path,
    notes: Notes,
    copied: _Copied,
    told: Callable[[int], None],
    *,
    entry: Client,
    before: Described,
) -> None:
    """One shard, from the node that holds it."""
    label = f"{own.collection}/{shard}"
    with (
        _of(label),
        made(node, own.collection, shard, notes, entry=entry.url, problems=copied.problems) as snapshot,
    ):
        copied.moments.append(dt.datetime.now(dt.UTC))
        copied.expected += snapshot.size
        copied.ran.append(f"POST, GET, DELETE {place(own.collection, shard)}{path(snapshot.name)} at {node.shown}")
        pool = target.parents[3]
        _require_room(pool, 2 * snapshot.size)
        with _full_disk(pool), tempfile.TemporaryFile(dir=pool) as file:  # it has no name, and goes with the process
            where = place(own.collection, shard) + path(snapshot.name)
            download(node, where, file.fileno(), size=snapshot.size, checksum=snapshot.checksum, told=told)
            copied.add(own.collection, unpack(file.fileno(), target, shared=copied.shared, shard=label))
    later = shard_map(node, own.collection, before.params)
    still = describe(node, own.collection).green and before.green
    _require_points(label, Shard(target), own.points.get(shard), later.points.get(shard), still)


def _require_points(label: str, shard: Shard, before: int | None, after: int | None, still: bool) -> None:
    """Hold a snapshot to what the node counted before and after it: some servers have made empty ones.

    Nothing was written meanwhile when both are equal and no optimization was running; else half of them must be there,
    for the count is then no exact one.
    """
    counts = [points.count(segment.path) for segment in shard.segments()]
    if before is None or after is None or None in counts:
        return
    found, least = sum(count for count in counts if count is not None), min(before, after)
    wanted = least if before == after and still else -(-least // 2)
    if found < wanted:
        raise UnsafeError(
            f"the snapshot of the shard {label} is not whole: it holds {found} points, and the server counts {least}",
            hint="look at the server's log and at the state of the shard there, then take it again",
        )


def _aliases(client: Client, collection: str) -> dict[str, str]:
    found = client.get(f"{path('collections', collection)}/aliases").result
    items = found.get("aliases") if isinstance(found, dict) else None
    return {
        one["alias_name"]: collection
        for one in items or ()
        if isinstance(one, dict) and isinstance(one.get("alias_name"), str) and one.get("collection_name") == collection
    }


def _write(path: Path, document: Any) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(path, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        json.dump(document, file, ensure_ascii=False, separators=(",", ":"))


def _require_room(place: Path, needed: int) -> None:
    status = os.statvfs(place)
    free = status.f_bavail * status.f_frsize
    if free < needed + _ROOM:
        raise ResourceError(
            f"the pool has {free >> 20} MiB left, and a shard needs {(needed + _ROOM) >> 20} to be copied",
            hint="envclone gc, or a larger pool",
        )


@contextlib.contextmanager
def _full_disk(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise ResourceError(f"{place} cannot be written: {exc}", hint="see the free space of the pool") from exc


@contextlib.contextmanager
def _of(label: str) -> Iterator[None]:
    """The same error, naming the shard."""
    try:
        yield
    except Failed as exc:
        elsewhere = exc.status in (400, 404)  # what this node held a moment ago
        hint = "is source.url a load balancer's? name the nodes themselves in source.peers" if elsewhere else exc.hint
        raise Failed(f"the shard {label}: {exc.message}", hint=hint, status=exc.status) from exc
    except UnsafeError as exc:
        raise UnsafeError(f"the shard {label}: {exc.message}", hint=exc.hint) from exc


def _changed(collection: str, what: str) -> UnsafeError:
    return UnsafeError(
        f"the collection '{collection}' was changed while it was copied: {what}", hint="nothing was kept; take it again"
    )


def settle_note(config: StoreConfig, facts: Mapping[str, Any], *, waits: Waits | None = None) -> bool:
    """Remove a snapshot that a killed run left on the server; see `making.settle`.

    Raises UnsafeError when the stack file names another server by now: its key goes to no other.
    """
    entry = client_of(config.source, waits)
    if facts.get("entry") != entry.url:
        raise UnsafeError(
            "the stack file names another Qdrant server than when it was made",
            hint="remove it there by hand: DELETE /collections/NAME/shards/N/snapshots/SNAPSHOT",
        )
    return settle(entry.at(str(facts.get("url", entry.url))), facts)
