"""Work that copies of this process share."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from envclone.errors import EnvcloneError, UnsafeError
from envclone.forked import fork_map


def test_every_job_is_done_once() -> None:
    assert sorted(fork_map(lambda job: job * job, range(1000), 3)) == [job * job for job in range(1000)]


def test_nobody_waits_behind_a_long_job(tmp_path: Path) -> None:
    def work(job: int) -> bool:
        if job == 8:
            (tmp_path / "done").touch()
        until = time.monotonic() + 60
        while job == 0 and not (tmp_path / "done").exists() and time.monotonic() < until:
            time.sleep(0.01)
        return (tmp_path / "done").exists()

    assert all(found for job, found in fork_map(lambda job: (job, work(job)), range(10), 2) if job in (0, 8))


def test_the_first_error_is_raised_and_ends_all() -> None:
    def work(job: int) -> int:
        if job == 3:
            raise UnsafeError("this one")
        return os.getpid()

    with pytest.raises(UnsafeError, match="this one"):
        list(fork_map(work, range(10), 2))


def test_a_bug_is_told_without_what_it_was_about() -> None:
    with pytest.raises(EnvcloneError) as caught:
        list(fork_map(lambda job: {}["a person"], range(4), 2))
    assert "a person" not in caught.value.message
    assert "KeyError" in caught.value.message


def test_each_job_is_taken_once() -> None:
    """A file's offset that processes share is moved by one at a time only where the kernel says so: not here."""
    for _ in range(5):
        assert sorted(fork_map(lambda job: job, range(4000), 4)) == list(range(4000))
