"""The bytes of a trace's file, unpacked, and how many of them are read."""

from __future__ import annotations

import zlib
from pathlib import Path

from envclone.errors import ConfigError, UsageError

__all__ = ["LIMIT", "content"]

LIMIT = 64 << 20
"""The largest trace that is read, in bytes, unpacked: as large as a bundle."""


def content(path: Path) -> bytes:
    """What a file holds. Raises UsageError when it cannot be read, ConfigError when it is damaged or too large."""
    try:
        with path.open("rb") as file:
            found = file.read(LIMIT + 1)
    except OSError as exc:
        raise UsageError(f"{path} cannot be read: {exc.strerror}") from None
    if found.startswith(_GZIP):
        found = _unpacked(found, path)
    if found.startswith(_PACKED):
        raise UsageError(f"{path.name} is an archive", hint="unpack it, and import the trace in it")
    if len(found) > LIMIT:
        raise ConfigError(f"{path.name} is larger than {LIMIT >> 20} MB", hint="export the failing request alone")
    return found


_GZIP = b"\x1f\x8b\x08"
_PARTS = 1_000
"""Parts of a packed file: a writer that goes on with one adds another; each is copied as it is unpacked."""
_PACKED = (b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\x00", _GZIP)
"""How zip, zstandard, bzip2 and xz begin, and gzip in gzip."""


def _unpacked(content: bytes, path: Path) -> bytes:
    """What was packed with gzip, as much of it as is read."""
    parts: list[bytes] = []
    held = 0
    while content and held <= LIMIT:
        if parts and not content.startswith(_GZIP):  # a part that was added is packed, too
            raise ConfigError(f"{path.name} is damaged: something follows the packed trace")
        if len(parts) >= _PARTS:
            raise ConfigError(f"{path.name} is packed in more than {_PARTS:,} parts")
        made = zlib.decompressobj(wbits=31)
        try:
            parts.append(made.decompress(content, LIMIT + 1 - held))
        except zlib.error as exc:
            raise ConfigError(f"{path.name} is damaged: {exc}") from None
        held += len(parts[-1])
        if held <= LIMIT and not made.eof:
            raise ConfigError(f"{path.name} is damaged: it ends early")
        content = made.unused_data
    return b"".join(parts)
