"""Who logs in to a clone's server, and the file that says their names."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone.errors import UnsafeError

__all__ = ["FILE", "Connect", "Connection", "Login", "Logins", "choose", "load", "require", "save"]

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]
else:  # a branch's start loads the driver while its server starts
    Connection = Any
Connect = Callable[..., AbstractContextManager[Connection]]
"""`connect(dbname=None, *, autocommit=True, login=Login.WORKER)` opens a connection, prepared, and closes it."""

FILE = "rights.json"
"""The file beside `data/` that holds the names; it is what says that the clone's superusers lost their rights."""


class Login(StrEnum):
    """Whose rights a connection has.

    The operator is the one superuser, and his connections touch catalogs only. A statement that reads or writes a
    user's table makes the server evaluate production's expressions (planning alone does), so it runs as the worker, who
    may do everything with data and nothing with this machine. For the worker no trigger fires and no foreign key acts;
    the author, who runs a hook's SQL, has them as production does.
    """

    OPERATOR = "operator"
    WORKER = "worker"
    AUTHOR = "author"


@dataclass(frozen=True, slots=True)
class Logins:
    """The names of these roles in one clone; `former` is the group of those who were superusers in production."""

    operator: str
    worker: str
    author: str
    former: str

    def name(self, login: Login) -> str:
        """The role that logs in."""
        return {Login.OPERATOR: self.operator, Login.WORKER: self.worker, Login.AUTHOR: self.author}[login]


def choose(taken: Collection[str]) -> Logins:
    """Names that production has not given to a role."""

    def free(base: str) -> str:
        number, name = 1, base
        while name in taken:
            number += 1
            name = f"{base}_{number}"
        return name

    return Logins(
        free("envclone_operator"), free("envclone_worker"), free("envclone_author"), free("envclone_former_superusers")
    )


def save(logins: Logins, directory: Path) -> None:
    """Write the names beside the data directory, once the superusers have lost their rights."""
    partial = directory / f".{FILE}"
    partial.write_text(json.dumps(asdict(logins)))
    partial.chmod(0o600)
    partial.rename(directory / FILE)


def load(directory: Path) -> Logins | None:
    """The names; None on a clone as production left it."""
    try:
        return Logins(**json.loads((directory / FILE).read_text()))
    except FileNotFoundError:
        return None


def require(directory: Path) -> Logins:
    """The names on an image's clone; raises UnsafeError when production's superusers have their rights there."""
    found = load(directory)
    if found is None:
        raise UnsafeError(
            f"in {directory} production's superusers still are superusers: its image was made by an older envclone",
            hint="make the image again: envclone image --again",
        )
    return found
