"""The only module that spawns processes: argument lists, deadlines, another user's rights, secrets kept out."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from envclone.cage import REFUSED, confine, described, refused
from envclone.errors import CommandError, EnvcloneError, ResourceError
from envclone.interrupts import deferred
from envclone.models import Account, Cage

__all__ = [
    "Attendant",
    "Completed",
    "Conversation",
    "accompany",
    "alive",
    "replace",
    "run",
    "spawn",
    "stream",
    "terminate",
]

STDERR_KEPT = 4000
"""Characters of a failed program's last words that an error keeps."""


@dataclass(frozen=True, slots=True)
class Completed:
    """What a finished program returned."""

    returncode: int
    stdout: str
    stderr: str


def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    account: Account | None = None,
    cage: Cage | None = None,
    input: str | None = None,
    timeout: float | None = 600.0,
    check: bool = True,
) -> Completed:
    """Run a program to its end and return its output.

    `env` is added to a minimal environment (PATH, HOME, LANG, TMPDIR); secrets belong there, never in `argv`.
    `account` drops root's rights to that account's, `cage` also hides this machine from it. `timeout` is in seconds.
    Raises CommandError when it fails and `check` is true, ResourceError when it is not installed or cannot be caged.
    """
    args = [str(a) for a in argv]
    try:
        done = subprocess.run(
            confine(args, cage),
            env=_environment(env),
            cwd=cwd or "/",
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            **_rights(account),
        )
    except subprocess.TimeoutExpired as exc:
        raise EnvcloneError(f"{Path(args[0]).name} did not finish within {timeout:.0f} s") from exc
    except FileNotFoundError as exc:
        raise _missing(args[0]) from exc
    if cage is not None and (why := refused(done.returncode, done.stderr)):
        raise why
    if check and done.returncode != 0:
        raise _failed(args, done.returncode, done.stderr, env)
    return Completed(done.returncode, done.stdout, done.stderr)


def stream(
    argv: Sequence[str | Path],
    on_line: Callable[[str], None],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    account: Account | None = None,
) -> None:
    """Run a program and hand each line of its stderr (split at CR too) to `on_line` while it runs.

    Its standard output is discarded. The program and what it started are killed when the caller is interrupted, and
    when it is killed itself. Raises CommandError.
    """
    args = [str(a) for a in argv]
    process: subprocess.Popen[str] | None = None
    watched = contextlib.ExitStack()
    last: list[str] = []
    try:
        with deferred():  # a signal must not come between the program and its number
            process = subprocess.Popen(
                args,
                env=_environment(env),
                cwd=cwd or "/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                bufsize=1,
                process_group=0,  # pg_basebackup forks: its child must not write on into what is being removed
                **_rights(account),
            )
            watched.enter_context(_lifeline(process.pid))
        assert process.stderr is not None
        for line in process.stderr:  # universal newlines: a progress meter's CR ends a line too
            text = line.rstrip()
            if text:
                last = [*last[-40:], text]
                on_line(text)
        code = process.wait()
    except BaseException as exc:
        if process is not None:
            with deferred():
                _kill_group(process)
        elif isinstance(exc, FileNotFoundError):
            raise _missing(args[0]) from exc
        raise
    finally:
        with deferred():
            watched.close()
        if process is not None and process.stderr is not None:
            process.stderr.close()
    if code != 0:
        raise _failed(args, code, "\n".join(last), env)


@contextlib.contextmanager
def _lifeline(group: int) -> Iterator[None]:
    """Have a group of processes killed if this one dies before the context ends, however it dies."""
    watcher = subprocess.Popen(
        [sys.executable, "-I", "-S", str(Path(__file__).with_name("lifeline.py")), str(group)],
        env=_environment(None),
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            watcher.communicate(b".")


def accompany(argv: Sequence[str | Path]) -> int:
    """Run a program to its end in this one's place: with its environment, directory and outputs; returns its exit code.

    A signal that ends this one is handed on as SIGTERM, and the program's clean-up waited for. Raises ResourceError
    when the program is not there.
    """
    args = [str(a) for a in argv]
    process: subprocess.Popen[bytes] | None = None
    try:
        with deferred():  # a signal must not come between the program and its number; it is raised at the block's end
            process = subprocess.Popen(args, stdin=subprocess.DEVNULL, process_group=0)
        code = process.wait()
    except BaseException as exc:
        if process is not None:
            with deferred():
                process.terminate()
                process.wait()
        elif isinstance(exc, FileNotFoundError):
            raise _missing(args[0]) from exc
        raise
    return code if code >= 0 else 128 - code


class Conversation:
    """A program that is asked and answers in lines, on its standard input and output, until it is closed.

    Its standard error is thrown away, or goes to this process's own with `show`, line by line as it is written. Raises
    ResourceError when the program is not there or cannot be run.
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        cage: Cage | None = None,
        show: bool = False,
    ) -> None:
        args = [str(a) for a in argv]
        if not os.access(args[0], os.X_OK) and os.sep in args[0]:
            if not Path(args[0]).exists():
                raise _missing(args[0])
            raise ResourceError(f"{Path(args[0]).name} cannot be run: Permission denied", hint="chmod +x?")
        try:
            with deferred():
                self._process = subprocess.Popen(
                    confine(args, cage),
                    env=_environment(env),
                    cwd=cwd or "/",
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=None if show else subprocess.DEVNULL,
                    process_group=0,
                )
                self._end = weakref.finalize(self, _end, self._process)
        except FileNotFoundError as exc:
            raise _missing(args[0]) from exc
        except OSError as exc:
            raise ResourceError(f"{Path(args[0]).name} cannot be run: {exc.strerror}", hint="chmod +x?") from exc
        assert self._process.stdin is not None and self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        self._kept = b""

    def exchange(self, line: bytes | None, timeout: float) -> bytes:
        """Send a line, unless it is None, and wait for one. Raises TimeoutError, or EOFError when the program ended."""
        deadline = time.monotonic() + timeout
        unsent = memoryview(line or b"")
        pieces = [self._kept]
        while b"\n" not in pieces[-1]:
            wait = deadline - time.monotonic()
            readable, writable, _ = select.select([self._out], [self._in] if unsent else [], [], max(0.0, wait))
            if wait <= 0 and not readable:
                raise TimeoutError
            if writable:
                try:
                    unsent = unsent[os.write(self._in, unsent[:65536]) :]
                except BrokenPipeError:
                    raise EOFError from None
            if readable:
                piece = os.read(self._out, 1 << 20)
                if not piece:
                    raise EOFError
                pieces.append(piece)
        answer, _, self._kept = b"".join(pieces).partition(b"\n")
        return answer

    def caged(self) -> bool:
        """Whether the program ran at all: False after it ended because the cage could not be made."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        return self._process.returncode != REFUSED

    def close(self) -> None:
        """End the program and whatever it started."""
        self._end()


class Attendant:
    """A program that works beside this process and ends with it, however it ends; its output replaces `log` (0600)."""

    def __init__(self, argv: Sequence[str | Path], *, log: Path, env: Mapping[str, str] | None = None) -> None:
        args = [str(a) for a in argv]
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        descriptor = os.open(log, flags, 0o600)
        parent, prctl = os.getpid(), ctypes.CDLL(None).prctl  # loaded here: the copy does next to nothing before exec

        def bind() -> None:
            prctl(_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

        try:
            with deferred():
                self._process = subprocess.Popen(
                    args,
                    env=_environment(env),
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=descriptor,
                    stderr=descriptor,
                    process_group=0,
                    preexec_fn=bind,
                )
                self._end = weakref.finalize(self, _kill_group, self._process)
        except FileNotFoundError as exc:
            raise _missing(args[0]) from exc
        finally:
            os.close(descriptor)

    @property
    def pid(self) -> int:
        """The program's process id."""
        return self._process.pid

    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def close(self, patience: float = 10.0) -> None:
        """Ask it to end, and make it after `patience` seconds."""
        with deferred():
            if not self.ended():
                terminate(self._process.pid, signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(patience)
            self._end()


_PDEATHSIG = 1
"""PR_SET_PDEATHSIG: linux/prctl.h."""


def _kill_group(process: subprocess.Popen[Any]) -> None:
    """Kill a program and what it started, and wait until none of them can write any more (for 5 s at most)."""
    deadline = time.monotonic() + 5
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(0.002)
    process.wait()


def _end(process: subprocess.Popen[bytes]) -> None:
    _kill_group(process)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def spawn(
    argv: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    account: Account | None = None,
    cage: Cage | None = None,
) -> int:
    """Start a program that outlives this one, in a session of its own, its output appended to `log` (mode 0600).

    A cage that cannot be made is told in the log only, where `cage.refused` reads it.

    Returns its process id.
    """
    args = [str(a) for a in argv]
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        if cage is not None and os.geteuid() == 0 and _has_one_thread():
            return _fork_into(cage, args, _environment(env), descriptor)
        process = subprocess.Popen(
            confine(args, cage),
            env=_environment(env),
            cwd=cwd or "/",
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            **_rights(account),
        )
    except FileNotFoundError as exc:
        raise _missing(args[0]) from exc
    finally:
        os.close(descriptor)
    process.returncode = 0  # it is meant to go on: silences the destructor's warning, nobody waits for it here
    return process.pid


def _fork_into(cage: Cage, args: list[str], env: dict[str, str], output: int) -> int:
    """Start a program in a cage from a copy of this process: another Python's start takes longer than the cage."""
    from envclone.cage import launcher

    words = described(cage)
    if not os.access(args[0], os.X_OK):
        raise _missing(args[0])
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor, standard in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(descriptor, standard)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        for signum in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores, and a program inherits
            signal.signal(signum, signal.SIG_DFL)
        os._exit(launcher.become(words, args, env))
    finally:
        os._exit(REFUSED)  # nothing of this process's own goes on in the copy


def _has_one_thread() -> bool:
    """Whether this process can be copied: a lock that another thread holds would stay locked in the copy."""
    return sum(1 for _ in os.scandir("/proc/self/task")) == 1


def replace(argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> NoReturn:
    """Become another program, which keeps the terminal and this user's whole environment."""
    args = [str(a) for a in argv]
    try:
        os.execvpe(args[0], args, {**os.environ, **(env or {})})
    except FileNotFoundError as exc:
        raise _missing(args[0]) from exc


def alive(pid: int) -> bool:
    """Whether a process with this id runs (a zombie does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def terminate(pid: int, sig: signal.Signals = signal.SIGTERM) -> bool:
    """Send a signal; False when no such process runs."""
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        return False
    return True


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    kept = {k: os.environ[k] for k in ("PATH", "HOME", "TMPDIR", "TZ") if k in os.environ}
    path = kept.get("PATH", "/usr/bin:/bin")
    # mkfs and mount live in sbin, which an ordinary user's PATH lacks on Debian
    kept["PATH"] = ":".join(dict.fromkeys([*path.split(":"), "/usr/sbin", "/sbin"]))
    kept["LC_ALL"] = "C.UTF-8"  # messages are parsed: one language
    kept.update(extra or {})
    return kept


def _rights(account: Account | None) -> dict[str, object] | dict[str, int | list[int]]:
    if account is None or os.geteuid() != 0:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def _missing(program: str) -> ResourceError:
    name = Path(program).name
    return ResourceError(f"the program {name} is not installed", hint="envclone doctor says what to install")


def _failed(args: Sequence[str], code: int, stderr: str, env: Mapping[str, str] | None) -> CommandError:
    text = stderr.strip()[-STDERR_KEPT:]
    for key, value in (env or {}).items():
        if "PASS" in key.upper() and value:
            text = text.replace(value, "***")
    tail = text.splitlines()[-1] if text else f"exit code {code}"
    return CommandError(f"{Path(args[0]).name} failed: {tail}", argv=args, returncode=code, stderr=text)
