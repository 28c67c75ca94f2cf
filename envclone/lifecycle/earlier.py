"""The image whose blocks a new one may share: the last one that the same key and rules made of the environment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from envclone.errors import BusyError
from envclone.models import RawSnapshot
from envclone.pool import catalog
from envclone.project import Project

__all__ = ["held"]


@contextmanager
def held(project: Project, raw: RawSnapshot) -> Iterator[Path | None]:
    """Where that image is, which nobody removes as long as the context; None without one.

    Nothing is believed of it: what shares its blocks was compared with it, byte by byte, and is proven as ever.
    """
    if any(one.source.refresh == "full" for one in project.environment(raw.environment).stores.values()):
        yield None
        return
    made = (raw.environment, project.rules_digest, project.key_id)
    with ExitStack() as stack:
        for image in reversed(catalog.images(project.pool, project.name)):
            if (image.environment, image.rules_digest, image.key_id) != made or image.raw.id == raw.id:
                continue
            with ExitStack() as attempt:
                try:
                    place = attempt.enter_context(project.pool.using("images", image.id))
                except BusyError:
                    continue
                if place.is_dir():
                    stack.push(attempt.pop_all())
                    yield place
                    return
        yield None
