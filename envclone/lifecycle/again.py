"""Verifying a published image again, by anyone: every check that was made before it was sealed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from envclone import attestation
from envclone.errors import UnsafeError
from envclone.lifecycle import elsewhere, images, taken
from envclone.lifecycle.remade import remade
from envclone.lifecycle.sanitize import reopen
from envclone.lifecycle.stages import VERIFY, VERIFY_FULL
from envclone.lifecycle.verify import verify
from envclone.models import Image
from envclone.pool.workdir import workdir
from envclone.project import Project
from envclone.protocols import Alike

__all__ = ["Verification", "verify_again"]


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked of an image, with its figures, and what could not be checked, with the reason.

    `links` counts the unchanged snapshots between this image and the one that its proof was made for. `again` says of
    each store how it compares with what was made a second time, when that was asked for.
    """

    image: Image
    at: dt.datetime
    files: int
    checks: Mapping[str, Any]
    not_checked: Sequence[str]
    links: int = 0
    again: Mapping[str, Alike] = field(default_factory=dict)


def verify_again(project: Project, ident: str, *, files_only: bool = False, full: bool = False) -> Verification:
    """Check an image: its signature, every byte of every file, and, while its raw snapshot is there, all of `verify`.

    With `full` it is also made a second time, and compared. Raises UnsafeError naming what is wrong, or why a second
    making cannot be had; UsageError when there is no such image.
    """
    elsewhere.require_here(project, "images", ident, "to verify an image again")
    project = project.through(VERIFY_FULL if full else VERIFY)
    project.begin("reading the image's files")
    with ExitStack() as held:
        image = held.enter_context(images.using(project, ident, content=True))
        held.enter_context(project.pool.using("raw", image.raw.id))
        published = project.pool.path_of("images", ident)
        statement = attestation.read(published, project.keys)
        links = taken.require_link(project, ident, statement)
        checks: Mapping[str, Any] = {}
        missing: list[str] = []
        again: Mapping[str, Alike] = {}
        if full and (reason := _unable(project, image)):
            raise UnsafeError(
                f"{ident} cannot be made a second time: {reason}",
                hint=f"without --full what can be checked is: envclone verify {ident}",
            )
        if files_only:
            missing.append("rows and bytes against production: left out on request")
        elif reason := _unable(project, image):
            missing.append(f"rows and bytes against production: {reason}")
        else:
            with workdir(project.pool, project.cow, "verify") as directory:
                checks = verify(project, reopen(project, image, directory), files=published).checks
            if full:
                again = remade(project, image)
    project.log(
        "verify",
        {"image": image.id, "full": bool(checks), "again": bool(again), "not checked": missing},
    )
    return Verification(image, dt.datetime.now(dt.UTC), int(statement["files"]["count"]), checks, missing, links, again)


def _unable(project: Project, image: Image) -> str:
    """Why an image cannot be compared with production; '' when it can."""

    if not project.pool.path_of("raw", image.raw.id).is_dir():
        return f"the raw snapshot {image.raw.id} is no longer in quarantine"
    if image.rules_digest != project.rules_digest:
        return "the stack file has other rules, references or hooks than those that the image was made by"
    try:
        key = project.key_id
    except UnsafeError as exc:
        return exc.message
    return "" if key == image.key_id else "the pool has another masking key than the one that the image was made with"
