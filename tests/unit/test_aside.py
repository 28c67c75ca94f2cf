"""A part of the work in a copy of this process: its result, its error, its end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from envclone.aside import helped
from envclone.errors import EnvcloneError, ResourceError


def test_the_copy_works_while_this_process_does(tmp_path: Path) -> None:
    def work() -> bool:
        (tmp_path / "made").write_text(str(os.getpid()))
        return True

    with helped(work) as ended:
        assert ended() is True
    assert int((tmp_path / "made").read_text()) != os.getpid()
    with helped(lambda: False) as ended:
        assert ended() is False


def test_its_error_is_raised_here_with_its_remedy() -> None:
    def work() -> bool:
        raise ResourceError("the disk is full" * 9000, hint="make room")

    with pytest.raises(ResourceError, match="the disk is full") as found, helped(work) as ended:
        ended()
    assert found.value.hint == "make room"

    def refused() -> bool:
        raise PermissionError(13, "Permission denied", "there")

    with pytest.raises(PermissionError, match="there"), helped(refused) as ended:
        ended()


def test_a_copy_that_was_killed_is_an_error() -> None:
    def work() -> bool:
        os.kill(os.getpid(), signal.SIGKILL)
        return True

    with pytest.raises(EnvcloneError, match="ended before its work"), helped(work) as ended:
        ended()


def test_nothing_goes_on_when_the_block_ends_with_an_error(tmp_path: Path) -> None:
    there = tmp_path / "there"

    def work() -> bool:
        there.write_text(str(os.getpid()))
        while True:
            time.sleep(1)

    def fails() -> None:
        with helped(work):
            while not there.exists() or not there.read_text():
                time.sleep(0.001)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    with pytest.raises(ProcessLookupError):
        os.kill(int(there.read_text()), 0)
