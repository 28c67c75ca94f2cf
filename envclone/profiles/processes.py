"""Limits and use of processes that are in no group of their own."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from pathlib import Path

from envclone import process
from envclone.errors import ResourceError
from envclone.models import Account

__all__ = ["limit_process", "tree_usage"]

_TICKS = os.sysconf("SC_CLK_TCK")


def limit_process(pid: int, ulimits: Mapping[str, int]) -> None:
    """Set limits of a process by the names that `ulimit` and Docker have for them; what it starts has them, too.

    Raises ResourceError for an unknown name, or where the kernel refuses.
    """
    for name, value in ulimits.items():
        kind = getattr(resource, f"RLIMIT_{name.upper()}", None)
        if kind is None:
            raise ResourceError(
                f"there is no limit '{name}' of processes", hint="nofile, nproc, memlock, stack, core …"
            )
        try:
            resource.prlimit(pid, kind, (value, value))
        except (OSError, ValueError) as exc:
            if not isinstance(exc, PermissionError) or not _as_its_owner(pid, name, value):
                raise ResourceError(
                    f"the limit {name}={value} of the profile was refused: {exc}",
                    hint="leave it out of the profile, or run where limits may be raised",
                ) from exc


def _as_its_owner(pid: int, name: str, value: int) -> bool:
    """Set a limit with the rights of the process itself: where root lacks CAP_SYS_RESOURCE, its owner may lower it."""
    owner = Path(f"/proc/{pid}").stat()
    account = Account("", owner.st_uid, owner.st_gid)
    done = process.run(["prlimit", "--pid", str(pid), f"--{name}={value}:{value}"], account=account, check=False)
    return done.returncode == 0


def tree_usage(pid: int) -> dict[str, float]:
    """What a process and all below it use: `memory` (bytes, each page counted once), `cpu_seconds`, `pids`."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (words := _stat(entry)):
            children.setdefault(int(words[1]), []).append(int(entry.name))
    todo, memory, ticks, count = [pid], 0, 0, 0
    while todo:
        one = todo.pop()
        todo += children.get(one, [])
        if words := _stat(Path(f"/proc/{one}")):
            count += 1
            ticks += int(words[11]) + int(words[12])
            memory += _own(one)
    return {"memory": memory, "memory_limit": 0, "cpu_seconds": round(ticks / _TICKS, 3), "pids": count}


def _stat(entry: Path) -> list[str]:
    try:
        return (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _own(pid: int) -> int:
    """A process's share of the memory that it maps (bytes)."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
