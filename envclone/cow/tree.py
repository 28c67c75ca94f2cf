"""The walk over a directory tree that every driver shares: all but the contents of its files.

Most of the time is the kernel's, for making files, and it makes files of different directories at once: a tree of many
is copied by two processes, each with directories of its own.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from envclone.aside import helped
from envclone.errors import ResourceError, UsageError

if TYPE_CHECKING:
    from envclone.models import Account

__all__ = ["CopyData", "copy_tree", "remove_tree", "require_tree", "weed"]

CopyData = Callable[[int, int, os.stat_result], None]
"""Gives an empty file (second descriptor) the contents of another (first descriptor, and its status); not called for
a source of size 0."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_SOURCE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_TARGET = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW

_MANY = 256
"""Files from which a second process is worth its start."""

_ATTEMPTS = 20
"""How often a directory is emptied in which somebody makes new files."""


def require_tree(src: Path) -> None:
    """Raise UsageError unless `src` is a directory (a symbolic link to one is not)."""
    try:
        status = src.lstat()
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise UsageError(f"{src} does not exist") from exc
    if not stat.S_ISDIR(status.st_mode):
        raise UsageError(f"{src} is not a directory")


def copy_tree(src: Path, dst: Path, copy_data: CopyData, given: Mapping[str, Account] | None = None) -> None:
    """Copy the tree `src` into the empty directory `dst`, the contents of its files through `copy_data`.

    Modes, modification times (ns), symbolic links, hard links inside the tree and, for root, owners are kept;
    extended attributes are not. Entries of the top that `given` names, and all below them, belong to its account when
    root copies. Sockets and fifos, which a stopped server leaves behind, are skipped.
    Every name is opened relative to its directory without following links, so a tree that its owner changes
    meanwhile cannot lead outside. Raises ResourceError on a device file, OSError on anything else.
    """
    source = os.open(src, _DIRECTORY)
    try:
        target = os.open(dst, _DIRECTORY)
        try:
            _Copy(source, target, copy_data, given or {}).run()
        finally:
            os.close(target)
    finally:
        os.close(source)


class _Copy:
    """One run of `copy_tree`: first the directories and links, then the files, then what directories are like."""

    def __init__(self, source: int, target: int, copy_data: CopyData, given: Mapping[str, Account]) -> None:
        self._source, self._target = source, target
        self._copy_data = copy_data
        self._own = os.geteuid() == 0
        self._given = given if self._own else {}
        self._files: dict[str, int] = {}  # how many each directory has
        self._links: dict[tuple[int, int], str] = {}
        self._linked = False  # whether files with several names are copied now
        self._left = False  # whether such a file was met and left
        self._fresh: tuple[int, int, int] | None = None  # owner, group and mode that a file here is made with

    def run(self) -> None:
        """Copy everything."""
        self._top(self._make)
        theirs = _half(self._files) if _divided(sum(self._files.values())) else []
        mine = self._files.keys() - theirs
        if theirs:
            with helped(lambda: self._copied(theirs)) as ended:
                self._copied(mine)
                self._left |= ended()
        else:
            self._copied(mine)
        if self._left:  # names of one file can be in directories of both
            self._linked = True
            self._copied(self._files)
        self._top(self._end)

    def _top(self, what: Callable[[int, int, str, Account | None], None]) -> None:
        source = os.open(".", _DIRECTORY, dir_fd=self._source)  # its offset is not another process's
        try:
            what(source, self._target, "", None)
        finally:
            os.close(source)

    def _make(self, source: int, target: int, prefix: str, owner: Account | None) -> None:
        """Make the directories and links below an open directory, and count the files of each."""
        self._files[prefix] = 0
        with os.scandir(source) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    os.mkdir(entry.name, 0o700, dir_fd=target)
                    self._below(entry.name, source, target, prefix, owner, self._make)
                elif entry.is_file(follow_symlinks=False):
                    self._files[prefix] += 1
                elif entry.is_symlink():
                    self._symlink(source, target, entry.name, self._whose(entry.name, prefix, owner))
                else:
                    refuse_device(entry.stat(follow_symlinks=False), entry.name)

    def _copied(self, folders: Collection[str]) -> bool:
        """Copy the files of these directories; whether one was left, for it has several names."""

        def copy(source: int, target: int, prefix: str, owner: Account | None) -> None:
            with os.scandir(source) as entries:
                for entry in entries:
                    name = entry.name
                    if entry.is_dir(follow_symlinks=False):
                        self._below(name, source, target, prefix, owner, copy)
                    elif prefix in folders and entry.is_file(follow_symlinks=False):
                        self._file(source, target, name, prefix, self._whose(name, prefix, owner))

        self._top(copy)
        return self._left

    def _end(self, source: int, target: int, prefix: str, owner: Account | None) -> None:
        """Give the directories their mode, owner and times, when nothing is made in them any more."""
        with os.scandir(source) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    self._below(entry.name, source, target, prefix, owner, self._end)
        self._attributes(target, os.fstat(source), owner)

    def _whose(self, name: str, prefix: str, owner: Account | None) -> Account | None:
        return owner if prefix else self._given.get(name)

    def _below(
        self,
        name: str,
        source: int,
        target: int,
        prefix: str,
        owner: Account | None,
        what: Callable[[int, int, str, Account | None], None],
    ) -> None:
        inner_source = os.open(name, _DIRECTORY, dir_fd=source)
        try:
            inner_target = os.open(name, _DIRECTORY, dir_fd=target)
            try:
                what(inner_source, inner_target, f"{prefix}{name}/", self._whose(name, prefix, owner))
            finally:
                os.close(inner_target)
        finally:
            os.close(inner_source)

    def _file(self, source: int, target: int, name: str, prefix: str, owner: Account | None) -> None:
        old = os.open(name, _SOURCE, dir_fd=source)
        try:
            status = os.fstat(old)
            if not stat.S_ISREG(status.st_mode):  # it was replaced since the directory was read
                raise ResourceError(f"the tree changes while it is copied: {prefix}{name}")
            if (status.st_nlink > 1) != self._linked:
                self._left |= not self._linked
                return
            if self._linked:
                first = self._links.setdefault((status.st_dev, status.st_ino), prefix + name)
                if first != prefix + name:
                    os.link(first, name, src_dir_fd=self._target, dst_dir_fd=target)
                    return
            new = os.open(name, _TARGET, 0o600, dir_fd=target)
            try:
                if status.st_size:
                    self._copy_data(old, new, status)
                if self._fresh is None:
                    made = os.fstat(new)
                    self._fresh = made.st_uid, made.st_gid, made.st_mode
                if self._fresh[2] != status.st_mode:
                    self._attributes(new, status, owner)
                else:  # most files: there is little to change
                    self._set_owner(new, status, owner, self._fresh[:2])
                    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
            finally:
                os.close(new)
        finally:
            os.close(old)

    def _symlink(self, source: int, target: int, name: str, owner: Account | None) -> None:
        status = os.stat(name, dir_fd=source, follow_symlinks=False)
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
        if self._own:
            uid, gid = (status.st_uid, status.st_gid) if owner is None else (owner.uid, owner.gid)
            os.chown(name, uid, gid, dir_fd=target, follow_symlinks=False)
        os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=target, follow_symlinks=False)

    def _set_owner(
        self, target: int, status: os.stat_result, owner: Account | None, has: tuple[int, int] | None = None
    ) -> None:
        wanted = (status.st_uid, status.st_gid) if owner is None else (owner.uid, owner.gid)
        if self._own and wanted != has:
            os.fchown(target, *wanted)

    def _attributes(self, target: int, status: os.stat_result, owner: Account | None) -> None:
        self._set_owner(target, status, owner)
        os.fchmod(target, stat.S_IMODE(status.st_mode))  # after the owner, whose change clears set-id bits
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _divided(files: int) -> bool:
    """Whether a second process is to help; where other threads run, a copy of this one could wait for their locks."""
    return files >= _MANY and len(os.sched_getaffinity(0)) > 1 and threading.active_count() == 1


def _half(files: Mapping[str, int]) -> list[str]:
    """Directories that hold about half of the files."""
    halves: tuple[list[str], list[str]] = [], []
    counts = [0, 0]
    for folder in sorted(files, key=lambda one: -files[one]):
        lighter = counts[0] > counts[1]
        halves[lighter].append(folder)
        counts[lighter] += files[folder]
    return halves[1] if counts[1] else []


def weed(path: Path) -> None:
    """Remove sockets and fifos from a tree, directory times kept; raises ResourceError on a device file."""
    for folder, _, _, descriptor in os.fwalk(path):
        with os.scandir(descriptor) as entries:
            special = [
                entry
                for entry in entries
                if not (
                    entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False) or entry.is_symlink()
                )
            ]
        if special:
            status = os.fstat(descriptor)
            for entry in special:
                refuse_device(entry.stat(follow_symlinks=False), os.path.join(folder, entry.name))  # noqa: PTH118
                os.unlink(entry.name, dir_fd=descriptor)
            os.utime(descriptor, ns=(status.st_atime_ns, status.st_mtime_ns))


def refuse_device(status: os.stat_result, name: str) -> None:
    """Raise ResourceError when a special file is a device: copied, it would be a way into this machine."""
    if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        raise ResourceError(
            f"{name!r} is a device file, and a data directory has none", hint="remove it from the source"
        )


def remove_tree(path: Path) -> None:
    """Remove a tree, a file or a link; nothing to do when it is not there. Links are not followed.

    Entries that vanish or come meanwhile (a stopping server's) are not errors, and directories that their owner may not
    write to are opened up. Raises OSError.
    """
    try:
        parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return
    try:
        _remove_entry(parent, path.name)
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, os.fspath(path.parent / os.fsdecode(exc.filename or path.name))) from exc
    finally:
        os.close(parent)


def _remove_entry(parent: int, name: str) -> None:
    try:
        directory = _opened(parent, name)
    except FileNotFoundError:
        return
    except NotADirectoryError:  # any file, and with O_NOFOLLOW a link too
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=parent)
        return
    try:
        for attempt in range(_ATTEMPTS):
            with os.scandir(directory) as entries:
                found = list(entries)
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    _remove_entry(directory, entry.name)
                else:
                    with suppress(FileNotFoundError):
                        os.unlink(entry.name, dir_fd=directory)
            try:
                os.rmdir(name, dir_fd=parent)
            except FileNotFoundError:
                return
            except OSError as exc:
                if exc.errno != errno.ENOTEMPTY or attempt + 1 == _ATTEMPTS:
                    raise
            else:
                return
    finally:
        os.close(directory)


def _opened(parent: int, name: str) -> int:
    """Open a directory that is to be emptied, with the rights that takes."""
    try:
        directory = os.open(name, _DIRECTORY, dir_fd=parent)
    except PermissionError:
        os.chmod(name, 0o700, dir_fd=parent)
        directory = os.open(name, _DIRECTORY, dir_fd=parent)
    if os.geteuid() != 0 and (status := os.fstat(directory)).st_uid == os.geteuid() and status.st_mode & 0o300 != 0o300:
        os.fchmod(directory, 0o700)
    return directory
