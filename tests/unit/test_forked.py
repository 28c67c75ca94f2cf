"""Work that copies of this process share."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from envclone.errors import EnvcloneError, UnsafeError
from envclone.forked import begun, fork_map, is_copy, together
from envclone.models import ProgressEvent
from envclone.protocols import Progress


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


def _silent(event: ProgressEvent) -> None:
    """Tells nobody."""


def test_works_apart_are_done_by_copies_and_the_others_here() -> None:
    def pid(progress: Progress) -> int:
        return os.getpid()

    found = together({"a": pid, "b": pid, "c": pid}, ["c"], _silent)
    assert list(found) == ["a", "b", "c"]
    assert found["a"] == found["b"] == os.getpid() != found["c"]
    assert together({"a": pid}, ["a"], _silent) == {"a": os.getpid()}
    assert together({"a": pid, "b": pid}, ["a", "b"], _silent)["a"] == os.getpid()


def test_what_a_copy_tells_is_heard_here(tmp_path: Path) -> None:
    heard: list[str] = []

    def here(progress: Progress) -> None:
        until = time.monotonic() + 60
        while "from the copy" not in heard and time.monotonic() < until:
            progress(ProgressEvent("here", 0))
            time.sleep(0.01)

    def copy(progress: Progress) -> None:
        for _ in range(10_000):  # more than a pipe holds: who does not listen keeps nobody waiting
            progress(ProgressEvent("from the copy", 0))

    together({"here": here, "copy": copy}, ["copy"], lambda event: heard.append(event.step))
    assert "from the copy" in heard


def _forever(started: Path) -> None:
    """Work that forks, as a store's does, and never ends."""

    def wait(job: int) -> None:
        (started / f"{os.getpid()}").touch()
        while True:
            time.sleep(1)

    list(fork_map(wait, range(2), 2))


def _wait_for(directory: Path, count: int) -> None:
    until = time.monotonic() + 60
    while len(list(directory.iterdir())) < count and time.monotonic() < until:
        time.sleep(0.01)


def test_a_failing_copy_ends_the_work_here_with_its_own_error(tmp_path: Path) -> None:
    def here(progress: Progress) -> None:
        while True:
            progress(ProgressEvent("here", 0))
            time.sleep(0.01)

    def fails(progress: Progress) -> None:
        _wait_for(tmp_path, 2)
        raise UnsafeError("the second store is damaged")

    works = {"here": here, "fails": fails, "other": lambda progress: _forever(tmp_path)}
    with pytest.raises(UnsafeError, match="the second store is damaged"):
        together(works, ["fails", "other"], _silent)
    assert not any(Path(f"/proc/{one.name}").exists() for one in tmp_path.iterdir())


def test_a_failure_here_ends_the_copies_and_what_they_forked(tmp_path: Path) -> None:
    def here(progress: Progress) -> None:
        _wait_for(tmp_path, 2)
        raise UnsafeError("the first store is damaged")

    with pytest.raises(UnsafeError, match="the first store is damaged"):
        together({"here": here, "other": lambda progress: _forever(tmp_path)}, ["other"], _silent)
    assert len(list(tmp_path.iterdir())) == 2
    assert not any(Path(f"/proc/{one.name}").exists() for one in tmp_path.iterdir())


def test_one_work_is_done_by_a_copy_that_knows_it_is_one() -> None:
    here = os.getpid()
    with begun(lambda: (os.getpid() == here, is_copy())) as result:
        assert result() == (False, True)
    assert not is_copy()

    def nested() -> bool:
        with begun(os.getpid) as inner:
            return inner() != os.getpid()

    with begun(nested) as result_of_nested:
        assert result_of_nested()
    with pytest.raises(UnsafeError, match="the shard is damaged") as caught, begun(_damaged) as damaged:
        damaged()
    assert caught.value.hint == "take another"


def test_a_work_that_was_begun_goes_on_beside_the_block(tmp_path: Path) -> None:
    def work() -> int:
        until = time.monotonic() + 60
        while not (tmp_path / "go").exists() and time.monotonic() < until:
            time.sleep(0.01)
        return os.getpid()

    with begun(work) as result:
        (tmp_path / "go").touch()  # it waits for what comes behind its begin
        assert result() == result() != os.getpid()


def _damaged() -> None:
    raise UnsafeError("the shard is damaged", hint="take another")
