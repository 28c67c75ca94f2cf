"""Reading a directory that somebody else wrote: by descriptor, no link followed, and only files that the engine makes.

A source is hostile input. Every name in it is judged by its type first: hard links, devices, FIFOs, sockets and
set-user-ID bits are refused whatever they are called, for no engine makes them. Then by its name: what the engine does
not make is left out and listed. A symbolic link is followed where the engine's own layout has one, and only to a
directory of the source's owner.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Self

from envclone.errors import ConfigError, EnvcloneError, UnreachableError, UnsafeError

__all__ = [
    "Found",
    "Intake",
    "Judge",
    "Verdict",
    "keep_only",
    "plain_file",
    "printable",
    "require_directory",
    "require_plain_place",
    "unreadable",
]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LISTED = 1000
"""Entries that are left out and named one by one; a directory with more names the rest by their number."""
REST = "(and others)"


class Verdict(Enum):
    """What becomes of a name in a source."""

    TAKE = "a file or directory that the engine makes"
    LINK = "a place where the engine's layout may have a symbolic link to a directory"
    WRITTEN = "written by people for the engine: taken as an ordinary file, left out and listed as a link"
    SKIP = "made by the engine, and not needed: a base backup leaves it out too"
    SOCKET = "a socket that a killed server left in its directory: left there"
    STRAY = "not made by the engine: left out and listed"


_NOT_NEEDED = {Verdict.STRAY, Verdict.WRITTEN, Verdict.SKIP, Verdict.SOCKET}

Judge = Callable[[str, bool], Verdict]
"""Judges a path relative to the source's root; the second argument says whether it is a directory or a link to one."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file to be taken: its path relative to the root, its size, and what tells that it changed."""

    path: str
    size: int
    stamp: tuple[int, ...]


@dataclass
class Intake:
    """One walk over a source; the descriptors of its root and of linked directories stay open until `close`."""

    root: Path
    files: list[Found] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    linked: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    _open: dict[str, int] = field(default_factory=dict)
    _owner: int = -1

    @classmethod
    def of(cls, root: Path, judge: Judge, *, links: bool = False) -> Self:
        """Walk the source. `links` allows symbolic links where the judge says LINK.

        Raises UnsafeError naming the first entry that no engine makes, UnreachableError for what cannot be read.
        """
        found = cls(root)
        try:
            with _reported():
                found._open[""] = os.open(root, _DIRECTORY)
                found._owner = os.fstat(found._open[""]).st_uid
                found.folders.append("")
                found._walk(found._open[""], "", judge, links)
        except BaseException:
            found.close()
            raise
        return found

    def close(self) -> None:
        """Close the descriptors."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def opened(self, file: Found) -> Iterator[int]:
        """A descriptor of the file that was seen. Raises UnsafeError when it is another one by now."""
        with contextlib.ExitStack() as stack:
            try:
                folder = self._folder(file.path.rpartition("/")[0], stack)
                descriptor = os.open(file.path.rpartition("/")[2], _FILE, dir_fd=folder)
                stack.callback(os.close, descriptor)
            except PermissionError as exc:
                raise _unreadable(self.root / file.path) from exc
            except OSError as exc:
                raise _changed(self.root / file.path) from exc
            if _stamp(os.fstat(descriptor)) != file.stamp:
                raise _changed(self.root / file.path)
            yield descriptor

    def _folder(self, path: str, stack: contextlib.ExitStack) -> int:
        """A descriptor of a directory, every component below the root or a linked directory opened without links."""
        start = path
        while start not in self._open:
            start = start.rpartition("/")[0]
        descriptor = self._open[start]
        for name in path[len(start) :].strip("/").split("/") if path != start else ():
            descriptor = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
            stack.callback(os.close, descriptor)
        return descriptor

    def _walk(self, folder: int, prefix: str, judge: Judge, links: bool) -> None:
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
        for entry in entries:
            path = f"{prefix}{entry.name}"
            status = os.stat(entry.name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                self._link(folder, entry.name, path, judge, links)
                continue
            verdict = judge(path, stat.S_ISDIR(status.st_mode))
            if verdict is Verdict.SOCKET and stat.S_ISSOCK(status.st_mode):
                continue
            _require_harmless(status, self.root / path)
            if verdict in (Verdict.STRAY, Verdict.SOCKET):
                self._left_out(f"{path}/" if stat.S_ISDIR(status.st_mode) else path)
            elif verdict is not Verdict.SKIP and stat.S_ISDIR(status.st_mode):
                self.folders.append(path)
                inner = os.open(entry.name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                try:
                    self._walk(inner, f"{path}/", judge, links)
                finally:
                    os.close(inner)
            elif verdict is not Verdict.SKIP:
                self.files.append(Found(path, status.st_size, _stamp(status)))

    def _link(self, folder: int, name: str, path: str, judge: Judge, links: bool) -> None:
        verdict = judge(path, True)
        if {verdict, judge(path, False)} <= _NOT_NEEDED:  # nothing that is needed
            self._left_out(f"{path} -> {os.readlink(name, dir_fd=folder)}")
            return
        if verdict is not Verdict.LINK or not links:
            raise UnsafeError(
                f"{printable(str(self.root / path))} is a symbolic link, and no engine makes one there",
                hint="replace it by the file or directory that it points to",
            )
        try:
            target = os.open(name, _DIRECTORY, dir_fd=folder)
        except PermissionError as exc:
            raise _unreadable(self.root / path) from exc
        except OSError as exc:
            raise UnsafeError(
                f"{printable(str(self.root / path))} leads to no directory: {exc.strerror}",
                hint="mount what it points to, or remove the link",
            ) from exc
        self._open[path] = target
        status = os.fstat(target)
        if status.st_uid != self._owner or self._owner == 0:
            raise UnsafeError(
                f"{printable(str(self.root / path))} leads to a directory of user id {status.st_uid}, and the source "
                f"{self.root} belongs to user id {self._owner}"
                + (": links in a directory of root are not followed" if self._owner == 0 else ""),
                hint="a link is followed only to a directory of the source's owner: correct the link, or chown the "
                "source and the directory that it names to the server's account",
            )
        self.folders.append(path)
        self.linked.append(path)
        self._walk(target, f"{path}/", judge, links)

    def _left_out(self, path: str) -> None:
        shown = printable(path)
        if shown not in self.left_out and len(self.left_out) >= _LISTED:
            shown = REST
        self.left_out[shown] = self.left_out.get(shown, 0) + 1


def keep_only(root: Path, judge: Judge) -> dict[str, int]:
    """Remove from a copy what the judge does not take, links included; returns what of it no engine made.

    Raises UnsafeError for what no engine makes.
    """
    removed: dict[str, int] = {}

    def walk(folder: int, prefix: str) -> None:
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
        for entry in entries:
            path = f"{prefix}{entry.name}"
            status = os.stat(entry.name, dir_fd=folder, follow_symlinks=False)
            inside = stat.S_ISDIR(status.st_mode)
            verdict = judge(path, inside or stat.S_ISLNK(status.st_mode))
            if stat.S_ISLNK(status.st_mode):
                os.unlink(entry.name, dir_fd=folder)
                if verdict is not Verdict.LINK:
                    removed[printable(path)] = 1
                continue
            _require_harmless(status, root / path)
            if verdict in (Verdict.STRAY, Verdict.SKIP, Verdict.SOCKET):
                shutil.rmtree(entry.name, dir_fd=folder) if inside else os.unlink(entry.name, dir_fd=folder)
                if verdict is Verdict.STRAY and len(removed) < _LISTED:
                    removed[printable(f"{path}/" if inside else path)] = 1
                elif verdict is Verdict.STRAY:
                    removed[REST] = removed.get(REST, 0) + 1
            elif inside:
                inner = os.open(entry.name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                try:
                    walk(inner, f"{path}/")
                finally:
                    os.close(inner)

    top = os.open(root, _DIRECTORY)
    try:
        walk(top, "")
    finally:
        os.close(top)
    return removed


def plain_file(root: Path, name: str) -> bool:
    """Whether `root` holds that ordinary file, reached without a link; False when nothing is there.

    Raises UnsafeError when it is anything else: reading it could lead elsewhere, or never end.
    """
    with contextlib.ExitStack() as stack, _reported():
        try:
            folder = os.open(root, _DIRECTORY)
            stack.callback(os.close, folder)
            *parents, last = name.split("/")
            for parent in parents:
                folder = os.open(parent, _DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                stack.callback(os.close, folder)
            status = os.stat(last, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except NotADirectoryError as exc:
            raise UnsafeError(f"{root / name} is not reached without a symbolic link", hint=_REPLACE) from exc
        if stat.S_ISLNK(status.st_mode) or stat.S_ISDIR(status.st_mode):
            raise UnsafeError(f"{root / name} is not an ordinary file", hint=_REPLACE)
        _require_harmless(status, root / name)
        return True


def require_directory(path: Path) -> None:
    """Raise UnsafeError when a path of a source is a symbolic link."""
    if path.is_symlink():
        raise UnsafeError(f"{printable(str(path))} is a symbolic link, and no engine makes one there", hint=_REPLACE)


def require_plain_place(path: Path) -> Path:
    """The directory that a source's path names, a symbolic link at its end resolved.

    The link must belong to root, to this user or to the directory's own owner: anybody else could turn it to what is
    not theirs. Raises UnsafeError.
    """
    resolved = path.resolve()
    with contextlib.suppress(OSError):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode) and status.st_uid not in (0, os.geteuid(), resolved.stat().st_uid):
            raise UnsafeError(
                f"{path} is a symbolic link of user id {status.st_uid} to a directory of user id "
                f"{resolved.stat().st_uid}",
                hint=f"if it is right, name the directory itself: {resolved}",
            )
    return resolved


def printable(text: str) -> str:
    """A file's name for people and records: bytes that are not text, and control characters, as escapes."""
    decoded = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in decoded)


_REPLACE = "replace it by an ordinary file or directory"


def _require_harmless(status: os.stat_result, path: Path) -> None:
    """Refuse what no engine makes, whatever its name is."""
    mode, what = status.st_mode, ""
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        what = "a device"
    elif stat.S_ISFIFO(mode):
        what = "a FIFO"
    elif stat.S_ISSOCK(mode):
        what = "a socket"
    elif not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        what = "neither a file nor a directory"
    elif stat.S_ISREG(mode) and status.st_nlink > 1:
        what = f"a hard link: the file has {status.st_nlink} names"
    elif mode & stat.S_ISUID or (mode & stat.S_ISGID and stat.S_ISREG(mode)):  # directories of a volume may inherit
        what = "marked set-user-ID or set-group-ID"
    if what:
        raise UnsafeError(
            f"{printable(str(path))} is {what}, and no engine makes such a file",
            hint="remove it from the source; for a hard link, after pg_upgrade --link perhaps: "
            "remove the other name, or copy the file and move the copy over it",
        )


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev, status.st_mode, status.st_nlink)


def _changed(path: Path) -> UnsafeError:
    return UnsafeError(
        f"somebody wrote into the source while it was copied ({printable(str(path))})",
        hint="stop the server that uses it, wherever it runs, and take it again",
    )


def _unreadable(path: Path | str) -> UnreachableError:
    return UnreachableError(f"{printable(str(path))} cannot be read", hint="run as root or as the server's own user")


@contextlib.contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except PermissionError as exc:
        raise _unreadable(os.fspath(exc.filename) if exc.filename is not None else "the source") from exc


def unreadable(path: Path | None) -> list[EnvcloneError]:
    """What is wrong with a source's directory; empty when this user can read it."""
    if path is None:
        return [ConfigError("the store has no source.path", hint="method: directory needs one")]
    if not path.is_dir():
        return [UnreachableError(f"{path} is not a directory that can be read", hint="correct source.path")]
    if not os.access(path, os.R_OK | os.X_OK):
        return [UnreachableError(f"{path} cannot be read by this user", hint=f"run as root, or: chmod o+rx {path}")]
    return []
