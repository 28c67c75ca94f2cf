"""Places for drivers to work in, on a real XFS, a real btrfs and this machine's own file system, and trees to clone."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from envclone.cow.btrfs import BtrfsDriver
from envclone.protocols import CowDriver

NOBODY = 65534


@dataclass(frozen=True)
class Place:
    """A driver and an empty directory on a file system where it works."""

    driver: CowDriver
    path: Path

    def source(self, name: str = "src") -> Path:
        """An empty tree, made as the driver makes them."""
        path = self.path / name
        self.driver.create(path)
        return path


def make_mount(folder: Path, type: str, size: str) -> Iterator[Path]:
    """Mount a new file system at folder/mnt for the time of a test."""
    image, point = folder / "image", folder / "mnt"
    point.mkdir()
    if type == "tmpfs":
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", point], check=True)
    else:
        subprocess.run(["truncate", "-s", size, image], check=True)
        options = {"xfs": ["-m", "reflink=1"], "btrfs": [], "ext4": []}[type]
        subprocess.run([f"mkfs.{type}", "-q", *options, image], check=True, stderr=subprocess.DEVNULL)
        subprocess.run(["mount", "-o", "loop", image, point], check=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", point], check=True)
        image.unlink(missing_ok=True)
        point.rmdir()


def mounted(folder: Path, type: str, size: str) -> Iterator[Path]:
    inner = Path(tempfile.mkdtemp(dir=folder))
    inner.chmod(0o711)
    yield from make_mount(inner, type, size)


class PlainSources(BtrfsDriver):
    """The btrfs driver given trees that are not subvolumes."""

    def create(self, path: Path) -> None:
        path.mkdir(mode=0o700)


def describe(root: Path) -> dict[bytes, tuple[object, ...]]:
    """Everything that a clone must keep, by relative name."""
    found: dict[bytes, tuple[object, ...]] = {}
    groups: dict[tuple[int, int], bytes] = {}
    for folder, directories, files in os.walk(os.fsencode(root)):
        for name in [b".", *directories, *files]:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            relative = os.path.relpath(path, os.fsencode(root))
            content: object = None
            if stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:
                    content = file.read()
            elif stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            links = status.st_nlink if not stat.S_ISDIR(status.st_mode) else 0
            first = groups.setdefault((status.st_dev, status.st_ino), relative) if links > 1 else b""
            found[relative] = (
                status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, content, links, links and bool(first)
            )  # fmt: skip
    return found


def populate(root: Path) -> None:
    """A tree with one of everything."""
    (root / "base/1").mkdir(parents=True)
    (root / "base/1/data").write_bytes(os.urandom(300_000))
    (root / "base/1/empty").touch()
    (root / "base/1/readonly").write_bytes(b"x" * 5000)
    (root / "base/1/readonly").chmod(0o400)
    (root / "program").write_bytes(b"#!/bin/sh\n")
    (root / "program").chmod(0o4755)
    with open(root / "sparse", "wb") as file:
        file.truncate(50_000_000)
        file.seek(20_000_000)
        file.write(b"middle")
    os.link(root / "base/1/data", root / "hard")
    os.link(root / "base/1/data", root / "base/hard too")
    (root / "link").symlink_to("base/1/data")
    (root / "dangling").symlink_to("/nowhere/at all")
    (root / "to-directory").symlink_to("base")
    (root / "new\nline").write_bytes(b"1")
    (root / "ünïcödé").write_bytes(b"2")
    Path(os.fsdecode(os.fsencode(root) + b"/not\xff\xfeutf8")).write_bytes(b"3")
    (root / "closed").mkdir(mode=0o500)
    (root / "sticky").mkdir()
    (root / "sticky").chmod(0o2770)
    os.chown(root / "base", NOBODY, NOBODY)
    os.chown(root / "base/1/data", 12345, 54321)
    os.chown(root / "program", NOBODY, 0)
    (root / "program").chmod(0o4755)
    os.chown(root / "link", NOBODY, NOBODY, follow_symlinks=False)
    for number, path in enumerate(sorted(root.rglob("*"), reverse=True)):
        os.utime(path, ns=(1_600_000_000_123_456_789, 1_500_000_000_987_654_321 + number), follow_symlinks=False)
    root.chmod(0o750)
    os.utime(root, ns=(1, 1_400_000_000_111_222_333))


def leftovers(path: Path) -> list[str]:
    return [name for name in os.listdir(path) if ".partial-" in name or name.startswith(".")]


def make_many(root: Path, count: int, size: int = 8192) -> None:
    for number in range(count):
        if number % 250 == 0:
            inner = root / f"{number // 250}"
            inner.mkdir()
        (inner / f"{number}").write_bytes(number.to_bytes(4, "big") * (size // 4))
