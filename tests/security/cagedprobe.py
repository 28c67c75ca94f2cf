"""Looks around from inside a cage: run by a process that is in it, it prints what can be reached and must not be."""

from __future__ import annotations

import contextlib
import ctypes
import encodings.idna  # before the root changes: names are looked up with it
import os
import socket
from collections.abc import Iterator
from pathlib import Path

__all__ = ["IDNA", "enter", "found", "look"]

IDNA = encodings.idna


def enter(pid: int, uid: int) -> None:
    """Put this process beside another one: its namespaces, its root, its account, without rights."""
    libc = ctypes.CDLL(None, use_errno=True)
    root = os.open(f"/proc/{pid}/root", os.O_RDONLY | os.O_DIRECTORY)
    for kind in ("ipc", "uts", "net", "mnt"):
        descriptor = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
        assert libc.setns(descriptor, 0) == 0, kind
        os.close(descriptor)
    os.fchdir(root)
    os.chroot(".")
    os.chdir("/")
    os.close(root)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def look(ports: list[int], hosts: list[str], files: list[str], processes: list[int]) -> Iterator[str]:
    """Everything of the outside that this process reaches, in words."""
    for host in hosts:
        for port in ports:
            with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=0.5):
                yield f"TCP {host}:{port}"
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect((host, 53))
            if not host.startswith("127."):
                yield f"a route to {host}"
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.connect(("2001:db8::1", 53))
        yield "a route by IPv6"
    with contextlib.suppress(OSError):
        yield from (f"interface {name}" for _, name in socket.if_nameindex() if name != "lo")
    with contextlib.suppress(OSError):
        socket.getaddrinfo("deb.debian.org", 443)
        yield "names are resolved"
    for path in files:
        with contextlib.suppress(OSError):
            os.listdir(path) if os.path.isdir(path) else open(path, "rb").close()
            yield f"file {path}"
    for pid in processes:
        with contextlib.suppress(OSError):
            os.kill(pid, 0)
            yield f"process {pid} can be signalled"
        with contextlib.suppress(OSError):
            open(f"/proc/{pid}/environ", "rb").close()
            yield f"environment of process {pid}"
    for path in ("/", "/etc", "/usr", "/usr/lib", "/dev"):
        with contextlib.suppress(OSError):
            open(f"{path}/envclone-probe", "w").close()
            yield f"{path} can be written"
    with contextlib.suppress(OSError):
        os.setuid(0)
        yield "root can be regained"
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP):
        yield "a raw socket"


def found(pid: int, uid: int, ports: list[int], hosts: list[str], files: list[str], processes: list[int]) -> list[str]:
    """What `look` finds beside the process `pid`, asked by a copy of this process."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            enter(pid, uid)
            said = "\n".join(look(ports, hosts, files, processes)) + "\ndone"
        except BaseException as exc:
            said = f"the probe failed: {exc!r}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        lines = pipe.read().splitlines()
    os.waitpid(child, 0)
    assert lines[-1:] == ["done"], lines
    return [line for line in lines[:-1] if line]


def status_of(pid: int) -> dict[str, str]:
    """What the kernel says of a process."""
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
