"""The tree walk against trees that change under it, and plain copies where the kernel does not help."""

from __future__ import annotations

import errno
import os
import subprocess
import threading
from pathlib import Path

import pytest

from envclone.cow.copy import CopyDriver, copy_bytes
from envclone.cow.tree import copy_tree, remove_tree
from envclone.errors import EnvcloneError, ResourceError


def test_a_directory_swapped_for_a_link_does_not_lead_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner of a tree must not be able to make root read another's files."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "data").write_bytes(b"secret")
    src = tmp_path / "src"
    (src / "inner").mkdir(parents=True)
    mkdir = os.mkdir

    def swapping(name: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        mkdir(name, mode, dir_fd=dir_fd)
        if name == "inner":  # it has been read as a directory, and is opened next
            (src / "inner").rename(src / "away")
            (src / "inner").symlink_to(secret)

    monkeypatch.setattr(os, "mkdir", swapping)
    with pytest.raises(EnvcloneError, match="inner"):
        CopyDriver().clone(src, tmp_path / "dst")
    assert sorted(os.listdir(tmp_path)) == ["secret", "src"]


@pytest.mark.parametrize("code", [errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL])
def test_copies_without_copy_file_range(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    calls = []

    def refused(*arguments: object) -> int:
        calls.append(arguments)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "copy_file_range", refused)
    src = tmp_path / "src"
    src.mkdir()
    content = os.urandom(3_000_001)
    (src / "data").write_bytes(content)
    with open(src / "sparse", "wb") as file:
        file.seek(10_000_000)
        file.write(content)
        file.truncate(40_000_000)
    CopyDriver().clone(src, tmp_path / "dst")
    assert calls
    assert (tmp_path / "dst/data").read_bytes() == content
    assert (tmp_path / "dst/sparse").read_bytes() == (src / "sparse").read_bytes()
    assert (tmp_path / "dst/sparse").stat().st_blocks * 512 < 4_000_000


def test_an_error_in_the_middle_of_a_copy_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "copy_file_range", full)
    (tmp_path / "src").mkdir()
    (tmp_path / "src/data").write_bytes(b"1")
    with pytest.raises(EnvcloneError, match="disk is full"):
        CopyDriver().clone(tmp_path / "src", tmp_path / "dst")
    assert os.listdir(tmp_path) == ["src"]


def test_a_copy_tells_its_cost(tmp_path: Path) -> None:
    src = tmp_path / "src"
    src.mkdir()
    (src / "data").write_bytes(os.urandom(1 << 20))
    with open(src / "hole", "wb") as file:
        file.truncate(1 << 30)
    size, seconds = CopyDriver().cost(src)
    assert 1 << 20 <= size < 1 << 21
    assert 0 < seconds < 1


def test_umask_does_not_show(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/data").write_bytes(b"1")
    (tmp_path / "src/data").chmod(0o666)
    before = os.umask(0o777)
    try:
        (tmp_path / "dst").mkdir()
        os.chmod(tmp_path / "dst", 0o700)
        copy_tree(tmp_path / "src", tmp_path / "dst", copy_bytes)
    finally:
        os.umask(before)
    assert (tmp_path / "dst/data").stat().st_mode & 0o777 == 0o666


def test_removal_forgives_what_vanishes_and_what_comes(tmp_path: Path) -> None:
    for _ in range(30):
        tree = tmp_path / "tree"
        tree.mkdir()
        for number in range(100):
            (tree / str(number)).touch()

        def vanish(tree: Path = tree) -> None:
            for number in reversed(range(100)):
                try:
                    (tree / str(number)).unlink(missing_ok=True)
                except OSError:
                    return

        thread = threading.Thread(target=vanish)
        thread.start()
        remove_tree(tree)
        thread.join()
        assert not tree.exists()


@pytest.mark.root
def test_removal_names_what_it_could_not_remove(tmp_path: Path) -> None:
    inner = tmp_path / "tree/inner"
    inner.mkdir(parents=True)
    (inner / "immutable").touch()
    subprocess.run(["chattr", "+i", inner / "immutable"], check=True)
    try:
        with pytest.raises(ResourceError, match="immutable"):
            CopyDriver().remove(tmp_path / "tree")
    finally:
        subprocess.run(["find", tmp_path, "-name", "immutable", "-exec", "chattr", "-i", "{}", ";"], check=True)


def test_removal_of_what_is_not_there(tmp_path: Path) -> None:
    remove_tree(tmp_path / "missing" / "inner")
    remove_tree(tmp_path / "missing")
    (tmp_path / "file").touch()
    remove_tree(tmp_path / "file")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("apart", [False, True])
def test_many_files_are_copied_as_few_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, apart: bool) -> None:
    """By two processes or by one: contents, times, modes, names of one file in several directories, links."""
    alone = os.getpid()
    workers = tmp_path / "workers"

    def told(source: int, target: int, status: os.stat_result) -> None:
        copy_bytes(source, target, status)
        with workers.open("a") as file:
            file.write(f"{os.getpid()}\n")

    src = tmp_path / "src"
    for number in range(300):
        file = src / f"{number % 7}/{number % 3}" / str(number)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"%d" % number * (number % 5))
        file.chmod(0o600 + number % 8 * 8)
        os.utime(file, ns=(10**18 + number, 10**18 + 7 * number))
    os.link(src / "0/0/0", src / "3/1/again")
    os.link(src / "0/0/0", src / "6/2/again")
    (src / "link").symlink_to("0/0")
    (src / "empty").mkdir(mode=0o750)
    for folder in src.rglob("*/"):
        os.utime(folder, ns=(10**17, 10**17 + len(folder.name)))
    monkeypatch.setattr(threading, "active_count", lambda: 1 if apart else 2)
    (tmp_path / "dst").mkdir()
    copy_tree(src, tmp_path / "dst", told)
    assert _described(tmp_path / "dst") == _described(src)
    inodes = {(tmp_path / "dst" / name).stat().st_ino for name in ("0/0/0", "3/1/again", "6/2/again")}
    assert len(inodes) == 1
    assert len(set(workers.read_text().split()) - {str(alone)}) == apart


def _described(tree: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(tree.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        target = os.readlink(path) if path.is_symlink() else ""
        found[str(path.relative_to(tree))] = (status.st_mode, status.st_mtime_ns, status.st_nlink, content, target)
    return found


def test_what_a_second_process_cannot_copy_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is the same, and nothing is left, whichever of the two it met."""
    alone = os.getpid()

    def full(source: int, target: int, status: os.stat_result) -> None:
        if os.getpid() != alone:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        copy_bytes(source, target, status)

    for number in range(300):
        file = tmp_path / f"src/{number % 2}" / str(number)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"1")
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setattr("envclone.cow.copy.copy_bytes", full)
    with pytest.raises(EnvcloneError, match="disk is full"):
        CopyDriver().clone(tmp_path / "src", tmp_path / "dst")
    assert os.listdir(tmp_path) == ["src"]
