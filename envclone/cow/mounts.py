"""Which file systems are mounted where, as /proc/self/mountinfo tells (proc_pid_mountinfo(5))."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Mount", "mount_at", "mount_of", "mounts"]

_ESCAPE = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One mounted file system: `options` of this mount, `everywhere` those of the file system itself."""

    point: Path
    type: str
    source: str
    options: frozenset[str]
    everywhere: frozenset[str] = frozenset()


def mounts() -> list[Mount]:
    """All mounts that this process sees, later ones after those they cover."""
    found = []
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        left, _, right = line.partition(b" - ")
        fields, rest = left.split(b" "), right.split(b" ")
        found.append(
            Mount(
                Path(_plain(fields[4])),
                _plain(rest[0]),
                _plain(rest[1]),
                frozenset(os.fsdecode(fields[5]).split(",")),
                frozenset(os.fsdecode(rest[2]).split(",")) if len(rest) > 2 else frozenset(),
            )
        )
    return found


def mount_at(path: Path) -> Mount | None:
    """The file system mounted exactly at `path`, the topmost if there are several."""
    resolved = path.resolve()
    return next((mount for mount in reversed(mounts()) if mount.point == resolved), None)


def mount_of(path: Path) -> Mount | None:
    """The file system that `path` lies in."""
    resolved = path.resolve()
    best = None
    for mount in mounts():
        if resolved.is_relative_to(mount.point) and (best is None or len(mount.point.parts) >= len(best.point.parts)):
            best = mount
    return best


def _plain(field: bytes) -> str:
    return os.fsdecode(_ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), field))
