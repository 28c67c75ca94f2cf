"""`envclone` from one process that has loaded it: a command is a fork of that, and costs what it does, not the loading.

For files that make many images, one wrong thing after another. How a process of its own starts is tested by all others.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from envclone import compiled
from envclone.process import Completed, _environment
from tests.support.leftovers import RUN

__all__ = ["Warm"]

_ROOT = Path(__file__).parents[2]
_LOADED = ("cli.main", "cli.images", "cli.branch", "lifecycle.publish", "lifecycle.sanitize", "lifecycle.verify")


class Warm:
    """The process that has it loaded, begun at the first call, ended at the end of the `with`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Warm:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process is not None:
            self._process.communicate(timeout=60)  # no more is asked, and it ends

    def call(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path) -> Completed:
        """What `envclone ARGV` returns, with the environment that `process.run` would give it."""
        if self._process is None:
            # the name of this run is in its command line, and so in that of every fork: what stays is seen
            command = [sys.executable, "-m", "tests.support.warm", f"envclone-test-{RUN}"]
            begin = {**_environment(None), "PYTHONPATH": str(_ROOT)}
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(command, env=begin, cwd=_ROOT, stdin=pipe, stdout=pipe, text=True)
        assert self._process.stdin is not None and self._process.stdout is not None
        with tempfile.TemporaryDirectory(prefix="said-") as place:
            out, err = Path(place, "out"), Path(place, "err")
            asked = {"argv": [*argv], "env": _environment(env), "cwd": str(cwd), "out": str(out), "err": str(err)}
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            code = json.loads(self._process.stdout.readline())
            return Completed(code, out.read_text(errors="replace"), err.read_text(errors="replace"))


def _serve() -> None:
    with ExitStack() as files:
        requests = files.enter_context(os.fdopen(os.dup(0)))
        replies = files.enter_context(os.fdopen(os.dup(1), "w"))
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1):
            os.dup2(nowhere, standard)
        compiled.prepare(lambda text: None)
        for name in _LOADED:
            importlib.import_module(f"envclone.{name}")
        gc.freeze()
        for line in requests:
            asked = json.loads(line)
            pid = os.fork()
            if pid == 0:
                _be(asked, (requests.fileno(), replies.fileno()))
            _, status = os.waitpid(pid, 0)
            replies.write(f"{os.waitstatus_to_exitcode(status)}\n")
            replies.flush()


def _be(asked: dict[str, Any], ours: tuple[int, int]) -> None:
    try:
        for standard, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(asked[name], os.O_WRONLY | os.O_CREAT, 0o600), standard)
        for one in ours:
            os.close(one)
        os.environ.clear()
        os.environ.update(asked["env"])
        os.chdir(asked["cwd"])
        sys.argv = ["envclone", *asked["argv"]]
        importlib.import_module("envclone.cli.main").main()
    finally:
        os._exit(70)  # the command's own end is before


if __name__ == "__main__":
    _serve()
