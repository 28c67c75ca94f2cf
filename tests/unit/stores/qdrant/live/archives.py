"""Archives as a hostile server would send them, made byte by byte."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["entry", "file", "sparse"]


def entry(name: str, data: bytes = b"", kind: bytes = b"0", *, size: int | None = None, link: str = "") -> bytes:
    """A header with its content; `size` is what the header claims."""
    header = bytearray(512)
    header[:100] = name.encode()[:100].ljust(100, b"\0")
    header[100:108] = b"0000644\0"
    header[124:136] = b"%011o\0" % (len(data) if size is None else size)
    header[156:157] = kind
    header[157:257] = link.encode().ljust(100, b"\0")
    header[257:265] = b"ustar  \0"
    return summed(header) + data + bytes(-len(data) % 512)


def summed(header: bytearray) -> bytes:
    """A header with its checksum."""
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def sparse(name: str, parts: list[tuple[int, bytes]], real: int) -> bytes:
    """A file with holes: its parts by their place in it."""
    stored = b"".join(data for _, data in parts)
    made = bytearray(entry(name, stored, b"S")[:512])
    for index, (at, data) in enumerate(parts):
        made[386 + index * 24 : 410 + index * 24] = b"%011o\0%011o\0" % (at, len(data))
    made[483:495] = b"%011o\0" % real
    return summed(made) + stored + bytes(-len(stored) % 512)


@contextmanager
def file(*entries: bytes, end: bool = True) -> Iterator[int]:
    """An open file with these entries."""
    with tempfile.TemporaryFile() as opened:
        opened.write(b"".join(entries) + bytes(1024 if end else 0))
        opened.flush()
        os.lseek(opened.fileno(), 0, os.SEEK_SET)
        yield opened.fileno()
