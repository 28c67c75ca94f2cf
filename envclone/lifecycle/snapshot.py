"""Station 1: copy production's stores, read-only, into the pool's quarantine."""

from __future__ import annotations

import datetime as dt

from envclone import audit, records, registry
from envclone.errors import ConfigError
from envclone.models import Consistency, RawSnapshot, StoreSnapshot
from envclone.project import Project

__all__ = ["latest", "load", "take"]

MANIFEST = "snapshot.json"
VECTOR_STORES_LAST = ("postgres",)
"""Kinds copied first: a base backup describes its end, so what is copied right after it is nearest in time."""


def take(project: Project, environment: str) -> RawSnapshot:
    """Copy every store of an environment and return what was taken; nothing is left behind on failure.

    Raises UnreachableError, ResourceError, UnsafeError as the store's adapter finds.
    """
    from envclone.config.load import resolve_source
    from envclone.pool import new_id

    declared = project.environment(environment).stores
    if not declared:
        raise ConfigError(f"the environment '{environment}' declares no stores")
    configs = {
        name: config.model_copy(update={"source": resolve_source(project.loaded, environment, name)})
        for name, config in sorted(declared.items(), key=lambda item: item[1].kind not in VECTOR_STORES_LAST)
    }
    pool = project.pool
    ident = new_id(environment)
    with pool.lock(f"snapshot-{environment}", what=f"a snapshot of '{environment}'"):
        building = pool.path_of("tmp", ident)
        building.mkdir(mode=0o700)
        try:
            stores: dict[str, StoreSnapshot] = {}
            for name, config in configs.items():
                into = building / name
                project.cow.create(into)
                stores[name] = registry.store(config.kind).snapshot(name, config, into, project.progress)
            consistency, skew = _agreement(list(stores.values()))
            raw = RawSnapshot(ident, environment, dt.datetime.now(dt.UTC), stores, consistency, skew)
            pool.write_json(building / MANIFEST, records.dump(raw))
            pool.publish(building, "raw", ident)
        except BaseException:
            project.cow.remove(building)
            raise
    audit.append(
        pool.path / "audit.jsonl",
        "snapshot",
        {"id": ident, "environment": environment, "consistency": consistency, "skew_ms": skew},
    )
    return raw


def load(project: Project, ident: str) -> RawSnapshot:
    """The raw snapshot of that id. Raises UnsafeError when its manifest is damaged."""
    path = project.pool.path_of("raw", ident) / MANIFEST
    return records.load(RawSnapshot, project.pool.read_json(path), what=f"the raw snapshot {ident}")


def latest(project: Project, environment: str) -> RawSnapshot | None:
    """The newest raw snapshot of an environment that is still in quarantine."""
    folder = project.pool.path_of("raw", "")
    found = [
        load(project, entry.name)
        for entry in folder.iterdir()
        if entry.name.startswith(f"{environment}-") and (entry / MANIFEST).exists()
    ]
    mine = [raw for raw in found if raw.environment == environment]
    return max(mine, key=lambda raw: raw.created_at, default=None)


def _agreement(stores: list[StoreSnapshot]) -> tuple[Consistency, int]:
    """How well the stores agree on the moment: no more is claimed than their own clocks show."""
    if len(stores) < 2:
        return Consistency.SINGLE, 0
    moments = [store.consistent_at for store in stores]
    return Consistency.SKEWED, round((max(moments) - min(moments)).total_seconds() * 1000)
