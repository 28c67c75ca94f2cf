"""Puts this process in a cage and becomes another program there: `launcher.py UID GID NAME WORD=PATH… -- PROGRAM …`.

Run by `process` as root with `python -I -S`: only the standard library is at hand, and as little of it as possible, for
a branch's start waits for it. The words:

- `rw=PATH`: a directory or file that the program may write, at its own path; nothing in it can be run or loaded
- `ro=PATH`: one that it may read and run
- `hide=PATH`: an empty directory in the place of one that lies below an `ro=`
- `false=PATH`: a program that does nothing and fails, for a server that insists on running one
- `cwd=PATH`: where the program begins, in place of `/`
- `net=host`: this host's network; without it there is a `lo` of its own and nothing else

Every step that fails ends the process with MARK on its standard error and code REFUSED: the program never runs outside.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import socket
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MARK", "REFUSED", "become", "enter", "main"]

MARK = "envclone-cage: "
"""What the last words begin with when the cage cannot be made."""
REFUSED = 125

_NEWNS, _NEWCGROUP, _NEWUTS, _NEWIPC, _NEWNET = 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x40000000
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT = 1, 2, 4, 8, 32
_BIND, _REC, _PRIVATE, _SLAVE = 4096, 16384, 1 << 18, 1 << 19
_DETACH = 2
_CAPBSET_DROP, _NO_NEW_PRIVS, _CAP_AMBIENT, _AMBIENT_CLEAR = 24, 38, 47, 4
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_BASE, _OLD = "/tmp", "/.old"  # noqa: S108 - any directory that every system has: our own root is mounted over it

_SYSTEM = ("/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32", "/usr/share", "/usr/local/lib", "/usr/local/share",
           "/lib", "/lib32", "/lib64", "/libx32",
           "/etc/ld.so.cache", "/etc/localtime", "/etc/timezone", "/etc/alternatives")  # fmt: skip
"""Libraries, locales and time zones; no programs."""
_FALSE = "/usr/bin/false"
_DEVICES = ("null", "zero", "full", "random", "urandom")

_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> int:
    """Enter the cage and become the program."""
    end = arguments.index("--")
    return become(arguments[:end], arguments[end + 1 :], dict(os.environ))


def become(
    cage: list[str], program: list[str], environment: dict[str, str], inside: Callable[[], None] | None = None
) -> int:
    """Enter the cage that the words say and become the program; the exit code when that fails, and why on stderr.

    `inside` is called in the cage, just before.
    """
    uid, gid, name = int(cage[0]), int(cage[1]), cage[2]
    words = [tuple(word.partition("=")[::2]) for word in cage[3:]]
    try:
        origin = os.path.dirname(os.path.realpath(program[0]))
        enter(uid, gid, name, words)
        os.chdir(next((path for kind, path in words if kind == "cwd"), "/"))
        if inside is not None:
            inside()
        # without /proc the loader cannot tell where the program is, which its library path may say
        os.execve(program[0], program, {**environment, "LD_ORIGIN_PATH": origin})  # noqa: S606 - `process` asked for it
    except OSError as exc:
        place = f" ({exc.filename})" if exc.filename else ""
        os.write(2, f"{MARK}{exc.strerror}{place}\n".encode(errors="surrogateescape"))
    return REFUSED


def enter(uid: int, gid: int, name: str, words: list[tuple[str, ...]]) -> None:
    """Cage this process: namespaces and a root of its own, the account, no right that could be regained.

    Raises OSError with what failed.
    """
    given = [(kind, path, os.path.realpath(path)) for kind, path in words]
    alone = ("net", "host") not in words
    umask = os.umask(0o022)
    flags = _NEWNS | _NEWIPC | _NEWUTS | _NEWCGROUP | (_NEWNET if alone else 0)
    _do(_libc.unshare(flags), "unshare")
    _mount(None, "/", None, _REC | _SLAVE)  # what is unmounted outside goes from here, too
    _mount("tmpfs", _BASE, "tmpfs", _NOSUID | _NODEV, "mode=0755,size=1m")
    os.mkdir(_BASE + _OLD)
    _do(_libc.pivot_root(_BASE.encode(), (_BASE + _OLD).encode()), "pivot_root")
    os.chdir("/")
    _furnish(uid, gid, name)
    for kind, path, real in given:
        if kind in ("rw", "ro"):
            guard = _NOSUID | _NODEV | (_NOEXEC if kind == "rw" else _RDONLY)
            for target in {path, real}:
                _bind(real, target, guard)
        elif kind == "false":
            _bind(_inside(_FALSE), path, _NOSUID | _NODEV | _RDONLY)
    for kind, _, real in given:
        if kind == "hide" and os.path.isdir(real):
            _mount("tmpfs", real, "tmpfs", _NOSUID | _NODEV | _NOEXEC | _RDONLY, "mode=0000,size=4k")
    _do(_libc.umount2(_OLD.encode(), _DETACH), "umount")
    os.rmdir(_OLD)
    _mount(None, "/", None, _REC | _PRIVATE)
    _mount(None, "/", None, _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV)
    os.umask(umask)
    if alone:
        _raise_loopback()
    _give_up(uid, gid)


def _furnish(uid: int, gid: int, name: str) -> None:
    """What every program expects: libraries, /dev, /tmp, and /etc with root and its own account."""
    for path, mode in (("/tmp", 0o1777), ("/dev", 0o755), ("/dev/shm", 0o1777), ("/etc", 0o755)):  # noqa: S108 - its own
        os.makedirs(path, 0o755, exist_ok=True)
        if mode == 0o1777:
            _mount("tmpfs", path, "tmpfs", _NOSUID | _NODEV | _NOEXEC, f"mode={mode:o}")
    for device in _DEVICES:
        _bind(f"/dev/{device}", f"/dev/{device}", _NOSUID | _NOEXEC)
    for path in _SYSTEM:
        there = _OLD + path
        if os.path.islink(there) and os.path.isdir(f"{_OLD}{_inside(path)}") and path.count("/") == 1:
            os.symlink(os.readlink(there), path)  # /lib -> usr/lib
        elif os.path.lexists(there):
            _bind(_inside(path), path, _NOSUID | _NODEV | _RDONLY)
    _write("/etc/passwd", f"root:x:0:0::/:/bin/false\n{name}:x:{uid}:{gid}::/tmp:/bin/false\n")
    _write("/etc/group", f"root:x:0:\n{name}:x:{gid}:\n")
    _write("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")
    _write("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")


def _inside(path: str) -> str:
    """Where a path of the old root leads, its links followed there."""
    for _ in range(40):
        if not os.path.islink(_OLD + path):
            return path
        path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(_OLD + path)))
    return path


def _bind(source: str, target: str, guard: int) -> None:
    source = _OLD + source
    if os.path.isdir(source):
        os.makedirs(target, 0o755, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
        if not os.path.lexists(target):
            _write(target, "")
    _mount(source, target, None, _BIND)
    _mount(None, target, None, _REMOUNT | _BIND | guard)


def _raise_loopback() -> None:
    with socket.socket() as sock:
        request = fcntl.ioctl(sock, _SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0))
        up = struct.unpack_from("16sH", request)[1] | _IFF_UP
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", up))


def _give_up(uid: int, gid: int) -> None:
    """Become the account: no capability, not even to be regained, and no program that gives rights."""
    if uid == 0 or gid == 0:
        raise OSError(1, "a cage is not for root")
    for capability in range(64):
        if _libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # the kernel knows no more
    _libc.prctl(_CAP_AMBIENT, _AMBIENT_CLEAR, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    header, nothing = struct.pack("=Ii", 0x20080522, 0), bytes(24)
    _do(_libc.capset(header, nothing), "capset")
    _do(_libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    os.write(descriptor, text.encode())
    os.close(descriptor)


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    given = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    options = None if data is None else data.encode()
    _do(_libc.mount(given[0], given[1], given[2], ctypes.c_ulong(flags), options), f"mount {target}")


def _do(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
