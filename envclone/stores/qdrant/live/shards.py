"""Which nodes hold which shard of a collection, and that none is missing before anything is taken.

A node answers for the shards that it holds: a snapshot that it makes of a collection is without all others, and one
behind a load balancer is of whichever node was asked. So every shard is taken by its number, from a replica that is
active, at the node's own address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from envclone.errors import UnsafeError
from envclone.masking.shown import foreign
from envclone.stores.qdrant.live.client import Client, Failed, path

__all__ = ["ACTIVE", "Nodes", "Replica", "ShardMap", "shard_map"]

ACTIVE = "Active"
_WAIT = "wait until the cluster has settled (GET /collections/NAME/cluster), or repair it, and take it again"
_PEERS = 'name the nodes in the stack file: source.peers: {"<peer id>": "http://node:6333"}'


@dataclass(frozen=True, slots=True)
class Replica:
    """One copy of a shard: the peer that holds it, and its state there."""

    peer: str
    state: str


@dataclass(frozen=True, slots=True)
class ShardMap:
    """All shards of a collection: their replicas, their keys, and what the node that was asked holds itself."""

    collection: str
    peer: str
    replicas: Mapping[int, tuple[Replica, ...]]
    keys: Mapping[int, Any]
    points: Mapping[int, int]
    """How many points the node that was asked counts in each of its own shards."""

    @property
    def alone(self) -> bool:
        """Whether the node that was asked holds every shard, and nobody else any."""
        return all(one.peer == self.peer for its in self.replicas.values() for one in its)


def shard_map(client: Client, collection: str, params: Mapping[str, Any]) -> ShardMap:
    """Ask for the map of a collection, whose parameters say how many shards there are to be.

    Raises UnsafeError naming the shards that are missing, or without an active replica, or on the move.
    """
    found = client.get(f"{path('collections', collection)}/cluster").result
    try:
        peer, count = str(found["peer_id"]), int(found["shard_count"])
        replicas: dict[int, list[Replica]] = {}
        keys: dict[int, Any] = {}
        for one in [*({**local, "peer_id": peer} for local in found["local_shards"]), *found["remote_shards"]]:
            number = int(one["shard_id"])
            replicas.setdefault(number, []).append(Replica(str(one["peer_id"]), str(one["state"])))
            if one.get("shard_key") is not None:
                keys[number] = one["shard_key"]
        points = {int(one["shard_id"]): int(one["points_count"]) for one in found["local_shards"]}
        moving = found.get("resharding_operations") or ()
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _odd(collection) from None
    if moving:
        raise UnsafeError(f"the collection '{collection}' is being resharded: its points are on the move", hint=_WAIT)
    _require_all(collection, params, count, replicas)
    return ShardMap(collection, peer, {n: tuple(replicas[n]) for n in sorted(replicas)}, keys, points)


def _require_all(collection: str, params: Mapping[str, Any], count: int, replicas: Mapping[int, list[Replica]]) -> None:
    custom = params.get("sharding_method") == "custom"
    number = params.get("shard_number", 1)
    expected = set(replicas) if custom or not isinstance(number, int) else set(range(number))
    missing = sorted(expected - set(replicas))
    if missing or len(replicas) != count or not replicas:
        named = ", ".join(f"{collection}/{one}" for one in missing)
        said = f"without the shards {named}" if named else f"with {len(replicas)} of its {count} shards"
        raise UnsafeError(f"the cluster knows the collection '{collection}' {said}", hint=_WAIT)
    for shard, its in sorted(replicas.items()):
        if not any(one.state == ACTIVE for one in its):
            states = ", ".join(f"{foreign(one.state)} on peer {one.peer}" for one in its)
            raise UnsafeError(f"the shard {collection}/{shard} has no active replica: {states}", hint=_WAIT)


@dataclass
class Nodes:
    """The servers of a cluster by their peer ids, each at an address of its own."""

    entry: Client
    named: Mapping[str, str] = field(default_factory=dict)
    _uris: dict[str, str] | None = None

    def of(self, shards: ShardMap, peer: str) -> Client:
        """The server of a peer, as the stack file names it (by peer id or by host), else by the cluster's own URI.

        Raises Failed when there is no address.
        """
        if peer in self.named:
            return self.entry.at(self.named[peer])
        if shards.alone:
            return self.entry
        host = urlsplit(self._uri(peer)).hostname
        if host is None:
            raise Failed(f"the cluster gives no address for its peer {peer}", hint=_PEERS)
        if host in self.named:
            return self.entry.at(self.named[host])
        own = urlsplit(self.entry.url)
        shown = f"[{host}]" if ":" in host else host
        port = f":{own.port}" if own.port else ""
        return self.entry.at(urlunsplit((own.scheme, f"{shown}{port}", own.path, "", "")))

    def _uri(self, peer: str) -> str:
        """The address by which the peers reach each other; only its host is used, for its port is not the API's."""
        if self._uris is None:
            try:
                found = self.entry.get("/cluster").result
            except Failed as exc:
                if exc.status != 403:
                    raise
                raise Failed(f"{exc.message} (GET /cluster)", hint=_PEERS, status=403) from exc
            peers = found.get("peers") if isinstance(found, dict) else None
            self._uris = {
                str(one): str(about.get("uri", ""))
                for one, about in (peers.items() if isinstance(peers, dict) else ())
                if isinstance(about, dict)
            }
        return self._uris.get(peer, "")

    def holding(self, shards: ShardMap, shard: int, params: Mapping[str, Any]) -> tuple[Client, ShardMap]:
        """A node that holds an active replica of a shard and answers, with the map as it has it itself.

        The node that was asked first comes first. Raises UnsafeError naming the shard and why each replica is none.
        """
        why: list[str] = []
        hints: list[str] = []
        for replica in sorted(shards.replicas[shard], key=lambda one: one.peer != shards.peer):
            if replica.state != ACTIVE:
                why.append(f"{foreign(replica.state)} on peer {replica.peer}")
                continue
            try:
                node = self.of(shards, replica.peer)
                own = shard_map(node, shards.collection, params)
            except Failed as exc:
                if exc.status in (401, 403):
                    raise
                why.append(exc.message)
                hints.append(exc.hint or "")
                continue
            if own.peer != replica.peer:
                why.append(f"at {node.shown} peer {own.peer} answers, and peer {replica.peer} was looked for")
                continue
            here = [one for one in own.replicas.get(shard, ()) if one.peer == own.peer]
            if not any(one.state == ACTIVE for one in here):
                why.append(f"peer {replica.peer} itself does not say that it is active")
                continue
            return node, own
        raise UnsafeError(
            f"no replica of the shard {shards.collection}/{shard} can be read: {'; '.join(why)}",
            hint=_PEERS if not shards.alone else (hints[0] if hints else _WAIT),
        )


def _odd(collection: str) -> UnsafeError:
    return UnsafeError(
        f"what the server says of the shards of '{collection}' is of a form that is not known",
        hint="is it of a version from 1.13 on? A newer envclone may know a newer one",
    )
