"""The server's side of a port-forward over WebSocket (RFC 6455, `v4.channel.k8s.io`)."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import struct
import threading
from typing import Any, BinaryIO

__all__ = ["accept_of", "bridge"]

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_of(key: str) -> str:
    """What a handshake's key is answered with."""
    return base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()


def _frame(data: bytes, opcode: int = 2) -> bytes:
    size = len(data)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x80 | opcode, 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 127, size)
    return head + data


def _read(stream: BinaryIO) -> tuple[int, bytes] | None:
    head = stream.read(2)
    if len(head) < 2:
        return None
    opcode, size, masked = head[0] & 15, head[1] & 127, head[1] & 128
    if size == 126:
        (size,) = struct.unpack("!H", stream.read(2))
    elif size == 127:
        (size,) = struct.unpack("!Q", stream.read(8))
    mask = stream.read(4) if masked else b""
    data = stream.read(size)
    if mask:
        whole = (mask * (size // 4 + 1))[:size]
        data = (int.from_bytes(data, "big") ^ int.from_bytes(whole, "big")).to_bytes(size, "big")
    return opcode, data


def bridge(stream: BinaryIO, connection: socket.socket, port: int, inside: socket.socket | None, why: str = "") -> None:
    """Carry one port's bytes until either side ends; without an inside its error channel says why."""
    lock = threading.Lock()

    def send(data: bytes, opcode: int = 2) -> None:
        with lock, contextlib.suppress(OSError):
            connection.sendall(_frame(data, opcode))

    send(b"\0" + struct.pack("<H", port))
    send(b"\1" + struct.pack("<H", port))
    if inside is None:
        send(b"\1" + why.encode())
        send(struct.pack("!H", 1000), 8)
        return

    def out() -> None:
        with contextlib.suppress(OSError):
            while data := inside.recv(65536):
                send(b"\0" + data)
        send(struct.pack("!H", 1000), 8)

    reader = threading.Thread(target=out, daemon=True)
    reader.start()
    with contextlib.suppress(OSError, struct.error):
        while (got := _read(stream)) is not None:
            opcode, data = got
            if opcode == 8:
                break
            if opcode == 9:
                send(data, 10)
            elif data[:1] == b"\0":
                inside.sendall(data[1:])
    _shut(inside)
    reader.join(5)


def _shut(one: Any) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        one.close()
