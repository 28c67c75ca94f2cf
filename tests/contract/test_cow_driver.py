"""What every copy-on-write driver promises, tried on a real XFS, a real btrfs and this machine's own file system."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from envclone.cow.btrfs import BtrfsDriver, is_subvolume
from envclone.cow.choose import choose
from envclone.cow.copy import CopyDriver
from envclone.cow.placing import abandoned, owner_of
from envclone.cow.reflink import ReflinkDriver
from envclone.errors import BusyError, EnvcloneError, ResourceError, UsageError
from envclone.models import Account
from envclone.protocols import CowDriver
from tests.support.leftovers import RUN

pytestmark = pytest.mark.root
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


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(dir="/tmp", prefix=f"envclone-test-{RUN}-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


def mounted(folder: Path, type: str, size: str) -> Iterator[Path]:
    inner = Path(tempfile.mkdtemp(dir=folder))
    inner.chmod(0o711)
    yield from make_mount(inner, type, size)


@pytest.fixture(scope="module")
def xfs(folder: Path) -> Iterator[Path]:
    yield from mounted(folder, "xfs", "600M")


@pytest.fixture(scope="module")
def btrfs(folder: Path) -> Iterator[Path]:
    yield from mounted(folder, "btrfs", "600M")


@pytest.fixture(params=["reflink", "reflink-on-btrfs", "btrfs", "btrfs-plain-source", "copy", "copy-on-xfs"])
def place(request: pytest.FixtureRequest, folder: Path) -> Iterator[Place]:
    kind = request.param
    drivers: dict[str, tuple[CowDriver, str | None]] = {
        "reflink": (ReflinkDriver(), "xfs"),
        "reflink-on-btrfs": (ReflinkDriver(), "btrfs"),
        "btrfs": (BtrfsDriver(), "btrfs"),
        "btrfs-plain-source": (_PlainSources(), "btrfs"),
        "copy": (CopyDriver(), None),
        "copy-on-xfs": (CopyDriver(), "xfs"),
    }
    driver, mount = drivers[kind]
    root = request.getfixturevalue(mount) if mount else folder
    path = Path(tempfile.mkdtemp(dir=root))
    yield Place(driver, path)
    driver.remove(path)
    assert not path.exists()


class _PlainSources(BtrfsDriver):
    """The btrfs driver given trees that are no subvolumes."""

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
    if type(place.driver) is not _PlainSources:
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
    place.driver.create(branch / "main/inner") if type(place.driver) is not _PlainSources else None
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


def test_five_thousand_files(place: Place) -> None:
    src = place.source()
    make_many(src, 5000)
    dst = place.path / "dst"
    began = time.monotonic()
    place.driver.clone(src, dst)
    assert time.monotonic() - began < 15
    assert describe(dst) == describe(src)


def make_many(root: Path, count: int, size: int = 8192) -> None:
    for number in range(count):
        if number % 250 == 0:
            inner = root / f"{number // 250}"
            inner.mkdir()
        (inner / f"{number}").write_bytes(number.to_bytes(4, "big") * (size // 4))


WORKER = """
import sys, importlib
from pathlib import Path
module, name, src, dst = sys.argv[1:]
getattr(importlib.import_module(module), name)().clone(Path(src), Path(dst))
"""


def interrupted(place: Place, src: Path, dst: Path, sig: signal.Signals) -> Path:
    """Start a clone in another process, send it a signal while it writes, and return the partial's name."""
    cls = type(place.driver).__mro__[0] if type(place.driver) is not _PlainSources else BtrfsDriver
    for _ in range(20):
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, cls.__module__, cls.__name__, src, dst], stderr=subprocess.DEVNULL
        )
        partial = dst.with_name(f".{dst.name}.partial-{worker.pid}")
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and worker.poll() is None:
            if partial.exists() and len(os.listdir(partial)) >= 2:
                worker.send_signal(sig)
                break
        if worker.wait() in (-sig, 1, 130):
            return partial
        place.driver.remove(dst)  # it was faster than the signal
    raise AssertionError("no clone was caught at work")


@pytest.fixture
def slow_source(place: Place) -> Path:
    """A tree that no driver can clone in one step."""
    src = place.path / "src"
    src.mkdir()
    make_many(src, 5000)
    return src


def test_a_killed_clone_leaves_nothing_that_looks_complete(place: Place, slow_source: Path) -> None:
    dst = place.path / "dst"
    partial = interrupted(place, slow_source, dst, signal.SIGKILL)
    assert not dst.exists()
    assert partial.exists()
    assert abandoned(partial)
    place.driver.clone(slow_source, dst)
    assert len(list(dst.rglob("*"))) == 5020
    place.driver.remove(partial)
    assert not partial.exists()


def test_an_interrupted_clone_leaves_nothing(place: Place, slow_source: Path) -> None:
    dst = place.path / "dst"
    interrupted(place, slow_source, dst, signal.SIGINT)
    assert os.listdir(place.path) == ["src"]


def test_a_partial_of_an_earlier_process_with_this_id_is_taken_over(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    src = place.source()
    (src / "data").touch()
    stale = place.path / f".dst.partial-{os.getpid()}"
    stale.mkdir()
    (stale / "old").touch()
    with pytest.raises(BusyError, match="being made"):
        place.driver.clone(src, place.path / "dst")
    assert (stale / "old").exists()
    later = time.time() + 60
    monkeypatch.setattr("envclone.cow.placing._started", lambda pid: later)
    place.driver.clone(src, place.path / "dst")
    assert os.listdir(place.path / "dst") == ["data"]
    assert leftovers(place.path) == []


@pytest.fixture(params=["xfs", "btrfs", "tmpfs"])
def tiny(request: pytest.FixtureRequest, folder: Path) -> Iterator[Place]:
    """A driver on a file system that holds a tree once, and not twice."""
    drivers: dict[str, tuple[CowDriver, str]] = {
        "xfs": (ReflinkDriver(), "300M"),
        "btrfs": (BtrfsDriver(), "120M"),
        "tmpfs": (CopyDriver(), "40M"),
    }
    driver, size = drivers[request.param]
    for path in mounted(folder, request.param, size):
        yield Place(driver, path)


def test_a_full_disk_is_said_and_nothing_is_left(tiny: Place) -> None:
    src = tiny.path / "src"
    src.mkdir()
    make_many(src, 3000, 2000)  # so small that btrfs keeps the contents in its metadata, where they cannot be shared
    copies = 0
    fill(tiny.path / "filler")
    while copies < 40:
        try:
            tiny.driver.clone(src, tiny.path / f"dst{copies}")
        except ResourceError as exc:
            assert "disk is full" in exc.message
            assert exc.hint and "gc" in exc.hint
            break
        copies += 1
    else:
        raise AssertionError("the disk never became full")
    expected = ["filler", "src", *(f"dst{number}" for number in range(copies))]
    assert sorted(os.listdir(tiny.path)) == sorted(expected)
    for number in range(copies):
        assert len(list((tiny.path / f"dst{number}").rglob("*"))) == 3012


def fill(path: Path) -> None:
    step = 64 * 1024 * 1024
    with open(path, "wb") as file:
        while step >= 4096:
            try:
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, step)
            except OSError:
                step //= 2


def test_another_file_system_is_refused_by_what_shares_blocks(folder: Path, xfs: Path, btrfs: Path) -> None:
    src = folder / "plain"
    src.mkdir()
    (src / "data").write_bytes(b"1")
    drivers: list[tuple[CowDriver, Path]] = [(ReflinkDriver(), xfs), (BtrfsDriver(), btrfs)]
    for driver, path in drivers:
        with pytest.raises(ResourceError, match="inside one file system"):
            driver.clone(src, path / "elsewhere")
        assert not (path / "elsewhere").exists()
        assert leftovers(path) == []
    CopyDriver().clone(src, xfs / "elsewhere")
    assert (xfs / "elsewhere/data").read_bytes() == b"1"
    shutil.rmtree(xfs / "elsewhere")
    shutil.rmtree(src)


def test_ext4_has_no_reflink(folder: Path) -> None:
    for path in mounted(folder, "ext4", "20M"):
        (path / "src").mkdir()
        (path / "src/data").write_bytes(b"1")
        assert "ext4 has no reflink" in str(ReflinkDriver().supports(path))
        assert "not on btrfs" in str(BtrfsDriver().supports(path))
        for driver in (ReflinkDriver(), BtrfsDriver()):
            with pytest.raises(ResourceError):
                driver.clone(path / "src", path / "dst")
        assert choose("auto", path).name == "copy"
        with pytest.raises(ResourceError, match="'reflink' does not work") as caught:
            choose("reflink", path)
        assert caught.value.hint
        assert sorted(os.listdir(path)) == ["lost+found", "src"]


def test_auto_takes_the_best_that_works(xfs: Path, btrfs: Path) -> None:
    assert choose("auto", xfs).name == "reflink"
    assert choose("auto", btrfs).name == "btrfs"
    assert choose("reflink", btrfs).name == "reflink"
    with pytest.raises(ResourceError, match="xfs, not on btrfs"):
        choose("btrfs", xfs)


# --- subvolumes --------------------------------------------------------------------------------------------------


def test_btrfs_clones_are_subvolumes(btrfs: Path) -> None:
    driver, path = BtrfsDriver(), Path(tempfile.mkdtemp(dir=btrfs))
    (path / "plain").mkdir()
    (path / "plain/data").write_bytes(b"x" * 100_000)
    driver.clone(path / "plain", path / "one")
    driver.clone(path / "one", path / "two")
    assert not is_subvolume(path / "plain")
    assert is_subvolume(path / "one") and is_subvolume(path / "two")
    # only a snapshot keeps the inode numbers
    assert (path / "two/data").stat().st_ino == (path / "one/data").stat().st_ino
    driver.remove(path)
    assert not path.exists()


def test_btrfs_subvolumes_inside_are_cloned_too(btrfs: Path) -> None:
    driver, path = BtrfsDriver(), Path(tempfile.mkdtemp(dir=btrfs))
    driver.create(path / "src")
    driver.create(path / "src/inner")
    (path / "src/inner/data").write_bytes(b"deep")
    driver.clone(path / "src", path / "dst")
    assert (path / "dst/inner/data").read_bytes() == b"deep"
    driver.remove(path)
    assert not path.exists()


def test_btrfs_subvolumes_are_removed_at_once(btrfs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver, path = BtrfsDriver(), Path(tempfile.mkdtemp(dir=btrfs))
    for name in ("main", "main/inner", "kb"):
        driver.create(path / name)
        (path / name / "data").touch()

    def forbidden(*arguments: object, **options: object) -> None:
        raise AssertionError("files are removed one by one")

    monkeypatch.setattr(os, "unlink", forbidden)
    driver.remove(path)
    assert not path.exists()


def test_files_that_are_written_in_place_are_cloned(btrfs: Path) -> None:
    for driver in (BtrfsDriver(), ReflinkDriver()):
        path = Path(tempfile.mkdtemp(dir=btrfs))
        (path / "src").mkdir()
        subprocess.run(["chattr", "+C", path / "src"], check=True)
        (path / "src/data").write_bytes(b"x" * 100_000)
        driver.clone(path / "src", path / "dst")
        assert (path / "dst/data").read_bytes() == b"x" * 100_000
        assert driver.usage(path / "dst")[1] == 0
        driver.remove(path)


def test_btrfs_without_root(btrfs: Path) -> None:
    """Deleting a subvolume takes rights that an ordinary user lacks; it is emptied and removed like a directory."""
    path = Path(tempfile.mkdtemp(dir=btrfs))
    os.chown(path, NOBODY, NOBODY)

    def work() -> None:
        driver = BtrfsDriver()
        driver.create(path / "src")
        (path / "src/data").write_bytes(b"x" * 10_000)
        driver.clone(path / "src", path / "dst")
        assert is_subvolume(path / "dst") and (path / "dst/data").stat().st_ino == (path / "src/data").stat().st_ino
        driver.create(path / "dst/inner")
        driver.remove(path / "dst")
        assert os.listdir(path) == ["src"]

    assert as_nobody(work) == ""
    BtrfsDriver().remove(path)


def test_reflink_and_copy_without_root(folder: Path, xfs: Path) -> None:
    places: list[tuple[CowDriver, Path]] = [(ReflinkDriver(), xfs), (CopyDriver(), folder)]
    for driver, root in places:
        path = Path(tempfile.mkdtemp(dir=root))
        os.chown(path, NOBODY, NOBODY)
        src = path / "src"
        src.mkdir()
        (src / "closed").mkdir()
        (src / "closed/data").write_bytes(b"1")
        for inner in (src, src / "closed", src / "closed/data"):
            os.chown(inner, NOBODY, NOBODY)
        (src / "closed").chmod(0o500)
        (src / "roots").write_bytes(b"2")

        def work(driver: CowDriver = driver, path: Path = path) -> None:
            driver.clone(path / "src", path / "dst")
            assert (path / "dst/roots").stat().st_uid == NOBODY
            driver.remove(path / "dst")
            assert os.listdir(path) == ["src"]

        assert as_nobody(work) == ""
        (src / "roots").chmod(0o600)

        def refused(driver: CowDriver = driver, path: Path = path) -> None:
            try:
                driver.clone(path / "src", path / "dst")
            except EnvcloneError as exc:
                assert isinstance(exc, ResourceError) and "Permission denied" in exc.message and exc.hint
            else:
                raise AssertionError("a file was read that may not be")
            assert os.listdir(path) == ["src"]

        assert as_nobody(refused) == ""
        driver.remove(path)


def as_nobody(work: Callable[[], None]) -> str:
    """Run something in a child without root's rights; returns what went wrong, or ''."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = b""
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            work()
        except BaseException as exc:
            import traceback

            code = f"{exc!r} {traceback.format_exc()}".encode()
        finally:
            os.write(writer, code)
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as file:
        said = file.read().decode()
    os.waitpid(child, 0)
    return said
