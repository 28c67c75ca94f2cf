"""What makes a storage root one that a server starts on: whole shards, replicas of its own, and its aliases.

A server keeps beside the shards who it is: its number among the peers and their addresses (`raft_state.json`), which
peer holds which shard in which state (`replica_state.json`), how far each peer's writes came (`newest_clocks.json`).
None of it is copied. A branch is one node: each of its shards says that the one replica there is lies here, under a
number that is nobody's. The server puts its own in its place when it first starts, and makes its `raft_state.json`.

Read from Qdrant 1.13 to 1.19: `lib/collection/src/{collection,shards}`, `lib/storage/src/content_manager`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from envclone.errors import UnsafeError
from envclone.masking.shown import foreign
from envclone.stores.intake import plain_file
from envclone.stores.qdrant.layout import Collection, Shard, collections, read_json

__all__ = [
    "ALIASES",
    "REPLICAS",
    "REPLICA_STATE",
    "aliases",
    "establish",
    "made_anew",
    "require_whole",
    "shard_keys",
]

ALIASES = "aliases/data.json"
"""The file of a storage root that says which collection each alias names."""
REPLICA_STATE = "replica_state.json"
REPLICAS = b'{"is_local":true,"this_peer_id":1,"peers":{"1":"Active"}}'
"""The replicas of each of a branch's shards: the one that lies here."""
_OF_PEERS = (REPLICA_STATE, "newest_clocks.json", "oldest_clocks.json", "applied_seq.json")
"""What a shard keeps of its peers, and of a log that is emptied; a server makes what is not there."""
_RESHARDING = "resharding_state.json"
_READ = re.compile(rf"\d+/{REPLICA_STATE}|{_RESHARDING}|shard_\d+\.initializing")
_COMPLETE = ("Active", "ActiveRead", "ReshardingScaleDown", "Listener")
"""States of a replica that holds every point of its shard."""
_ELSEWHERE = (
    "take the storage directory of a node that holds every shard, or the shards from the nodes that hold them, over "
    "the API (method: snapshot)"
)


def made_anew(path: str) -> bool:
    """Whether a file of a collection's directory is read to judge it, and not copied."""
    return _READ.fullmatch(path) is not None


def require_whole(collection: Collection) -> None:
    """Refuse a collection of a server that lacks a shard, or holds a part of one. Raises UnsafeError naming each."""
    if not collection.served:
        return
    if plain_file(collection.path, _RESHARDING) and (collection.path / _RESHARDING).read_bytes().strip() != b"null":
        raise UnsafeError(
            f"{collection.path} was being resharded: its points are on their way between shards",
            hint="let the server finish resharding, then take it again",
        )
    wrong = [why for number in _expected(collection) for why in _missing(collection, number)]
    if wrong:
        raise UnsafeError(f"{collection.path} is not whole here: {'; '.join(wrong)}", hint=_ELSEWHERE)


def _expected(collection: Collection) -> list[int]:
    """The numbers of the shards that the server would load."""
    params = read_json(collection.path / "config.json").get("params")
    if not isinstance(params, dict):
        raise _unknown(collection.path / "config.json")
    if params.get("sharding_method") == "custom":
        return sorted(number for _, numbers in _keyed(collection) for number in numbers)
    count = params.get("shard_number", 1)
    if not isinstance(count, int) or not 0 < count < 1 << 16:
        raise _unknown(collection.path / "config.json")
    return list(range(count))


def _missing(collection: Collection, number: int) -> Iterator[str]:
    """Why the shard of this number is not whole in the collection's directory."""
    shard = Shard(collection.path / str(number))
    if (collection.path / f"shard_{number}.initializing").exists():
        yield f"shard {number} was being received"
    elif not (shard.path / "shard_config.json").is_file():
        yield f"shard {number} is not there"
    elif (kind := read_json(shard.path / "shard_config.json").get("type")) != "ReplicaSet":
        yield f"shard {number} is of the kind {foreign(str(kind))}, which servers before 0.11 made"
    elif not plain_file(shard.path, REPLICA_STATE):
        yield f"shard {number} has no {REPLICA_STATE}"
    else:
        state = read_json(shard.path / REPLICA_STATE)
        peers, own = state.get("peers"), str(state.get("this_peer_id"))
        if not isinstance(peers, dict):
            raise _unknown(shard.path / REPLICA_STATE)
        here = peers.get(own)
        if state.get("is_local") is not True or here is None:
            there = sorted(peer for peer in peers if peer != own and peer.isdecimal())
            yield f"shard {number} lies on other nodes (peers {', '.join(there) or 'unknown'})"
        elif here not in _COMPLETE and not (here == "Initializing" and len(peers) == 1):
            # a single node that was stopped while it made a collection makes it active at its next start
            yield f"shard {number} is {foreign(str(here))} here"
        elif not (shard.path / "segments").is_dir():
            yield f"shard {number} has no segments"


def shard_keys(collection: Collection) -> list[str]:
    """The names that its shards have by a key of the application's; numbers are none."""
    return [key for key, _ in _keyed(collection) if isinstance(key, str)]


def _keyed(collection: Collection) -> list[tuple[Any, Sequence[int]]]:
    """Each key with the numbers of its shards, in either form that servers wrote."""
    path = collection.path / "shard_key_mapping.json"
    if not path.is_file():
        return []
    try:
        found = json.loads(path.read_bytes())
        pairs = (
            list(found.items()) if isinstance(found, dict) else [(one["key"], one["shard_ids"]) for one in found or ()]
        )
    except (OSError, ValueError, RecursionError, TypeError, KeyError) as exc:
        raise _unknown(path) from exc
    if not all(isinstance(ids, list) and all(isinstance(one, int) for one in ids) for _, ids in pairs):
        raise _unknown(path)
    return pairs


def aliases(root: Path, names: Sequence[str]) -> dict[str, str]:
    """The aliases below a storage root that name one of these collections. Raises UnsafeError for another form."""
    if not plain_file(root, ALIASES):
        return {}
    found = read_json(root / ALIASES)
    if not all(isinstance(target, str) and _is_text(alias) for alias, target in found.items()):
        raise _unknown(root / ALIASES)
    return {alias: target for alias, target in sorted(found.items()) if target in names}


def establish(root: Path, named: Mapping[str, str] | None = None) -> None:
    """Make the collections below a storage root one node's own, with these aliases, or those that are there.

    What told of production's peers goes. Of collections that no server wrote nothing changes.
    """
    served = [collection for collection in collections(root) if collection.served]
    for collection in served:
        for shard in collection.shards():
            for name in _OF_PEERS:
                (shard.path / name).unlink(missing_ok=True)
            (shard.path / REPLICA_STATE).write_bytes(REPLICAS)
    names = [collection.name for collection in served]
    kept = aliases(root, names) if named is None else {a: name for a, name in named.items() if name in names}
    path = root / ALIASES
    if kept:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_bytes(json.dumps(kept, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode())
    else:
        path.unlink(missing_ok=True)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unknown(path: Path) -> UnsafeError:
    return UnsafeError(f"{path} is of a form that is not known", hint="a newer envclone may know it")
