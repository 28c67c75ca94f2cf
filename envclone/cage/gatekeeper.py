"""Asking a pool's gate: it is started at the first route, found by its socket, and ends with the last route."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from envclone import process, wait
from envclone.accounts import account_of, hand_over
from envclone.cage.gate import CONTROL
from envclone.errors import BusyError, EnvcloneError, ResourceError
from envclone.models import Account

__all__ = ["Gatekeeper", "listen", "sweep"]

_PROGRAM = Path(__file__).with_name("gate.py")
_GATES = Path("/run/envclone/gates")
_LOG, _PID, _LOCK = "gate.log", "gate.pid", "lock"
_UNTOUCHED = 60.0
"""Seconds after which a gate's directory is nobody's who is just making one."""
_LEAVING = 0.2
"""Seconds that a gate without routes is given to end, which it does at once."""


class Gatekeeper:
    """The gate of a pool, or of any other directory of branches; only root has one."""

    def __init__(self, pool: Path, directory: Path | None = None) -> None:
        name = hashlib.blake2b(os.fsencode(pool.resolve()), digest_size=6).hexdigest()
        self._directory = directory or _GATES / name
        self._pool = pool

    def door(self, data: Path, account: Account) -> Path:
        """Make the directory of the socket that the gate connects to: the account writes it, the gate passes through.

        Nobody else can enter.
        """
        with self._alone():
            gate = account_of(self._directory)
            path = self._door(data)
            path.mkdir(mode=0o700, exist_ok=True)
            hand_over(path, Account(account.name, account.uid, gate.gid))
            path.chmod(0o710)
        return path

    def forget(self, data: Path) -> None:
        """Remove the door of a server that is gone, and with the last door what a gate that ended has left."""
        if not self._directory.is_dir():
            return
        door = self._door(data)
        with contextlib.suppress(OSError):
            for entry in door.iterdir():
                entry.unlink()
            door.rmdir()
        deadline = time.monotonic() + _LEAVING
        while not self._doors() and self._process() is not None and time.monotonic() < deadline:
            time.sleep(0.002)
        if not self._doors() and self._process() is None:
            with self._alone():
                if not self._doors() and self._process() is None:
                    self._clear()

    @property
    def abandoned(self) -> bool:
        """Whether no gate runs here, no server listens behind a door, and nobody made anything here just now."""
        if self._process() is not None:
            return False
        try:
            doors = [entry.path for entry in os.scandir(self._directory) if entry.is_dir(follow_symlinks=False)]
            made = max(os.lstat(path).st_mtime for path in (str(self._directory), *doors))
            sockets = [entry.path for door in doors for entry in os.scandir(door)]
        except OSError:
            return False  # somebody just removes it
        return time.time() - made > _UNTOUCHED and not any(map(_listens, sockets))

    def clear(self) -> bool:
        """Remove the directory if it is abandoned, under its lock; False when it is not, or somebody has the lock."""
        try:
            descriptor = os.open(self._directory / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not self.abandoned:
                return False
            for entry in list(os.scandir(self._directory)):
                if entry.is_dir(follow_symlinks=False):
                    for inner in list(os.scandir(entry.path)):
                        Path(inner.path).unlink()
                    Path(entry.path).rmdir()
            self._clear()
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return not self._directory.exists()

    def _doors(self) -> bool:
        with contextlib.suppress(OSError), os.scandir(self._directory) as entries:
            return any(entry.is_dir(follow_symlinks=False) for entry in entries)
        return False

    def _clear(self) -> None:
        """Remove the directory; the lock, which this process holds, is the last of its files."""
        with contextlib.suppress(OSError):
            for name in (CONTROL, _LOG, _PID, _LOCK):
                (self._directory / name).unlink(missing_ok=True)
            self._directory.rmdir()

    def _door(self, data: Path) -> Path:
        return self._directory / hashlib.blake2b(os.fsencode(data.resolve()), digest_size=6).hexdigest()

    def summon(self) -> None:
        """See to it that a gate runs or is about to; does not wait for it."""
        with self._alone():
            if self._ask("routes") is None and self._process() is None:
                self._start()

    def add(self, name: str, listener: socket.socket, target: Path) -> None:
        """Have connections to a bound socket of this host go to the Unix socket `target`; starts the gate if need be.

        Raises ResourceError when there is no gate and none can be started.
        """
        with self._alone():
            answer = self._ask("add", name, str(target), listener=listener)
            if answer is None:
                found = self._process()
                gates = [found or self._start()]
                left = 1 if found else 0  # one that was there may just end with its last route

                def added() -> str | None:
                    said = self._ask("add", name, str(target), listener=listener)
                    if said is None and not process.alive(gates[-1]):
                        if len(gates) > left:
                            raise ResourceError(f"the gate of the branches ended: {self._last_words()}")
                        gates.append(self._start())
                    return said

                answer = wait.until(
                    added, what="the gate of the branches did not open", timeout=30, interval=0.002, longest=0.003
                )
        if answer != "done":
            raise EnvcloneError(f"the gate of the branches refused the route {name}: {answer}")

    def drop(self, name: str) -> None:
        """End a route and its connections; nothing to do when there is none."""
        if self._directory.exists():
            with self._alone():
                self._ask("drop", name)

    def routes(self) -> list[str] | None:
        """The names of all routes; None when no gate runs."""
        answer = self._ask("routes")
        return None if answer is None else [name for name in answer.split("\0") if name]

    def _make(self) -> None:
        for folder, mode in ((_GATES.parent, 0o711), (_GATES, 0o711), (self._directory, 0o711)):
            folder.mkdir(mode=mode, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # the last branch's end removes a gate's own
                folder.chmod(mode)

    def _process(self) -> int | None:
        """The gate's process, also one that does not answer yet; a number that is somebody else's now is none."""
        try:
            pid = int((self._directory / _PID).read_text())
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if os.fsencode(self._directory) in words and process.alive(pid) else None

    def _start(self) -> int:
        self._make()
        account = account_of(self._directory)
        (self._directory / CONTROL).unlink(missing_ok=True)
        log = self._directory / _LOG
        log.unlink(missing_ok=True)
        argv = [sys.executable, "-I", "-S", "-B", _PROGRAM, self._directory, account.uid, account.gid, account.name]
        argv.append(self._pool)  # for who reads the list of processes
        pid = process.spawn([str(word) for word in argv], log=log)
        (self._directory / _PID).write_text(f"{pid}\n")
        return pid

    def _ask(self, *words: str, listener: socket.socket | None = None) -> str | None:
        """What the gate answers; None when there is none."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
            asking.settimeout(5)
            try:
                asking.connect(str(self._directory / CONTROL))
                text = "\0".join(words).encode(errors="surrogateescape")
                if listener is None:
                    asking.sendall(text)
                else:
                    socket.send_fds(asking, [text], [listener.fileno()])
                answer = asking.recv(1 << 20)
            except (FileNotFoundError, ConnectionError):
                return None
            except TimeoutError as exc:
                raise EnvcloneError(
                    "the gate of the branches does not answer", hint=f"see {self._directory / _LOG}"
                ) from exc
        return answer.decode(errors="surrogateescape") if answer or words == ("routes",) else None

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        while True:
            self._make()
            try:
                descriptor = os.open(self._directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            except FileNotFoundError:  # the last branch's end removed the directory just now
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if not os.fstat(descriptor).st_nlink:  # or while this process waited
                    continue
                yield
                return
            finally:
                os.close(descriptor)

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = (self._directory / _LOG).read_text(errors="replace").split("\n")
            return next((line for line in reversed(lines) if line.strip()), "it wrote nothing")
        return "it wrote nothing"


def sweep() -> int:
    """Remove the directories of gates, of any pool, that were killed with all that they led to; how many it were."""
    if os.geteuid() != 0 or not _GATES.is_dir():
        return 0
    return sum(Gatekeeper(path, path).clear() for path in sorted(_GATES.iterdir()) if path.is_dir())


def _listens(path: str) -> bool:
    """Whether a server takes connections at a socket's name."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(1)
        try:
            asking.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True  # its queue is full: it is there
        return True


def listen(port: int | None) -> socket.socket:
    """A TCP socket that has a port of 127.0.0.1, and does not listen yet: that one, or one that the kernel gives.

    Raises BusyError when it is taken.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port or 0))
        return sock
    except OSError as exc:
        sock.close()
        if exc.errno in (errno.EADDRINUSE, errno.EACCES):
            raise BusyError(
                f"the port {port} of 127.0.0.1 is taken", hint="choose another with --port, or leave it out"
            ) from exc
        raise
