"""What every copy-on-write driver promises, tried on a real XFS, a real btrfs and this machine's own file system."""

from __future__ import annotations

import os
import resource
import socket
import stat
import subprocess
import time
from pathlib import Path

import pytest

from envclone.cow.btrfs import is_subvolume
from envclone.cow.copy import CopyDriver
from envclone.cow.placing import owner_of
from envclone.errors import BusyError, ResourceError, UsageError
from envclone.models import Account
from envclone.protocols import CowDriver
from tests.contract.cow import NOBODY, Place, PlainSources, describe, leftovers, make_many, populate

pytestmark = pytest.mark.root


def test_is_a_driver(place: Place) -> None:
    assert isinstance(place.driver, CowDriver)
    assert place.driver.supports(place.path) is None
    assert os.listdir(place.path) == []


def test_create_makes_an_empty_private_tree(place: Place) -> None:
    path = place.path / "tree"
    place.driver.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert os.listdir(path) == []
    assert os.listdir(place.path) == ["tree"]
    if type(place.driver) is not PlainSources:
        with pytest.raises(BusyError):
            place.driver.create(path)
        with pytest.raises(UsageError):
            place.driver.create(place.path / "no/such")


def test_a_clone_is_the_same_in_everything(place: Place) -> None:
    src = place.source()
    populate(src)
    before = describe(src)
    place.driver.clone(src, place.path / "dst")
    assert describe(place.path / "dst") == before
    assert describe(src) == before
    data = (place.path / "dst/base/1/data").stat()
    assert data.st_nlink == 3
    assert (place.path / "dst/hard").stat().st_ino == data.st_ino
    assert data.st_ino != (src / "hard").stat().st_ino or data.st_dev != (src / "hard").stat().st_dev
    assert (place.path / "dst/sparse").stat().st_blocks * 512 < 1_000_000
    assert leftovers(place.path) == []


def test_a_clone_gives_what_is_named_to_an_account_or_leaves_it_as_it_was(place: Place) -> None:
    src = place.source()
    populate(src)
    place.driver.clone(src, place.path / "dst", given={"base": Account("nobody", NOBODY, NOBODY)})
    was, now = describe(src), describe(place.path / "dst")
    owners = {path.lstat().st_uid for path in [place.path / "dst/base", *(place.path / "dst/base").rglob("*")]}
    others = [path for path in (place.path / "dst").rglob("*") if "base" not in path.relative_to(place.path).parts]
    assert owners == {NOBODY} or was == now
    assert all(path.lstat().st_uid == (src / path.relative_to(place.path / "dst")).lstat().st_uid for path in others
               if path.lstat().st_nlink == 1)  # fmt: skip
    assert now.keys() == was.keys()


def test_a_clone_of_a_clone_is_the_same(place: Place) -> None:
    src = place.source()
    populate(src)
    place.driver.clone(src, place.path / "one")
    place.driver.clone(place.path / "one", place.path / "two")
    place.driver.remove(place.path / "one")
    assert describe(place.path / "two") == describe(src)


def test_clones_are_independent(place: Place) -> None:
    src = place.source()
    content = os.urandom(1_000_000)
    (src / "data").write_bytes(content)
    (src / "goes").write_bytes(b"away")
    dst = place.path / "dst"
    place.driver.clone(src, dst)
    with open(dst / "data", "r+b") as file:
        file.seek(500_000)
        file.write(b"changed")
    (dst / "goes").unlink()
    (dst / "comes").touch()
    assert (src / "data").read_bytes() == content
    assert sorted(os.listdir(src)) == ["data", "goes"]
    with open(src / "data", "r+b") as file:
        file.write(b"source")
    assert (dst / "data").read_bytes() == content[:500_000] + b"changed" + content[500_007:]
    place.driver.remove(src)
    assert (dst / "data").read_bytes()[:6] == content[:6]


def test_sockets_and_fifos_are_skipped(place: Place) -> None:
    src = place.source()
    (src / "inner").mkdir()
    os.mkfifo(src / "inner/fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(src / "s"))
        (src / "inner/data").write_bytes(b"1")
        place.driver.clone(src, place.path / "dst")
    assert (place.path / "dst").stat().st_mtime_ns == src.stat().st_mtime_ns
    assert (place.path / "dst/inner").stat().st_mtime_ns == (src / "inner").stat().st_mtime_ns
    assert sorted(path.name for path in (place.path / "dst").rglob("*")) == ["data", "inner"]


def test_a_device_is_refused(place: Place) -> None:
    src = place.source()
    (src / "data").write_bytes(b"1")
    os.mknod(src / "zero", stat.S_IFCHR | 0o600, os.makedev(1, 5))
    with pytest.raises(ResourceError, match="device"):
        place.driver.clone(src, place.path / "dst")
    assert os.listdir(place.path) == ["src"]


def test_what_exists_is_not_overwritten(place: Place) -> None:
    src = place.source()
    (src / "data").write_bytes(b"new")
    for name in ("full", "empty"):
        (place.path / name).mkdir()
    (place.path / "full/data").write_bytes(b"old")
    (place.path / "file").write_bytes(b"old")
    (place.path / "dangling").symlink_to("nowhere")
    for name in ("full", "empty", "file", "dangling"):
        with pytest.raises(BusyError, match="exists already"):
            place.driver.clone(src, place.path / name)
    assert (place.path / "full/data").read_bytes() == b"old"
    assert leftovers(place.path) == []


def test_what_comes_meanwhile_is_not_overwritten(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    src = place.source()
    (src / "data").write_bytes(b"new")
    dst = place.path / "dst"
    rename = Path.rename

    def late(self: Path, target: Path) -> Path:
        if owner_of(self) is not None and target == dst:
            dst.mkdir()
            (dst / "data").write_bytes(b"old")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", late)
    with pytest.raises(BusyError):
        place.driver.clone(src, dst)
    assert (dst / "data").read_bytes() == b"old"
    assert leftovers(place.path) == []


def test_a_source_that_is_no_directory_is_refused(place: Place) -> None:
    (place.path / "file").touch()
    (place.path / "real").mkdir()
    (place.path / "link").symlink_to("real")
    for name in ("missing", "file", "link", "file/inner"):
        with pytest.raises(UsageError):
            place.driver.clone(place.path / name, place.path / "dst")
    with pytest.raises(UsageError, match="does not exist"):
        place.driver.clone(place.path / "real", place.path / "no/such/dst")
    assert sorted(os.listdir(place.path)) == ["file", "link", "real"]


def test_remove(place: Place) -> None:
    place.driver.remove(place.path / "never was")
    outside = place.path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    src = place.source()
    populate(src)
    (src / "escape").symlink_to(outside)
    place.driver.clone(src, place.path / "dst")
    place.driver.remove(place.path / "dst")
    place.driver.remove(place.path / "dst")
    (place.path / "file").touch()
    place.driver.remove(place.path / "file")
    (place.path / "link").symlink_to(outside)
    place.driver.remove(place.path / "link")
    assert sorted(os.listdir(place.path)) == ["outside", "src"]
    assert (outside / "kept").exists()


def test_remove_takes_nested_trees(place: Place) -> None:
    branch = place.path / "branch"
    branch.mkdir()
    src = place.source()
    (src / "data").touch()
    place.driver.clone(src, branch / "main")
    place.driver.create(branch / "main/inner") if type(place.driver) is not PlainSources else None
    place.driver.clone(src, branch / "kb")
    place.driver.remove(branch)
    assert os.listdir(place.path) == ["src"]


def test_usage_tells_shared_from_own(place: Place) -> None:
    src = place.source()
    mebi = 1024 * 1024
    (src / "data").write_bytes(os.urandom(8 * mebi))
    (src / "more").write_bytes(os.urandom(2 * mebi))
    os.link(src / "data", src / "hard")
    assert place.driver.usage(src) == (10 * mebi, 10 * mebi)
    dst = place.path / "dst"
    place.driver.clone(src, dst)
    shares = not (place.driver.name == "copy" and place.driver.usage(dst)[1])
    assert shares or isinstance(place.driver, CopyDriver)
    if not shares:
        assert place.driver.usage(dst) == (10 * mebi, 10 * mebi)
        return
    assert place.driver.usage(dst) == (10 * mebi, 0)
    assert place.driver.usage(src) == (10 * mebi, 0)
    with open(dst / "data", "r+b") as file:
        file.seek(4 * mebi)
        file.write(os.urandom(mebi))
    referenced, own = place.driver.usage(dst)
    assert own == mebi
    assert 10 * mebi <= referenced <= 11 * mebi
    with open(dst / "hole", "wb") as file:
        file.truncate(100 * mebi)
    os.mkfifo(dst / "fifo")
    (dst / "link").symlink_to("data")
    assert place.driver.usage(dst)[1] == mebi
    if is_subvolume(src):  # btrfs frees a removed subvolume when its cleaner comes by, up to 30 s later
        return
    place.driver.remove(src)
    deadline = time.monotonic() + 60
    while place.driver.usage(dst)[1] < 10 * mebi:  # what was removed is freed a moment later
        assert time.monotonic() < deadline
        subprocess.run(["sync", "--file-system", place.path], check=True)
        time.sleep(0.05)


def _worked() -> float:
    """Seconds of processor time of this process and of those that it waited for."""
    return sum(sum(resource.getrusage(whose)[:2]) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def test_five_thousand_files(place: Place) -> None:
    src = place.source()
    make_many(src, 5000)
    dst = place.path / "dst"
    began = _worked()
    place.driver.clone(src, dst)
    assert _worked() - began < 15
    assert describe(dst) == describe(src)
