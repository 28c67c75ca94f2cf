"""Removes from production's servers what a killed command had made there and wrote down in the pool."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from envclone import registry
from envclone.errors import EnvcloneError, UnsafeError
from envclone.pool.notes import Left, left
from envclone.project import Project

__all__ = ["pay", "settle", "told"]


def settle(project: Project, environment: str) -> None:
    """Remove what earlier commands of an environment left; what cannot be removed now stays for the next time."""
    for note in left(project.pool, project.name, environment):
        with contextlib.suppress(EnvcloneError):
            if pay(project, note):
                project.log("collect", {"kind": "on a server", "name": note.path.name})


def told(project: Project) -> Iterator[Left]:
    """The notes that commands of this project left."""
    yield from left(project.pool, project.name)


def pay(project: Project, note: Left) -> bool:
    """Remove what one note tells of, and the note; False when it has to be asked again later.

    Raises EnvcloneError when the store is not there any more, or its server does not answer.
    """
    from envclone.config.load import resolve_source
    from envclone.protocols import Noting

    environment, name = note.owner.get("environment", ""), note.owner.get("store", "")
    declared = project.environment(environment).stores.get(name)
    if declared is None:
        raise UnsafeError(
            f"the environment '{environment}' has no store '{name}' any more, whose server it was made on",
            hint=f"remove it there by hand, then {note.path}",
        )
    store = registry.store(declared.kind)
    if not isinstance(store, Noting):
        return False
    config = declared.model_copy(update={"source": resolve_source(project.loaded, environment, name)})
    gone = store.settle_note(config, note.facts)
    if gone:
        note.done()
    return gone
