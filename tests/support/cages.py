"""What the tests of cages share: a world outside with something to reach, and the probe run on both sides of a wall."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from envclone import process

PROBE = Path(__file__).with_name("caged.py")
_CLOSED = ("/root", "/home", "/etc/shadow", "/proc/1/root", "/sys", "/var", "/run/docker.sock")


@dataclass(frozen=True)
class Outside:
    """Listeners of this host: a port on every address, and an abstract socket."""

    port: int
    abstract: str


@contextmanager
def outside() -> Iterator[Outside]:
    """A service of this host on every one of its addresses, as a tunnel to production could be."""
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as unix:
        tcp.bind(("0.0.0.0", 0))
        tcp.listen(64)
        name = f"envclone-test-{tcp.getsockname()[1]}"
        unix.bind(f"\0{name}")
        unix.listen(64)
        yield Outside(tcp.getsockname()[1], name)


def reach(
    pid: int | None,
    world: Outside,
    *,
    ports: list[int],
    secret: list[Path],
    sockets: list[Path],
    pids: list[int],
) -> list[str]:
    """What a process reaches that it should not, or with None this one, which has no walls."""
    hosts = ["127.0.0.1", *process.run(["hostname", "--all-ip-addresses"]).stdout.split()]
    spec = {
        "hosts": [host for host in hosts if ":" not in host],
        "ports": [world.port, *ports],
        "abstract": world.abstract,
        "secret": [*map(str, secret), *_CLOSED],
        "sockets": [str(path) for path in sockets],
        "written": ["/", "/etc", "/usr/lib", "/usr/local/lib", "/var/tmp", "/run"],
        "pids": pids,
    }  # fmt: skip
    where = "-" if pid is None else str(pid)
    return list(json.loads(process.run([sys.executable, "-I", PROBE, where, json.dumps(spec)]).stdout))


def rights(pid: int) -> dict[str, str]:
    """A process's user, capabilities and whether it can gain any."""
    text = Path(f"/proc/{pid}/status").read_text()
    names = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")
    return {name: " ".join(re.search(rf"^{name}:(.*)$", text, re.MULTILINE)[1].split()) for name in names}  # type: ignore[index]


def has_none(pid: int) -> bool:
    """Whether a process has no right, and is nobody's whom this host knows."""
    found = rights(pid)
    capabilities = {found[name] for name in found if name.startswith("Cap")}
    return capabilities == {"0" * 16} and found["NoNewPrivs"] == "1" and found["Groups"] == ""
