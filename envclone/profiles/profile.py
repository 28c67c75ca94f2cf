"""A resource profile: CPU, memory and the other limits of one store or service, and its server's settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from envclone.config.base import Model, Size, Text, bytes_of
from envclone.errors import ConfigError

__all__ = ["FOLDER", "BlockIo", "HostFacts", "Profile", "Replicas", "bytes_of", "find", "load", "size_text"]

FOLDER = "profiles"
"""Where profiles are, beside the stack file; `profile: prod-api` is `profiles/prod-api.yaml`."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


def size_text(size: int) -> str:
    """The shortest exact way to write it: `2GiB`, `1536MiB`, `1000`."""
    for unit, power in (("TiB", 4), ("GiB", 3), ("MiB", 2), ("KiB", 1)):
        if size and size % 1024**power == 0:
            return f"{size // 1024**power}{unit}"
    return str(size)


class BlockIo(Model):
    """Limits of reading and writing per second, of all devices together."""

    read_bytes: Size | None = Field(default=None, description="Bytes read per second.", examples=["200MiB"])
    write_bytes: Size | None = Field(default=None, description="Bytes written per second.", examples=["100MiB"])
    read_ops: int | None = Field(default=None, ge=1, description="Reads per second.", examples=[3000])
    write_ops: int | None = Field(default=None, ge=1, description="Writes per second.", examples=[3000])


class HostFacts(Model):
    """The machine that it was read on, to be compared with a branch's."""

    cpus: float | None = Field(default=None, gt=0, description="Its processors.", examples=[16])
    memory: Size | None = Field(default=None, description="Its memory.", examples=["64GiB"])
    kernel: str | None = Field(default=None, description="Its kernel's release.", examples=["6.1.0-18-amd64"])
    architecture: str | None = Field(default=None, description="Its processors' architecture.", examples=["x86_64"])


class Replicas(Model):
    """How many of it an autoscaler lets there be in production; a branch has one."""

    minimum: int = Field(ge=0, description="The fewest.", examples=[2])
    maximum: int = Field(ge=1, description="The most.", examples=[10])

    def __str__(self) -> str:
        return str(self.maximum) if self.minimum == self.maximum else f"{self.minimum} to {self.maximum}"


class Profile(Model):
    """What one store or service may use; what is not given is not limited, and not known."""

    cpus: float | None = Field(default=None, gt=0, description="Processors, parts of one included.", examples=[1.5])
    memory: Size | None = Field(default=None, description="Memory; beyond it the kernel kills.", examples=["2GiB"])
    swap: Size | None = Field(default=None, description="Swap beside the memory; 0 is none.", examples=[0])
    shm: Size | None = Field(default=None, description="The size of /dev/shm.", examples=["64MiB"])
    pids: int | None = Field(default=None, ge=1, description="Processes and threads.", examples=[512])
    ulimits: dict[str, int] = Field(
        default_factory=dict, description="Limits per process, by their names.", examples=[{"nofile": 65536}]
    )
    io: BlockIo = Field(default_factory=BlockIo, description="Block devices.")
    replicas: Replicas | None = Field(default=None, description="How many of it there are; a branch has one.")
    image: str | None = Field(
        default=None, description="The image that ran, by digest.", examples=["acme/api@sha256:…"]
    )
    version: str | None = Field(default=None, description="The server's version.", examples=["18.4"])
    settings: dict[str, Text] = Field(
        default_factory=dict,
        description="The server's settings that decide plans and memory.",
        examples=[{"shared_buffers": "512MB", "work_mem": "16MB"}],
    )
    host: HostFacts = Field(default_factory=HostFacts, description="The machine that it was read on.")
    sources: list[str] = Field(default_factory=list, description="What it was read from.", examples=[["pg_settings"]])

    @property
    def limits(self) -> bool:
        """Whether it limits processors, memory or processes."""
        return self.cpus is not None or self.memory is not None or self.pids is not None


def find(folder: Path, name: str) -> Path:
    """The file of a profile beside a stack file in `folder`. Raises ConfigError when there is none of that name."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"'{name}' is not a name of a profile", hint="letters, digits, - _ and . make one")
    place = folder / FOLDER / f"{name}.yaml"
    if not place.is_file():
        there = sorted(path.stem for path in (folder / FOLDER).glob("*.yaml"))
        known = f"there are: {', '.join(there)}" if there else f"there is nothing in {FOLDER}/"
        raise ConfigError(
            f"there is no profile '{name}'; {known}", hint="envclone profile capture ENVIRONMENT makes one"
        )
    return place


def load(place: Path) -> Profile:
    """Read a profile. Raises ConfigError with every mistake in it."""
    try:
        document = yaml.safe_load(place.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise ConfigError(f"{place} cannot be read: {type(exc).__name__}", hint="it must be YAML in UTF-8") from exc
    return parse(document, str(place))


def parse(document: Any, what: str) -> Profile:
    """A profile from plain values. Raises ConfigError with every mistake."""
    if not isinstance(document, Mapping):
        raise ConfigError(f"{what} is not a profile: a mapping such as `cpus: 2` belongs there")
    plain = dict(document)
    if isinstance(plain.get("settings"), Mapping):
        plain["settings"] = {str(k): _word(v) for k, v in plain["settings"].items()}
    try:
        return Profile.model_validate(plain)
    except ValidationError as exc:
        problems = [f"{what}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors()]
        raise ConfigError(f"{what} is not a profile: {len(problems)} mistakes", problems=problems) from None


def _word(value: Any) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)
