"""The loop-mounted pool, on this machine's real loop devices."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from envclone import process
from envclone.cow import loop
from envclone.cow.choose import choose
from envclone.cow.mounts import mount_at, mount_of
from envclone.errors import BusyError, CommandError, EnvcloneError, ResourceError, UsageError
from tests.support.leftovers import RUN

pytestmark = pytest.mark.root
SIZE = 400 * 1024**2


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(dir="/tmp", prefix=f"envclone-test-{RUN}-"))
    path.chmod(0o711)
    yield path
    for name in ("pool", "a [odd] näme\n"):
        if mount_at(path / name):
            subprocess.run(["umount", "--lazy", path / name], check=True)
    shutil.rmtree(path)


def devices(folder: Path) -> list[str]:
    """The loop devices whose file is in `folder`."""
    found = []
    for entry in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            if str(folder) in entry.read_text():
                found.append(entry.parts[3])
        except OSError:
            continue
    return found


def test_a_pool_is_made_used_and_removed(folder: Path) -> None:
    path = folder / "pool"
    pool = loop.create(path, SIZE)
    assert (pool.path, pool.image, pool.size, pool.mounted) == (path, folder / "pool.img", SIZE, True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o711
    assert stat.S_IMODE(pool.image.stat().st_mode) == 0o600
    assert pool.allocated < SIZE / 2
    assert 0 < pool.used < pool.free < SIZE
    found = mount_at(path)
    assert found is not None and found.type == "xfs" and {"nosuid", "nodev"} <= found.options
    assert choose("auto", path).name == "reflink"
    assert devices(folder) == [Path(pool.device).name]
    loop.remove(path)
    assert os.listdir(folder) == []
    assert devices(folder) == []
    assert loop.status(path) is None


def test_what_is_there_is_returned(folder: Path) -> None:
    path = folder / "pool"
    made = loop.create(path, SIZE)
    (path / "kept").write_text("1")
    assert loop.create(path, 2 * SIZE).image == made.image
    assert loop.mount(path).mounted
    loop.unmount(path)
    loop.unmount(path)
    assert devices(folder) == []
    seen = loop.status(path)
    assert seen is not None and not seen.mounted and seen.size == SIZE
    assert loop.create(path, 2 * SIZE).size == SIZE
    assert (path / "kept").read_text() == "1"
    loop.unmount(path)
    assert loop.mount(path).mounted
    assert (path / "kept").read_text() == "1"
    loop.remove(path, force=True)
    loop.remove(path, force=True)
    assert os.listdir(folder) == []


def test_names_with_blanks_and_newlines(folder: Path) -> None:
    path = folder / "a [odd] näme\n"
    loop.create(path, SIZE)
    assert loop.status(path) is not None
    assert mount_of(path / "below") == mount_at(path)
    (folder / ".a [odd] näme\n.img.partial-4194304").touch()
    loop.remove(path)
    assert os.listdir(folder) == []


def test_an_image_elsewhere(folder: Path) -> None:
    image = folder / "disks/image"
    pool = loop.create(folder / "pool", SIZE, image)
    assert pool.image == image
    loop.remove(folder / "pool")
    assert not image.exists() and not (folder / "pool").exists()


def test_too_small_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="300M"):
        loop.create(folder / "pool", loop.MINIMUM - 1)
    assert os.listdir(folder) == []
    loop.create(folder / "pool", loop.MINIMUM)
    loop.remove(folder / "pool")


def test_a_directory_in_use_is_refused(folder: Path) -> None:
    (folder / "pool").mkdir()
    (folder / "pool/data").write_text("1")
    with pytest.raises(BusyError, match="not empty"):
        loop.create(folder / "pool", SIZE)
    (folder / "file").touch()
    with pytest.raises(BusyError, match="not a directory"):
        loop.create(folder / "file", SIZE)
    assert sorted(os.listdir(folder)) == ["file", "pool"]
    with pytest.raises(BusyError, match="something else"):
        loop.create(Path("/proc"), SIZE)
    with pytest.raises(UsageError, match="not a loop-mounted pool"):
        loop.unmount(Path("/proc"))


def test_more_than_the_disk_holds_is_allowed_with_a_warning(folder: Path) -> None:
    space = os.statvfs(folder)
    pool = loop.create(folder / "pool", space.f_bavail * space.f_frsize + 50 * 1024**3)
    assert "may grow to" in pool.warning
    seen = loop.status(folder / "pool")
    assert seen is not None and "the host's disk has" in seen.warning
    loop.remove(folder / "pool")


def test_what_holds_something_is_removed_only_by_force(folder: Path) -> None:
    path = folder / "pool"
    loop.create(path, SIZE)
    (path / "images").mkdir()
    (path / "pool.json").touch()
    (path / "images/one").mkdir()
    with pytest.raises(BusyError, match="1 in images/"):
        loop.remove(path)
    loop.unmount(path)
    with pytest.raises(BusyError, match="1 in images/"):
        loop.remove(path)
    (path / "images/one").rmdir()
    loop.remove(path)
    assert os.listdir(folder) == []


def test_a_pool_in_use_names_its_users(folder: Path) -> None:
    path = folder / "pool"
    loop.create(path, SIZE)
    with open(path / "open", "w"):
        for action in (lambda: loop.unmount(path), lambda: loop.remove(path, force=True)):
            with pytest.raises(BusyError, match=str(os.getpid())):
                action()
    loop.remove(path, force=True)
    assert os.listdir(folder) == []


def test_without_an_image_nothing_is_mounted(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"no pool image") as caught:
        loop.mount(folder / "pool")
    assert "envclone pool create" in str(caught.value.hint)
    (folder / "pool.img").write_bytes(b"no file system" * 100_000)
    with pytest.raises(ResourceError, match="cannot mount"):
        loop.mount(folder / "pool")
    assert os.listdir(folder) == ["pool.img"]
    assert devices(folder) == []
    with pytest.raises(ResourceError, match="cannot mount"):
        loop.create(folder / "pool", SIZE)
    assert os.listdir(folder) == ["pool.img"]


@pytest.mark.parametrize("program", ["mkfs.xfs", "mount"])
def test_what_fails_half_way_is_cleaned_up(folder: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    run = process.run

    def failing(argv: list[object], **options: object) -> process.Completed:
        if argv[0] == program:
            raise CommandError(f"{program} failed", argv=[program], returncode=1, stderr="no\n")
        return run(argv, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(process, "run", failing)
    with pytest.raises(EnvcloneError):
        loop.create(folder / "pool", SIZE)
    assert os.listdir(folder) == []
    assert devices(folder) == []


def test_an_interrupt_after_the_mount_is_cleaned_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(path: Path) -> None:
        assert mount_at(path)
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "_require", interrupted)
    with pytest.raises(KeyboardInterrupt):
        loop.create(folder / "pool", SIZE)
    assert os.listdir(folder) == []
    assert devices(folder) == []


def test_a_missing_program_names_the_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(argv: list[object], **options: object) -> process.Completed:
        raise ResourceError(f"the program {argv[0]} is not installed")

    monkeypatch.setattr(process, "run", absent)
    with pytest.raises(ResourceError, match=r"mkfs\.xfs") as caught:
        loop.create(folder / "pool", SIZE)
    assert caught.value.hint == "apt-get install xfsprogs"
    assert os.listdir(folder) == []


def test_without_root_it_says_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ResourceError, match="only root") as caught:
        loop.create(folder / "pool", SIZE)
    assert "sudo" in str(caught.value.hint)
    assert os.listdir(folder) == []


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("20G", 20 * 1024**3),
        ("512MiB", 512 * 1024**2),
        ("1.5T", 3 * 1024**4 // 2),
        ("4096", 4096),
        ("7 kb", 7168),
        ("9B", 9),
    ],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert loop.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1G", "20X", "1e9", "20G20", "٢G", "nan"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a size"):
        loop.parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1, "1 byte"), (1023, "1023 bytes"), (300 * 1024**2, "300M"), (3 * 1024**3 // 2, "1.5G")],
)
def test_sizes_are_written(size: int, text: str) -> None:
    assert loop.format_size(size) == text
