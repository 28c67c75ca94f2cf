"""The pool: where snapshots, images and branches are, how they get there whole, and who may enter."""

from __future__ import annotations

import datetime as dt
import errno
import fcntl
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envclone.accounts import require_traversable, service_account
from envclone.cow.placing import abandoned, image_of, make_directory, owner_of, reported
from envclone.errors import BusyError, ResourceError, UnsafeError, UsageError

__all__ = ["FOLDERS", "VERSION", "Pool", "check_name", "default_path", "new_id"]

VERSION = 1
"""The layout's version, in `pool.json`."""
MARKER = "pool.json"
FOLDERS = {
    "raw": 0o700,
    "work": 0o711,
    "images": 0o711,
    "branches": 0o711,
    "incidents": 0o700,
    "keys": 0o700,
    "locks": 0o700,
    "tmp": 0o700,
}
"""The pool's directories and their modes: the servers' account may pass through those that are 0711, and list none."""
_ROOT_MODE = 0o711
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")
_PROBED = 0.02
"""Seconds that a lock is tried for at least: `partials` takes those it asks about for an instant."""
_HARMLESS = frozenset({"lost+found"})


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool directory that has been opened."""

    path: Path

    @classmethod
    def open(cls, path: Path, driver: str = "auto") -> Pool:
        """Open the pool at `path`, making whatever is missing of it.

        `driver` other than 'auto' is checked to work there. Raises UsageError for a directory that is no pool or is
        another user's or newer, ResourceError when it cannot be written or mounted, or the servers cannot reach it.
        """
        path = Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - links stay as the user wrote them
        with reported("cannot open the pool", path):
            if os.geteuid() == 0:
                require_traversable(path.parent, service_account())
            pool = cls(path)
            if not (path / MARKER).exists():
                pool._make()
            pool._check()
        if driver != "auto":
            from envclone.cow.choose import choose

            choose(driver, path)
        return pool

    def path_of(self, kind: str, id: str) -> Path:
        """Where the object `id` of a kind (one of FOLDERS) is or will be; an empty `id` gives the kind's directory.

        Raises UsageError for an id that could lead elsewhere.
        """
        if kind not in FOLDERS:
            raise UsageError(f"a pool has no '{kind}'; it has: {', '.join(FOLDERS)}")
        if not id:
            return self.path / kind
        if not _ID.fullmatch(id):
            raise UsageError(f"'{id}' is no id of {kind}", hint="ids consist of a-z, 0-9 and hyphens")
        return self.path / kind / id

    def publish(self, tmp_dir: Path, kind: str, id: str, *, durable: bool = True) -> Path:
        """Move a complete directory to its place, all at once; returns the place.

        `durable` first waits until its file system has written everything to disk. Raises BusyError when the place is
        taken.
        """
        place = self.path_of(kind, id)
        with reported("cannot publish", place):
            if os.path.lexists(place):
                raise BusyError(f"{kind} already holds '{id}'", hint="objects of a pool are never overwritten")
            if durable:
                _sync(tmp_dir)
            try:
                tmp_dir.rename(place)
            except OSError as exc:
                if exc.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                    raise BusyError(f"{kind} already holds '{id}'") from exc
                raise
            if durable:
                _fsync(place.parent)
        return place

    def write_json(self, path: Path, obj: Any) -> None:
        """Write a JSON file (mode 0600) so that it is there whole, now and after a power failure, or as it was before.

        Raises ResourceError when the disk is full.
        """
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(2)}.partial-{os.getpid()}")
        with reported("cannot write", path):
            try:
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    json.dump(obj, file, indent=1, ensure_ascii=False)
                    file.write("\n")
                    file.flush()
                    os.fsync(file.fileno())
                temporary.rename(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            _fsync(path.parent)

    def read_json(self, path: Path) -> Any:
        """What `write_json` wrote. Raises UsageError when there is no such file, UnsafeError when it is no JSON."""
        with reported("cannot read", path):
            try:
                return json.loads(path.read_text(encoding="utf-8"))
            except (FileNotFoundError, NotADirectoryError) as exc:
                raise UsageError(f"{path} does not exist") from exc
            except ValueError as exc:
                raise UnsafeError(
                    f"{path} is damaged: {exc}", hint="remove what it describes and make it anew"
                ) from exc

    def partials(self) -> list[Path]:
        """What interrupted processes left half made or half removed: nobody is at it, and `gc` can remove it.

        `.<name>.partial-<pid>` counts when that process no longer runs. What lies in `work/` and `tmp/` under a plain
        name is guarded by a lock `<what>-<id>` when its name is `<id>` or begins with `<id>-`, and counts when no such
        lock is held.
        """
        found = [entry for entry in self.path.iterdir() if abandoned(entry)]
        for kind in FOLDERS:
            for entry in self.path_of(kind, "").iterdir():
                if owner_of(entry) is not None:
                    found += [entry] if abandoned(entry) else []
                elif kind in ("work", "tmp"):
                    found += [entry] if not self._guarded(entry.name) else []
                elif entry.is_dir() and not entry.is_symlink():
                    found += [inner for inner in entry.iterdir() if abandoned(inner)]
        return sorted(found)

    def free_bytes(self) -> int:
        """Bytes that this user can still write to the pool's file system."""
        status = os.statvfs(self.path)
        return status.f_bavail * status.f_frsize

    @contextmanager
    def lock(self, name: str, *, timeout: float = 0, what: str = "", shared: bool = False) -> Iterator[None]:
        """Hold the lock `name`; the kernel releases it when this process dies.

        `timeout` (s) is how long to wait for it, `what` what it guards, for the message. Shared locks exclude only
        exclusive ones. Raises BusyError naming the process that holds it.
        """
        if not _ID.fullmatch(name):
            raise UsageError(f"'{name}' is no name of a lock")
        path = self.path / "locks" / f"{name}.lock"
        with reported("cannot lock", path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            self._acquire(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, timeout, what or f"'{name}'")
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)  # the file stays: removing it would let two processes hold two locks of one name

    def _guarded(self, name: str) -> bool:
        """Whether somebody holds a lock on an entry of `work/` or `tmp/`."""
        for path in self.path_of("locks", "").glob("*.lock"):
            ident = path.stem.partition("-")[2]
            if name == ident or name.startswith(f"{ident}-"):
                descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # held for an instant: see _PROBED
                except BlockingIOError:
                    return True
                finally:
                    os.close(descriptor)
        return False

    @staticmethod
    def _acquire(descriptor: int, mode: int, timeout: float, what: str) -> None:
        deadline = time.monotonic() + max(timeout, _PROBED)
        pause = 0.005
        while True:
            try:
                fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                if time.monotonic() >= deadline:
                    holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
                    raise BusyError(
                        f"{what} is in use by process {holder}",
                        hint=f"wait for it to end, or see what it does: ps -fp {holder}",
                        pid=int(holder) if holder.isdigit() else None,
                    ) from exc
            else:
                return
            time.sleep(pause)
            pause = min(pause * 1.5, 0.1)

    def _make(self) -> None:
        """Make the root and its marker; only in an empty or missing directory."""
        if image_of(self.path).exists() and not self.path.is_mount():
            raise ResourceError(
                f"the pool {self.path} is not mounted: its image is {image_of(self.path)}",
                hint=f"envclone pool mount --path {self.path}",
            )
        try:
            make_directory(self.path, _ROOT_MODE)
        except FileExistsError:
            if not self.path.is_dir():
                raise UsageError(f"the pool {self.path} is not a directory") from None
            # a first start that was killed has made nothing but our own directories' temporary marker
            foreign = [
                entry.name
                for entry in self.path.iterdir()
                if entry.name not in _HARMLESS and owner_of(entry) is None and entry.name != MARKER
            ]
            if foreign:
                raise UsageError(
                    f"{self.path} is not a pool and not empty: it holds '{min(foreign)}'",
                    hint="choose an empty or a new directory (pool.path, or ENVCLONE_POOL)",
                ) from None
        if self.path.stat().st_uid == os.geteuid():
            self.path.chmod(_ROOT_MODE)
            self.write_json(self.path / MARKER, {"version": VERSION})

    def _check(self) -> None:
        """Owner, version, directories and modes; what is missing is made, and what is too open is closed."""
        status = self.path.stat()
        if status.st_uid != os.geteuid():
            raise UsageError(
                f"the pool {self.path} belongs to {_user(status.st_uid)}, and you are {_user(os.geteuid())}",
                hint="run as its owner, or choose another pool (pool.path, or ENVCLONE_POOL)",
            )
        marker = self.read_json(self.path / MARKER)
        version = marker.get("version") if isinstance(marker, dict) else None
        if not isinstance(version, int):
            raise UnsafeError(f"{self.path / MARKER} names no version", hint="restore it, or make a new pool")
        if version > VERSION:
            raise UsageError(
                f"the pool {self.path} has version {version}, and this envclone knows {VERSION}",
                hint="upgrade envclone: pip install --upgrade envclone",
            )
        for name, mode in FOLDERS.items():
            folder = self.path / name
            try:
                found = folder.lstat()
            except FileNotFoundError:
                folder.mkdir(mode=0o700, exist_ok=True)
                folder.chmod(mode)
                continue
            if found.st_mode & 0o170000 != 0o040000 or found.st_uid != os.geteuid():
                raise UnsafeError(
                    f"{folder} is not a directory of {_user(os.geteuid())}", hint="somebody changed the pool by hand"
                )
            if found.st_mode & 0o7777 != mode:
                folder.chmod(mode)
        if status.st_mode & 0o7777 != _ROOT_MODE:
            self.path.chmod(_ROOT_MODE)


def default_path() -> Path:
    """The pool when nothing names one: $ENVCLONE_POOL, else /var/lib/envclone for root, else below the user's home."""
    named = os.environ.get("ENVCLONE_POOL")
    if named:
        return Path(named).expanduser()
    if os.geteuid() == 0:
        return Path("/var/lib/envclone")
    data = os.environ.get("XDG_DATA_HOME", "")
    # the XDG base directory specification: a relative path is to be ignored
    return (Path(data) if data.startswith("/") else Path.home() / ".local" / "share") / "envclone"


def check_name(name: str) -> str:
    """Return a name that a user gave to a branch; raises UsageError unless it is a-z, 0-9 and hyphens, at most 41."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a name",
            hint="use up to 41 characters of a-z, 0-9 and hyphen, and no hyphen at the beginning",
        )
    return name


def new_id(prefix: str) -> str:
    """A new id that sorts by time, such as `prod-20261120t213355-3fa2` (UTC)."""
    check_name(prefix)
    return f"{prefix}-{dt.datetime.now(dt.UTC):%Y%m%dt%H%M%S}-{secrets.token_hex(2)}"


def _user(uid: int) -> str:
    import pwd

    try:
        return f"'{pwd.getpwuid(uid).pw_name}'"
    except KeyError:
        return f"user id {uid}"


def _fsync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync(path: Path) -> None:
    """Write back everything of the file system that `path` is on: syncfs(2), which Python's os lacks."""
    import ctypes

    descriptor = os.open(path, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(path))
    finally:
        os.close(descriptor)
