"""Limits as the kernel has them: control groups of version 1 and 2, and what this machine itself can give."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envclone.errors import ConfigError, ResourceError
from envclone.profiles.profile import Profile, size_text

__all__ = ["from_cgroup", "here", "require", "shortfalls"]

_RATES = {"rbps": "read_bytes", "wbps": "write_bytes", "riops": "read_ops", "wiops": "write_ops"}
_UNLIMITED = 1 << 62
"""Version 1 writes "no limit" as the greatest multiple of the page size below 2**63."""


def from_cgroup(directory: Path) -> dict[str, Any]:
    """A profile's values from a control group's directory (Documentation/admin-guide/cgroup-v1, cgroup-v2.rst).

    Version 2: the group's own directory, or a copy of its files. Version 1: a directory with the group's `cpu`,
    `memory` and `pids` directories, or one that holds their files together. Raises ConfigError when it is neither.
    """
    if not directory.is_dir():
        raise ConfigError(f"{directory} is not a directory", hint="for a container: /sys/fs/cgroup inside of it")
    found = _version_2(directory) if (directory / "cpu.max").exists() or (directory / "memory.max").exists() else {}
    found = found or _version_1(directory)
    if not found:
        raise ConfigError(
            f"{directory} holds no limits of a control group", hint="memory.max, or memory/memory.limit_…"
        )
    return found


def here() -> dict[str, Any]:
    """What this machine has: processors that this process may use, memory, kernel, architecture."""
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "memory": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "kernel": platform.release(),
        "architecture": platform.machine(),
    }


def shortfalls(profiles: Mapping[str, Profile]) -> list[str]:
    """What this machine has less of than the profiles together ask for, one line each; empty when it is enough.

    Memory counts for all of them together, for each can use all of its own at once; processors are shared, so that it
    is enough when the greatest of them finds its own.
    """
    machine = here()
    wanted = sum(profile.memory or 0 for profile in profiles.values())
    problems = []
    if wanted > machine["memory"]:
        parts = ", ".join(f"{n} {size_text(p.memory)}" for n, p in sorted(profiles.items()) if p.memory)
        problems.append(
            f"memory: {size_text(wanted)} are asked for ({parts}), this host has {machine['memory'] >> 20} MiB"
        )
    for name, profile in sorted(profiles.items()):
        if profile.cpus and profile.cpus > machine["cpus"]:
            problems.append(f"cpus: {name} has {profile.cpus:g} in production, this host has {machine['cpus']}")
        if profile.host.architecture not in (None, machine["architecture"]):
            problems.append(
                f"architecture: {name} runs on {profile.host.architecture}, this is {machine['architecture']}"
            )
    return problems


def require(profiles: Mapping[str, Profile]) -> None:
    """Raises ResourceError with the numbers when this machine is too small."""
    if problems := shortfalls(profiles):
        raise ResourceError(
            "this host is too small for production's profile: " + "; ".join(problems),
            hint="run it where there is as much, or take less with --allow-degraded, which every report will say",
        )


def _version_2(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    quota, _, period = _text(directory / "cpu.max").partition(" ")
    if quota.isdigit():
        found["cpus"] = int(quota) / int(period or 100_000)
    for file, ours in (("memory.max", "memory"), ("memory.swap.max", "swap"), ("pids.max", "pids")):
        value = _text(directory / file)
        if value.isdigit():
            found[ours] = int(value)
    rates: dict[str, int] = {}
    for line in _text(directory / "io.max").splitlines():
        for word in line.split()[1:]:
            name, _, value = word.partition("=")
            if name in _RATES and value.isdigit():
                rate = _RATES[name]
                rates[rate] = min(rates.get(rate, int(value)), int(value))
    if rates:
        found["io"] = rates
    return found


def _version_1(directory: Path) -> dict[str, Any]:
    def read(controllers: tuple[str, ...], file: str) -> int | None:
        for place in (directory, *(directory / controller for controller in controllers)):
            value = _text(place / file)
            if value.lstrip("-").isdigit():
                return int(value)
        return None

    found: dict[str, Any] = {}
    quota, period = read(("cpu", "cpu,cpuacct"), "cpu.cfs_quota_us"), read(("cpu", "cpu,cpuacct"), "cpu.cfs_period_us")
    if quota is not None and quota > 0:
        found["cpus"] = quota / (period or 100_000)
    memory = read(("memory",), "memory.limit_in_bytes")
    both = read(("memory",), "memory.memsw.limit_in_bytes")
    if memory is not None and memory < _UNLIMITED:
        found["memory"] = memory
        if both is not None and both < _UNLIMITED:
            found["swap"] = max(0, both - memory)
    pids = read(("pids",), "pids.max")
    if pids is not None and pids > 0:
        found["pids"] = pids
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
