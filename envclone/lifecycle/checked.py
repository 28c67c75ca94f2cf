"""An image is checked against its attestation before anything is done with it."""

from __future__ import annotations

from envclone import attestation, records
from envclone.models import Image
from envclone.pool import catalog
from envclone.project import Project

__all__ = ["check"]


def check(project: Project, ident: str, *, content: bool = False) -> Image:
    """The image of that id, checked against its attestation. Raises UnsafeError, UsageError for an id of none."""
    catalog.image(project.pool, project.name, ident)
    statement = attestation.check(project.pool.path_of("images", ident), project.keys, content=content)
    return records.load(Image, statement["image"], what=f"the image {ident}")
