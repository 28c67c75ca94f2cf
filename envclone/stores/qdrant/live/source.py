"""The server that a stack file names, and which of its collections are taken."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from envclone.errors import ConfigError, UnreachableError
from envclone.masking.shown import foreign
from envclone.models import Secret
from envclone.stores.intake import printable
from envclone.stores.qdrant.layout import matching
from envclone.stores.qdrant.live.client import Client, Waits, path
from envclone.stores.qdrant.live.shards import Nodes

if TYPE_CHECKING:
    from envclone.config.schema import SourceConfig, StoreConfig

__all__ = ["KNOWN", "Described", "Server", "chosen", "client_of", "describe", "nodes_of", "server", "settings"]

OLDEST = (1, 13)
KNOWN = (1, 19)
"""The oldest server whose snapshots can be read, and the newest whose source was read for it."""
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})([-+][\w.+-]{1,40})?", re.ASCII)
_NO_NAME = re.compile(r"""[<>:"/\\|?*\0\x1f]""")
"""Characters that the server allows in no name of a collection."""


@dataclass(frozen=True, slots=True)
class Server:
    """What a server says of itself, to anybody."""

    version: str
    commit: str

    @property
    def warning(self) -> str:
        """What there is to say of its version against what can be read; empty when nothing."""
        numbers = _numbers(self.version)
        if numbers is None or numbers <= KNOWN:
            return ""
        return (
            f"the server is {self.version}, and its files were read of versions up to "
            f"{'.'.join(map(str, KNOWN))}: the embedded engine may refuse them"
        )


@dataclass(frozen=True, slots=True)
class Described:
    """A collection as the API describes it: its configuration, its payload indexes, and whether it is at rest."""

    config: Mapping[str, Any]
    schema: Mapping[str, Any]
    green: bool

    @property
    def params(self) -> Mapping[str, Any]:
        """Its parameters: vectors, shards, replicas."""
        found = self.config.get("params")
        return found if isinstance(found, Mapping) else {}


def client_of(source: SourceConfig, waits: Waits | None = None) -> Client:
    """A client for a source. Raises ConfigError for a URL that is none, or that holds a password."""
    if source.url is None:
        raise ConfigError("the store has no source.url", hint="method: snapshot needs one")
    url = _plain(source.url.get_secret_value(), "source.url")
    key = source.api_key
    return Client(url, Secret(key.get_secret_value()) if key else None, source.ca_file, waits or Waits())


def nodes_of(source: SourceConfig, entry: Client) -> Nodes:
    """The nodes that a source names, by peer id or host."""
    named = {
        str(one): _plain(url.get_secret_value(), f"source.peers.{one}") for one, url in (source.peers or {}).items()
    }
    return Nodes(entry, named)


def _plain(url: str, where: str) -> str:
    try:
        parts = urlsplit(url.rstrip("/"))
        bad = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
    except ValueError:
        bad = True
    if bad or not url.isprintable() or " " in url:
        raise ConfigError(f"{where} is not the address of a server", hint="https://qdrant.example:6333")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ConfigError(f"{where} holds more than an address", hint="the key goes into source.api_key")
    return url.rstrip("/")


def server(client: Client) -> Server:
    """Ask which version it is. Raises UnreachableError for what is no Qdrant, or too old."""
    found = client.get("/").result
    version = found.get("version") if isinstance(found, dict) else None
    if not isinstance(version, str) or "qdrant" not in str(found.get("title", "")):
        raise UnreachableError(
            f"what answers at {client.shown} is no Qdrant server", hint="source.url is its HTTP address, port 6333"
        )
    numbers = _numbers(version)
    if numbers is None or numbers < OLDEST:
        raise UnreachableError(
            f"the Qdrant server at {client.shown} is of version {version if numbers else foreign(version)}, and "
            "1.13 is the oldest that can be read: those before keep payloads in RocksDB",
            hint="upgrade it, one minor version at a time",
        )
    return Server(version, foreign(str(found.get("commit", ""))))


def _numbers(version: str) -> tuple[int, int] | None:
    match = _VERSION.fullmatch(version)
    return (int(match[1]), int(match[2])) if match else None


def chosen(client: Client, config: StoreConfig) -> list[str]:
    """The collections to take: all that the key can see, or those that the stack file names or describes.

    Raises ConfigError naming those that are not there.
    """
    found = client.get("/collections").result
    items = found.get("collections") if isinstance(found, dict) else None
    names = sorted(one["name"] for one in items or () if isinstance(one, dict) and isinstance(one.get("name"), str))
    for name in names:
        _require_name(name)
    if config.collections is None:
        taken = names
    else:
        missing = [wanted for wanted in config.collections if not matching(wanted, names)]
        if missing:
            raise ConfigError(
                f"the server at {client.shown} has no collection {', '.join(map(repr, missing))}; "
                f"there are: {', '.join(names) or 'none'}",
                hint="correct `collections` of the store in the stack file; a token sees only its own",
            )
        taken = sorted({name for wanted in config.collections for name in matching(wanted, names)})
    if not taken:
        raise ConfigError(f"the server at {client.shown} holds no collection that the key can see")
    return taken


def _require_name(name: str) -> None:
    """Refuse a name that no server gives, and that as a directory's could lead elsewhere."""
    if not 0 < len(name.encode()) <= 255 or name.startswith(".") or not name.isprintable() or _NO_NAME.search(name):
        raise ConfigError(
            f"the server has a collection of the name {printable(name)[:80]!r}, which cannot be a directory's",
            hint="name the collections to take in the stack file, under a key that sees only these",
        )


def describe(client: Client, collection: str) -> Described:
    """Ask what a collection is. Raises Failed, ConfigError for a form that is not known."""
    found = client.get(path("collections", collection)).result
    config = found.get("config") if isinstance(found, dict) else None
    schema = found.get("payload_schema") if isinstance(found, dict) else None
    if not isinstance(config, dict) or not isinstance(schema, dict) or not isinstance(config.get("params"), dict):
        raise ConfigError(
            f"what the server says of the collection '{collection}' is of a form that is not known",
            hint="is it of a version from 1.13 on? A newer envclone may know a newer one",
        )
    indexes = {key: _index(one) for key, one in schema.items()}
    return Described(config, indexes, found.get("status") == "green")


def _index(about: Any) -> Any:
    """A payload index as the collection's own file has it: its parameters, or its type when it has none."""
    if not isinstance(about, dict):
        return None
    return about["params"] if about.get("params") else about.get("data_type")


def settings(described: Described, keys: Mapping[int, Any]) -> dict[str, Any]:
    """The files of a collection's directory that a server keeps beside the shards, as this one would have them."""
    by_key: dict[str, tuple[Any, list[int]]] = {}
    for shard, key in sorted(keys.items()):
        by_key.setdefault(repr(key), (key, []))[1].append(shard)
    return {
        "config.json": {**described.config, "uuid": None},
        "payload_index.json": {"schema": dict(described.schema)},
        "shard_key_mapping.json": [{"key": key, "shard_ids": shards} for key, shards in by_key.values()],
    }
