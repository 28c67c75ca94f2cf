"""Where snapshots, images and branches are, who may enter, and how one takes hold of them."""

from __future__ import annotations

import datetime as dt
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envclone.accounts import MACHINE, require_traversable, service_account
from envclone.cow.placing import image_of, make_directory, owner_of, reported
from envclone.errors import BusyError, ResourceError, UnsafeError, UsageError
from envclone.pool import files, locks

__all__ = ["FOLDERS", "MARKER", "VERSION", "Pool", "check_name", "default_path", "is_id", "new_id"]

VERSION = 2
"""The layout's version, in `pool.json`. Version 1 had records without a project, and other locks."""
MARKER = "pool.json"
FOLDERS = {
    "raw": 0o700,
    "bases": 0o700,
    "tracks": 0o700,
    "work": 0o711,
    "images": 0o711,
    "branches": 0o711,
    "incidents": 0o700,
    "keys": 0o700,
    "locks": 0o700,
    "logs": 0o700,
    "owed": 0o700,
    "kept": 0o700,
    "pins": 0o700,
    "serve": 0o700,
    "tmp": 0o700,
}
"""The pool's directories and their modes: the servers' account may pass through those that are 0711, and list none."""
_ROOT_MODE = 0o711
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")
SHARED_WAIT = 60.0
"""Seconds to wait for the removal of an object that is to be used."""
_OBJECTS = {
    "raw": "the raw snapshot {}",
    "bases": "the base backup {}",
    "tracks": "the track {}",
    "images": "the image {}",
    "branches": "the branch '{}'",
    "work": "the working directory {}",
    "tmp": "the working directory {}",
}
_HARMLESS = frozenset({"lost+found"})


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool directory that has been opened."""

    path: Path

    @classmethod
    def open(cls, path: Path, driver: str = "auto") -> Pool:
        """Open the pool at `path`, making whatever is missing of it.

        `driver` other than 'auto' is checked to work there. Raises UsageError for a directory that is not a pool or is
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
            raise UsageError(f"'{id}' is not an id of {kind}", hint="ids consist of a-z, 0-9 and hyphens")
        return self.path / kind / id

    def publish(self, tmp_dir: Path, kind: str, id: str, *, durable: bool = True) -> Path:
        """Move a complete directory to its place, all at once; returns the place.

        `durable` first waits until its file system has written everything to disk. Raises BusyError when the place is
        taken.
        """
        place = self.path_of(kind, id)
        files.place_tree(tmp_dir, place, durable=durable)
        return place

    def write_json(self, path: Path, obj: Any, *, durable: bool = True) -> None:
        """Write a JSON file (mode 0600) so that it is there whole, or as it was before. Raises ResourceError."""
        files.write_json(path, obj, durable=durable)

    def read_json(self, path: Path) -> Any:
        """What `write_json` wrote. Raises UsageError when there is no such file, UnsafeError when it is not JSON."""
        return files.read_json(path)

    def free_bytes(self) -> int:
        """Bytes that this user can still write to the pool's file system."""
        status = os.statvfs(self.path)
        return status.f_bavail * status.f_frsize

    @contextmanager
    def using(self, kind: str, id: str, *, timeout: float = SHARED_WAIT) -> Iterator[Path]:
        """Use an object: nobody removes, replaces or changes it meanwhile. Gives its place, which may not exist.

        `timeout` (s) is how long to wait for somebody who removes it. Raises BusyError naming the process.
        """
        place = self.path_of(kind, id)
        with locks.hold(self._locks, locks.name_of(kind, id), shared=True, timeout=timeout, what=_what(kind, id)):
            yield place

    @contextmanager
    def owning(self, kind: str, id: str, *, timeout: float = 0) -> Iterator[Path]:
        """Make, change or remove an object alone; gives its place. Raises BusyError naming who uses it.

        `timeout` is in seconds. The lock's file goes with the object.
        """
        place = self.path_of(kind, id)
        name = locks.name_of(kind, id)
        with locks.hold(self._locks, name, shared=False, timeout=timeout, what=_what(kind, id)) as file:
            try:
                yield place
            finally:
                if not os.path.lexists(place):
                    file.unlink(missing_ok=True)

    @contextmanager
    def owned(self, kind: str, id: str) -> Iterator[bool]:
        """Take an object that nobody uses, without a wait; False when somebody does."""
        place = self.path_of(kind, id)
        with locks.try_exclusive(self._locks, locks.name_of(kind, id)) as file:
            try:
                yield file is not None
            finally:
                if file is not None and not os.path.lexists(place):
                    file.unlink(missing_ok=True)

    def in_hand(self, kind: str, id: str) -> bool:
        """Whether somebody owns the object now: makes, changes or removes it."""
        return locks.owned_by_another(self._locks, locks.name_of(kind, id))

    @contextmanager
    def lock(
        self,
        name: str,
        *,
        timeout: float = 0,
        what: str = "",
        shared: bool = False,
        waiting: Callable[[str], None] | None = None,
    ) -> Iterator[None]:
        """Hold a lock that guards no object but a deed, such as making an image that is not there yet.

        `timeout` (s) is how long to wait for it, `what` what it guards, for the message. `waiting` is told each second
        for whom it waits. Raises BusyError naming the process that holds it.
        """
        with locks.hold(self._locks, name, shared=shared, timeout=timeout, what=what, waiting=waiting):
            yield

    def lock_of(self, kind: str, id: str) -> Path:
        """The file that is locked while an object is used."""
        return self._locks / f"{locks.name_of(kind, id)}.lock"

    @property
    def _locks(self) -> Path:
        return self.path / "locks"

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

    def _upgrade(self) -> None:
        """From version 1: its records stay, as nobody's (they name no project); its locks must be free."""
        folder = self.path_of("locks", "")
        for file in sorted(folder.glob("*.lock")) if folder.is_dir() else ():
            with locks.try_exclusive(folder, file.stem) as free:
                if free is None:
                    raise BusyError(
                        f"an older envclone is at work in the pool {self.path} (process {locks.holder(file)})",
                        hint="let it end; older versions cannot open this pool afterwards",
                    )
                file.unlink()
        self.write_json(self.path / MARKER, {"version": VERSION})

    def _check(self) -> None:
        """Owner, version, directories and modes; what is missing is made, and what is too open is closed."""
        status = self.path.stat()
        if status.st_uid != os.geteuid():
            raise UsageError(
                f"the pool {self.path} belongs to {_user(status.st_uid)}, and you are {_user(os.geteuid())}",
                hint="run as its owner, or choose another pool (pool.path, or ENVCLONE_POOL)",
            )
        with os.scandir(self.path) as entries:
            for entry in entries:
                if not (entry.is_file() or entry.is_dir() or entry.is_symlink()):
                    raise UnsafeError(  # opening a pipe would wait for its other end for ever
                        f"{entry.path} is neither a file nor a directory", hint="somebody changed the pool by hand"
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
        if version < VERSION:
            self._upgrade()
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
    """The pool when nothing names one: $ENVCLONE_POOL, else /var/lib/envclone/pool for root, else one below the home.

    Beside it lies what is the machine's and of no pool, such as the accounts that are lent; once the pool was the
    directory above, and where it is there it stays.
    """
    named = os.environ.get("ENVCLONE_POOL")
    if named:
        return Path(named).expanduser()
    if os.geteuid() == 0:
        return MACHINE if (MACHINE / MARKER).exists() else MACHINE / "pool"
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


def is_id(text: str) -> bool:
    """Whether this can be the id of an object."""
    return _ID.fullmatch(text) is not None


def new_id(prefix: str) -> str:
    """A new id that sorts by time, such as `prod-20261120t213355-3fa2` (UTC)."""
    check_name(prefix)
    return f"{prefix}-{dt.datetime.now(dt.UTC):%Y%m%dt%H%M%S}-{secrets.token_hex(2)}"


def _what(kind: str, id: str) -> str:
    return _OBJECTS.get(kind, f"{kind} {{}}").format(id)


def _user(uid: int) -> str:
    import pwd

    try:
        return f"'{pwd.getpwuid(uid).pw_name}'"
    except KeyError:
        return f"user id {uid}"
