"""Ports for servers that a test starts itself."""

from __future__ import annotations

import random
import socket

__all__ = ["unused_port"]

_RANGE = range(10_000, 30_000)
"""Below what the kernel gives to who asks for any port: there a connection of another test can take a port between the
look and the server's start, or while the server is stopped for a moment."""


def unused_port() -> int:
    """A port on which nobody listens, and that nobody is given by chance."""
    draw = random.SystemRandom()
    for _ in range(1000):
        port = draw.choice(_RANGE)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
