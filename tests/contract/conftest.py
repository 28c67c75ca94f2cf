"""File systems and drivers that the contract suites are run on."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from envclone.cow.btrfs import BtrfsDriver
from envclone.cow.copy import CopyDriver
from envclone.cow.reflink import ReflinkDriver
from envclone.protocols import CowDriver
from tests.contract.cow import Place, PlainSources, mounted
from tests.support.leftovers import RUN


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(dir="/tmp", prefix=f"envclone-test-{RUN}-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


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
        "btrfs-plain-source": (PlainSources(), "btrfs"),
        "copy": (CopyDriver(), None),
        "copy-on-xfs": (CopyDriver(), "xfs"),
    }
    driver, mount = drivers[kind]
    root = request.getfixturevalue(mount) if mount else folder
    path = Path(tempfile.mkdtemp(dir=root))
    yield Place(driver, path)
    driver.remove(path)
    assert not path.exists()
