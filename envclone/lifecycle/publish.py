"""Station 4: a verified clone becomes an image, sealed by a signed attestation, or nothing at all."""

from __future__ import annotations

import datetime as dt

from envclone import attestation, audit, records
from envclone.errors import UnsafeError
from envclone.lifecycle import images
from envclone.lifecycle.images import rules_digest
from envclone.lifecycle.sanitize import image_id, sanitize
from envclone.lifecycle.teardown import discard
from envclone.lifecycle.verify import Verified, stores_record, verify
from envclone.lifecycle.workspace import Workspace
from envclone.models import Image, RawSnapshot
from envclone.verifier.fidelity import lowest

__all__ = ["make", "publish"]


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
        fidelity=lowest(verified.checks["fidelity"]),
    )
    statement = {
        "version": 1,
        "image": records.dump(image),
        "stores": stores_record(sanitized),
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
            return images.check(workspace, ident)
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
