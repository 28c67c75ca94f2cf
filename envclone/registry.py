"""Names to adapters: entry points, so that a third party's store or runtime is as good as ours."""

from __future__ import annotations

import importlib
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, cast

from envclone.errors import ConfigError

if TYPE_CHECKING:
    from envclone.doctor import Finding
    from envclone.models import Endpoint
    from envclone.protocols import (
        Contained,
        Observer,
        Quarantine,
        Runtime,
        Server,
        ServiceClient,
        StepRunner,
        Store,
        Tracking,
    )
    from envclone.protocols.asking import Asking
    from envclone.protocols.examiners import Examiner

__all__ = [
    "RUNTIMES",
    "STORES",
    "asking",
    "connect",
    "contained",
    "examined",
    "examiner",
    "observer",
    "quarantine",
    "runtime",
    "server",
    "service",
    "store",
    "tracking",
]

_BUILTIN = {
    "envclone.stores": {
        "postgres": "envclone.stores.postgres.store:PostgresStore",
        "qdrant": "envclone.stores.qdrant.store:QdrantStore",
    },
    "envclone.runtimes": {
        "local": "envclone.runtimes.local:LocalRuntime",
        "docker": "envclone.runtimes.docker.runtime:DockerRuntime",
        "kubernetes": "envclone.runtimes.kubernetes.runtime:KubernetesRuntime",
    },
    "envclone.services": {"http": "envclone.services.http:HttpService"},
}
"""The adapters that come along, found without reading every installed package's metadata."""


STORES = tuple(_BUILTIN["envclone.stores"])
"""The kinds of stores that come along."""

RUNTIMES = tuple(_BUILTIN["envclone.runtimes"])
"""The runtimes that come along."""


def store(kind: str) -> Store:
    """The store adapter of that kind; raises ConfigError naming the kinds there are."""
    return cast("Store", _resolve("envclone.stores", kind))


def tracking(kind: str) -> Tracking | None:
    """How stores of that kind are tracked; None when their adapter knows no way."""
    adapter = _resolve("envclone.stores", kind)
    return cast("Tracking", adapter.tracking()) if hasattr(adapter, "tracking") else None


def asking(kind: str) -> Asking | None:
    """How an agent asks stores of that kind; None when their adapter knows no way."""
    adapter = _resolve("envclone.stores", kind)
    return cast("Asking", adapter.asking()) if hasattr(adapter, "asking") else None


def server(kind: str) -> Server:
    """The same adapter in its role as a branch's server."""
    return cast("Server", _resolve("envclone.stores", kind))


def contained(kind: str) -> Contained:
    """The same adapter in its role as what a container runs."""
    return cast("Contained", _resolve("envclone.stores", kind))


def connect(endpoint: Endpoint) -> AbstractContextManager[StepRunner]:
    """Connect to a branch's store or service to run an incident's steps."""
    if endpoint.kind in _BUILTIN["envclone.services"]:
        return cast(
            "AbstractContextManager[StepRunner]", _resolve("envclone.services", endpoint.kind).connect(endpoint)
        )
    return server(endpoint.kind).connect(endpoint)


def examiner(endpoint: Endpoint) -> AbstractContextManager[Examiner] | None:
    """Who asks a branch's store what a search would have given otherwise; None when its adapter has nobody."""
    if endpoint.kind in _BUILTIN["envclone.services"]:
        return None
    adapter = _resolve("envclone.stores", endpoint.kind)
    if not hasattr(adapter, "examiner"):
        return None
    return cast("AbstractContextManager[Examiner]", adapter.examiner(endpoint))


def runtime(name: str) -> Runtime:
    """The runtime of that name; raises ConfigError naming those there are."""
    return cast("Runtime", _resolve("envclone.runtimes", name))


def examined(name: str, settings: Any) -> list[Finding]:
    """What a runtime finds of where its branches would run, with its settings; nothing where it looks at nothing."""
    adapter = _resolve("envclone.runtimes", name)
    return list(adapter.examine(settings)) if hasattr(adapter, "examine") else []


def quarantine(name: str) -> Quarantine | None:
    """Where the volumes of production are that a runtime can reach; None where it knows no such place."""
    adapter = _resolve("envclone.runtimes", name)
    return cast("Quarantine", adapter.quarantine()) if hasattr(adapter, "quarantine") else None


def service(kind: str) -> ServiceClient:
    """What asks application services of that kind."""
    return cast("ServiceClient", _resolve("envclone.services", kind))


def observer(name: str) -> Observer:
    """The same runtime in its role as an observer."""
    return cast("Observer", _resolve("envclone.runtimes", name))


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
