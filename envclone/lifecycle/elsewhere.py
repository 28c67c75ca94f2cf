"""Stations 1 to 4 where production's volumes are: of what is raw only the identities that were found come here.

The pool has the records: which snapshots a raw one is, and an image's attestation and manifest without its files. The
attestation is signed by a key made for the Job alone, checked, and sealed here with the pool's own, which never leaves.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone import attestation, records, registry
from envclone.config.load import resolve_source
from envclone.errors import ConfigError, UnsafeError, UsageError
from envclone.lifecycle.checked import check
from envclone.lifecycle.stages import COPYING
from envclone.models import Consistency, Image, RawSnapshot, StoreSnapshot
from envclone.pool import catalog, is_id, new_id
from envclone.pool.workdir import workdir
from envclone.project import Project
from envclone.protocols import Order, Origin

if TYPE_CHECKING:
    from envclone.config.schema import StoreConfig
    from envclone.protocols import Quarantine

__all__ = [
    "FACTS", "facts_of", "forget", "is_elsewhere", "made", "obstacles", "of_volumes", "require_here",
    "strays", "sweep", "take",
]  # fmt: skip

FACTS = attestation.ELSEWHERE
"""Beside the record of what is elsewhere: where that is."""
_RUNTIME = "kubernetes"


def of_volumes(project: Project, environment: str) -> bool:
    """Whether an environment's stores are volumes of a cluster."""
    stores = project.environment(environment).stores.values()
    return any(one.source.method == "volume" for one in stores)


def is_elsewhere(project: Project, kind: str, ident: str) -> bool:
    """Whether a raw snapshot or an image is not in the pool, but its record is."""
    return (project.pool.path_of(kind, ident) / FACTS).is_file()


def require_here(project: Project, kind: str, ident: str, what: str) -> None:
    """Refuse, for an object whose files are in a cluster, what needs them here. Raises UsageError."""
    if is_elsewhere(project, kind, ident):
        raise UsageError(
            f"{what} needs the files of {ident}, which are in the cluster and do not leave it",
            hint="docs/kubernetes.md says what works there",
        )


def facts_of(project: Project, kind: str, ident: str) -> Mapping[str, Any]:
    """Where it is. Raises UnsafeError when that cannot be read."""
    found = project.pool.read_json(project.pool.path_of(kind, ident) / FACTS)
    if not isinstance(found, dict):
        raise UnsafeError(f"where {ident} is cannot be read ({FACTS})")
    return found


def obstacles(project: Project, environment: str) -> list[Any]:
    """All that would keep a snapshot from being taken."""
    place, settings = _place(project, environment)
    return list(place.obstacles(settings, _stores(project, environment)))


def _place(project: Project, environment: str) -> tuple[Quarantine, Any]:
    place = registry.quarantine(_RUNTIME)
    assert place is not None
    settings = project.environment(environment).kubernetes
    if settings is None:
        raise UsageError(f"the environment {environment} names no cluster", hint="environments.NAME.kubernetes")
    return place, settings


def _stores(project: Project, environment: str) -> dict[str, StoreConfig]:
    return {
        name: one.model_copy(update={"source": resolve_source(project.loaded, environment, name)})
        for name, one in project.environment(environment).stores.items()
    }


def _origin(project: Project, environment: str, raw: str) -> Origin:
    return Origin(project.pool.path, project.name, environment, raw)


@contextmanager
def take(project: Project, environment: str) -> Iterator[RawSnapshot]:
    """Have the storage snapshot an environment's volumes; what was taken stays as long as the context.

    What the stores are is only known when an image is made of them: the record says little until then.
    """
    place, settings = _place(project, environment)
    pool, ident = project.pool, new_id(environment)
    with pool.using("raw", ident):
        with (
            pool.lock(f"snapshot.{project.name}.{environment}", what=f"a snapshot of '{environment}'"),
            workdir(pool, project.cow, "snapshot", kind="tmp") as building,
        ):
            project.begin(COPYING)
            stores = _stores(project, environment)
            for name in stores:
                project.log("read", {"environment": environment, "store": name, "method": "volume"})
            origin = _origin(project, environment, ident)
            facts = place.take(settings, origin, stores, project.progress)
            now = dt.datetime.now(dt.UTC)
            sizes = {name: sum(one["bytes"] for one in facts["snapshots"] if one["store"] == name) for name in stores}
            moments = set(facts["moments"].values())
            one_moment = len(moments) == 1 and moments != {""}
            several = Consistency.ATOMIC if one_moment else Consistency.SKEWED
            raw = RawSnapshot(
                ident, environment, now,
                {name: StoreSnapshot(name, one.kind, "volume", "", now, 0.0, sizes[name], 0)
                 for name, one in stores.items()},
                Consistency.SINGLE if len(stores) < 2 else several,
                project=project.name,
            )  # fmt: skip
            try:
                pool.write_json(building / FACTS, {"runtime": _RUNTIME, **facts})
                pool.write_json(building / catalog.SNAPSHOT, records.dump(raw))
                pool.publish(building, "raw", ident)
            except BaseException:
                place.forget(facts, origin)
                raise
        project.log("snapshot", {"id": ident, "environment": environment, "consistency": raw.consistency})
        yield raw


def made(project: Project, raw: RawSnapshot, *, again: bool) -> Image:
    """The image of a raw snapshot that is elsewhere: the one there is, or one that is made there now."""
    place, settings = _place(project, raw.environment)
    if not again and (found := _there(project, raw)) is not None:
        return found
    origin, facts = _origin(project, raw.environment, raw.id), facts_of(project, "raw", raw.id)
    order = _order(project, raw.environment, again=again)
    with workdir(project.pool, project.cow, "image") as building, workdir(project.pool, project.cow, "said") as said:
        said.chmod(0o700)
        place.make(settings, origin, facts, order, said, project.progress)
        image = _checked(project, raw, said)
        for name in (attestation.ATTESTATION, attestation.MANIFEST):
            (building / name).write_bytes((said / name).read_bytes())
        project.begin("sealing")
        attestation.seal_said(building, project.keys)
        kept = place.publish(settings, origin, image.id, building, list(image.raw.stores), project.keys)
        project.pool.write_json(building / FACTS, {"runtime": _RUNTIME, **kept})
        (building / FACTS).chmod(0o644)
        _remembered(project, image, said)
        project.pool.publish(building, "images", image.id)
    place.clear(settings, origin)
    project.log("publish", {"image": image.id, "environment": image.environment, "raw": raw.id})
    return image


def _there(project: Project, raw: RawSnapshot) -> Image | None:
    for one in reversed(catalog.images(project.pool, project.name)):
        if (one.raw.id, one.rules_digest, one.key_id) == (raw.id, project.rules_digest, project.key_id):
            return check(project, one.id)
    return None


def _order(project: Project, environment: str, *, again: bool) -> Order:
    """The rules, and all stores by name: those of other environments are named, for rules may speak of them."""
    config = project.loaded.stack
    stores: dict[str, Any] = {}
    for name, one in project.environment(environment).stores.items():
        source = {"database": one.source.database} if one.source.database else {}
        plain = one.model_dump(mode="json", include={"kind", "collections", "settings"}, exclude_defaults=True)
        stores[name] = _literal({**plain, "kind": one.kind, "source": source})
    others = {
        name: {"kind": one.kind, "source": {"method": "directory", "path": "/nonexistent"}}
        for each in config.environments.values() for name, one in each.stores.items() if name not in stores
    }  # fmt: skip
    beside = {f"not-{environment}"[:41]: {"stores": others}} if others else {}
    sanitize = config.sanitize.model_dump(mode="json", exclude_unset=True, by_alias=True)
    if config.sanitize.hooks:
        sanitize["hooks"] = [_beside(project, str(name)) for name in config.sanitize.hooks]
    stack = {
        "version": 1,
        "project": project.name,
        "environments": {environment: {"stores": stores}, **beside},
        "sanitize": _literal(sanitize),
    }
    base = project.loaded.directory
    files = {_beside(project, name): (base / name).read_text(encoding="utf-8") for name in project.hook_files}
    return Order(stack, files, project.masking_key, f"{project.rules_digest} {project.key_id}", again)


def _beside(project: Project, file: str) -> str:
    """A hook's path as the Job has it. Raises ConfigError for one that is not beside the stack file."""
    name = project.beside(file)
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ConfigError(f"the hook {file} lies outside of the stack file's directory", hint="put it beside the file")
    return name


def _literal(value: Any) -> Any:
    """Values as they are: a dollar sign in them names no variable any more."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, list):
        return [_literal(one) for one in value]
    return {key: _literal(one) for key, one in value.items()} if isinstance(value, dict) else value


def _checked(project: Project, raw: RawSnapshot, said: Path) -> Image:
    """The image that was said to be made is the one that was asked for. Raises UnsafeError."""
    statement = attestation.parsed(said)
    image = records.load(Image, statement["image"], what="the image's record")
    asked = (project.name, raw.environment, raw.id, project.rules_digest, project.key_id)
    if (image.project, image.environment, image.raw.id, image.rules_digest, image.key_id) != asked:
        raise UnsafeError(
            "the image that was made is not the one that was asked for", hint="envclone image ENV --again"
        )
    return image


def _remembered(project: Project, image: Image, said: Path) -> None:
    """What the stores are, and whom the identity fields named: an incident is masked by it."""
    place = project.pool.path_of("raw", image.raw.id)
    digest = image.rules_digest[:16]
    for name in ("identities", "plan"):
        target = place / f"{name}-{digest}"
        if not target.exists():
            (said / name).rename(target)
    project.pool.write_json(place / catalog.SNAPSHOT, records.dump(image.raw))


def forget(project: Project, kind: str, ident: str) -> None:
    """Remove a raw snapshot or an image where it is; its record here is the caller's."""
    place, facts = registry.quarantine(_RUNTIME), facts_of(project, kind, ident)
    assert place is not None
    if kind == "images":
        place.remove(facts, ident)
        return
    raw = catalog.snapshot(project.pool, project.name, ident)
    place.forget(facts, _origin(project, raw.environment, ident))


def strays(project: Project) -> Iterator[tuple[str, str, str]]:
    """What there is elsewhere of raw snapshots and images that the pool knows nothing of: kind, id, what it is."""
    place = registry.quarantine(_RUNTIME)
    assert place is not None
    for (kind, ident), what in place.left(project.pool.path).items():
        if is_id(ident) and not project.pool.path_of(kind, ident).exists():
            yield kind, ident, what


def sweep(project: Project, kind: str, ident: str) -> None:
    """Remove it."""
    place = registry.quarantine(_RUNTIME)
    assert place is not None
    place.sweep(project.pool.path, kind, ident)
