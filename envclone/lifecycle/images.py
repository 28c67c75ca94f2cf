"""The images that there are: found by the rules and the key that made them, checked before they are used."""

from __future__ import annotations

from collections.abc import Iterator

from envclone import attestation, records
from envclone.errors import UnsafeError, UsageError
from envclone.models import Image
from envclone.project import Project

__all__ = ["check", "find", "images"]


def find(project: Project, environment: str) -> Image | None:
    """The newest image of an environment that was made by today's rules and key."""
    digest, key = project.rules_digest, project.key_id
    mine = [
        image
        for image in images(project)
        if (image.environment, image.rules_digest, image.key_id) == (environment, digest, key)
    ]
    return max(mine, key=lambda image: image.raw.created_at, default=None)


def images(project: Project) -> Iterator[Image]:
    """Every image whose attestation is signed by this pool's key; the others are for `gc` and `verify` to name."""
    folder = project.pool.path_of("images", "")
    for entry in sorted(folder.iterdir()):
        try:
            statement = attestation.read(entry, project.keys)
        except UnsafeError:
            continue
        yield records.load(Image, statement["image"], what=f"the image {entry.name}")


def check(project: Project, ident: str, *, content: bool = False) -> Image:
    """The image of that id, checked against its attestation. Raises UnsafeError, or UsageError when there is none."""
    place = project.pool.path_of("images", ident)
    if not place.is_dir():
        raise UsageError(f"there is no image '{ident}'", hint="envclone images lists those there are")
    statement = attestation.check(place, project.keys, content=content)
    return records.load(Image, statement["image"], what=f"the image {ident}")
