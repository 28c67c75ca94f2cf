"""What is remembered of the images that are made ahead, per environment: how often, when last, how it went."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from envclone import records
from envclone.errors import EnvcloneError
from envclone.pool.layout import Pool

__all__ = ["Kept", "every", "read", "write"]


@dataclass(frozen=True, slots=True)
class Kept:
    """The runs for one environment of a project.

    `runs` and `failures` only grow, `failing` counts the failures since the last success. `began` is set while a run is
    under way, so that the next one knows of one that was killed. `seconds` is how long the last image took, `bytes`
    what it occupies, `own_bytes` what of it is shared with nothing.
    """

    project: str
    environment: str
    runs: int = 0
    failures: int = 0
    failing: int = 0
    error: str = ""
    began: dt.datetime | None = None
    ended: dt.datetime | None = None
    succeeded: dt.datetime | None = None
    seconds: float = 0.0
    image: str = ""
    state_of: dt.datetime | None = None
    bytes: int = 0
    own_bytes: int = 0


def read(pool: Pool, project: str, environment: str) -> Kept:
    """What is remembered of an environment; an empty record when nothing is. Raises UnsafeError for a damaged one."""
    path = _path(pool, project, environment)
    if not path.exists():
        return Kept(project, environment)
    return records.load(Kept, pool.read_json(path), what=str(path))


def write(pool: Pool, record: Kept) -> None:
    """Remember a record in place of the one before."""
    pool.write_json(_path(pool, record.project, record.environment), records.dump(record))


def every(pool: Pool) -> Iterator[Kept]:
    """All records of a pool that can be read, by project and environment."""
    for path in sorted(pool.path_of("kept", "").glob("*.json")):
        try:
            yield records.load(Kept, pool.read_json(path), what=str(path))
        except EnvcloneError:
            continue


def _path(pool: Pool, project: str, environment: str) -> Path:
    return pool.path_of("kept", "") / f"{project}.{environment}.json"
