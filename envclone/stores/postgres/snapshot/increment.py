"""Whether production can be asked for what changed since the last raw snapshot, and that laid over it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from envclone.errors import CommandError, EnvcloneError, UnsafeError
from envclone.protocols import Since
from envclone.stores.postgres.server import control
from envclone.stores.postgres.server.engine import Engine
from envclone.stores.postgres.snapshot import manifest
from envclone.stores.postgres.snapshot.combine import Combined, combine, follows
from envclone.stores.postgres.snapshot.visibilitymaps import clear

__all__ = ["FOLDER", "Cluster", "Unsuitable", "lay_over", "refused", "unfit"]

FOLDER = ".increment"
"""Where an incremental backup lies until it is laid over; a name that PostgreSQL does not make."""
_FIRST = 17
_REFUSED = re.compile(r"WAL summar|summariz|incremental|manifest|timeline")
"""What the server, or its program, says when it gives no incremental backup of this manifest."""


class Unsuitable(Exception):
    """Production gives no incremental backup, or the one it gave does not fit; says why."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """What decides whether production gives one: who it is, its timeline, its version and `summarize_wal` there."""

    system_identifier: str
    timeline: int
    major: int
    summarized: bool


def unfit(since: Since, cluster: Cluster, engine: Engine) -> str:
    """Why only a full backup can follow that snapshot; '' when an incremental one can."""
    if cluster.major < _FIRST:
        return f"PostgreSQL {cluster.major} gives no incremental backups, {_FIRST} does"
    if not cluster.summarized:
        return "summarize_wal is off in production"
    before = since.snapshot.details
    if before.get("system_identifier") != cluster.system_identifier:
        return f"{since.id} is of another cluster"
    if dict(before.get("wal") or {}).get("timeline") != cluster.timeline:
        return f"{since.id} is of another timeline"
    if engine.major != cluster.major:
        return f"the programs here are those of PostgreSQL {engine.major}"
    try:
        said = manifest.read(manifest.place_of(since.place))
    except OSError:
        return f"the backup manifest of {since.id} is gone"
    except UnsafeError:
        return f"the backup manifest of {since.id} is damaged"
    if said.system_identifier != cluster.system_identifier:
        return f"the backup manifest of {since.id} is of another cluster"
    return ""


def refused(exc: CommandError) -> str:
    """What the server said when it refused an incremental backup; '' when something else went wrong."""
    errors = [line for line in exc.stderr.splitlines() if "ERROR:" in line or "error:" in line]
    said = next((line for line in errors if _REFUSED.search(line)), "")
    return re.sub(r"^.*(ERROR|error):\s+", "", said)


def lay_over(into: Path, since: Since, spaces: Iterable[int]) -> Combined:
    """Make `into/data` and `into/tablespaces` of the incremental backup in `into/FOLDER` and the snapshot before it.

    It must have arrived as it was sent, and be one to be laid over that snapshot. Raises Unsuitable when it cannot be.
    """
    sent = into / FOLDER
    try:
        manifest.require_as_sent(sent / "data", manifest.read(sent / "data" / manifest.NAME))
        if not follows(sent / "data", since.place / "data"):
            raise Unsuitable(f"the incremental backup does not follow {since.id}")
        about = control.read(since.place / "data")
        done = Combined()
        for place in (Path("data"), *(Path("tablespaces") / str(oid) for oid in spaces)):
            (into / place).mkdir(mode=0o700, parents=True)
            one = combine(sent / place, since.place / place, into / place, about.block_size)
            one.blocks += clear(
                into / place, one.sent, about.block_size, about.relation_segment_blocks, checksums=about.checksums > 0
            )
            done = Combined(done.files + one.files, done.blocks + one.blocks, done.bytes + one.bytes)
    except OSError as exc:
        raise Unsuitable(f"{since.id} cannot be read: {exc.strerror}") from exc
    except EnvcloneError as exc:
        raise Unsuitable(exc.message) from exc
    shutil.rmtree(sent)
    return done
