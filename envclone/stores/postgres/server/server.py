"""One PostgreSQL server process on one data directory: start it, find it, stop it, connect to it as the operator."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from envclone import process, wait
from envclone.accounts import account_of, hand_over
from envclone.cage import refused
from envclone.errors import BusyError, ResourceError, UnreachableError, UnsafeError
from envclone.interrupts import deferred
from envclone.models import Account, Cage
from envclone.stores.postgres.server import pinned, wire
from envclone.stores.postgres.server.engine import Engine
from envclone.stores.postgres.server.failures import explain, last_words

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "PRIVATE_PORT",
    "Running",
    "Stopped",
    "connect",
    "free_port",
    "make_socket_directory",
    "ready",
    "session",
    "socket_dir_for",
    "start",
    "status",
    "stop",
]

PRIVATE_PORT = 5432
"""The number in the socket's file name when there is no TCP; each data directory has a socket directory of its own."""

_READY = ("ready", "standby")
_SHELL = (Path("/bin/sh"),)
"""What a server runs its restore_command with: it gives up when there is none."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs; `socket_dir` and `port` make its socket's name, also when it does not listen on TCP.

    `major` is None when its version is not known.
    """

    pid: int
    port: int
    socket_dir: Path
    major: int | None = None


@dataclass(frozen=True, slots=True)
class Stopped:
    """What `stop` found: whether a server ran, and whether it went down cleanly (else the next start recovers)."""

    ran: bool
    clean: bool = True

    def __bool__(self) -> bool:
        return self.ran


def start(
    engine: Engine,
    data: Path,
    *,
    socket_dir: Path,
    port: int | None = None,
    host: Literal["127.0.0.1"] | None = None,
    door: Path | None = None,
    log: Path,
    options: Mapping[str, str] | None = None,
    started: Callable[[int], None] | None = None,
    timeout: float = 60.0,
    recovering: bool = False,
) -> Running:
    """Start a server on `data` and wait until it takes connections; `host` None leaves only the Unix socket.

    It runs in a session of its own and goes on when this process ends. When root starts it, it runs as the account of
    its directory in a cage, which has no network but with `host`. `door` is a second socket directory, for a gate.
    `started` is told its process id at once, before it has children. `timeout` is in seconds. With
    `recovering` the end of its recovery is waited for, and the shell for its restore_command is there and always fails.
    Raises BusyError when one runs already or the port is taken, ResourceError, UnsafeError or UnreachableError with the
    server's own last words otherwise; nothing is left running then.
    """
    if (running := status(data)) is not None:
        raise BusyError(f"a PostgreSQL server (process {running.pid}) already runs on {data}")
    account = account_of(data.parent)
    trees = [tree for tree in (data, data.parent / "tablespaces") if tree.exists()]
    if data.stat().st_uid != account.uid:
        for tree in trees:
            hand_over(tree, account)
    make_socket_directory(socket_dir, account)
    _forget_reused_pid(data)
    _await_orphans(data)
    sockets = [socket_dir, *([door] if door else [])]
    cage = Cage(
        account,
        writable=(*trees, *sockets),
        readable=engine.trees(),
        network=host is not None,
        failing=_SHELL if recovering else (),
    )
    chosen = port or PRIVATE_PORT
    given = {
        **(options or {}),
        "listen_addresses": host or "",
        "port": str(chosen),
        "unix_socket_directories": ", ".join(map(str, sockets)),
        "unix_socket_permissions": "0777" if door else "0700",  # the directories are the walls
        "logging_collector": "off",
        "log_destination": "stderr",
    }
    argv: list[str | Path] = [engine.program("postgres"), "-D", data]
    for name, value in given.items():
        argv += ["-c", f"{name}={value}"]
    offset = log.stat().st_size if log.exists() else 0
    what = f"PostgreSQL {engine.version}" + (f" on 127.0.0.1:{port}" if host and port else "")

    def up() -> bool | None:
        if _says(data, pid) in (("ready",) if recovering else _READY):
            return True
        if not process.alive(pid):
            code = _reap(pid)
            if code is not None and (why := refused(code, last_words(log, offset))):
                raise why
            raise explain(what, log, offset)
        return None

    pid = 0
    try:
        with deferred():  # a signal must not come between the process and its number
            pid = process.spawn(argv, log=log, cage=cage)
        if started is not None:
            started(pid)
        wait.until(
            up,
            what=f"{what} was not ready",
            timeout=timeout,
            interval=0.002,
            longest=0.003,  # a branch waits for this, and to look costs next to nothing
            diagnosis=lambda: last_words(log, offset),
            hint=f"its log is {log}",
        )
    except BaseException:
        with deferred():
            if pid:
                _end(pid, signal.SIGQUIT)
            _remove_socket_directory(socket_dir)
        raise
    return Running(pid, chosen, socket_dir, engine.major)


def ready(data: Path, pid: int | None = None) -> bool:
    """Whether the server on `data` says that it takes connections, as the process `pid` when that is known."""
    return _says(data, pid) in _READY


def _says(data: Path, pid: int | None) -> str:
    """What the server on `data` says of itself; nothing before it does, and nothing where another process does."""
    lines = _pid_file(data)
    return lines[7].strip() if len(lines) >= 8 and (pid is None or lines[0] == str(pid)) else ""


def status(data: Path) -> Running | None:
    """The server that runs on a data directory; a postmaster.pid left by one that is gone counts for nothing."""
    lines = _pid_file(data)
    try:
        pid = abs(int(lines[0]))  # negative: a single-user backend
    except (IndexError, ValueError):
        return None
    if not _serves(pid, data):
        return None
    port = int(lines[3]) if len(lines) > 3 and lines[3].strip().isdigit() else PRIVATE_PORT
    return Running(pid, port, Path(lines[4]) if len(lines) > 4 else data, _major(data))


def stop(
    data: Path, mode: Literal["fast", "immediate"] = "fast", timeout: float = 60.0, patience: float = 15.0
) -> Stopped:
    """Stop the server on `data`, if one runs; only a process that is really that server is signalled.

    `fast` disconnects everybody and writes a checkpoint, `immediate` lets the next start recover. A server that does
    not go within `timeout` seconds is stopped immediately, and `clean` is then false. Raises BusyError when it stays
    for another `patience` seconds.
    """
    running = status(data)
    if running is None:
        return Stopped(False)
    process.terminate(running.pid, signal.SIGINT if mode == "fast" else signal.SIGQUIT)
    if _gone(running.pid, timeout):
        _remove_socket_directory(running.socket_dir)
        return Stopped(True, clean=mode == "fast")
    process.terminate(running.pid, signal.SIGQUIT)
    if _gone(running.pid, patience):
        _remove_socket_directory(running.socket_dir)
        return Stopped(True, clean=False)
    raise BusyError(
        f"the PostgreSQL server (process {running.pid}) on {data} does not stop",
        hint=f"look at what it waits for: ps -o pid,wchan,stat {running.pid}",
    )


def socket_dir_for(data: Path) -> Path:
    """The private socket directory of a data directory, short enough for a socket's name (107 bytes)."""
    name = hashlib.blake2b(os.fsencode(data.resolve()), digest_size=6).hexdigest()
    return _runtime_dir() / name


def free_port() -> int:
    """A TCP port of 127.0.0.1 that the kernel says is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def connect(
    running: Running, dbname: str, user: str, *, autocommit: bool = True, maintenance: bool = True, **options: str
) -> psycopg.Connection[Any]:
    """Connect over the server's socket as the operator, who may log in as any role (see `access.write_hba`).

    What production set for the role or the database does not apply (`pinned`). With `maintenance`, which takes a
    superuser, neither do libraries, triggers and rules; `options` are further settings of the session. Raises
    UnreachableError.
    """
    import psycopg

    pins = pinned.operator(running.major) if maintenance else pinned.ordinary(running.major)
    try:
        return pinned.connect(
            pins=pins | options,
            host=str(running.socket_dir),
            port=running.port,
            dbname=dbname,
            user=user,
            autocommit=autocommit,
            connect_timeout=10,
            application_name="envclone",
        )
    except psycopg.OperationalError as exc:
        raise UnreachableError(f"cannot connect to the database '{dbname}' as '{user}': {reason(exc)}") from exc


def session(running: Running, dbname: str, user: str) -> wire.Session:
    """The same without a driver, which a branch's start need not wait for: for a few statements on catalogs.

    Nothing that it commits outlasts a power failure, after which the start says it again. Raises UnreachableError.
    """
    pins = pinned.operator(running.major) | {"application_name": "envclone", "synchronous_commit": "off"}
    return wire.Session(running.socket_dir, running.port, dbname=dbname, user=user, settings=pins)


def reason(exc: Exception) -> str:
    """The meaningful last line of a connection's failure, which names every address that was tried."""
    lines = [line.strip() for line in str(exc).splitlines() if line.strip() and not line.startswith("Multiple")]
    text = next((line for line in lines if "FATAL:" in line), lines[0] if lines else type(exc).__name__)
    return text.rpartition("FATAL:")[2].strip() or text


def _runtime_dir() -> Path:
    if os.geteuid() == 0:
        return Path("/run/envclone")
    given = os.environ.get("XDG_RUNTIME_DIR")
    if given and len(given) < 60 and os.access(given, os.W_OK):
        return Path(given) / "envclone"
    return Path(f"/tmp/envclone-{os.geteuid()}")  # noqa: S108 - its owner and mode are checked before use


def make_socket_directory(path: Path, account: Account) -> None:
    """Make a socket directory that nobody but this account (and root) can enter."""
    if len(os.fsencode(path)) > 90:
        raise ResourceError(
            f"the socket directory {path} is too long for a Unix socket (90 bytes)", hint="choose a shorter path"
        )
    base = path.parent
    if base == _runtime_dir():
        base.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, exist_ok=True)
        owner = base.lstat()
        if base.is_symlink() or owner.st_uid != os.geteuid() or owner.st_mode & 0o022:
            raise UnsafeError(f"{base} belongs to somebody else or can be written by others", hint=f"remove {base}")
        if os.geteuid() == 0:
            base.chmod(0o711)  # whatever the umask took away
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)
    hand_over(path, account)


def _remove_socket_directory(path: Path) -> None:
    """Remove a directory that `socket_dir_for` named, once it is empty; a caller's own is his to remove."""
    if path.parent == _runtime_dir():
        with contextlib.suppress(OSError):
            path.rmdir()


def _major(data: Path) -> int | None:
    try:
        return int((data / "PG_VERSION").read_text())
    except (OSError, ValueError):
        return None


def _pid_file(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text(errors="replace").splitlines()
    except OSError:
        return []


def _forget_reused_pid(data: Path) -> None:
    """Remove a postmaster.pid whose process id now is somebody else's, at which PostgreSQL would refuse to start.

    With a dead process it stays: PostgreSQL then looks itself whether orphaned backends still use these files.
    """
    lines = _pid_file(data)
    with contextlib.suppress(IndexError, ValueError):
        if process.alive(abs(int(lines[0]))):
            (data / "postmaster.pid").unlink(missing_ok=True)


def _await_orphans(data: Path, patience: float = 10.0) -> None:
    """Wait for the backends of a server that was killed, and then end them.

    PostgreSQL tells them by their shared memory, which a server in another IPC namespace does not see.
    """
    if os.geteuid() != 0:
        return
    deadline = time.monotonic() + patience
    while left := [pid for pid in _processes_of(data.stat().st_uid) if _serves(pid, data)]:
        if time.monotonic() > deadline:
            for pid in left:
                process.terminate(pid, signal.SIGKILL)
        time.sleep(0.01)


def _processes_of(uid: int) -> list[int]:
    found = []
    for entry in os.scandir("/proc"):
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == uid:
                found.append(int(entry.name))
    return found


def _serves(pid: int, data: Path) -> bool:
    """Whether the process is a PostgreSQL server on this directory: servers work in their data directory."""
    if not process.alive(pid):
        return False
    try:
        program = Path(f"/proc/{pid}/comm").read_text().strip()
        return program in ("postgres", "postmaster") and Path(f"/proc/{pid}/cwd").samefile(data)
    except PermissionError:  # another user's: its name is all that can be seen, and that is enough to keep away
        return program in ("postgres", "postmaster")
    except OSError:
        return False


def _gone(pid: int, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while process.alive(pid):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.005)
    _reap(pid)
    return True


def _end(pid: int, sig: signal.Signals) -> None:
    if process.alive(pid) and process.terminate(pid, sig) and not _gone(pid, 15.0):
        process.terminate(pid, signal.SIGKILL)
        _gone(pid, 5.0)


def _reap(pid: int) -> int | None:
    """Take a finished child's entry out of the process table, and its exit code; None for somebody else's child."""
    with contextlib.suppress(ChildProcessError):
        ended, status = os.waitpid(pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if ended else None
    return None
