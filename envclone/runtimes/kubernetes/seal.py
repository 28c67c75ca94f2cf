"""The wall of a branch, tested from inside: `dial` runs in the branch's pod before anything else, `listen` beside it.

The listener has two ports. The cluster's policies let the pod reach the first, so that a network that is not up yet is
told apart from a wall; the second, and the cluster's own API, nothing lets it reach. A cluster that does not enforce
its policies lets it: then the pod never starts.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["OPEN", "SEALED", "UNPROVED", "dial", "listen", "reaches"]

SEALED, OPEN, UNPROVED = 0, 3, 4
"""Exit codes: the wall stands; something was reached; the network did not come up, so nothing is proved."""

_UP, _CLOSES = 60.0, 15.0
"""Seconds for the network to come up, and for the policies to take effect after that."""
_PATIENCE = 1.0
_MESSAGE = Path("/dev/termination-log")
_METADATA = "169.254.169.254:80"


def reaches(target: str, timeout: float = _PATIENCE) -> bool:
    """Whether a connection to `address:port` is taken."""
    host, _, port = target.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=timeout).close()
    except OSError:
        return False
    return True


def targets(denied: str, env: Mapping[str, str]) -> list[str]:
    """What must not be reached: the listener's other port, the cluster's API, the cloud's metadata."""
    found = [denied, _METADATA]
    host, port = env.get("KUBERNETES_SERVICE_HOST"), env.get("KUBERNETES_SERVICE_PORT", "443")
    return [*found, f"[{host}]:{port}" if host and ":" in host else f"{host}:{port}"] if host else found


def dial(control: str, denied: Sequence[str], *, up: float = _UP, closes: float = _CLOSES) -> tuple[int, str]:
    """Reach `control`, and then nothing of what is denied, in two rounds one after another."""
    until = time.monotonic() + up
    while not reaches(control):
        if time.monotonic() > until:
            return UNPROVED, f"the listener at {control} was not reached, though the policies allow it"
        time.sleep(0.1)
    until, quiet = time.monotonic() + closes, 0
    while True:
        open_ = [target for target in denied if reaches(target)]
        quiet = 0 if open_ else quiet + 1
        if quiet == 2:
            return SEALED, ""
        if open_ and time.monotonic() > until:
            return OPEN, f"reached {', '.join(open_)}"
        time.sleep(0.1)


def listen(ports: Sequence[int], *, forever: bool = True) -> list[socket.socket]:
    """Take connections at these ports and end each at once."""
    waiting = selectors.DefaultSelector()
    sockets = []
    for port in ports:
        sock = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        sockets.append(sock)
        waiting.register(sock, selectors.EVENT_READ)
    while forever:
        for key, _ in waiting.select():
            with contextlib.suppress(OSError):
                key.fileobj.accept()[0].close()  # type: ignore[union-attr]
    return sockets


def main(arguments: Sequence[str]) -> int:
    """`listen PORT…`, `listens PORT`, `dial CONTROL DENIED`."""
    what, *rest = arguments
    if what == "listen":
        listen([int(port) for port in rest])
    if what == "listens":
        return 0 if reaches(f"127.0.0.1:{rest[0]}") else 1
    code, said = dial(rest[0], targets(rest[1], os.environ))
    if said:
        with contextlib.suppress(OSError):
            _MESSAGE.write_text(said)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
