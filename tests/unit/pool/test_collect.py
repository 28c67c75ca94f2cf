"""Working directories, and what killed processes left: judged by their locks and by nothing else."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from envclone import wait
from envclone.cow.copy import CopyDriver
from envclone.pool import Pool
from envclone.pool.collect import held, leftovers, remove, sweep_locks
from envclone.pool.workdir import workdir
from tests.unit.pool.test_locks import hold, kill

COW = CopyDriver()


def found(pool: Pool) -> set[str]:
    return {str(one.path.relative_to(pool.path)) for one in leftovers(pool)}


def test_a_working_directory_goes_with_its_context(pool: Pool) -> None:
    with workdir(pool, COW, "scan") as first, workdir(pool, COW, "scan") as second:
        assert first != second
        assert first.parent == pool.path / "work"
        (first / "file").touch()
        assert found(pool) == set()
    assert not first.exists()
    assert os.listdir(pool.path / "locks") == []
    with pytest.raises(RuntimeError), workdir(pool, COW, "snapshot", kind="tmp") as third:
        assert third.stat().st_mode & 0o777 == 0o700
        raise RuntimeError
    assert not third.exists()


def test_what_was_published_stays(pool: Pool) -> None:
    with workdir(pool, COW, "image") as building:
        (building / "x").touch()
        pool.publish(building, "images", "img-1")
    assert (pool.path / "images/img-1/x").exists()
    assert list((pool.path / "work").iterdir()) == []


def test_leftovers_are_what_nobody_is_at(pool: Pool) -> None:
    """The process in a name counts for nothing: it may be of another container, and its number given again."""
    running = os.getpid()
    gone = 4194304  # above the kernel's largest process id
    for name in (
        f"branches/.x.partial-{gone}",
        f"branches/.y.partial-{running}",
        f"branches/held/.main.partial-{gone}",
        f"branches/whole/.main.partial-{running}",
        f"images/.i.partial-{gone}",
        "images/whole",
        "work/a-1",
        "work/a-12",
        "tmp/a-1",
    ):
        (pool.path / name).mkdir(parents=True)
    (pool.path / f"keys/.k.json.partial-{running}").touch()
    writing = os.open(pool.path / f"incidents/.w.json.partial-{gone}", os.O_CREAT | os.O_WRONLY)
    fcntl.flock(writing, fcntl.LOCK_EX)
    holders = [hold(pool, "work.a-1"), hold(pool, "branches.held", "shared")]
    expected = {
        f"branches/.x.partial-{gone}",
        f"branches/.y.partial-{running}",
        f"branches/whole/.main.partial-{running}",
        f"images/.i.partial-{gone}",
        f"keys/.k.json.partial-{running}",
        "work/a-12",
        "tmp/a-1",
    }
    try:
        assert found(pool) == expected
    finally:
        for holder in holders:
            kill(holder)
    os.close(writing)
    expected |= {"work/a-1", f"branches/held/.main.partial-{gone}", f"incidents/.w.json.partial-{gone}"}
    assert found(pool) == expected
    for one in leftovers(pool):
        assert remove(pool, COW, one)
    assert found(pool) == set()
    assert (pool.path / "images/whole").is_dir()
    assert (pool.path / "branches/held").is_dir()


def test_what_is_taken_up_again_is_not_removed(pool: Pool) -> None:
    (pool.path / "work/a-1").mkdir()
    (one,) = leftovers(pool)
    holder = hold(pool, "work.a-1")
    try:
        assert not remove(pool, COW, one)
        assert one.path.is_dir()
    finally:
        kill(holder)
    assert remove(pool, COW, one)
    assert not remove(pool, COW, one)


def test_foreign_names_are_left_alone(pool: Pool) -> None:
    (pool.path / "work/My Notes.txt").touch()
    (pool.path / "images/.hidden").touch()
    assert found(pool) == set()


def test_lock_files_of_what_is_gone_are_swept(pool: Pool) -> None:
    (pool.path / "images/there").mkdir()
    for name in ("images.there", "images.gone", "making.img-1"):
        with pool.lock(name):
            pass
    holder = hold(pool, "raw.held")
    try:
        sweep_locks(pool)
        assert sorted(os.listdir(pool.path / "locks")) == ["images.there.lock", "raw.held.lock"]
    finally:
        kill(holder)


def test_a_directory_that_is_a_link_is_not_followed(pool: Pool, folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere/file").touch()
    (pool.path / "work/a-1").symlink_to(folder / "elsewhere")
    for one in leftovers(pool):
        remove(pool, COW, one)
    assert (folder / "elsewhere/file").exists()
    assert list((pool.path / "work").iterdir()) == []


ENTERED = """
import os, signal, sys
from pathlib import Path
from envclone import wait
from envclone.cow.copy import CopyDriver
from envclone.interrupts import interruptible
from envclone.pool import Pool
from envclone.pool.workdir import workdir
pool = Pool.open(Path(sys.argv[1]))
count, at = 0, int(sys.argv[2])

def trace(frame, event, argument):
    global count
    if "workdir" in frame.f_code.co_filename or "contextlib" in frame.f_code.co_filename:
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGTERM)
    return trace

with interruptible():
    try:
        sys.settrace(trace)
        with workdir(pool, CopyDriver(), "scan") as place:
            (place / "file").touch()
        sys.settrace(None)
    except KeyboardInterrupt:
        sys.settrace(None)
print(count)
"""


def test_a_signal_at_any_line_of_it_leaves_nothing(pool: Pool) -> None:
    """The signal comes at every fifth line of making and removing a working directory, one run each."""

    def run(at: int) -> int:
        done = subprocess.run(
            [sys.executable, "-c", ENTERED, str(pool.path), str(at)], capture_output=True, text=True, check=True
        )
        assert list((pool.path / "work").iterdir()) == [], at
        assert done.stderr == "", at
        return int(done.stdout)

    lines = run(0)
    assert lines > 50
    for at in range(1, lines, max(1, lines // 25)):
        run(at)


COPY = """
import os, signal, sys, time
from pathlib import Path
from envclone.pool import Pool
pool = Pool.open(Path(sys.argv[1]))
with pool.owning("work", "abandoned"):
    pool.path_of("work", "abandoned").mkdir()
    if os.fork() == 0:
        os.write(1, b"%d\\n" % os.getpid())
        time.sleep(60)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_copy_of_a_killed_process_is_at_is_told(pool: Pool) -> None:
    """A lock goes with the copies: who took it is gone, and who holds it is another process."""
    command = [sys.executable, "-c", COPY, str(pool.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={"PYTHONPATH": os.getcwd()}) as killed:
        assert killed.stdout is not None
        copy = int(killed.stdout.readline())
        assert killed.wait(30) == -signal.SIGKILL
        try:
            assert list(leftovers(pool)) == []
            assert [(one.path.name, pids) for one, pids in held(pool)] == [("abandoned", (copy,))]
        finally:
            os.kill(copy, signal.SIGKILL)
    (one,) = wait.until(lambda: list(leftovers(pool)) or None, what="the copy does not end", timeout=30)
    assert one.path.name == "abandoned" and list(held(pool)) == []
