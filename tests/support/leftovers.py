"""What a run of the tests may not leave behind on the machine: processes, mounts, containers, locks of the accounts."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import time
from pathlib import Path

__all__ = ["RUN", "VARIABLE", "lasting", "left"]

VARIABLE = "ENVCLONE_TEST_RUN"
"""The environment variable that names a run of the tests, for all its processes."""

RUN = os.environ.setdefault(VARIABLE, secrets.token_hex(3))
"""This run's name, in the path of every directory that it makes: two runs at once do not blame each other."""

_ACCOUNT_LOCKS = ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")


def left() -> list[str]:
    """Everything of this run that is still there, in words."""
    mark = f"envclone-test-{RUN}"
    return sorted([*_processes(mark), *_mounts(mark), *_containers(mark), *_locks()])


def lasting(seconds: float = 20.0) -> list[str]:
    """What is still there after at most `seconds`: servers that were told to stop need a moment."""
    deadline = time.monotonic() + seconds
    while (found := left()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def _processes(mark: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        if mark in command:
            found.append(f"process {entry.name}: {command[:150]}")
    return found


def _mounts(mark: str) -> list[str]:
    return [f"mount {line.split()[1]}" for line in Path("/proc/mounts").read_text().splitlines() if mark in line]


def _containers(mark: str) -> list[str]:
    if shutil.which("docker") is None:
        return []
    form = '{{.Names}} {{.Label "io.envclone.pool"}}'
    done = subprocess.run(["docker", "ps", "--all", "--format", form], capture_output=True, text=True, check=False)
    return [f"container {line}" for line in done.stdout.splitlines() if mark in line]


def _locks() -> list[str]:
    return [f"lock /etc/{name}.lock" for name in _ACCOUNT_LOCKS if Path(f"/etc/{name}.lock").exists()]
