"""The ring on disk: private, of fixed size, keeping what failed; and every way in which a disk can fail."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from envclone import process, record
from envclone.record import ring as module
from tests.unit.record.ring import Recording


def _requests(count: int, size: int, *, failing: frozenset[int] = frozenset()) -> None:
    for number in range(count):
        try:
            with record.session(f"request {number}"):
                record.note(text="x" * size)
                if number in failing:
                    raise ValueError("no")
        except ValueError:
            pass
        record.flush()


def test_files_are_for_their_owner_alone(recording: Recording) -> None:
    _requests(1, 10, failing=frozenset({0}))
    assert stat.S_IMODE(recording.directory.stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in recording.directory.iterdir()}
    assert modes == {0o600} and len(list(recording.directory.iterdir())) == 2


def test_what_failed_stays_while_the_ring_goes_on(tmp_path: Path) -> None:
    here = Recording(tmp_path / "r")
    record.start(str(here.directory), recent=512 << 10, kept=512 << 10)
    _requests(200, 8000, failing=frozenset({3, 5}))
    record.stop()
    sizes = sum(path.stat().st_size for path in here.directory.glob("recent-*"))
    assert sizes <= 512 << 10
    recent = [values["name"] for name, _, values in here.all() if name == "start"]
    assert "request 3" not in recent and "request 199" in recent
    kept = [values["name"] for name, _, values in here.all("kept") if name == "start"]
    assert kept == ["request 3", "request 5"]
    assert [values["error"] for name, _, values in here.all("kept") if name == "end"] == ["ValueError: no"] * 2


def test_a_complaint_comes_later(recording: Recording) -> None:
    with record.session("asked") as asked:
        record.note(answer=42)
    assert asked.id is not None
    with record.session("feedback"):
        assert record.flag("user complained", asked.id)
    assert not record.flag("nobody", "abcd")
    kept = [(name, request) for name, request, _ in recording.all("kept") if name != "about"]
    assert kept == [(name, asked.id) for name in ("start", "call", "end", "flag")]


def test_a_flag_keeps_the_request_that_runs(recording: Recording) -> None:
    with record.session("asked"):
        record.flag("odd")
    names = [name for name, _, _ in recording.all("kept")]
    assert names == ["about", "start", "flag", "end"]
    assert record.status()["kept"] == 1


def test_a_program_says_what_is_kept(tmp_path: Path) -> None:
    here = Recording(tmp_path / "r")
    record.start(str(here.directory), keep=lambda request: request["name"] == "slow")
    for name in ("quick", "slow"):
        with record.session(name):
            pass
    assert [values["name"] for name, _, values in here.all("kept") if name == "start"] == ["slow"]
    record.stop()


def test_a_full_disk_loses_what_it_does_not_take_and_nothing_else(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    room = [900]

    def write(descriptor: int, data: memoryview) -> int:
        if room[0] <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = min(room[0], len(data))  # a full disk takes a part first
        room[0] -= taken
        return real(descriptor, data[:taken])

    monkeypatch.setattr(module.os, "write", write)
    monkeypatch.setattr(module, "_PATIENCE", 0.0)
    _requests(10, 100)
    status = record.status()
    assert status["lost"] > 0 and status["why"] == "No space left on device"
    before = recording.all()
    room[0] = 1 << 30
    _requests(1, 100)
    after = recording.all()
    assert after[: len(before)] == before and ("end" in [name for name, _, _ in after[len(before) :]])
    assert any(name == "lost" and values["lost"] > 0 for name, _, values in after), "it says that something is missing"


def test_a_directory_that_goes_away_is_made_again(recording: Recording) -> None:
    _requests(1, 10)
    for path in recording.directory.iterdir():
        path.unlink()
    recording.directory.rmdir()
    _requests(1, 10)
    assert [name for name, _, _ in recording.all()].count("start") == 1


@pytest.mark.parametrize("mode", [0o755, 0o770])
def test_a_directory_of_others_is_not_written(tmp_path: Path, mode: int) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(mode)
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    for directory in (shared, link):
        record.start(str(directory))
        _requests(2, 10)
        status = record.status()
        record.stop()
        assert "must be a directory of this user's, of mode 0700" in status["why"] and status["written"] == 0
    assert list(shared.iterdir()) == []


def test_no_permission_breaks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(module.os, "open", refused)  # before it starts: its thread opens a file at once
    record.start(str(tmp_path / "recordings"))
    _requests(3, 10)
    record.flush()
    status = record.status()
    record.stop()
    assert status["why"] == "Permission denied" and status["lost"] > 0


KILLED = """
import os, signal, sys
from envclone import record
record.start(sys.argv[1])
with record.session("killed"):
    for number in range(50):
        record.note(number=number)
        record.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_loses_at_most_its_last_call(tmp_path: Path) -> None:
    here = Recording(tmp_path / "r")
    done = process.run(
        [sys.executable, "-c", KILLED, str(here.directory)], env={"PYTHONPATH": os.getcwd()}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert [values["values"]["number"] for name, _, values in here.all() if name == "call"][:49] == list(range(49))


HANGS = """
import sys, time
from envclone import record
record.start(sys.argv[1])
time.sleep(0.1)
for name in ("short", "hangs"):
    with record.session(name):
        if name == "hangs":
            print(flush=True)
            time.sleep(60)
"""


def test_what_wakes_nobody_is_written_all_the_same(tmp_path: Path) -> None:
    here = Recording(tmp_path / "r")
    command = [sys.executable, "-c", HANGS, str(here.directory)]
    with subprocess.Popen(command, env={"PYTHONPATH": os.getcwd()}, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        deadline = time.monotonic() + 30
        while len(found := here.all()) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        child.kill()
    assert [(kind, values.get("name")) for kind, _, values in found] == [
        ("about", None), ("start", "short"), ("end", None), ("start", "hangs")
    ]  # fmt: skip


FORKED = """
import os, sys, threading
from envclone import record
record.start(sys.argv[1])
with record.session("parent"):
    record.note(who="parent")
    pids = []
    for number in range(3):
        pid = os.fork()
        if pid == 0:
            record.note(who=f"child {number}")
            with record.session("part"):
                pass
            assert record.flush(), "the child has a thread of its own"
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        assert os.waitpid(pid, 0)[1] == 0
    record.note(who="parent again")
with record.session("after"):
    pass
record.stop()
"""


def test_children_of_a_fork_write_files_of_their_own(tmp_path: Path) -> None:
    here = Recording(tmp_path / "r")
    environment = {"PYTHONPATH": os.getcwd(), "PYTHONWARNINGS": "ignore"}
    process.run([sys.executable, "-c", FORKED, str(here.directory)], env=environment)
    assert len(list(here.directory.glob("recent-*"))) == 4
    said = [values["values"]["who"] for name, _, values in here.all() if name == "call" and "values" in values]
    assert sorted(said) == ["child 0", "child 1", "child 2", "parent", "parent again"]
