"""Whether trees of files are the same bytes, at little cost: blocks that both share are not read."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from envclone.cow.extents import same_blocks
from envclone.cow.reflink import share_blocks

__all__ = ["Equal", "Shared"]

_STEP = 1 << 20


@dataclass
class Shared:
    """Shares with an earlier copy, in the directory `before`, what is to be written and is the same there."""

    before: Path | None = None
    files: int = 0
    size: int = 0

    def take(self, name: str, size: int, read: Callable[[int, int], bytes], target: int) -> bool:
        """Give an empty file the blocks of the earlier one when that has the very bytes that `read` gives.

        `read` takes a place and a length. False when it has others, or blocks cannot be shared.
        """
        if self.before is None or not size:
            return False
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            there = os.open(self.before / name, flags)
        except OSError:
            return False
        try:
            status = os.fstat(there)
            if status.st_size != size or not stat.S_ISREG(status.st_mode):
                return False
            for at in range(0, size, _STEP):
                length = min(_STEP, size - at)
                if read(at, length) != os.pread(there, length, at):
                    return False
            try:
                share_blocks(there, target, status)
            except OSError:
                os.ftruncate(target, 0)
                return False
        finally:
            os.close(there)
        self.files += 1
        self.size += size
        return True


@dataclass
class Equal:
    """What was compared: files, their bytes, and how many of these had to be read."""

    files: int = 0
    bytes: int = 0
    read: int = 0

    def of_trees(self, one: Path, other: Path, left_out: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
        """Each path that only one of two trees has, or that is not the same in both, and what of it is not."""
        here, there = dict(_entries(one, left_out)), dict(_entries(other, left_out))
        for name in sorted(here.keys() ^ there.keys()):
            yield name, "is new" if name in there else "is gone"
        for name in sorted(here.keys() & there.keys()):
            if here[name] != there[name] or (here[name][0] == "file" and not self.of_files(one / name, other / name)):
                yield name, "changed"

    def of_files(self, one: Path, other: Path) -> bool:
        """Whether two ordinary files are the same bytes. Raises OSError."""
        size = os.lstat(one).st_size
        if os.lstat(other).st_size != size:
            return False
        self.files += 1
        self.bytes += size
        if same_blocks(one, other):
            return True
        self.read += size
        with one.open("rb", buffering=0) as left, other.open("rb", buffering=0) as right:
            while chunk := left.read(_STEP):
                if chunk != right.read(len(chunk)):
                    return False
            return not right.read(1)


def _entries(top: Path, left_out: Callable[[str], bool]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Everything below a directory, and what it is; the target of a link, which is not followed."""
    folders = [""]
    while folders:
        folder = folders.pop()
        with os.scandir(f"{top}/{folder}") as entries:
            for entry in entries:
                name = f"{folder}{entry.name}"
                if left_out(name):
                    continue
                if entry.is_symlink():
                    yield name, ("link", os.fspath(Path(entry.path).readlink()))
                elif entry.is_dir(follow_symlinks=False):
                    yield name, ("folder", "")
                    folders.append(f"{name}/")
                elif entry.is_file(follow_symlinks=False):
                    yield name, ("file", "")
                else:
                    yield name, ("other", name)
