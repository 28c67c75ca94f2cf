"""A copy-on-write driver: what makes copies of trees of files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

from envclone.models import Account

__all__ = ["CowDriver"]


@runtime_checkable
class CowDriver(Protocol):
    """Copies directory trees inside one pool, sharing their blocks where the file system can."""

    name: ClassVar[str]

    def supports(self, path: Path) -> str | None:
        """None when trees under `path` can be cloned by this driver, else the reason why not."""
        ...

    def create(self, path: Path) -> None:
        """Make an empty tree (mode 0700) that `clone` can later copy at its best; it must not exist."""
        ...

    def clone(self, src: Path, dst: Path, *, given: Mapping[str, Account] | None = None) -> None:
        """Copy the tree `src` to `dst`, which must not exist; modes, owners, times and links are kept.

        Entries of the top that `given` names belong to its account, with all below them; a driver that does not touch
        each file leaves that to their users.
        """
        ...

    def remove(self, path: Path) -> None:
        """Remove a tree made by `clone` (or any other); nothing to do when it is not there."""
        ...

    def usage(self, path: Path) -> tuple[int, int]:
        """Bytes that the tree refers to, and bytes that it alone occupies."""
        ...
