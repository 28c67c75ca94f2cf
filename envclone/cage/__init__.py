"""The cage: what a program that works on somebody else's data may see of this machine, which is next to nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from envclone.errors import ResourceError
from envclone.models import Cage

__all__ = ["REFUSED", "behind_doors", "confine", "described", "refused"]

REFUSED, MARK = 125, "envclone-cage: "
"""The launcher's exit code and the beginning of its last words; it stands alone, so it has its own."""
_LAUNCHER = Path(__file__).with_name("launcher.py")
_DOORWAY = Path(__file__).with_name("doorway.py")


def confine(argv: Sequence[str], cage: Cage | None) -> list[str]:
    """The command line that runs a program in a cage; the program's own without one, or without root to make it."""
    if cage is None or os.geteuid() != 0:
        return list(argv)
    return [sys.executable, "-I", "-S", "-B", str(_LAUNCHER), *described(cage), "--", *argv]


def behind_doors(argv: Sequence[str], cage: Cage, doors: Mapping[Path, int]) -> list[str]:
    """The command line that runs a server in a cage whose ports can be reached by Unix sockets; for root."""
    words = [f"{path}={port}" for path, port in doors.items()]
    return [sys.executable, "-I", "-S", "-B", str(_DOORWAY), *described(cage), "--", *words, "--", *argv]


def described(cage: Cage) -> list[str]:
    """The cage in the launcher's words."""
    words = [f"rw={path}" for path in cage.writable] + [f"ro={path}" for path in cage.readable]
    words += [f"hide={path}" for path in cage.hidden] + (["net=host"] if cage.network else [])
    words += [f"false={path}" for path in cage.failing]
    words += [f"cwd={cage.inside}"] if cage.inside is not None else []
    return [str(cage.account.uid), str(cage.account.gid), cage.account.name, *words]


def refused(code: int, said: str) -> ResourceError | None:
    """The error of a program that never ran, from its exit code and last words; None when it was caged and ran."""
    last = said.strip().rpartition("\n")[2]
    if code != REFUSED or not last.startswith(MARK):
        return None
    return ResourceError(
        f"the program cannot be caged: {last.removeprefix(MARK)}",
        hint="root needs CAP_SYS_ADMIN to make mount and network namespaces; an ordinary user runs without a cage:"
        " envclone doctor",
    )
