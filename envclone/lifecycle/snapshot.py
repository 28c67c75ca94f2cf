"""Station 1: copy production's stores, read-only, into the pool's quarantine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from envclone import records, registry
from envclone.errors import BusyError, ConfigError
from envclone.lifecycle.stages import COPYING
from envclone.models import Consistency, RawSnapshot, StoreSnapshot
from envclone.pool import catalog, new_id
from envclone.pool.workdir import workdir
from envclone.project import Project

__all__ = ["take", "using"]

VECTOR_STORES_LAST = ("postgres",)
"""Kinds copied first: a base backup describes its end, so what is copied right after it is nearest in time."""


@contextmanager
def take(project: Project, environment: str) -> Iterator[RawSnapshot]:
    """Copy every store of an environment; what was taken stays as long as the context, also when `gc` runs.

    Nothing is left behind on failure. Raises UnreachableError, ResourceError, UnsafeError as the store's adapter finds.
    """
    from envclone.config.load import resolve_source

    declared = project.environment(environment).stores
    if not declared:
        raise ConfigError(f"the environment '{environment}' declares no stores")
    configs = {
        name: config.model_copy(update={"source": resolve_source(project.loaded, environment, name)})
        for name, config in sorted(declared.items(), key=lambda item: item[1].kind not in VECTOR_STORES_LAST)
    }
    pool = project.pool
    ident = new_id(environment)
    with ExitStack() as held:
        held.enter_context(pool.using("raw", ident))
        with (
            pool.lock(f"snapshot.{project.name}.{environment}", what=f"a snapshot of '{environment}'"),
            workdir(pool, project.cow, "snapshot", kind="tmp") as building,
        ):
            stores: dict[str, StoreSnapshot] = {}
            project.begin(COPYING)
            for name, config in configs.items():
                into = building / name
                project.cow.create(into)
                stores[name] = registry.store(config.kind).snapshot(name, config, into, project.progress)
            consistency, skew = _agreement(list(stores.values()))
            raw = RawSnapshot(
                ident, environment, dt.datetime.now(dt.UTC), stores, consistency, skew, project=project.name
            )
            pool.write_json(building / catalog.SNAPSHOT, records.dump(raw))
            pool.publish(building, "raw", ident)
        project.log(
            "snapshot",
            {
                "id": ident,
                "environment": environment,
                "consistency": consistency,
                "skew_ms": skew,
            },
        )
        yield raw


@contextmanager
def using(project: Project, environment: str) -> Iterator[RawSnapshot | None]:
    """The newest raw snapshot of an environment that is in quarantine, and stays there as long as the context."""
    with ExitStack() as held:
        yield _newest(project, environment, held)


def _newest(project: Project, environment: str, held: ExitStack) -> RawSnapshot | None:
    for raw in reversed(catalog.snapshots(project.pool, project.name)):
        if raw.environment == environment:
            with ExitStack() as attempt:
                try:
                    place = attempt.enter_context(project.pool.using("raw", raw.id))
                except BusyError:  # it is being removed
                    continue
                if place.is_dir():
                    held.push(attempt.pop_all())
                    return raw
    return None


def _agreement(stores: list[StoreSnapshot]) -> tuple[Consistency, int]:
    """How well the stores agree on the moment: no more is claimed than their own clocks show."""
    if len(stores) < 2:
        return Consistency.SINGLE, 0
    moments = [store.consistent_at for store in stores]
    return Consistency.SKEWED, round((max(moments) - min(moments)).total_seconds() * 1000)
