"""A log that holds nothing: made by pg_resetwal of a control file alone, in memory, for it writes and flushes a whole
segment of zeros; of that the clone gets what is none."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from envclone import process
from envclone.accounts import RANGE, account_of, hand_over
from envclone.errors import UnsafeError
from envclone.models import Cage
from envclone.stores.postgres.hollow import written
from envclone.stores.postgres.server import control
from envclone.stores.postgres.server.engine import Engine

__all__ = ["renew"]

_MEMORY, _PREFIX = Path("/dev/shm"), "envclone-log-"  # noqa: S108 - a directory in it is made by mkdtemp
_CONTROL = Path("global/pg_control")
_LOG = Path("pg_wal")
_SEGMENT = re.compile(r"[0-9A-F]{24}(\.partial)?")
_JUST_NOW = 60
"""Seconds in which a directory that was made is locked."""


def renew(data: Path, found: Engine) -> None:
    """Put an empty segment in the place of the log of a cleanly stopped server's data directory.

    Where there is no room in memory the program works in the directory itself. Raises CommandError when it refuses.
    """
    account = account_of(data.parent)
    with _aside(data) as folder:
        hand_over(folder, account)
        cage = Cage(account, writable=(folder,), readable=found.trees())
        process.run([found.program("pg_resetwal"), "-D", folder], cage=cage)
        if folder == data:
            return
        made = [path for path in (folder / _LOG).iterdir() if _SEGMENT.fullmatch(path.name)]
        new = (folder / _CONTROL).read_bytes()
        if len(made) != 1 or len(new) != (data / _CONTROL).stat().st_size:
            raise UnsafeError(f"pg_resetwal left {len(made)} segments of the log", hint="report this as a bug")
        for path in sorted((data / _LOG).iterdir()):
            if _SEGMENT.fullmatch(path.name):
                path.unlink()
        written(made[0], data / _LOG / made[0].name)
        hand_over(data / _LOG / made[0].name, account)
        with (data / _CONTROL).open("r+b") as file:
            file.write(new)


@contextlib.contextmanager
def _aside(data: Path) -> Iterator[Path]:
    """A directory in memory with all that the program reads: versions, the control file, the names of the segments.
    Where there is no such room, the data directory."""
    if not _room(2 * control.read(data).wal_segment_size):
        yield data
        return
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_MEMORY))
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        (folder / _CONTROL).parent.mkdir()
        for name in (Path("PG_VERSION"), _CONTROL):
            shutil.copy(data / name, folder / name)
        for inner in ("archive_status", "summaries"):
            (folder / _LOG / inner).mkdir(parents=True)
        for path in (data / _LOG).iterdir():
            if _SEGMENT.fullmatch(path.name):
                (folder / _LOG / path.name).touch()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _room(wanted: int) -> bool:
    """Whether there are so many bytes in memory, as files."""
    try:
        return os.path.ismount(_MEMORY) and shutil.disk_usage(_MEMORY).free > wanted
    except OSError:
        return False


def _sweep() -> None:
    """Remove what killed processes left there: who is at work holds a lock on its directory, or has just made it."""
    for folder in _MEMORY.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                status = os.fstat(held)
                ours = status.st_uid == os.geteuid() or (os.geteuid() == 0 and status.st_uid in RANGE)
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if ours and time.time() - status.st_mtime > _JUST_NOW:
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(held)
