"""Partials and the translation of the operating system's errors."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from envclone.cow.placing import _started, abandoned, discard, owner_of, partial_of, placed, reported
from envclone.cow.tree import remove_tree
from envclone.errors import BusyError, EnvcloneError, ResourceError, UsageError


def test_names_of_partials(tmp_path: Path) -> None:
    partial = partial_of(tmp_path / "prod")
    assert partial == tmp_path / f".prod.partial-{os.getpid()}"
    assert owner_of(partial) == os.getpid()
    assert owner_of(partial_of(tmp_path / "a\nb.partial-7")) == os.getpid()
    for name in ("prod", ".prod.partial-", ".prod.partial-0", ".prod.partial-12x", "prod.partial-12", ".partial-12"):
        assert owner_of(Path(name)) is None


def test_a_process_start_is_a_time() -> None:
    before = time.time()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert before - 1 < _started(child.pid) < time.time() + 1
        child.kill()
    with pytest.raises(FileNotFoundError):
        _started(child.pid)


def test_abandoned(tmp_path: Path) -> None:
    mine = partial_of(tmp_path / "x")
    mine.mkdir()
    assert not abandoned(mine)
    assert abandoned(partial_of(tmp_path / "gone"))
    assert not abandoned(tmp_path)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        its = tmp_path / f".x.partial-{child.pid}"
        its.mkdir()
        assert not abandoned(its)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # now a zombie, which makes nothing any more
        assert abandoned(its)
    assert abandoned(its)


def test_a_new_process_with_an_old_id_is_not_the_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = partial_of(tmp_path / "x")
    mine.mkdir()
    monkeypatch.setattr("envclone.cow.placing._started", lambda pid: mine.lstat().st_ctime + 60)
    assert abandoned(mine)


def test_placed_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with placed(tmp_path / "dst", remove_tree) as partial:
        partial.mkdir()
        (partial / "data").touch()
        assert not (tmp_path / "dst").exists()
    assert os.listdir(tmp_path) == ["dst"]
    for error in (KeyboardInterrupt, SystemExit, OSError, UsageError):
        with pytest.raises(error), placed(tmp_path / "other", remove_tree) as partial:
            partial.mkdir()
            raise error("x")
    assert os.listdir(tmp_path) == ["dst"]
    with pytest.raises(BusyError), placed(tmp_path / "dst", remove_tree):
        pass


def test_a_killed_removal_leaves_no_damaged_tree(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        discard(tmp_path / "tree", killed)
    assert os.listdir(tmp_path) == [f".tree.partial-{os.getpid()}"]
    discard(partial_of(tmp_path / "tree"), remove_tree)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.ENOSPC, "the pool's disk is full"),
        (errno.EDQUOT, "the pool's disk is full"),
        (errno.EXDEV, "inside one file system"),
        (errno.EOPNOTSUPP, "cannot share blocks"),
        (errno.EACCES, "Permission denied"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_errors_of_the_system_are_translated(code: int, said: str) -> None:
    with pytest.raises(ResourceError, match=said), reported("cannot clone to", Path("/x")):
        raise OSError(code, os.strerror(code), "/x/y")


def test_our_own_errors_pass(tmp_path: Path) -> None:
    with pytest.raises(EnvcloneError, match="mine") as caught, reported("cannot", tmp_path):
        raise UsageError("mine")
    assert type(caught.value) is UsageError
