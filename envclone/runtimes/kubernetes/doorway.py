"""The way from a pod's own address to its stores: a program in the branch's pod, beside the servers.

The servers listen at 127.0.0.1 of the pod alone, where nobody else is. This listens at the addresses that the cluster
gave to the pod, at the same ports, and carries bytes. A NetworkPolicy says who may come there; the servers want a
login.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence

from envclone.runtimes.kubernetes.relay import carry

__all__ = ["listening", "serve"]

_MOST = 512
"""Connections at once to one port: a branch is for a few people."""


def listening(addresses: Sequence[str], ports: Sequence[int]) -> list[socket.socket]:
    """A socket for each port of each address, and never one of all addresses."""
    found = []
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        found += [socket.create_server((address, port), family=family) for port in ports]
    return found


def serve(door: socket.socket) -> None:
    """Carry every connection to the same port of 127.0.0.1, until the socket is closed."""
    port, room = door.getsockname()[1], threading.BoundedSemaphore(_MOST)
    while True:
        try:
            one, _ = door.accept()
        except OSError:
            return
        if room.acquire(blocking=False):
            threading.Thread(target=_carried, args=(one, port, room), daemon=True).start()
        else:
            one.close()


def _carried(outside: socket.socket, port: int, room: threading.BoundedSemaphore) -> None:
    try:
        with outside, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 10) as inside:
            inside.settimeout(None)
            back = threading.Thread(target=carry, args=(inside, outside), daemon=True)
            back.start()
            carry(outside, inside)
            back.join()
    finally:
        room.release()


def main(*ports: str) -> int:
    """`ports` of the stores; the pod's addresses are in POD_IPS, with commas between."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the first process of a container has no default
    addresses = [one for one in os.environ.get("POD_IPS", "").split(",") if one]
    threads = [threading.Thread(target=serve, args=(one,)) for one in listening(addresses, list(map(int, ports)))]
    for one in threads:
        one.daemon = True
        one.start()
    for one in threads:
        one.join()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
