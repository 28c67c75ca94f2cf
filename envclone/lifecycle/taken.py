"""Instead of stations 2 and 3: what production has not changed takes its form and its proof from the last image.

A new snapshot that is in the state of the last one, byte by byte, would give the same image by the same key, rules and
program. So that image is cloned, and the attestation of the clone says so: it names the image and the snapshot that it
is taken from, repeats what was proven of them, and holds the attestation that the proof was made for, signature
included, so that the link can be checked when the older image is gone.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from envclone import attestation, keys, records, registry
from envclone.errors import BusyError, EnvcloneError, UnsafeError
from envclone.lifecycle.makers import made_by
from envclone.masking import nets
from envclone.models import Image, RawSnapshot
from envclone.pool import catalog
from envclone.project import Project
from envclone.protocols import Refreshing, Same, Since

__all__ = ["LINK", "require_link", "take_over"]

LINK = "taken_from"
"""The part of an attestation that says what the image is taken from."""
_REPEATED = ("stores", "strangers", "checks", "not_guaranteed", "made_by")
"""What is as true of the clone as of what it is cloned from."""


def take_over(project: Project, raw: RawSnapshot, ident: str, directory: Path) -> Image | None:
    """The image of an unchanged production, made in `directory` from the last one and published; None without such one.

    What keeps it from being taken over is told in one line, and `directory` is empty then.
    """
    config = project.environment(raw.environment).stores
    if raw.moment is not None or any(one.source.refresh == "full" for one in config.values()):
        return None
    with ExitStack() as held:
        found = _last(project, raw, held)
        if found is None:
            return None
        before, place, statement = found
        project.tell(f"comparing with {before.raw.id}")
        compared: dict[str, Any] = {}
        for name, store in raw.stores.items():
            adapter = registry.store(store.kind)
            if not isinstance(adapter, Refreshing):
                return None
            since = Since(before.raw.id, before.raw.stores[name], project.pool.path_of("raw", before.raw.id) / name)
            try:
                same = adapter.same(store, project.pool.path_of("raw", raw.id) / name, since)
            except (EnvcloneError, OSError) as exc:
                same = Same(f"it cannot be compared ({type(exc).__name__})")
            if same.why:
                project.tell(f"{name} is not as it was: {same.why}")
                return None
            compared[name] = {"files": same.files, "bytes": same.bytes, "read": same.read}
        return _taken(project, raw, ident, directory, before, place, statement, compared)


def _last(project: Project, raw: RawSnapshot, held: ExitStack) -> tuple[Image, Path, dict[str, Any]] | None:
    """The newest image that the same key, rules and program made of an earlier snapshot that is still there."""
    made = made_by(project)
    for image in reversed(catalog.images(project.pool, project.name)):
        if (
            image.environment != raw.environment
            or image.raw.moment is not None
            or image.raw.id == raw.id
            or (image.rules_digest, image.key_id) != (project.rules_digest, project.key_id)
            or image.raw.stores.keys() != raw.stores.keys()
        ):
            continue
        with ExitStack() as attempt:
            try:
                place = attempt.enter_context(project.pool.using("images", image.id))
                quarantined = attempt.enter_context(project.pool.using("raw", image.raw.id))
            except BusyError:
                continue
            if not (place.is_dir() and quarantined.is_dir()):
                continue
            try:
                statement = attestation.check(place, project.keys)
            except UnsafeError as exc:
                project.tell(exc.message)
                return None
            if statement.get("made_by") != made or statement["strangers"] != _strangers(project):
                return None
            if not all((quarantined / name).exists() for name in _private(project)):
                return None
            held.push(attempt.pop_all())
            return records.load(Image, statement["image"], what=f"the image {image.id}"), place, statement
    return None


def _strangers(project: Project) -> Any:
    config = project.loaded.stack.sanitize
    return json.loads(json.dumps(nets.versions(config.strangers, config.presidio), default=str))


def _taken(
    project: Project, raw: RawSnapshot, ident: str, directory: Path, before: Image, place: Path,
    statement: Mapping[str, Any], compared: Mapping[str, Any],
) -> Image | None:  # fmt: skip
    for name in raw.stores:
        project.cow.clone(place / name, directory / name)
    _keep_private(project, before.raw, raw)
    image = replace(before, id=ident, created_at=dt.datetime.now(dt.UTC), raw=raw)
    link = dict(statement.get(LINK) or {})
    proof = link.get("proof") or {
        "statement": (place / attestation.ATTESTATION).read_text(),
        "signature": (place / attestation.SIGNATURE).read_text(),
    }
    project.begin("sealing")
    try:
        attestation.seal(
            directory,
            {
                "version": 1,
                "image": records.dump(image),
                **{part: statement[part] for part in _REPEATED},
                LINK: {
                    "image": before.id,
                    "attestation": attestation.digest(place),
                    "raw": before.raw.id,
                    "links": int(link.get("links", 0)) + 1,
                    "compared": compared,
                    "proof": proof,
                },
            },
            project.keys,
            content=str(statement["files"]["content"]),
        )
    except UnsafeError as exc:
        for name in raw.stores:
            project.cow.remove(directory / name)
        project.tell(exc.message)
        return None
    project.pool.publish(directory, "images", image.id)
    project.log(
        "publish",
        {"image": image.id, "environment": image.environment, "raw": raw.id, "taken_from": before.id},
    )
    return image


def _private(project: Project) -> tuple[str, ...]:
    return tuple(f"{kind}-{project.rules_digest[:16]}" for kind in ("identities", "plan"))


def _keep_private(project: Project, before: RawSnapshot, raw: RawSnapshot) -> None:
    """The identities and plans beside the new snapshot: later commands read them there."""
    old, new = (project.pool.path_of("raw", one.id) for one in (before, raw))
    for name in _private(project):
        temporary = new / f".{name}.{secrets.token_hex(4)}.partial-{os.getpid()}"
        try:
            with (
                (old / name).open("rb") as original,
                open(temporary, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as copy,
            ):
                shutil.copyfileobj(original, copy)
            temporary.rename(new / name)
        finally:
            temporary.unlink(missing_ok=True)


def require_link(project: Project, ident: str, statement: Mapping[str, Any]) -> int:
    """Check what an attestation says that its image is taken from; returns how many links lead to the proof.

    The attestation that it holds must be signed by this pool's key and be of the same files, key, rules and program,
    and all that is said of the checks must be said there. Raises UnsafeError.
    """
    link = statement.get(LINK)
    if link is None:
        return 0
    try:
        text, signature = link["proof"]["statement"].encode(), bytes.fromhex(link["proof"]["signature"])
        proven: dict[str, Any] = json.loads(text) if keys.verify(project.keys, text, signature) else {}
        image, origin = (records.load(Image, one["image"], what="an image") for one in (statement, proven))
        right = (
            proven.get(LINK) is None
            and all(proven[part] == statement[part] for part in _REPEATED)
            and proven["files"]["content"] == statement["files"]["content"]
            and (image.rules_digest, image.key_id, image.environment, image.project)
            == (origin.rules_digest, origin.key_id, origin.environment, origin.project)
        )
    except (KeyError, TypeError, ValueError, AttributeError, EnvcloneError):
        right = False
    if not right:
        raise UnsafeError(
            f"the image {ident} is not what it is said to be taken from",
            hint=f"envclone image {statement['image'].get('environment', 'ENVIRONMENT')} --again",
        )
    return int(link["links"])
