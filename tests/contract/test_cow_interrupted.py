"""What is left of a clone that was killed, interrupted, or found the disk full."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from envclone.cow.btrfs import BtrfsDriver
from envclone.cow.copy import CopyDriver
from envclone.cow.placing import abandoned
from envclone.cow.reflink import ReflinkDriver
from envclone.errors import BusyError, ResourceError
from envclone.protocols import CowDriver
from tests.contract.cow import Place, PlainSources, leftovers, make_many, mounted

pytestmark = pytest.mark.root
WORKER = """
import sys, importlib
from pathlib import Path
module, name, src, dst = sys.argv[1:]
getattr(importlib.import_module(module), name)().clone(Path(src), Path(dst))
"""


def interrupted(place: Place, src: Path, dst: Path, sig: signal.Signals) -> Path:
    """Start a clone in another process, send it a signal while it writes, and return the partial's name."""
    cls = type(place.driver).__mro__[0] if type(place.driver) is not PlainSources else BtrfsDriver
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
