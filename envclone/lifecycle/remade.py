"""An image made a second time of its raw snapshot, with nothing taken over or shared, and compared with the first."""

from __future__ import annotations

from collections.abc import Mapping

from envclone import registry
from envclone.accounts import take_back
from envclone.errors import UnsafeError
from envclone.lifecycle.sanitize import sanitize
from envclone.lifecycle.stages import AGAIN
from envclone.memory import forget
from envclone.models import Image, ProgressEvent
from envclone.pool.workdir import workdir
from envclone.project import Project
from envclone.protocols import Alike, Repeatable

__all__ = ["remade"]


def remade(project: Project, image: Image) -> Mapping[str, Alike]:
    """Make the image's stores again, and compare them with those that were published; nothing of them is kept.

    Raises UnsafeError when anything is not the same that rules, key and snapshot decide.
    """
    published = project.pool.path_of("images", image.id)
    with workdir(project.pool, project.cow, "again") as directory:
        try:
            sanitize(project, image.raw, directory).masks.close()
        except BaseException as exc:
            forget(exc)
            raise
        forget()  # what was found of people lies in files of the directory
        take_back(directory)
        project.begin(AGAIN)
        found: dict[str, Alike] = {}
        for name, snapshot in image.raw.stores.items():
            project.progress(ProgressEvent(name, 0))
            adapter = registry.store(snapshot.kind)
            if isinstance(adapter, Repeatable):
                found[name] = adapter.alike(published / name, directory / name)
    if problems := [f"{name}: {line}" for name, one in found.items() for line in one.different]:
        raise UnsafeError(
            f"{image.id} is not what its snapshot, its rules and its key make now",
            problems=problems,
            hint="a hook that gives other values each time makes another image each time; so can another version of"
            f" envclone: see `made_by` in envclone attestation {image.id} --json",
        )
    return found
