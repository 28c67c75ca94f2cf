"""What is run in containers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from envclone.models.basic import Secret
from envclone.models.branches import Endpoint

if TYPE_CHECKING:
    from envclone.config.services import ServiceConfig

__all__ = [
    "Container",
    "Preview",
    "ServerFiles",
]


@dataclass(frozen=True, slots=True)
class Container:
    """How a container runs a store on a branch's files.

    `endpoint` is the store as the branch's other containers reach it, `user` is `uid:gid`. `mounts` are directories at
    the same place inside, `files` single files to read, by their place inside. `health` is a command that succeeds once
    the store answers.
    """

    command: tuple[str, ...]
    user: str
    endpoint: Endpoint
    mounts: tuple[Path, ...]
    environment: Mapping[str, Secret] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    health: tuple[str, ...] = ()
    stop_signal: str = "SIGTERM"


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """A server installed on this machine, to make an image of: its name changes with what it is made of.

    `paths` are files and trees, `programs` those of them that are called by name. What is below `root` goes to
    `/opt/envclone` in the image, what `named` names goes there, and everything else keeps its place, for programs can
    look for it there.
    """

    name: str
    paths: tuple[Path, ...]
    programs: tuple[Path, ...]
    root: Path | None = None
    named: Mapping[Path, Path] = field(default_factory=dict)

    def inside(self, path: Path) -> Path:
        """Where a file is in the image."""
        if path in self.named:
            return self.named[path]
        if self.root is not None and path.is_relative_to(self.root):
            return Path("/opt/envclone") / path.relative_to(self.root)
        return path


@dataclass(frozen=True, slots=True)
class Preview:
    """What a preview stack is made of beside a branch's files.

    `images` are those that the stack file names for stores, `environment` the services' variables with
    every reference filled in, `embedded` the stores that services read as files, `allow` the destinations that may be
    reached.
    """

    stores: tuple[str, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    services: Mapping[str, ServiceConfig] = field(default_factory=dict)
    environment: Mapping[str, Mapping[str, Secret]] = field(default_factory=dict)
    embedded: Mapping[str, Endpoint] = field(default_factory=dict)
    allow: tuple[str, ...] = ()
    template: Path | None = None

    def after(self, service: str) -> tuple[str, ...]:
        """The stores and services that must be ready before this one: those that it names, or else all stores."""
        named = tuple(self.services[service].depends_on)
        return named or self.stores
