"""What still holds of a case: bundle, image, key, schema and engine, as they were pinned and as they are."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from envclone import attestation, keys, registry
from envclone.cases.files import Kept
from envclone.errors import EnvcloneError, UnsafeError
from envclone.incidents.bundle import Incident
from envclone.lifecycle.incidents import accepted, masked_incident
from envclone.lifecycle.pin import EXTENSION, digests, fields
from envclone.models import Branch, Image
from envclone.pool import catalog
from envclone.project import Project

__all__ = ["SAME", "holds", "require_bundle"]

SAME = "as pinned"
_NAMED = 4
"""Fields that are named when a schema differs."""


def require_bundle(project: Project, one: Kept, image: Image) -> Incident:
    """The bundle to replay on an image: the case's, or the raw one masked again when the image is of another key.

    Raises UnsafeError when it was changed, or masked with another key and the raw one is not at hand.
    """
    if one.bundle.masked == image.key_id:
        return accepted(project, one.bundle, image, trusted=True)
    try:
        return masked_incident(project, one.case.case, image)
    except EnvcloneError as exc:
        raise UnsafeError(
            f"its bundle was masked with the key {one.bundle.masked}, the image {image.id} with {image.key_id}, and the"
            f" raw bundle cannot be masked again here: {exc.message}",
            hint=f"envclone pin {one.case.case} --again --image {image.id}, where the raw bundle and the key are",
        ) from exc


def holds(project: Project, one: Kept, image: Image | None, branch: Branch | None) -> dict[str, str]:
    """Of each thing that a case was pinned with, what is so still, in words; `image` is the one it is replayed on."""
    return {
        "bundle": _bundle(project, one),
        "image": _image(project, one, image),
        "key": _key(project, one),
        "schema": _schema(project, one, image),
        "engine": _engine(one, branch),
    }


def _bundle(project: Project, one: Kept) -> str:
    from envclone.lifecycle.incidents import sealed

    if not sealed(project, one.bundle, trusted=True):
        return "changed since, or signed by a pool that is not trusted here: it cannot be replayed"
    return SAME if one.bundle.masked == one.case.pinned.key else f"another one: masked with {one.bundle.masked}"


def _image(project: Project, one: Kept, image: Image | None) -> str:
    pinned = one.case.pinned
    place = project.pool.path_of("images", pinned.image)
    if not place.is_dir():
        return f"gone: {pinned.image} is not in this pool"
    other = "" if image is None or image.id == pinned.image else f"; replayed on {image.id}"
    try:
        statement = attestation.check(place, project.keys)
    except (EnvcloneError, OSError) as exc:
        return f"not what was attested: {exc}"
    if attestation.first(statement, attestation.text_of(place)) != pinned.attestation:
        return f"{pinned.image} was made again after the case was pinned{other}"
    return SAME + other if not other else f"{SAME}, and there{other}"


def _key(project: Project, one: Kept) -> str:
    pinned = one.case.pinned.key
    if not keys.held(project.keys):
        return f"{SAME}: {pinned}; the pool's own is not at hand"
    try:
        now = project.key_id
    except EnvcloneError as exc:
        return f"image and bundle have {pinned}; the pool's own cannot be read: {exc.message}"
    if now == pinned:
        return SAME
    return f"another now ({now}); image and bundle both have {pinned} and fit each other; a new image will not fit them"


def _schema(project: Project, one: Kept, image: Image | None) -> str:
    """Whether the fields are those of the image that it is replayed on, and of the newest of its environment."""
    pool, pinned = project.pool, one.case.pinned
    candidates = [
        found.id
        for found in catalog.images(pool, project.name)
        if found.environment == one.case.environment and found.raw.moment is None and not found.imported
    ]
    newest = image.id if image is not None and image.id != pinned.image else candidates[-1] if candidates else None
    if newest is None or newest == pinned.image:
        return f"{SAME}: there is no newer image to compare with"
    try:
        now = attestation.read(pool.path_of("images", newest), project.keys)
        if digests(now) == pinned.fields:
            return f"{SAME}, in {newest} too"
        before = attestation.read(pool.path_of("images", pinned.image), project.keys)
    except (EnvcloneError, OSError):
        return f"other fields in {newest}; which cannot be told, for {pinned.image} is not at hand"
    return f"other fields in {newest}: {_difference(_flat(fields(before)), _flat(fields(now)))}"


def _flat(found: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {f"{store}.{address}": kind for store, its in found.items() for address, kind in its.items()}


def _difference(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    parts = []
    for word, some in (
        ("gone", before.keys() - now.keys()),
        ("new", now.keys() - before.keys()),
        ("of another type", {a for a in before.keys() & now.keys() if before[a] != now[a]}),
    ):
        if some:
            shown = ", ".join(sorted(some)[:_NAMED]) + (f" and {len(some) - _NAMED} more" if len(some) > _NAMED else "")
            parts.append(f"{word} {shown}")
    return "; ".join(parts) or "in other stores"


def _engine(one: Kept, branch: Branch | None) -> str:
    """Whether what runs here is what the case was pinned with: a minor version counts, an index's code is in it."""
    pinned = one.case.pinned.engines
    if branch is None:
        return "not looked at: nothing was started"
    other = []
    for store, known in pinned.items():
        here: dict[str, str] = {}
        with suppress(EnvcloneError, KeyError):
            here = _running(branch, store)
        if store not in branch.stores:
            other.append(f"{store}: no such store now")
        elif not here:
            other.append(f"{store}: what runs here cannot be asked")
        other += [
            f"{store}: {what} {version} when it was pinned, {here[what]} here"
            for what, version in known.items()
            if what in here and here[what] != version
        ]
    return "; ".join(other) or SAME


def _running(branch: Branch, store: str) -> dict[str, str]:
    """The versions that run in a branch, as `versions` has them."""
    endpoint, snapshot = branch.endpoints[store], branch.stores[store]
    facts = registry.server(endpoint.kind).facts(endpoint, snapshot, ())
    engine = facts.get("server version") or facts.get("engine", "").rpartition(" ")[2]
    return {"engine": engine, **{what: said for what, said in facts.items() if what.startswith(EXTENSION)}}
