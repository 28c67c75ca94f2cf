"""Control groups for local processes: limits, and the kernel's own counters of what they did to them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from envclone.errors import BusyError, ResourceError
from envclone.models import Counters
from envclone.profiles.profile import Profile

__all__ = ["ROOT", "Group", "unavailable"]

ROOT = Path("/sys/fs/cgroup")
_PARENT = "envclone"
_PERIOD = 100_000
_CONTROLLERS = ("cpu", "memory", "pids")


def unavailable(root: Path = ROOT) -> str | None:
    """Why no groups can be made here; None when they can."""
    if _version_2(root):
        missing = set(_CONTROLLERS) - set(_read(root / "cgroup.controllers").split())
        if missing:
            return f"the kernel's control groups lack {', '.join(sorted(missing))}"
        return None if os.access(root, os.W_OK) else "control groups can only be made by root here"
    places = [root / controller for controller in _CONTROLLERS]
    if not all(place.is_dir() for place in places):
        return "there are no control groups here"
    return None if all(os.access(place, os.W_OK) for place in places) else "control groups can only be made by root"


class Group:
    """The control group of one store of a branch; which one follows from the branch's directory and the store."""

    def __init__(self, directory: Path, store: str, root: Path = ROOT) -> None:
        key = hashlib.blake2b(f"{directory}".encode(), digest_size=6).hexdigest()
        self._name = f"{directory.name[:40]}-{key}-{store}"
        self._root = root
        self._two = _version_2(root)

    @property
    def exists(self) -> bool:
        """Whether it was made and is still there."""
        return self._place("memory").is_dir()

    def create(self, profile: Profile) -> None:
        """Make it with a profile's limits, in place of an older one. Raises ResourceError when the kernel refuses."""
        self.remove()
        try:
            if self._two:
                self._create_2(profile)
            else:
                self._create_1(profile)
        except OSError as exc:
            self.remove()
            raise ResourceError(
                f"the kernel refused a limit of the profile: {exc.strerror} ({exc.filename})",
                hint="run as root where control groups can be made, or with --allow-degraded",
            ) from exc

    def add(self, pid: int) -> None:
        """Put a process into it; what it starts from then on is in it too."""
        for place in self._places():
            with contextlib.suppress(ProcessLookupError):
                (place / "cgroup.procs").write_text(f"{pid}\n")

    def add_children(self, pid: int) -> None:
        """Put what a process had started before it was added into the group as well."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and _parent_of(entry) == pid:
                self.add(int(entry.name))

    def counters(self) -> Counters:
        """The kernel's counters; all zero when the group is not there."""
        if not self.exists:
            return Counters()
        memory, cpu, pids = (self._place(controller) for controller in ("memory", "cpu", "pids"))
        stat = _pairs(_read(cpu / "cpu.stat"))
        refused = _pairs(_read(pids / "pids.events")).get("max", 0)
        if self._two:
            events = _pairs(_read(memory / "memory.events"))
            return Counters(
                events.get("oom_kill", 0),
                _number(memory / "memory.peak") or _number(memory / "memory.current"),
                stat.get("nr_throttled", 0),
                stat.get("throttled_usec", 0) / 1e6,
                events.get("max", 0),
                refused,
            )
        return Counters(
            _pairs(_read(memory / "memory.oom_control")).get("oom_kill", 0),
            _number(memory / "memory.max_usage_in_bytes"),
            stat.get("nr_throttled", 0),
            stat.get("throttled_time", 0) / 1e9,
            _number(memory / "memory.failcnt"),
            refused,
        )

    def remove(self, patience: float = 10.0) -> None:
        """Remove it; what still runs in it is killed. Nothing to do when it is not there. Raises BusyError."""
        deadline = time.monotonic() + patience
        for place in self._places():
            while place.is_dir():
                try:
                    place.rmdir()
                except OSError as exc:
                    for pid in _read(place / "cgroup.procs").split():
                        with contextlib.suppress(ProcessLookupError, PermissionError):
                            os.kill(int(pid), signal.SIGKILL)
                    if time.monotonic() > deadline:
                        raise BusyError(f"the control group {place} cannot be removed: {exc.strerror}") from exc
                    time.sleep(0.02)

    def _places(self) -> list[Path]:
        return list(dict.fromkeys(self._place(controller) for controller in _CONTROLLERS))

    def _place(self, controller: str) -> Path:
        return self._root / ("" if self._two else controller) / _PARENT / self._name

    def _create_2(self, profile: Profile) -> None:
        parent = self._root / _PARENT
        for place in (self._root, parent):
            place.mkdir(exist_ok=True)
            on = " ".join(f"+{controller}" for controller in _CONTROLLERS)
            (place / "cgroup.subtree_control").write_text(on)
        group = self._place("memory")
        group.mkdir()
        wanted: dict[str, str] = {}
        if profile.cpus:
            wanted["cpu.max"] = f"{int(profile.cpus * _PERIOD)} {_PERIOD}"
        if profile.memory:
            wanted["memory.max"] = str(profile.memory)
            wanted["memory.swap.max"] = str(profile.swap or 0)
            wanted["memory.oom.group"] = "0"
        if profile.pids:
            wanted["pids.max"] = str(profile.pids)
        _write(group, wanted)

    def _create_1(self, profile: Profile) -> None:
        for controller in _CONTROLLERS:
            (self._root / controller / _PARENT).mkdir(exist_ok=True)
            self._place(controller).mkdir()
        if profile.cpus:
            quota = {"cpu.cfs_period_us": str(_PERIOD), "cpu.cfs_quota_us": str(int(profile.cpus * _PERIOD))}
            _write(self._place("cpu"), quota)
        if profile.memory:
            memory = self._place("memory")
            _write(memory, {"memory.limit_in_bytes": str(profile.memory)})
            if (memory / "memory.memsw.limit_in_bytes").exists():
                _write(memory, {"memory.memsw.limit_in_bytes": str(profile.memory + (profile.swap or 0))})
        if profile.pids:
            _write(self._place("pids"), {"pids.max": str(profile.pids)})


def _version_2(root: Path) -> bool:
    return (root / "cgroup.controllers").exists()


def _write(place: Path, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        (place / name).write_text(value)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _number(path: Path) -> int:
    text = _read(path).strip()
    return int(text) if text.isdigit() else 0


def _pairs(text: str) -> dict[str, int]:
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if value.strip().isdigit():
            found[name] = int(value)
    return found


def _parent_of(entry: Path) -> int:
    text = _read(entry / "stat").rpartition(")")[2].split()
    return int(text[1]) if len(text) > 1 else 0
