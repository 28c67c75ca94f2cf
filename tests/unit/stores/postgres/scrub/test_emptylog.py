"""Where an empty log is made, and what killed processes leave there."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from envclone.stores.postgres.scrub import emptylog


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(emptylog, "_MEMORY", tmp_path)
    return tmp_path


def test_without_room_in_memory_it_is_made_in_its_place(
    memory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emptylog.control, "read", lambda data: SimpleNamespace(wal_segment_size=1 << 20))
    with emptylog._aside(tmp_path / "data") as folder:  # a directory of the disk is no memory
        assert folder == tmp_path / "data"
    monkeypatch.setattr(os.path, "ismount", lambda path: True)
    assert emptylog._room(1 << 20) and not emptylog._room(1 << 60)


def test_what_is_abandoned_is_swept_and_nothing_else(memory: Path) -> None:
    for name in ("envclone-log-old", "envclone-log-busy", "envclone-log-new", "other"):
        (memory / name / "pg_wal").mkdir(parents=True)
        if name != "envclone-log-new":
            os.utime(memory / name, (time.time() - 3600,) * 2)
    (memory / "envclone-log-link").symlink_to(memory / "other")
    held = os.open(memory / "envclone-log-busy", os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        emptylog._sweep()
    finally:
        os.close(held)
    left = {one.name for one in memory.iterdir()}
    assert left == {"envclone-log-busy", "envclone-log-new", "envclone-log-link", "other"}
