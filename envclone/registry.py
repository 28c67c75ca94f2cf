"""Names to adapters: entry points, so that a third party's store or runtime is as good as ours."""

from __future__ import annotations

import importlib
from typing import Any, cast

from envclone.errors import ConfigError
from envclone.protocols import Runtime, Server, Store

__all__ = ["STORES", "runtime", "server", "store"]

_BUILTIN = {
    "envclone.stores": {
        "postgres": "envclone.stores.postgres.store:PostgresStore",
        "qdrant": "envclone.stores.qdrant.store:QdrantStore",
    },
    "envclone.runtimes": {"local": "envclone.runtimes.local:LocalRuntime"},
}
"""The adapters that come along, found without reading every installed package's metadata."""


STORES = tuple(_BUILTIN["envclone.stores"])
"""The kinds of stores that come along."""


def store(kind: str) -> Store:
    """The store adapter of that kind; raises ConfigError naming the kinds there are."""
    return cast(Store, _resolve("envclone.stores", kind))


def server(kind: str) -> Server:
    """The same adapter in its role as a branch's server."""
    return cast(Server, _resolve("envclone.stores", kind))


def runtime(name: str) -> Runtime:
    """The runtime of that name; raises ConfigError naming those there are."""
    return cast(Runtime, _resolve("envclone.runtimes", name))


def _resolve(group: str, name: str) -> Any:
    target = _BUILTIN[group].get(name)
    if target is not None:
        module, _, attribute = target.partition(":")
        return getattr(importlib.import_module(module), attribute)()
    from importlib.metadata import entry_points  # slow: only when the name is not one of ours

    found = {point.name: point for point in entry_points(group=group)}
    if name in found:
        return found[name].load()()
    known = ", ".join(sorted({*_BUILTIN[group], *found}))
    raise ConfigError(f"'{name}' is not known to {group}; there are: {known}")
