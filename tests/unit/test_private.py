"""Private files are there whole, also when two processes write one."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from envclone.private import locked_sibling, write_private


def test_a_private_file_is_its_owner_s_and_replaces_the_one_before(tmp_path: Path) -> None:
    for text in ("one", "two"):
        write_private(tmp_path / "x", text)
        assert (tmp_path / "x").read_text() == text
        assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["x"]


def test_writers_do_not_disturb_each_other(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def write(letter: str) -> None:
        try:
            for _ in range(50):
                write_private(tmp_path / "x", letter * 10_000)
                assert len(set((tmp_path / "x").read_text())) == 1
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert os.listdir(tmp_path) == ["x"]


def test_what_is_being_written_is_locked(tmp_path: Path) -> None:
    partial, descriptor = locked_sibling(tmp_path / "x")
    other = os.open(partial, os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)
