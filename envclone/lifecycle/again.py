"""Verifying a published image again, by whoever wants to: every check that was made before it was sealed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from envclone import attestation, audit, keys
from envclone.errors import UnsafeError
from envclone.lifecycle import images
from envclone.lifecycle.images import rules_digest
from envclone.lifecycle.sanitize import reopen
from envclone.lifecycle.teardown import discard
from envclone.lifecycle.verify import verify
from envclone.lifecycle.workspace import Workspace
from envclone.models import Image

__all__ = ["Verification", "verify_again"]


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked of an image, with its figures, and what could not be checked, with the reason."""

    image: Image
    at: dt.datetime
    files: int
    checks: Mapping[str, Any]
    not_checked: Sequence[str]


def verify_again(workspace: Workspace, ident: str, *, files_only: bool = False) -> Verification:
    """Check an image: its signature, every byte of every file, and, while its raw snapshot is there, all of `verify`.

    Raises UnsafeError naming what is wrong, UsageError when there is no such image.
    """
    image = images.check(workspace, ident, content=True)
    statement = attestation.read(workspace.pool.path_of("images", ident), workspace.pool.path_of("keys", ""))
    checks: Mapping[str, Any] = {}
    missing: list[str] = []
    if files_only:
        missing.append("rows and bytes against production: left out on request")
    elif reason := _unable(workspace, image):
        missing.append(f"rows and bytes against production: {reason}")
    else:
        directory = workspace.pool.path_of("work", f"{image.id}-verify")
        discard(workspace.cow, directory)
        directory.mkdir(mode=0o711)
        try:
            published = workspace.pool.path_of("images", image.id)
            checks = verify(workspace, reopen(workspace, image, directory), files=published).checks
        finally:
            discard(workspace.cow, directory)
    audit.append(
        workspace.pool.path / "audit.jsonl", "verify", {"image": image.id, "full": bool(checks), "not checked": missing}
    )
    return Verification(image, dt.datetime.now(dt.UTC), int(statement["files"]["count"]), checks, missing)


def _unable(workspace: Workspace, image: Image) -> str:
    """Why an image cannot be compared with production; '' when it can."""

    if not workspace.pool.path_of("raw", image.raw.id).is_dir():
        return f"the raw snapshot {image.raw.id} is no longer in quarantine"
    if image.rules_digest != rules_digest(workspace):
        return "the stack file has other rules, references or hooks than those that the image was made by"
    try:
        key = keys.key_id(keys.masking_key(workspace.pool.path_of("keys", "")))
    except UnsafeError as exc:
        return exc.message
    return "" if key == image.key_id else "the pool has another masking key than the one that the image was made with"
