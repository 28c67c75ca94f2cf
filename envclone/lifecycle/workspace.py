"""What every station needs: the stack file, the pool, its copy-on-write driver, and somebody to tell of progress."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from envclone.accounts import hand_over, service_account
from envclone.errors import ConfigError
from envclone.models import ProgressEvent, RawSnapshot
from envclone.protocols import CowDriver, Progress

if TYPE_CHECKING:
    from envclone.config.load import LoadedStack
    from envclone.config.schema import Environment
    from envclone.pool import Pool

__all__ = ["Workspace", "silent"]


def silent(event: ProgressEvent) -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """One stack file and the pool that its snapshots, images and branches live in."""

    loaded: LoadedStack
    pool: Pool
    cow: CowDriver
    progress: Progress = field(default=silent)

    @classmethod
    def open(cls, stack_file: Path, *, pool: Path | None = None, progress: Progress = silent) -> Workspace:
        """Load a stack file and open its pool (`pool` overrides the one it names).

        Raises ConfigError, ResourceError.
        """
        from envclone.config.load import load
        from envclone.cow.choose import choose
        from envclone.pool import Pool, default_path

        loaded = load(stack_file)
        opened = Pool.open(pool or loaded.stack.pool.path or default_path())
        return cls(loaded, opened, choose(loaded.stack.pool.driver, opened.path), progress)

    def clone_raw(self, raw: RawSnapshot, directory: Path) -> None:
        """Clone a raw snapshot's stores into `directory`, for the account that servers run as; raw itself is root's."""
        for name in raw.stores:
            self.cow.clone(self.pool.path_of("raw", raw.id) / name, directory / name)
            hand_over(directory / name, service_account())

    def environment(self, name: str) -> Environment:
        """An environment of the stack file; raises ConfigError naming those there are."""
        environments = self.loaded.stack.environments
        if name not in environments:
            raise ConfigError(
                f"the stack file has no environment '{name}'; there are: {', '.join(sorted(environments)) or 'none'}"
            )
        return environments[name]
