"""The name that a TLS client asks for, read from its first message (RFC 8446, 4.1.2 and RFC 6066, 3)."""

from __future__ import annotations

__all__ = ["server_name", "split_hello"]


def server_name(data: bytes) -> str | None:
    """The server name in a ClientHello; None when these bytes are not a ClientHello, or name none."""
    try:
        if data[0] != 0x16 or data[5] != 0x01:  # a handshake record, and in it a ClientHello
            return None
        at = 5 + 4 + 2 + 32  # record and message headers, version, random
        at += 1 + data[at]  # the session's id
        at += 2 + int.from_bytes(data[at : at + 2])  # cipher suites
        at += 1 + data[at]  # compression
        end = at + 2 + int.from_bytes(data[at : at + 2])
        at += 2
        while at + 4 <= min(end, len(data)):
            kind, size = int.from_bytes(data[at : at + 2]), int.from_bytes(data[at + 2 : at + 4])
            if kind == 0:  # a list of names, of which the first that is a host's counts
                length = int.from_bytes(data[at + 7 : at + 9])
                name = data[at + 9 : at + 9 + length]
                return name.decode("ascii") if len(name) == length and length else None
            at += 4 + size
    except (IndexError, UnicodeDecodeError):
        return None
    return None


def split_hello(data: bytes) -> bool:
    """Whether these bytes open TLS, and the ClientHello is not whole in their first record."""
    if data[:1] != b"\x16":
        return False
    record = int.from_bytes(data[3:5])
    return record < 4 or record < 4 + int.from_bytes(data[6:9]) or len(data) < 5 + record
