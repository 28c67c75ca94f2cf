"""Locks: shared for who uses, exclusive for who makes or removes; released by the kernel."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from envclone.errors import BusyError, UsageError
from envclone.pool import Pool

HOLDER = """
import sys, time
from pathlib import Path
from envclone.pool import Pool
pool = Pool.open(Path(sys.argv[1]))
with pool.lock(sys.argv[2], shared=len(sys.argv) > 3):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(pool: Pool, name: str, *more: str) -> subprocess.Popen[str]:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, pool.path, name, *more], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    return holder


def kill(holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.communicate()


def test_a_lock_names_its_holder_and_goes_with_it(pool: Pool) -> None:
    holder = hold(pool, "branch-one")
    try:
        said = rf"the branch 'one' is in use by process {holder.pid}$"
        slept: list[float] = []
        with pytest.MonkeyPatch.context() as patched:
            real = time.sleep
            patched.setattr(time, "sleep", lambda seconds: (slept.append(seconds), real(seconds)))
            with pytest.raises(BusyError, match=said) as caught, pool.lock("branch-one", what="the branch 'one'"):
                raise AssertionError("two hold it")
        assert sum(slept) < 0.5  # what it waits itself, however busy the machine is
        began = time.monotonic()
        assert caught.value.context["pid"] == holder.pid
        with pytest.raises(BusyError), pool.lock("branch-one", timeout=0.3):
            raise AssertionError("two hold it")
        assert time.monotonic() - began >= 0.3
        with pool.lock("branch-two"):
            pass
    finally:
        kill(holder)
    with pool.lock("branch-one"):
        pass


def test_a_lock_is_waited_for(pool: Pool) -> None:
    holder = hold(pool, "branch-one")
    timer = threading.Timer(0.3, kill, [holder])
    began = time.monotonic()
    timer.start()
    with pool.lock("branch-one", timeout=20):
        assert 0.2 < time.monotonic() - began < 10
    timer.join()


def test_a_lock_excludes_threads_too_and_is_released_on_error(pool: Pool) -> None:
    with pytest.raises(KeyboardInterrupt), pool.lock("a"):
        with pytest.raises(BusyError, match=str(os.getpid())), pool.lock("a"):
            raise AssertionError("two hold it")
        raise KeyboardInterrupt
    with pool.lock("a"):
        pass
    with pytest.raises(UsageError), pool.lock("../a"):
        pass


def test_shared_locks(pool: Pool) -> None:
    holder = hold(pool, "image-x", "shared")
    try:
        with pool.lock("image-x", shared=True):
            pass
        with pytest.raises(BusyError), pool.lock("image-x"):
            raise AssertionError("two hold it")
    finally:
        kill(holder)


def test_asking_disturbs_nobody(pool: Pool) -> None:
    with pool.lock("images.img-1"):
        pass
    asking = os.open(pool.path / "locks/images.img-1.lock", os.O_RDWR)
    fcntl.flock(asking, fcntl.LOCK_SH)
    timer = threading.Timer(0.02, os.close, [asking])
    timer.start()
    with pool.lock("images.img-1"):
        pass
    timer.join()


def test_who_uses_shares_and_who_removes_is_alone(pool: Pool) -> None:
    (pool.path / "images/img-1").mkdir()
    holder = hold(pool, "images.img-1", "shared")
    try:
        with pool.using("images", "img-1") as place, pool.using("images", "img-1"):
            assert place == pool.path / "images/img-1"
        with pool.owned("images", "img-1") as free:
            assert not free
        said = f"the image img-1 is in use by process {holder.pid}$"
        with pytest.raises(BusyError, match=said), pool.owning("images", "img-1"):
            raise AssertionError("it is used")
        assert not pool.in_hand("images", "img-1")
        with pool.owned("images", "img-12") as free:  # an id that begins with another is another
            assert free
    finally:
        kill(holder)
    with pool.owning("images", "img-1"):
        assert pool.in_hand("images", "img-1")
        with pytest.raises(BusyError, match=f"process {os.getpid()}"), pool.using("images", "img-1", timeout=0):
            raise AssertionError("it is being removed")
    assert not pool.in_hand("images", "img-1")


def test_the_holder_of_a_shared_lock_is_named_although_another_ended(pool: Pool) -> None:
    first, second = hold(pool, "raw.a", "shared"), hold(pool, "raw.a", "shared")
    kill(second)
    try:
        with pytest.raises(BusyError, match=f"process {first.pid}$"), pool.owning("raw", "a"):
            raise AssertionError("it is used")
    finally:
        kill(first)


def test_a_lock_file_goes_with_its_object_and_two_never_hold_one_name(pool: Pool) -> None:
    """Many threads take one name while its file is removed again and again: never two at once."""
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(60):
            with pool.owning("work", "x", timeout=30):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 360
    assert max(most) == 1
    assert os.listdir(pool.path / "locks") == []


def test_who_waits_is_told_for_whom(pool: Pool) -> None:
    told: list[str] = []
    with (
        pool.lock("making.x"),
        pytest.raises(BusyError),
        pool.lock("making.x", timeout=1.2, what="the making of x", waiting=told.append),
    ):
        pass
    assert told == [f"waiting for process {os.getpid()}: the making of x"]
