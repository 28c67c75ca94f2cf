"""Station 1: copy production's stores, read-only, into the pool's quarantine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from envclone import records, registry
from envclone.errors import ConfigError
from envclone.lifecycle import agreement, owed
from envclone.lifecycle.quarantine import Last, last_of
from envclone.lifecycle.stages import COPYING
from envclone.models import RawSnapshot, StoreSnapshot
from envclone.pool import catalog, new_id
from envclone.pool.notes import PoolNotes
from envclone.pool.workdir import workdir
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.config.schema import StoreConfig

__all__ = ["take"]

VECTOR_STORES_LAST = ("postgres",)
"""Kinds copied first: a base backup describes its end, so what is copied right after it is nearest in time."""


def _order(declared: Mapping[str, StoreConfig], followed: frozenset[str]) -> list[str]:
    """What is copied first; stores that are recovered to the moment of the others come after these."""
    return sorted(declared, key=lambda name: (name in followed, declared[name].kind not in VECTOR_STORES_LAST))


@contextmanager
def take(project: Project, environment: str, *, kind: str = "raw", ident: str | None = None) -> Iterator[RawSnapshot]:
    """Copy every store of an environment; what was taken stays as long as the context, also when `gc` runs.

    `kind` is `bases` for a base backup that moments are recovered from; `ident` is its id, when it has one already.
    Nothing is left behind on failure. Raises
    UnreachableError, ResourceError, UnsafeError as the store's adapter finds.
    """
    from envclone.config.load import resolve_source
    from envclone.lifecycle import elsewhere

    declared = project.environment(environment).stores
    if elsewhere.of_volumes(project, environment):
        with elsewhere.take(project, environment) as raw:
            yield raw
        return
    if not declared:
        raise ConfigError(f"the environment '{environment}' declares no stores")
    followed = agreement.followed(project, environment) if kind == "raw" else frozenset()
    configs = {
        name: declared[name].model_copy(update={"source": resolve_source(project.loaded, environment, name)})
        for name in _order(declared, followed)
    }
    pool = project.pool
    ident = ident or new_id(environment)
    with ExitStack() as held:
        held.enter_context(pool.using(kind, ident))
        with (
            pool.lock(f"snapshot.{project.name}.{environment}", what=f"a snapshot of '{environment}'"),
            workdir(pool, project.cow, "snapshot", kind="tmp") as building,
        ):
            stores: dict[str, StoreSnapshot] = {}
            brought: set[str] = set()
            owed.settle(project, environment)
            last = last_of(project, environment, held)
            project.begin(COPYING)
            for name, config in configs.items():
                into = building / name
                project.cow.create(into)
                if name in followed:
                    others = {one: store for one, store in stores.items() if one not in followed}
                    found = agreement.recovered(project, environment, name, config, others, into)
                    if found is not None:
                        stores[name] = found
                        brought.add(name)
                        continue
                    project.cow.remove(into)
                    project.cow.create(into)
                # before it begins: what does not end well has been in production, too
                project.log("read", {"environment": environment, "store": name, "method": config.source.method})
                stores[name] = _copied(project, environment, name, config, into, last)
            agreed = agreement.of(configs, stores, frozenset(brought))
            raw = RawSnapshot(
                ident, environment, dt.datetime.now(dt.UTC), stores, agreed.consistency, agreed.skew_ms,
                project=project.name, skew_wal=agreed.skew_wal,
            )  # fmt: skip
            pool.write_json(building / catalog.SNAPSHOT, records.dump(raw))
            pool.publish(building, kind, ident)
        project.log(
            "snapshot" if kind == "raw" else "base",
            {
                "id": ident,
                "environment": environment,
                "consistency": agreed.consistency,
                "skew_ms": agreed.skew_ms,
                "skew_wal": agreed.skew_wal,
                "ran": {name: list(store.ran) for name, store in stores.items() if store.ran},
            },
        )
        yield raw


def _copied(
    project: Project, environment: str, name: str, config: StoreConfig, into: Path, last: Last | None
) -> StoreSnapshot:
    """One store; what its server makes meanwhile is written down in the pool until it is gone there."""
    from envclone.protocols import Noting, Refreshing, Since

    store = registry.store(config.kind)
    notes = PoolNotes(project.pool, {"project": project.name, "environment": environment, "store": name})
    if isinstance(store, Refreshing):
        before = None if last is None else last.raw.stores.get(name)
        since = None
        if last is not None and before is not None and before.kind == config.kind and config.source.refresh != "full":
            since = Since(last.raw.id, before, last.place / name)
        return store.snapshot_since(name, config, into, project.progress, notes, since)
    if isinstance(store, Noting):
        return store.snapshot_noting(name, config, into, project.progress, notes)
    return store.snapshot(name, config, into, project.progress)
