"""Looks around from inside a cage: `python -I caged.py PID SPEC` enters the namespaces of a process and its account.

Prints one JSON list of what could be reached that should not be. Without PID (`-`) it looks where there are no walls,
which shows that each probe can find something.
"""

import ctypes
import encodings.idna
import errno
import json
import os
import signal
import socket
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
NEWNS, NEWUTS, NEWIPC, NEWNET = 0x20000, 0x4000000, 0x8000000, 0x40000000
assert encodings.idna  # loaded now: inside there is no Python to load it from


def enter(pid: int) -> None:
    status = os.stat(f"/proc/{pid}")
    spaces = [(os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY), flag)
              for name, flag in (("net", NEWNET), ("ipc", NEWIPC), ("uts", NEWUTS), ("mnt", NEWNS))]  # fmt: skip
    for descriptor, flag in spaces:
        if LIBC.setns(descriptor, flag) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        os.close(descriptor)
    os.chdir("/")
    os.setgroups([])
    os.setresgid(status.st_gid, status.st_gid, status.st_gid)
    os.setresuid(status.st_uid, status.st_uid, status.st_uid)
    LIBC.prctl(38, 1, 0, 0, 0)


def connects(family: int, kind: int, address: object) -> bool:
    with socket.socket(family, kind) as sock:
        sock.settimeout(1)
        try:
            sock.connect(address)  # type: ignore[arg-type]
            if kind == socket.SOCK_DGRAM:
                sock.send(b"x")
            return True
        except OSError:
            return False


def network(spec: dict) -> list[str]:
    found = []
    for host in spec["hosts"]:
        found += [f"tcp {host}:{p}" for p in spec["ports"] if connects(socket.AF_INET, socket.SOCK_STREAM, (host, p))]
        if not host.startswith("127.") and connects(socket.AF_INET, socket.SOCK_DGRAM, (host, 53)):
            found.append(f"udp {host}")
    for host in ("169.254.169.254", "1.1.1.1", "172.17.0.1", "10.0.0.1", "192.168.0.1"):
        found += [f"udp {host}"] if connects(socket.AF_INET, socket.SOCK_DGRAM, (host, 53)) else []
        found += [f"tcp {host}:80"] if connects(socket.AF_INET, socket.SOCK_STREAM, (host, 80)) else []
    for host in ("2001:4860:4860::8888", "fd00::1", "::ffff:172.17.0.1"):
        found += [f"udp {host}"] if connects(socket.AF_INET6, socket.SOCK_DGRAM, (host, 53)) else []
    for host in ("example.org", "metadata.google.internal"):
        try:
            socket.getaddrinfo(host, 80)
            found.append(f"name {host}")
        except OSError:
            pass
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
        found.append("raw socket")
    except OSError:
        pass
    if connects(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + spec["abstract"]):
        found.append("abstract socket")
    found += [f"interface {name}" for _, name in socket.if_nameindex() if name != "lo"]
    return found


def files(spec: dict) -> list[str]:
    found = []
    for path in spec["secret"]:
        try:
            if os.path.isdir(path):
                os.listdir(path)
            else:
                os.close(os.open(path, os.O_RDONLY))
            found.append(f"reads {path}")
        except OSError:
            pass
    for path in spec["sockets"]:
        found += [f"socket {path}"] if connects(socket.AF_UNIX, socket.SOCK_STREAM, path) else []
    for folder in spec["written"]:
        try:
            os.close(os.open(f"{folder}/envclone-probe", os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            os.unlink(f"{folder}/envclone-probe")
            found.append(f"writes {folder}")
        except OSError:
            pass
    found += [f"program {path}" for path in ("/bin/sh", "/usr/bin/env", "/usr/bin/su") if os.path.exists(path)]
    return found


def others(spec: dict) -> list[str]:
    found = []
    for pid in spec["pids"]:
        try:
            os.kill(pid, 0)
            found.append(f"signals {pid}")
        except OSError as exc:
            assert exc.errno in (errno.EPERM, errno.ESRCH)
        found += [f"sees {pid}"] if os.path.exists(f"/proc/{pid}/status") else []
    return found


def main() -> None:
    signal.alarm(60)
    if sys.argv[1] != "-":
        enter(int(sys.argv[1]))
    spec = json.loads(sys.argv[2])
    print(json.dumps([*network(spec), *files(spec), *others(spec)]))


main()
