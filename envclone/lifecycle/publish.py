"""Station 4: a verified clone becomes an image, sealed by a signed attestation, or nothing at all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import asdict

from envclone import attestation, audit, records
from envclone.errors import UnsafeError, UsageError
from envclone.lifecycle import snapshot as station_1
from envclone.lifecycle.sanitize import image_id, rules_digest, sanitize
from envclone.lifecycle.teardown import discard
from envclone.lifecycle.verify import Verified, verify
from envclone.lifecycle.workspace import Workspace
from envclone.models import Image, RawSnapshot

__all__ = ["check", "find", "images", "make", "publish"]


def publish(workspace: Workspace, verified: Verified) -> Image:
    """Seal a verified clone and move it to its place among the images. It cannot be called with anything else."""
    if type(verified) is not Verified:
        raise UnsafeError("only what sanitize() and verify() passed can be published")
    sanitized = verified.sanitized
    image = Image(
        id=sanitized.id,
        environment=sanitized.raw.environment,
        created_at=dt.datetime.now(dt.UTC),
        raw=sanitized.raw,
        rules_digest=rules_digest(workspace),
        key_id=sanitized.masks.key_id,
    )
    statement = {
        "version": 1,
        "image": records.dump(image),
        "stores": {
            name: {
                "plan": records.dump(work.plan),
                "rewrite": asdict(work.rewrite),
                "cleaned": [asdict(item) for item in work.cleaned],
            }
            for name, work in sanitized.stores.items()
        },
        "checks": verified.checks,
        "not_guaranteed": [
            "embeddings that are kept can be inverted in part: see docs/security.md",
            "a person whom no declared field names is found in free text only by e-mail or phone patterns",
        ],
    }
    attestation.seal(sanitized.directory, statement, workspace.pool.path_of("keys", ""))
    workspace.pool.publish(sanitized.directory, "images", image.id)
    audit.append(
        workspace.pool.path / "audit.jsonl",
        "publish",
        {"image": image.id, "environment": image.environment, "raw": image.raw.id},
    )
    return image


def make(workspace: Workspace, raw: RawSnapshot, *, again: bool = False) -> Image:
    """Sanitize, verify and publish the image of a raw snapshot, or return the one there is.

    `again` makes it anew. Two processes that want the same image wait for each other. Nothing is left on failure.
    """
    pool = workspace.pool
    ident = image_id(workspace, raw)
    with pool.lock(f"image-{ident}", timeout=3600, what=f"the image {ident}"):
        place = pool.path_of("images", ident)
        if place.exists() and not again:
            return check(workspace, ident)
        building = pool.path_of("work", ident)
        discard(workspace.cow, building)  # of a process that was killed: the lock says that nobody is at it
        building.mkdir(mode=0o711)
        try:
            verified = verify(workspace, sanitize(workspace, raw, building))
            if place.exists():
                workspace.cow.remove(place)
            return publish(workspace, verified)
        finally:
            discard(workspace.cow, building)


def find(workspace: Workspace, environment: str) -> Image | None:
    """The newest image of an environment that was made by today's rules and key."""
    from envclone import keys
    from envclone.masking.masks import key_id

    digest = rules_digest(workspace)
    key = key_id(keys.masking_key(workspace.pool.path_of("keys", "")))
    mine = [
        image
        for image in images(workspace)
        if (image.environment, image.rules_digest, image.key_id) == (environment, digest, key)
    ]
    return max(mine, key=lambda image: image.raw.created_at, default=None)


def images(workspace: Workspace) -> Iterator[Image]:
    """Every image whose attestation is signed by this pool's key; the others are for `gc` and `verify` to name."""
    folder = workspace.pool.path_of("images", "")
    for entry in sorted(folder.iterdir()):
        try:
            statement = attestation.read(entry, workspace.pool.path_of("keys", ""))
        except UnsafeError:
            continue
        yield records.load(Image, statement["image"], what=f"the image {entry.name}")


def check(workspace: Workspace, ident: str, *, content: bool = False) -> Image:
    """The image of that id, checked against its attestation. Raises UnsafeError, or UsageError when there is none."""
    place = workspace.pool.path_of("images", ident)
    if not place.is_dir():
        raise UsageError(f"there is no image '{ident}'", hint="envclone images lists those there are")
    statement = attestation.check(place, workspace.pool.path_of("keys", ""), content=content)
    return records.load(Image, statement["image"], what=f"the image {ident}")


def newest_or_made(workspace: Workspace, environment: str, *, fresh: bool = False) -> Image:
    """The image that a branch of this environment is cloned from: the newest there is, else one made now."""
    workspace.environment(environment)
    if not fresh:
        image = find(workspace, environment)
        if image is not None:
            return check(workspace, image.id)
    raw = None if fresh else station_1.latest(workspace, environment)
    return make(workspace, raw or station_1.take(workspace, environment))
