"""What a Job's pod hands over when its image is made: through the API's port-forward, to who knows its token.

The identities that were found are raw data. They are in no log and in no object of the cluster: the pod listens on
127.0.0.1 of its own network, where only a port-forward leads, and sends a file to who says the token and a name.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import socket
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from envclone.errors import UnreachableError

__all__ = ["ATTESTATION", "DONE", "IDENTITIES", "MANIFEST", "PLAN", "PORT", "SIGNATURE", "fetch", "serve"]

PORT = 8474
ATTESTATION, SIGNATURE, MANIFEST, IDENTITIES, PLAN = (
    "attestation.json", "attestation.sig", "files.json", "identities", "plan",
)  # fmt: skip
DONE = "done"
_LINE = 256
_PIECE = 1 << 20
_LENGTH = struct.Struct(">Q")
_SECONDS = 60.0


def serve(listening: socket.socket, token: str, files: Mapping[str, Path], asked: Callable[[str], None]) -> None:
    """Hand files over until somebody who knows the token says that it is done."""
    while True:
        one, _ = listening.accept()
        with one, contextlib.suppress(OSError):
            one.settimeout(_SECONDS)
            said = b""
            while not said.endswith(b"\n") and len(said) < _LINE and (byte := one.recv(1)):
                said += byte
            for name in (*files, DONE):
                if hmac.compare_digest(said, f"{token} {name}\n".encode()):
                    asked(name)
                    if name == DONE:
                        one.sendall(_LENGTH.pack(0))
                        return
                    _send(one, files[name])


def _send(one: socket.socket, path: Path) -> None:
    with path.open("rb") as file:
        one.sendall(_LENGTH.pack(os.fstat(file.fileno()).st_size))
        while data := file.read(_PIECE):
            one.sendall(data)


def fetch(dial: Callable[[], tuple[Any, Any]], token: str, name: str, target: Path | None) -> None:
    """Take one file over into `target` (mode 0600). Raises UnreachableError when it does not come whole."""
    made, inside = dial()
    try:
        inside.settimeout(_SECONDS)
        inside.sendall(f"{token} {name}\n".encode())
        (left,) = _LENGTH.unpack(_exactly(inside, _LENGTH.size))
        if target is None:
            return
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            while left:
                data = inside.recv(min(left, _PIECE))
                if not data:
                    raise UnreachableError(f"the Job's pod broke off while it handed over '{name}'")
                file.write(data)
                left -= len(data)
    except OSError as exc:
        raise UnreachableError(f"the Job's pod does not hand over '{name}': {type(exc).__name__}") from exc
    finally:
        with contextlib.suppress(Exception):
            made.close()


def _exactly(inside: Any, size: int) -> bytes:
    found = b""
    while len(found) < size:
        data = inside.recv(size - len(found))
        if not data:
            raise UnreachableError("the Job's pod let go: it does not know the token, or it is at its end")
        found += data
    return found
