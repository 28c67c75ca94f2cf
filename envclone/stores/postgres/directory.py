"""A raw snapshot of a stopped server's data directory; the source is only read, and never while a server runs on it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envclone.errors import BusyError, ConfigError, ResourceError, UnreachableError, UnsafeError
from envclone.models import ProgressEvent, StoreSnapshot
from envclone.protocols import Progress
from envclone.stores.postgres import control, describe, peek, server, settings
from envclone.stores.postgres.engine import find
from envclone.stores.postgres.source import emptied_on_failure

if TYPE_CHECKING:
    from envclone.config.schema import StoreConfig

__all__ = ["Copier", "snapshot_directory"]

Copier = Callable[[Path, Path], None]
"""Copies one file's contents to a new file."""

_SKIPPED = re.compile(
    r"^(postmaster\.(pid|opts)|log|pg_log|core(\.\d+)?|pgsql_tmp|pg_stat_tmp/.*|pg_wal/archive_status/.*)$"
)
_REPORT_EVERY = 64 << 20
_FICLONE = 0x40049409
"""_IOW(0x94, 9, int): linux/fs.h, ioctl_ficlone(2)."""


@dataclass(frozen=True, slots=True)
class _File:
    source: Path
    target: Path
    size: int
    stamp: tuple[int, int, int]


def snapshot_directory(
    name: str, config: StoreConfig, into: Path, progress: Progress, copier: Copier | None = None
) -> StoreSnapshot:
    """Copy a cleanly stopped server's files to `into/data` and `into/tablespaces/<oid>`.

    `copier` copies one file (by default blocks are shared where the file system can, else copied). `details` are those
    of a physical snapshot, `settings` from the configuration files in the data directory. Raises ConfigError when
    there is no such directory or the database is not clear, BusyError when a server runs on it, UnsafeError when it
    was not stopped cleanly or changed meanwhile, ResourceError; nothing stays in `into` on failure.
    """
    began = time.monotonic()
    if config.source.path is None:
        raise ConfigError(f"the store '{name}' has no source.path", hint="method: directory needs one")
    source = config.source.path.expanduser()
    state = _require_stopped(source)
    engine = find(state.major)
    files, folders, spaces = _listing(source, into)
    total = sum(file.size for file in files)
    copy = copier or _copy_file
    with emptied_on_failure(into):
        if copier is None and not _same_blocks(files, into):
            describe.require_room(into, total)
        for folder in folders:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        done = reported = 0
        for file in files:
            copy(file.source, file.target)
            file.target.chmod(0o600)
            done += file.size
            if done - reported >= _REPORT_EVERY or done == total:
                progress(ProgressEvent(f"copying {name}", done, total, "bytes"))
                reported = done
        for oid in spaces:
            (into / "data" / "pg_tblspc" / oid).symlink_to(Path("../../tablespaces") / oid)
        _require_unchanged(source, into, files, state)
        data = into / "data"
        progress(ProgressEvent(f"looking into {name}", 0))
        cluster = peek.look(engine, data)
        database = describe.choose_database(cluster.databases, config.source.database)
        extensions = peek.extensions(engine, data, database)
        engine = find(state.major, extensions=list(extensions or ()))
        warnings = describe.require_runnable(
            engine, database, cluster.databases, None if extensions is None else list(extensions)
        )
    captured = settings.parse_conf(source)
    if not captured:
        warnings.append("the server's configuration is not in its data directory: production's settings are not known")
    return StoreSnapshot(
        store=name,
        kind="postgres",
        method="directory",
        engine_version=engine.version,
        consistent_at=state.time,
        seconds=round(time.monotonic() - began, 3),
        bytes=total,
        files=len(files),
        position=control.lsn_text(state.checkpoint),
        details={
            "database": database.name,
            "superuser": cluster.superuser,
            "settings": [item.plain() for item in captured],
            "overrides": dict(config.settings),
            "databases": [item.plain() for item in cluster.databases],
            "extensions": extensions or {},
            "system_identifier": str(state.system_identifier),
            "warnings": warnings,
            "wal": {"start": control.lsn_text(state.redo), "end": control.lsn_text(state.checkpoint),
                    "timeline": state.timeline},
        },
    )  # fmt: skip


def _require_stopped(source: Path) -> control.Control:
    if not source.is_dir():
        raise ConfigError(f"source.path {source} is not a directory", hint="name the directory that holds PG_VERSION")
    try:
        state = control.read(source)
    except PermissionError as exc:
        raise UnreachableError(f"{source} cannot be read", hint="run as root or as the server's own user") from exc
    running = server.status(source)
    if running is not None:
        raise BusyError(
            f"a PostgreSQL server (process {running.pid}) runs on {source}",
            hint="stop it (pg_ctl stop -m fast), or take it running with method: physical",
        )
    if state.state is not control.State.SHUT_DOWN:
        standby = state.state is control.State.SHUT_DOWN_IN_RECOVERY
        raise UnsafeError(
            f"{source} was not stopped cleanly: its state is '{state.state}'",
            hint="it is a standby: take its primary, or the standby running with method: physical"
            if standby
            else "start the server once and stop it with pg_ctl stop -m fast; if it runs, in a container perhaps, "
            "use method: physical",
        )
    return state


def _listing(source: Path, into: Path) -> tuple[list[_File], list[Path], list[str]]:
    """Every file and directory to be copied, with its target, and the tablespaces that lie outside."""
    files: list[_File] = []
    folders: list[Path] = []
    spaces: list[str] = []

    def walk(folder: Path, target: Path, relative: str) -> None:
        folders.append(target)
        for entry in sorted(os.scandir(folder), key=lambda item: item.name):
            inside = f"{relative}{entry.name}"
            if _SKIPPED.match(inside):
                continue
            if entry.is_symlink() and relative == "pg_tblspc/":
                spaces.append(entry.name)
                walk(Path(entry.path), into / "tablespaces" / entry.name, f"{inside}/")
            elif entry.is_dir(follow_symlinks=inside == "pg_wal"):  # pg_wal may lie on a disk of its own
                walk(Path(entry.path), target / entry.name, f"{inside}/")
            elif entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                stamp = (status.st_size, status.st_mtime_ns, status.st_ino)
                files.append(_File(Path(entry.path), target / entry.name, status.st_size, stamp))

    try:
        walk(source, into / "data", "")
    except PermissionError as exc:
        raise UnreachableError(
            f"{exc.filename} cannot be read", hint="run as root or as the server's own user"
        ) from exc
    return files, folders, spaces


def _require_unchanged(source: Path, into: Path, before: list[_File], state: control.Control) -> None:
    after, _, _ = _listing(source, into)
    changed = {(file.source, file.stamp) for file in before} ^ {(file.source, file.stamp) for file in after}
    if changed or server.status(source) is not None or control.read(source) != state:
        example = min((str(path) for path, _ in changed), default="global/pg_control")
        raise UnsafeError(
            f"somebody wrote into {source} while it was copied ({example})",
            hint="stop the server that uses it, wherever it runs, or take it running with method: physical",
        )


def _same_blocks(files: list[_File], into: Path) -> bool:
    """Whether the copy will share its blocks with the source, and so needs no room."""
    if not files:
        return True
    probe = into / ".probe"
    largest = max(files, key=lambda file: file.size)
    try:
        with largest.source.open("rb") as original, probe.open("wb") as copy:
            return _share(original.fileno(), copy.fileno())
    finally:
        probe.unlink(missing_ok=True)


def _share(source: int, target: int) -> bool:
    with contextlib.suppress(OSError):
        fcntl.ioctl(target, _FICLONE, source)
        return True
    return False


def _copy_file(source: Path, target: Path) -> None:
    """Copy one file, sharing its blocks where the file system can."""
    try:
        with source.open("rb") as original, target.open("xb") as copy:
            if _share(original.fileno(), copy.fileno()):
                return
            left = os.fstat(original.fileno()).st_size
            for _ in _chunks(original.fileno(), copy.fileno(), left):
                pass
    except OSError as exc:
        raise ResourceError(f"copying {source} failed: {exc.strerror}", hint="envclone gc, or a larger pool") from exc


def _chunks(source: int, target: int, left: int) -> Iterator[int]:
    offset = 0
    while left > 0:
        count = os.sendfile(target, source, offset, min(left, 1 << 24))
        if count == 0:
            return
        offset, left = offset + count, left - count
        yield count
