"""What each copy-on-write driver does on its own file system, and without root."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from envclone.cow.btrfs import BtrfsDriver, is_subvolume
from envclone.cow.choose import choose
from envclone.cow.copy import CopyDriver
from envclone.cow.reflink import ReflinkDriver
from envclone.errors import EnvcloneError, ResourceError
from envclone.protocols import CowDriver
from tests.contract.cow import NOBODY, leftovers, mounted

pytestmark = pytest.mark.root


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
