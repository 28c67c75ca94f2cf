"""A pool that the servers' account can enter."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from envclone.pool import Pool


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(dir="/tmp", prefix="envclone-pool-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def pool(folder: Path) -> Pool:
    return Pool.open(folder / "pool")
