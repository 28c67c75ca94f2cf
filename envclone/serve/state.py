"""Where the service keeps what it knows: below `serve/PROJECT` in the pool, mode 0700."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from envclone.pool import Pool

__all__ = ["State"]


@dataclass(frozen=True, slots=True)
class State:
    """The service's records of one project."""

    pool: Pool
    project: str

    @property
    def path(self) -> Path:
        """Its directory, made when it is not there."""
        place = self.pool.path_of("serve", "") / self.project
        place.mkdir(mode=0o700, exist_ok=True)
        return place

    def folder(self, name: str) -> Path:
        """A directory in it."""
        place = self.path / name
        place.mkdir(mode=0o700, exist_ok=True)
        return place

    @property
    def tokens(self) -> Path:
        """The file of tokens."""
        return self.path / "tokens.json"
