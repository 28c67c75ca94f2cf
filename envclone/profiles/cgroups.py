"""Control groups for local processes: limits, and the kernel's own counters of what they did to them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envclone.errors import BusyError, ResourceError

if TYPE_CHECKING:
    from envclone.models import Counters
    from envclone.profiles.profile import Profile

__all__ = ["ROOT", "Group", "Meter", "unavailable"]

ROOT = Path("/sys/fs/cgroup")
_PARENT = "envclone"
_PERIOD = 100_000
_CONTROLLERS = ("cpu", "memory", "pids")
_OPTIONAL = ("io",), ("blkio", "cpuacct")
"""What is taken when the kernel has it, in version 2 and in version 1."""


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


@dataclass(frozen=True, slots=True)
class Meter:
    """Reads the kernel's counters of a control group, wherever it is: its directories per controller."""

    memory: Path
    cpu: Path
    pids: Path
    io: Path
    account: Path
    two: bool

    @classmethod
    def of_process(cls, pid: int, root: Path = ROOT) -> Meter | None:
        """The groups that a process is in; None when it is gone, or in none of its own."""
        places: dict[str, str] = {}
        for line in _read(Path(f"/proc/{pid}/cgroup")).splitlines():
            number, names, path = line.split(":", 2)
            places |= dict.fromkeys(names.split(",") if names else [""], path) if number != "0" or not names else {}
        if _version_2(root):
            path = places.get("", "/")
            return None if path == "/" else cls._made(lambda _: root / path.lstrip("/"), True)
        if places.get("memory", "/") == "/":
            return None
        return cls._made(lambda name: root / name / places.get(name, "/none").lstrip("/"), False)

    @classmethod
    def _made(cls, place: Callable[[str], Path], two: bool) -> Meter:
        return cls(place("memory"), place("cpu"), place("pids"), place("blkio"), place("cpuacct"), two)

    @property
    def exists(self) -> bool:
        """Whether the group is still there."""
        return self.memory.is_dir()

    def counters(self) -> Counters:
        """The kernel's counters; all zero when the group is not there."""
        from envclone.models import Counters  # a branch without limits does without it

        if not self.exists:
            return Counters()
        stat = _pairs(_read(self.cpu / "cpu.stat"))
        refused = _pairs(_read(self.pids / "pids.events")).get("max", 0)
        read, written = self._bytes()
        if self.two:
            events = _pairs(_read(self.memory / "memory.events"))
            return Counters(
                events.get("oom_kill", 0),
                _number(self.memory / "memory.peak") or _number(self.memory / "memory.current"),
                stat.get("nr_throttled", 0),
                stat.get("throttled_usec", 0) / 1e6,
                events.get("max", 0),
                refused,
                read_bytes=read,
                written_bytes=written,
            )
        return Counters(
            _pairs(_read(self.memory / "memory.oom_control")).get("oom_kill", 0),
            _number(self.memory / "memory.max_usage_in_bytes"),
            stat.get("nr_throttled", 0),
            stat.get("throttled_time", 0) / 1e9,
            _number(self.memory / "memory.failcnt"),
            refused,
            read_bytes=read,
            written_bytes=written,
        )

    def usage(self) -> dict[str, float]:
        """What the group uses now: `memory` and `memory_limit` (bytes; 0 is none), `cpu_seconds`, `pids`."""
        if self.two:
            limit, memory = _number(self.memory / "memory.max"), _number(self.memory / "memory.current")
            seconds = _pairs(_read(self.cpu / "cpu.stat")).get("usage_usec", 0) / 1e6
        else:
            limit = _number(self.memory / "memory.limit_in_bytes")
            memory = _number(self.memory / "memory.usage_in_bytes")
            seconds = _number(self.account / "cpuacct.usage") / 1e9
        pids = _number(self.pids / "pids.current")
        return {
            "memory": memory,
            "memory_limit": limit if limit < 1 << 60 else 0,
            "cpu_seconds": round(seconds, 3),
            "pids": pids,
        }

    def _bytes(self) -> tuple[int, int]:
        """Bytes that went to and came from block devices."""
        read = written = 0
        if self.two:
            for line in _read(self.io / "io.stat").splitlines():
                values = dict(word.partition("=")[::2] for word in line.split()[1:])
                read += int(values.get("rbytes", 0))
                written += int(values.get("wbytes", 0))
            return read, written
        for line in _read(self.io / "blkio.throttle.io_service_bytes").splitlines():
            words = line.split()
            if len(words) == 3 and words[1] == "Read":
                read += int(words[2])
            elif len(words) == 3 and words[1] == "Write":
                written += int(words[2])
        return read, written


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

    def create(self, profile: Profile, device: str | None = None) -> None:
        """Make it with a profile's limits, in place of an older one; `device` (`8:0`) is the disk that is limited.

        Raises ResourceError when the kernel refuses.
        """
        self.remove()
        try:
            if self._two:
                self._create_2(profile, device)
            else:
                self._create_1(profile, device)
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

    @property
    def meter(self) -> Meter:
        """What reads its counters."""
        return Meter._made(self._place, self._two)

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
        return list(dict.fromkeys(self._place(controller) for controller in self._controllers()))

    def _controllers(self) -> list[str]:
        if self._two:
            there = _read(self._root / "cgroup.controllers").split()
            return [*_CONTROLLERS, *(name for name in _OPTIONAL[0] if name in there)]
        return [*_CONTROLLERS, *(name for name in _OPTIONAL[1] if (self._root / name).is_dir())]

    def _place(self, controller: str) -> Path:
        return self._root / ("" if self._two else controller) / _PARENT / self._name

    def _create_2(self, profile: Profile, device: str | None) -> None:
        parent = self._root / _PARENT
        for place in (self._root, parent):
            place.mkdir(exist_ok=True)
            on = " ".join(f"+{controller}" for controller in self._controllers())
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
        if device is not None and any(rates := _rates(profile)):
            words = zip(("rbps", "wbps", "riops", "wiops"), rates, strict=True)
            wanted["io.max"] = " ".join([device, *(f"{word}={rate or 'max'}" for word, rate in words)])
        _write(group, wanted)

    def _create_1(self, profile: Profile, device: str | None) -> None:
        for controller in self._controllers():
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
        if device is not None:
            names = ("read_bps", "write_bps", "read_iops", "write_iops")
            for name, rate in zip(names, _rates(profile), strict=True):
                if rate:
                    _write(self._place("blkio"), {f"blkio.throttle.{name}_device": f"{device} {rate}"})


def _rates(profile: Profile) -> tuple[int | None, ...]:
    return profile.io.read_bytes, profile.io.write_bytes, profile.io.read_ops, profile.io.write_ops


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
