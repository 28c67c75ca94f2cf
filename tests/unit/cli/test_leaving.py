"""How the program ends: at once, and with nothing lost."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SIZE = 300_000
"""Characters; a pipe holds fewer."""


def _ended(code: str) -> subprocess.CompletedProcess[str]:
    program = f"import atexit, os, sys, threading, time, weakref\nfrom envclone.cli.leaving import leave\n{code}"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("code", [0, 1, 5, 143])
def test_all_that_was_written_is_delivered(code: int) -> None:
    done = _ended(f"print('x' * {SIZE}); sys.stderr.write('said'); leave({code})")
    assert (done.returncode, done.stdout, done.stderr) == (code, "x" * SIZE + "\n", "said")


def test_what_was_registered_for_the_end_is_run() -> None:
    done = _ended(
        "class It: pass\nit = It()\nweakref.finalize(it, print, 'let go')\natexit.register(print, 'ended')\nleave(3)"
    )
    assert done.returncode == 3 and done.stdout.split("\n") == ["ended", "let go", ""]


def test_objects_are_not_taken_apart() -> None:
    done = _ended("class It:\n  def __del__(self): os.write(1, b'taken apart')\nit = It()\nit.self = it\nleave(0)")
    assert (done.returncode, done.stdout) == (0, "")


def test_a_thread_at_work_ends_its_work() -> None:
    done = _ended("threading.Thread(target=lambda: (time.sleep(0.3), print('done'))).start()\nleave(4)")
    assert (done.returncode, done.stdout) == (4, "done\n")


def test_a_reader_that_went_away_is_told_of_as_ever() -> None:
    done = _ended("r, w = os.pipe(); os.dup2(w, 1); os.close(w); os.close(r); print('x'); leave(0)")
    assert done.returncode == 120 and "BrokenPipeError" in done.stderr
