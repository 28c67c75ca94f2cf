"""A branch's Qdrant server as a process of this machine: the binary that QDRANT_BIN names, on the branch's own storage.

When root starts it, it is caged like Postgres: no network but a loopback of its own, whose two ports are reached
through Unix sockets (`cage.doorway`) and the pool's gate. It is found by what it was started with, for it writes no
file that says who serves a storage.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from envclone import process, wait
from envclone.accounts import account_of, pool_of
from envclone.cage import behind_doors, refused
from envclone.cage.doorway import NAME
from envclone.cage.gatekeeper import Gatekeeper, listen
from envclone.errors import BusyError, EnvcloneError, ResourceError, UnreachableError
from envclone.interrupts import deferred
from envclone.models import Cage, Credentials, Endpoint, Secret, StoreSnapshot
from envclone.private import write_private
from envclone.stores.qdrant.contained import AUTHORITIES, BESIDE, make_ready, settings
from envclone.stores.qdrant.layout import STORAGE, collections

__all__ = ["VARIABLE", "binary", "lacking", "running", "serve", "stop"]

VARIABLE = "QDRANT_BIN"
_SERVED = "server.json"
"""Beside the storage while a server is meant to run on it: the port that it has on this machine."""
_HTTP, _GRPC = 6333, 6334
_DOORS = {"http": _HTTP, "grpc": _GRPC}
_ATTEMPTS = 20
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
"""What a client of HTTP/2 begins with: the preface, and settings that change nothing."""
_Address = str | tuple[str, int]
"""A Unix socket, or a host and its port."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def binary() -> Path | None:
    """The server's program that QDRANT_BIN names; None without it. Raises ResourceError when it is none."""
    given = os.environ.get(VARIABLE)
    if not given:
        return None
    path = Path(given).absolute()
    if not path.is_file() or not os.access(path, os.X_OK):
        raise ResourceError(f"{VARIABLE} names {given}, which is no program", hint=f"correct {VARIABLE}, or unset it")
    return path


def lacking(directory: Path) -> str | None:
    """Why only the files of a branch's storage can be had; None when a server can be started on them."""
    if binary() is None:
        return f"files only: {VARIABLE} names no server's program, and no container runs one"
    if apart := [one.name for one in collections(directory / STORAGE) if not one.served]:
        return f"files only: no server wrote {', '.join(apart)}, so none starts on it"
    return None


def serve(
    directory: Path,
    snapshot: StoreSnapshot,
    credentials: Credentials,
    *,
    port: int | None,
    log: Path,
    overrides: Mapping[str, str] | None = None,
    started: Callable[[int], None] | None = None,
) -> Endpoint:
    """Start the server on `directory/storage` with the branch's password as its key, and wait until it answers.

    HTTP is at `port` of 127.0.0.1, or at one from the kernel, gRPC at the next. Raises BusyError when one of them is
    taken, UnreachableError with the server's last words when it ends; then nothing runs.
    """
    program = binary()
    assert program is not None  # `lacking` was asked
    stop(directory)
    make_ready(directory)
    gated = _gated()
    with contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(one) for one in _two(port))
        chosen = int(first.getsockname()[1])
        write_private(directory / _SERVED, json.dumps({"port": chosen}))
        try:
            if gated:
                pid = _behind(program, directory, credentials, log, overrides or {}, started)
                _route(directory, first, second)
            else:
                stack.close()  # the server has them now
                given = settings(directory.resolve(), credentials, port=chosen, overrides=overrides or {})
                pid = _start([str(program)], given, log, (("127.0.0.1", chosen), ("127.0.0.1", chosen + 1)), started)
        except BaseException:
            with deferred():
                stop(directory)
            raise
    return Endpoint(
        store=snapshot.store,
        kind=snapshot.kind,
        host="127.0.0.1",
        port=chosen,
        password=credentials.password,
        path=directory / STORAGE,
        pid=pid,
    )


def stop(directory: Path, timeout: float = 60.0) -> bool:
    """Stop what serves `directory/storage`, and end its routes; False when nothing did. Raises BusyError."""
    found = _processes(directory)
    mark = directory / _SERVED
    if not found and not mark.exists():
        return False
    keeper = _keeper(directory) if _gated() else None
    if keeper is not None:
        for door in _DOORS:
            keeper.drop(_name(directory, door))
    for sig, patience in ((signal.SIGTERM, timeout), (signal.SIGKILL, 15.0)):
        left = [pid for pid in _processes(directory) if process.terminate(pid, sig)]
        with contextlib.suppress(EnvcloneError):
            wait.until(lambda: True if not _processes(directory) else None, what="Qdrant stays", timeout=patience,
                       interval=0.005, longest=0.02)  # fmt: skip
        for pid in found:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        if not left:
            break
    if left := _processes(directory):
        raise BusyError(f"the Qdrant server (process {left[0]}) on {directory} does not stop")
    if keeper is not None:
        keeper.forget(directory / STORAGE)
    mark.unlink(missing_ok=True)
    return bool(found)


def running(directory: Path) -> bool:
    """Whether the server that `serve` started answers, or none was; a gate that died is started again for it."""
    try:
        chosen = int(json.loads((directory / _SERVED).read_bytes())["port"])
    except FileNotFoundError:
        return True
    except (OSError, ValueError, TypeError, KeyError):
        return False
    if not _processes(directory):
        return False
    if not _gated() or {_name(directory, door) for door in _DOORS} <= set(_keeper(directory).routes() or ()):
        return True
    try:
        with listen(chosen) as first, listen(chosen + 1) as second:
            _route(directory, first, second)
    except EnvcloneError:
        return False  # somebody else has its port now: it has to be started again
    return True


def _gated() -> bool:
    """Whether servers are caged, and reached through the gate: root's are."""
    return os.geteuid() == 0


def _behind(
    program: Path,
    directory: Path,
    credentials: Credentials,
    log: Path,
    overrides: Mapping[str, str],
    started: Callable[[int], None] | None,
) -> int:
    """Start it in a cage, its ports at Unix sockets in the door that the gate passes through."""
    account = account_of(directory)
    keeper = _keeper(directory)
    keeper.summon()
    door = keeper.door(directory / STORAGE, account)
    for name in _DOORS:
        (door / name).unlink(missing_ok=True)
    place = directory.resolve()
    cage = Cage(account, writable=(door, *(place / name for name in (STORAGE, *BESIDE))), readable=_shown(program))
    argv = behind_doors([str(program)], cage, {door / name: port for name, port in _DOORS.items()})
    given = settings(place, credentials, port=_HTTP, overrides=overrides)
    return _start(argv, given, log, (str(door / "http"), str(door / "grpc")), started)


def _shown(program: Path) -> tuple[Path, ...]:
    """What the server may read beside the system's libraries."""
    return (program, *(path for path in AUTHORITIES if path.exists()))


def _start(
    argv: list[str],
    given: Mapping[str, Secret],
    log: Path,
    addresses: tuple[_Address, _Address],
    started: Callable[[int], None] | None,
) -> int:
    """Start a process, and wait until a server answers at both addresses."""
    offset = log.stat().st_size if log.exists() else 0
    environment = {name: value.reveal() for name, value in given.items()}
    with deferred():  # a signal must not come between the process and its number
        pid = process.spawn(argv, log=log, env=environment)
    if started is not None:
        started(pid)

    def up() -> bool | None:
        if _ready(*addresses):
            return True
        if process.alive(pid):
            return None
        words = _words(log, offset)
        with contextlib.suppress(ChildProcessError):
            code = os.waitpid(pid, os.WNOHANG)[1]
            if why := refused(os.waitstatus_to_exitcode(code), words):
                raise why
        raise _explained(words)

    wait.until(
        up, what="the Qdrant server was not ready", timeout=300, interval=0.005, longest=0.05, hint=f"its log is {log}"
    )
    return pid


def _ready(http: _Address, grpc: _Address) -> bool:
    """Whether a server says that all its shards are loaded, and answers at both its ports."""
    said = _said(http, b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
    return said.split(b" ")[1:2] == [b"200"] and _said(grpc, _PREFACE) != b""


def _said(address: _Address, asked: bytes) -> bytes:
    """The beginning of what a server answers; nothing when it does not."""
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as asking:
        asking.settimeout(5)
        try:
            asking.connect(address)
            asking.sendall(asked)
            return asking.recv(64)
        except OSError:
            return b""


def _words(log: Path, offset: int) -> str:
    with log.open("rb") as file:
        file.seek(offset)
        return _COLOUR.sub("", file.read().decode(errors="replace"))


def _explained(words: str) -> EnvcloneError:
    """What a server's last words mean."""
    if "Address already in use" in words:
        return BusyError("the port of the Qdrant server is taken", hint="try again, or choose another with --port")
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    told = next((line for line in lines if "Panic occurred" in line), lines[-1] if lines else "")
    hint = "is the program of the version that wrote these files?" if "ersion" in words else "its log says more"
    return UnreachableError(f"the Qdrant server ended: {told[:500] or 'it wrote nothing'}", hint=hint)


def _processes(directory: Path) -> list[int]:
    """The servers on a storage: what they were started with names it."""
    mark = b"QDRANT__STORAGE__STORAGE_PATH=" + os.fsencode(directory.resolve() / STORAGE)
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            given = Path(entry.path, "environ").read_bytes().split(b"\0")
            if (
                mark in given
                and Path(entry.path, "comm").read_text().strip() != NAME
                and process.alive(int(entry.name))
            ):
                found.append(int(entry.name))
    return found


def _two(port: int | None) -> tuple[socket.socket, socket.socket]:
    """Two sockets at a port of 127.0.0.1 and the next. Raises BusyError."""
    for attempt in range(_ATTEMPTS):
        first = listen(port)
        try:
            return first, listen(int(first.getsockname()[1]) + 1)
        except (BusyError, OverflowError) as exc:
            first.close()
            if port is not None:
                raise BusyError(
                    f"the port {port + 1} of 127.0.0.1, for gRPC, is taken", hint="choose another with --port"
                ) from exc
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _keeper(directory: Path) -> Gatekeeper:
    return Gatekeeper(pool_of(directory) or directory)


def _name(directory: Path, door: str) -> str:
    """The name of a route: the branch, the store, and what is behind."""
    return f"{directory.parent.name}/{directory.name}/{door}"


def _route(directory: Path, first: socket.socket, second: socket.socket) -> None:
    keeper = _keeper(directory)
    door = keeper.door(directory / STORAGE, account_of(directory))
    for name, listener in zip(_DOORS, (first, second), strict=True):
        keeper.add(_name(directory, name), listener, door / name)
