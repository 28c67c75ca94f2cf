"""`envclone` from one process that has loaded it: a command is a fork of that, and costs what it does, not the loading.

Each worker of a run has one, and commands can be begun at once. How a process of its own starts is tested where a place
is made `fresh`, by tests of signals and of starting, and by each call whose environment changes what is loaded.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from envclone import compiled, memory
from envclone.process import Completed, _environment
from tests.support.leftovers import RUN

__all__ = ["Warm", "shared"]

_ROOT = Path(__file__).parents[2]
_PATIENCE = 600.0
"""Seconds that a command may take, as `process.run` has it."""
_LATER = ("boto3", "kubernetes", "docker", "presidio", "mcp", "serve", "testing", "otlp")
"""Rooms that need a library that most commands never load."""
_TAKEN = (
    "HOME",
    "LC_ALL",
    "TMPDIR",
    "TZ",
    "XDG_CACHE_HOME",
    "ENVCLONE_NO_COMPILE",
    "ENVCLONE_BOUNDSCHECK",
    "ENVCLONE_LOOPS",
)
"""What is read while modules are loaded, beside what Python and numba read: later it says nothing any more."""
_TABLES = (
    "envclone.masking.",
    "envclone.scan.",
    "envclone.verifier.",
    "envclone.stores.postgres.format.",
    "envclone.lifecycle.makers",
)
"""Rooms that keep tables made of their own code and data alone."""


class Warm:
    """The process that has it loaded, begun at the first call, ended by `close`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._address = b""
        self._begun = _environment({"PYTHONPATH": str(_ROOT)})
        self._lock = threading.Lock()

    def close(self) -> None:
        """End it; commands that it began are not waited for."""
        if self._process is not None:
            self._process.communicate(timeout=60)  # no more is asked, and it ends
            self._process = None

    def suits(self, env: Mapping[str, str]) -> bool:
        """Whether a command with these variables would find loaded what it would load itself."""
        now = _environment(env)
        names = {*now, *self._begun}
        taken = {name for name in names if name in _TAKEN or name.startswith(("PYTHON", "NUMBA"))}
        return all(now.get(name) == self._begun.get(name) for name in taken)

    def call(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path) -> Completed:
        """What `envclone ARGV` returns, with the environment that `process.run` would give it."""
        with self._lock:
            if self._process is None:
                self._begin()
        with tempfile.TemporaryDirectory(prefix="said-") as place, socket.socket(socket.AF_UNIX) as asking:
            out, err = Path(place, "out"), Path(place, "err")
            asked = {"argv": [*argv], "env": _environment(env), "cwd": str(cwd), "out": str(out), "err": str(err)}
            asking.settimeout(_PATIENCE)
            asking.connect(self._address)
            asking.sendall(json.dumps(asked).encode() + b"\n")
            with asking.makefile("rb") as answer:
                code = json.loads(answer.readline())
            return Completed(code, out.read_text(errors="replace"), err.read_text(errors="replace"))

    def _begin(self) -> None:
        # the name of this run is in its command line, and so in that of every fork: what stays is seen
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("")  # a name that the kernel finds
            listening.listen(64)
            self._address = listening.getsockname()
            handle = listening.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.warm", f"envclone-test-{RUN}", str(handle)],
                env=self._begun, cwd=_ROOT, pass_fds=[handle],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            )  # fmt: skip


@cache
def shared() -> Warm:
    """The one of this worker."""
    return Warm()


def _serve(handle: int) -> None:
    listening = socket.socket(fileno=handle)
    ending = os.dup(0)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    _load()
    running: dict[int, tuple[int, socket.socket]] = {}
    waiting = select.poll()
    for one in (ending, listening.fileno()):
        waiting.register(one, select.POLLIN | select.POLLHUP)
    while True:
        for ready, _ in waiting.poll():
            if ready == ending:
                return
            if ready == listening.fileno():
                asking, _ = listening.accept()
                asked = _question(asking)
                if asked is None:
                    asking.close()
                    continue
                pid = os.fork()
                if pid == 0:
                    _be(asked)
                watched = os.pidfd_open(pid)
                waiting.register(watched, select.POLLIN)
                running[watched] = (pid, asking)
            else:
                waiting.unregister(ready)
                os.close(ready)
                pid, asking = running.pop(ready)
                _, status = os.waitpid(pid, 0)
                with asking, contextlib.suppress(OSError):  # who asked may have been interrupted
                    asking.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _question(asking: socket.socket) -> dict[str, Any] | None:
    """What is to be run; None of another user, and of who was interrupted before it was said."""
    uid = int.from_bytes(asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[4:8], sys.byteorder)
    if uid != os.geteuid():
        return None
    try:
        with asking.makefile("rb") as question:
            asked: dict[str, Any] = json.loads(question.readline())
    except (OSError, ValueError):
        return None
    return asked


def _load() -> None:
    compiled.prepare(lambda text: None)
    package = _ROOT / "envclone"
    for path in sorted(package.rglob("*.py")):
        name = ".".join(path.relative_to(_ROOT).with_suffix("").parts).removesuffix(".__init__")
        if not any(word in name for word in _LATER) and path.stem != "__main__":
            _prepare(importlib.import_module(name))
    memory._shrink_loops()
    gc.freeze()


def _prepare(module: ModuleType) -> None:
    """Make the tables of a module that are the same for every command: those that are kept and depend on nothing."""
    if module.__name__.startswith(_TABLES):
        for kept in vars(module).values():
            if hasattr(kept, "cache_info") and kept.__module__ == module.__name__ and not signature(kept).parameters:
                kept()


def _be(asked: dict[str, Any]) -> NoReturn:
    try:
        for standard, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(asked[name], os.O_WRONLY | os.O_CREAT, 0o600), standard)
        os.closerange(3, 1024)
        os.environ.clear()
        os.environ.update(asked["env"])
        os.chdir(asked["cwd"])
        sys.argv = ["envclone", *asked["argv"]]
        importlib.import_module("envclone.cli.main").main()
    finally:
        os._exit(70)  # the command's own end is before


if __name__ == "__main__":
    _serve(int(sys.argv[2]))
