"""A raw snapshot of a stopped server's data directory; the source is only read, and never while a server runs on it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from envclone.cow.frozen import frozen
from envclone.errors import BusyError, ConfigError, ResourceError, UnreachableError, UnsafeError
from envclone.models import ProgressEvent, StoreSnapshot
from envclone.protocols import Progress
from envclone.stores.intake import Intake, Judge, plain_file, printable, require_plain_place
from envclone.stores.postgres.server import control, server, settings
from envclone.stores.postgres.server.commandline import of_the_last_start, place_of_configuration
from envclone.stores.postgres.server.engine import find
from envclone.stores.postgres.snapshot import crashed, describe, enginefiles, peek
from envclone.stores.postgres.snapshot.source import emptied_on_failure

if TYPE_CHECKING:
    from envclone.config.schema import MountedConfig, StoreConfig

__all__ = ["Copier", "snapshot_directory"]

Copier = Callable[[Path, Path], None]
"""Copies one file's contents to a new file."""

_REPORT_EVERY = 64 << 20
_FICLONE = 0x40049409
"""_IOW(0x94, 9, int): linux/fs.h, ioctl_ficlone(2)."""


def snapshot_directory(
    name: str, config: StoreConfig, into: Path, progress: Progress, copier: Copier | None = None
) -> StoreSnapshot:
    """Copy a cleanly stopped server's files to `into/data` and `into/tablespaces/<oid>`, or a frozen file system's.

    What was frozen while its server ran, or is a volume's snapshot, is recovered in the copy, by the log that lies
    there. `copier` copies one file (by default blocks are shared where the file system can, else copied). `details` are
    those of a physical snapshot, `settings` from the configuration files in the data directory. Raises ConfigError when
    there is no such directory or the database is not clear, BusyError when a server runs on it, UnsafeError when it was
    not stopped cleanly and is not frozen, or changed meanwhile, ResourceError; nothing stays in `into` on failure.
    """
    began = time.monotonic()
    if config.source.path is None:
        raise ConfigError(f"the store '{name}' has no source.path", hint="method: directory needs one")
    source = _place(config.source.path.expanduser())
    configuration = _configuration(config.source.config)
    mounted = config.source.mounted
    state, device = _require_stopped(source) if mounted is None else _mounted(source, mounted)
    engine = find(state.major)
    judge = enginefiles.judge_data(state.major)
    unread: list[str] = []
    captured = settings.parse_conf(source, unread, configuration)
    with Intake.of(source, judge, links=True) as found, emptied_on_failure(into):
        if mounted is None:
            device = frozen([source, *(source / link for link in found.linked)]) if device else None
        elif found.linked and not (mounted.moment or mounted.label):
            raise UnsafeError(
                f"the volumes of '{name}' were not taken at one moment, and its log lies on another than its data",
                hint="source.dsn fences the snapshot; or a storage driver with VolumeGroupSnapshots",
            )
        if state.state is not control.State.SHUT_DOWN and device is None:
            raise UnsafeError(
                f"{source} was frozen while its server ran, and its tablespaces or its log lie on another file system",
                hint="one snapshot of one file system has them at one moment; or take it running with method: physical",
            )
        if copier is None and not _same_blocks(found, into):
            describe.require_room(into, sum(file.size for file in found.files))
        _copy(name, found, into, progress, copier or _copy_file)
        _require_unchanged(found, judge, state, alone=mounted is not None)
        data = into / "data"
        if mounted is not None and mounted.label:  # not before the copy: the recovery begins where it says
            (data / "backup_label").write_text(mounted.label)
        at = state.time
        if state.state is not control.State.SHUT_DOWN or (mounted is not None and mounted.label):
            progress(ProgressEvent(f"recovering {name}", 0))
            ended = crashed.recover(engine, into, [item.plain() for item in captured], config.settings)
            at, state = ended or at, control.read(data)
        progress(ProgressEvent(f"looking into {name}", 0))
        cluster = peek.look(engine, data)
        database = describe.choose_database(cluster.databases, config.source.database)
        extensions = peek.extensions(engine, data, database)
        engine = find(state.major, extensions=list(extensions or ()))
        warnings = describe.require_runnable(
            engine, database, cluster.databases, None if extensions is None else list(extensions)
        )
    warnings += [
        f"{printable(path)} is not in the data directory, or cannot be read: the settings in it are not known; "
        "source.config names the directory"
        for path in dict.fromkeys(unread)
    ]
    if all(item.source == settings.COMMAND_LINE for item in captured):
        place = place_of_configuration(source, of_the_last_start(source))
        warnings.append(
            "the server's configuration is not in its data directory: production's settings are not known; "
            f"source.config names its directory ({printable(place) or 'on Debian /etc/postgresql/VERSION/NAME'})"
        )
    return StoreSnapshot(
        store=name,
        kind="postgres",
        method="directory" if mounted is None else "volume",
        engine_version=engine.version,
        consistent_at=at,
        seconds=round(time.monotonic() - began, 3),
        bytes=sum(file.size for file in found.files),
        files=len(found.files),
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
            "left_out": found.left_out,
            "frozen": device if mounted is None else mounted.moment or None,
            "wal": {"start": control.lsn_text(state.redo), "end": control.lsn_text(state.checkpoint),
                    "timeline": state.timeline},
        },
    )  # fmt: skip


def _place(path: Path) -> Path:
    """The data directory, which may be given as a link; what is read of it first must be ordinary files."""
    if not path.is_dir():
        raise ConfigError(f"source.path {path} is not a directory", hint="name the directory that holds PG_VERSION")
    source = require_plain_place(path)
    for name in ("PG_VERSION", "global/pg_control", "postmaster.pid", "postmaster.opts"):
        plain_file(source, name)
    return source


def _configuration(path: Path | None) -> Path | None:
    """The directory, or the file, that the stack file names for postgresql.conf. Raises ConfigError without one."""
    if path is None:
        return None
    place = path.expanduser()
    if not (place.is_file() or (place / "postgresql.conf").is_file()):
        raise ConfigError(
            f"source.config {path} holds no postgresql.conf that can be read",
            hint="name the file that `SHOW config_file` says, or its directory",
        )
    return place


def _require_stopped(source: Path) -> tuple[control.Control, str | None]:
    """What the server wrote last about itself, and the device when its file system is frozen. Raises as `take` does."""
    try:
        state = control.read(source)
    except PermissionError as exc:
        raise UnreachableError(f"{source} cannot be read", hint="run as root or as the server's own user") from exc
    device = frozen([source])
    running = None if device else server.status(source)
    if running is not None:
        raise BusyError(
            f"a PostgreSQL server (process {running.pid}) runs on {source}",
            hint="stop it (pg_ctl stop -m fast), or take it running with method: physical",
        )
    if state.state is not control.State.SHUT_DOWN and not (device and state.state in crashed.RECOVERABLE):
        standby = state.state is control.State.SHUT_DOWN_IN_RECOVERY
        raise UnsafeError(
            f"{source} was not stopped cleanly: its state is '{state.state}'",
            hint="it is a standby: take its primary, or the standby running with method: physical"
            if standby
            else "start the server once and stop it with pg_ctl stop -m fast; if it runs, in a container perhaps, "
            "use method: physical; a snapshot of its file system is taken as it is when it is mounted read-only",
        )
    return state, device


def _mounted(source: Path, mounted: MountedConfig) -> tuple[control.Control, str]:
    """What stands in a snapshot's pg_control, and that nobody writes there: it was mounted for this process alone.

    Raises UnsafeError for a standby's, which is not whole without the log that it was still to replay, and for one that
    is not of the server that was asked when the snapshot was begun, or is older.
    """
    state = control.read(source)
    if state.state not in (control.State.SHUT_DOWN, *crashed.RECOVERABLE) or any(
        (source / name).exists() for name in ("standby.signal", "recovery.signal")
    ):
        raise UnsafeError(
            f"the volume is a standby's, or one that is being recovered: its state is '{state.state}'",
            hint="take the primary's volumes",
        )
    if mounted.system and mounted.system != str(state.system_identifier):
        raise UnsafeError(
            "the volume is not of the server that source.dsn leads to: their system identifiers differ",
            hint="correct source.dsn, or source.volume",
        )
    if mounted.since and state.redo < _lsn(mounted.since):
        raise UnsafeError(
            f"the snapshot is older than its beginning: its last checkpoint is at "
            f"{control.lsn_text(state.redo)}, and the server was at {mounted.since}",
            hint="does source.volume name the primary's volumes, and does the driver snapshot at once?",
        )
    return state, mounted.moment or "a snapshot of its own"


def _lsn(text: str) -> int:
    high, _, low = text.partition("/")
    return int(high, 16) << 32 | int(low, 16)


def _target(into: Path, path: str, linked: Sequence[str]) -> Path:
    """Where a path of the source goes: a tablespace behind a link lies beside the data directory."""
    parts = path.split("/")
    if len(parts) > 1 and "/".join(parts[:2]) in linked:
        return into.joinpath("tablespaces", *parts[1:])
    return into.joinpath("data", *parts) if path else into / "data"


def _copy(name: str, found: Intake, into: Path, progress: Progress, copy: Copier) -> None:
    """Copy what was found, and make links to the tablespaces that a clone of the whole directory keeps."""
    for folder in found.folders:
        _target(into, folder, found.linked).mkdir(mode=0o700, parents=True, exist_ok=True)
    total = sum(file.size for file in found.files)
    done = reported = 0
    for file in found.files:
        target = _target(into, file.path, found.linked)
        with found.opened(file) as source:
            copy(Path(f"/proc/self/fd/{source}"), target)
        target.chmod(0o600)
        done += file.size
        if done - reported >= _REPORT_EVERY or done == total:
            progress(ProgressEvent(f"copying {name}", done, total, "bytes"))
            reported = done
    for link in found.linked:
        if link.startswith("pg_tblspc/"):
            (into / "data" / link).symlink_to(Path("../../tablespaces") / Path(link).name)


def _require_unchanged(found: Intake, judge: Judge, state: control.Control, *, alone: bool = False) -> None:
    source = found.root
    with Intake.of(source, judge, links=True) as again:
        changed = {(file.path, file.stamp) for file in found.files} ^ {(file.path, file.stamp) for file in again.files}
    running = not alone and not frozen([source]) and server.status(source) is not None
    if changed or running or control.read(source) != state:
        example = min((path for path, _ in changed), default="global/pg_control")
        raise UnsafeError(
            f"somebody wrote into {source} while it was copied ({source / example})",
            hint="stop the server that uses it, wherever it runs, or take it running with method: physical",
        )


def _same_blocks(found: Intake, into: Path) -> bool:
    """Whether the copy will share its blocks with the source, and so needs no room."""
    if not found.files:
        return True
    probe = into / ".probe"
    try:
        with found.opened(max(found.files, key=lambda file: file.size)) as original, probe.open("wb") as copy:
            return _share(original, copy.fileno())
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
