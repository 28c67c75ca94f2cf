"""Positions of the write-ahead log, and the names of its files."""

from __future__ import annotations

import re

from envclone.errors import UsageError
from envclone.stores.postgres.server.control import lsn_text

__all__ = ["file_name", "lsn_text", "parse"]

_LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")


def parse(text: str) -> int:
    """An LSN as PostgreSQL prints it, in bytes. Raises UsageError."""
    match = _LSN.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"'{text}' is no LSN", hint="as pg_current_wal_lsn() prints it, such as 0/3000148")
    return int(match[1], 16) << 32 | int(match[2], 16)


def file_name(timeline: int, number: int, size: int) -> str:
    """The name of the segment with this number, in segments of `size` bytes."""
    per_id = 0x1_0000_0000 // size
    return f"{timeline:08X}{number // per_id:08X}{number % per_id:08X}"
