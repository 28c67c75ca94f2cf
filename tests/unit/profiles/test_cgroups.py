"""Control groups of version 2, on a directory that looks like the kernel's (version 1 is tested on the real one)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from envclone.errors import BusyError
from envclone.models import Counters
from envclone.profiles import cgroups
from envclone.profiles.profile import Profile


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    monkeypatch.setattr(Path, "rmdir", shutil.rmtree)  # the kernel's files go with their directory
    return tmp_path


def test_limits_members_and_counters(root: Path) -> None:
    assert cgroups.unavailable(root) is None
    group = cgroups.Group(Path("/pool/branches/b"), "main", root)
    assert not group.exists and group.meter.counters() == Counters()
    group.create(Profile(cpus=1.5, memory=2 * 1024**3, pids=50))
    (place,) = [path for path in (root / "envclone").iterdir() if path.is_dir()]
    assert place.name.startswith("b-") and place.name.endswith("-main")
    written = {path.name: path.read_text() for path in place.iterdir()}
    assert written["cpu.max"] == "150000 100000" and written["memory.max"] == str(2 * 1024**3)
    assert written["memory.swap.max"] == "0" and written["pids.max"] == "50"
    assert (root / "cgroup.subtree_control").read_text() == "+cpu +memory +pids +io"
    group.add(4711)
    assert (place / "cgroup.procs").read_text() == "4711\n"
    (place / "memory.events").write_text("low 0\nhigh 0\nmax 7\noom 2\noom_kill 2\n")
    (place / "memory.peak").write_text("1000\n")
    (place / "cpu.stat").write_text("usage_usec 5\nnr_periods 9\nnr_throttled 3\nthrottled_usec 2500000\n")
    (place / "pids.events").write_text("max 1\n")
    seen = group.meter.counters()
    assert seen == Counters(2, 1000, 3, 2.5, 7, 1)
    assert seen.since(Counters(1, 500, 1, 0.5, 7, 0)) == Counters(1, 1000, 2, 2.0, 0, 1)
    (place / "cgroup.procs").write_text("")
    group.remove()
    group.remove()
    assert not group.exists


def test_branches_and_pools_do_not_share_groups(root: Path) -> None:
    places = [cgroups.Group(Path(f"/{pool}/branches/b"), store, root) for pool in "ab" for store in ("main", "kb")]
    for group in places:
        group.create(Profile(memory=1))
    assert len([path for path in (root / "envclone").iterdir() if path.is_dir()]) == 4


def test_why_not(tmp_path: Path) -> None:
    assert cgroups.unavailable(tmp_path) == "there are no control groups here"
    (tmp_path / "cgroup.controllers").write_text("cpu\n")
    assert cgroups.unavailable(tmp_path) == "the kernel's control groups lack memory, pids"


def test_a_group_that_stays_is_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = cgroups.Group(Path("/pool/branches/b"), "main", root)
    group.create(Profile(memory=1))

    def busy(path: Path) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(Path, "rmdir", busy)
    with pytest.raises(BusyError, match="cannot be removed"):
        group.remove(patience=0.05)
