"""Which images a project's pinned cases need: `gc` keeps those."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from envclone import records
from envclone.errors import EnvcloneError
from envclone.pool.layout import Pool

__all__ = ["Pin", "drop", "every", "images", "write"]


@dataclass(frozen=True, slots=True)
class Pin:
    """A case of a project, and the image that it is replayed on."""

    project: str
    case: str
    image: str


def write(pool: Pool, pin: Pin) -> None:
    """Remember a pin in place of the case's one before."""
    pool.write_json(_path(pool, pin.project, pin.case), records.dump(pin))


def drop(pool: Pool, project: str, case: str) -> bool:
    """Forget a case's pin; False when there was none."""
    path = _path(pool, project, case)
    there = path.exists()
    path.unlink(missing_ok=True)
    return there


def every(pool: Pool, project: str) -> Iterator[Pin]:
    """A project's pins that can be read, by case."""
    for path in sorted(pool.path_of("pins", "").glob("*.json")):
        try:
            pin = records.load(Pin, pool.read_json(path), what=str(path))
        except EnvcloneError:
            continue
        if pin.project == project:
            yield pin


def images(pool: Pool, project: str) -> frozenset[str]:
    """The images that a project's pins keep. A pin that cannot be read raises UnsafeError: its image is not known."""
    found = set()
    for path in sorted(pool.path_of("pins", "").glob(f"{project}.*.json")):
        found.add(records.load(Pin, pool.read_json(path), what=str(path)).image)
    return frozenset(found)


def _path(pool: Pool, project: str, case: str) -> Path:
    return pool.path_of("pins", "") / f"{project}.{case}.json"
