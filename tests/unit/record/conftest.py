"""A recorder that runs, for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from envclone import record
from tests.unit.record.ring import Recording


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    """A recorder in a directory that it makes."""
    directory = tmp_path / "recordings"
    record.start(str(directory), application={"commit": "c0ffee"})
    yield Recording(directory)
    record.stop()
