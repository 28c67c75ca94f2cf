"""What would keep a running server's collections from being copied, asked without anything being made there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from envclone.errors import EnvcloneError
from envclone.stores.qdrant.live.client import Client, Failed, Waits, path
from envclone.stores.qdrant.live.making import place
from envclone.stores.qdrant.live.shards import Nodes, shard_map
from envclone.stores.qdrant.live.source import chosen, client_of, describe, nodes_of, server

if TYPE_CHECKING:
    from envclone.config.schema import StoreConfig

__all__ = ["obstacles"]

_NOTHING = "envclone-asks-whether-it-may.snapshot"
"""A name that no server gives: to be refused its removal, or told that it is not there, says what a key may."""


def obstacles(config: StoreConfig, *, waits: Waits | None = None) -> Iterator[EnvcloneError]:
    """Each as the one error that a snapshot would end with; a server that does not answer is asked no more."""
    try:
        client = client_of(config.source, waits)
        nodes = nodes_of(config.source, client)
        server(client)
        names = chosen(client, config)
    except EnvcloneError as exc:
        yield exc
        return
    for name in names:
        try:
            _collection(client, nodes, name)
        except EnvcloneError as exc:
            yield exc
            if isinstance(exc, Failed) and exc.status in (0, 401, 403):
                return


def _collection(client: Client, nodes: Nodes, name: str) -> None:
    """Whether each shard has a replica that can be read, and the key the right to have it packed."""
    described = describe(client, name)
    shards = shard_map(client, name, described.params)
    for shard in shards.replicas:
        node, _ = nodes.holding(shards, shard, described.params)
        try:
            node.delete(place(name, shard) + path(_NOTHING))
        except Failed as exc:
            if exc.status != 404:
                raise
