"""Station 4: a verified clone becomes an image, sealed by a signed attestation, or nothing at all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from envclone import attestation, rebuilt, records
from envclone.accounts import take_back
from envclone.errors import UnsafeError
from envclone.lifecycle import earlier, elsewhere, taken
from envclone.lifecycle.checked import check
from envclone.lifecycle.makers import made_by
from envclone.lifecycle.sanitize import image_id, sanitize
from envclone.lifecycle.verify import Verified, stores_record, verify
from envclone.masking import nets
from envclone.memory import forget
from envclone.models import Image, RawSnapshot
from envclone.pool.workdir import workdir
from envclone.project import Project
from envclone.verifier.fidelity import lowest

__all__ = ["make", "publish"]


def publish(project: Project, verified: Verified) -> Image:
    """Seal a verified clone and move it to its place among the images. It cannot be called with anything else."""
    if type(verified) is not Verified:
        raise UnsafeError("only what sanitize() and verify() passed can be published")
    sanitized = verified.sanitized
    if changed := _changed(project):
        raise UnsafeError(
            f"the hook {changed} was changed while the image was made: no image was made",
            hint=f"envclone image {sanitized.raw.environment}",
        )
    image = Image(
        id=sanitized.id,
        environment=sanitized.raw.environment,
        created_at=dt.datetime.now(dt.UTC),
        raw=sanitized.raw,
        rules_digest=project.rules_digest,
        key_id=sanitized.masks.key_id,
        fidelity=lowest(verified.checks["fidelity"]),
        project=project.name,
    )
    statement = {
        "version": 1,
        "image": records.dump(image),
        "stores": stores_record(sanitized),
        "strangers": nets.versions(*_nets(project)),
        "checks": verified.checks,
        "made_by": made_by(project),
        "not_guaranteed": [
            "embeddings that are kept can be inverted in part: see docs/security.md",
            *(
                f"vector indexes of {store} were built again from a dump, and can answer otherwise than production's"
                for store in rebuilt.stores_of(image.raw.stores)
            ),
            f"a person whom no declared field names is found in free text only by {nets.named(*_nets(project))}",
        ],
    }
    project.begin("sealing")
    take_back(sanitized.directory)
    attestation.seal(sanitized.directory, statement, project.keys)
    project.pool.publish(sanitized.directory, "images", image.id)
    project.log(
        "publish",
        {"image": image.id, "environment": image.environment, "raw": image.raw.id},
    )
    return image


@contextmanager
def make(project: Project, raw: RawSnapshot, *, again: bool = False) -> Iterator[Image]:
    """Sanitize, verify and publish the image of a raw snapshot, or give the one there is; the caller holds the raw one.

    Nobody removes the image as long as the context. `again` makes another image beside the one there is, with an id of
    its own: an image is never replaced, for branches were cloned from it. Two processes that want the same image wait
    for each other. Nothing is left on failure.
    """
    pool = project.pool
    if elsewhere.is_elsewhere(project, "raw", raw.id):
        what = f"the making of an image of {raw.id}"
        with pool.lock(f"making.{raw.id}", timeout=3600, what=what, waiting=project.tell):
            image = elsewhere.made(project, raw, again=again)
        with pool.using("images", image.id):
            yield image
        return
    ident = image_id(project, raw, again=again)
    with pool.using("images", ident) as place:
        what = f"the making of the image {ident}"
        with pool.lock(f"making.{ident}", timeout=3600, what=what, waiting=project.tell):
            if place.exists():
                image = check(project, ident)
            else:
                with workdir(pool, project.cow, "image") as building:
                    try:
                        same = None if again else taken.take_over(project, raw, ident, building)
                        image = same or _made(project, raw, building, ident, alone=again)
                    except BaseException as exc:
                        forget(exc)
                        raise
                    forget()
        yield image


def _made(project: Project, raw: RawSnapshot, building: Path, ident: str, *, alone: bool) -> Image:
    """A new image; unless it is to be `alone` it shares what is the same with the last one."""
    with nullcontext() if alone else earlier.held(project, raw) as before:
        sanitized = sanitize(project, raw, building, ident, earlier=before)
    return publish(project, verify(project, sanitized))


def _nets(project: Project) -> tuple[str, str | None]:
    config = project.loaded.stack.sanitize
    return config.strangers, config.presidio


def _changed(project: Project) -> str | None:
    """A hook file that is no longer what the rules' digest says; None when all are."""
    now = project.hooks().digest()
    return next((file for file, digest in project.hook_files.items() if now.get(file) != digest), None)
