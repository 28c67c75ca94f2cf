"""The operator's way to a server's socket: a program in the branch's pod that only who knows its token gets through.

A replay runs each step as the role that ran it in production, which a branch's own login may not become: on one machine
the operator comes over the server's Unix socket. In a pod this does it: it listens at a port of 127.0.0.1, where the
API's port-forward leads, takes one line with the token and the name of a store, and carries bytes to that store's
socket. The branch's services are in the same network; they have no token, and are let go.
"""

from __future__ import annotations

import contextlib
import hmac
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["PORT", "carry", "greeting", "let_in", "serve"]

PORT = 8473
_LINE = 256
_PIECE = 1 << 16


def greeting(token: str, store: str) -> bytes:
    """What somebody who may come in says first."""
    return f"{token} {store}\n".encode()


def let_in(one: socket.socket, token: str, ways: Mapping[str, str]) -> socket.socket | None:
    """The store's socket for a caller who knows the token; None for any other, who is told nothing."""
    said = b""
    one.settimeout(10)
    try:
        while not said.endswith(b"\n") and len(said) < _LINE:
            if not (byte := one.recv(1)):
                return None
            said += byte
    except OSError:
        return None
    one.settimeout(None)
    for store, path in ways.items():
        if hmac.compare_digest(said, greeting(token, store)):
            inside = socket.socket(socket.AF_UNIX)
            try:
                inside.connect(path)
            except OSError:
                inside.close()
                return None
            return inside
    return None


def carry(source: Any, sink: Any) -> None:
    """Bytes from one end to the other until it has no more; the other way stays open."""
    with contextlib.suppress(OSError):
        while data := source.recv(_PIECE):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def serve(listening: socket.socket, token: str, ways: Mapping[str, str]) -> None:
    """Take callers until the socket is closed."""
    while True:
        try:
            one, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(one, token, ways), daemon=True).start()


def _serve(one: socket.socket, token: str, ways: Mapping[str, str]) -> None:
    with one:
        inside = let_in(one, token, ways)
        if inside is None:
            return
        with inside:
            back = threading.Thread(target=carry, args=(inside, one), daemon=True)
            back.start()
            carry(one, inside)
            back.join()


def main(token: str, *ways: str) -> int:
    """`token` is a file; `ways` are `STORE=SOCKET`."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the first process of a container has no default
    known = dict(way.split("=", 1) for way in ways)
    serve(socket.create_server(("127.0.0.1", PORT)), Path(token).read_text().strip(), known)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
