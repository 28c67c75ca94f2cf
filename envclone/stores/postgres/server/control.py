"""`global/pg_control`, read directly: what state a data directory is in, without starting anything on it.

The layout is that of `src/include/catalog/pg_control.h`: 1300 from PostgreSQL 13 to 16, 1700 in 17, and 1800 in 18,
which only adds a byte before the last fields. Integers are in the machine's own order, the CRC is CRC-32C.
"""

from __future__ import annotations

import datetime as dt
import functools
import struct
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from envclone.errors import UnreachableError, UnsafeError

if TYPE_CHECKING:
    from envclone.stores.postgres.format.visibility import Transactions

__all__ = ["Control", "State", "crc32c", "end_of", "lsn_text", "major_version", "read", "transactions", "wal_segment"]

_CRC_OFFSET = {1300: 288, 1700: 288, 1800: 292}
"""Where the checksum is, per format; everything before it is covered by it."""

_CATALOG = {14: 202107181, 15: 202209061, 16: 202307071, 17: 202406281, 18: 202506291}
"""CATALOG_VERSION_NO of each released major version."""


class State(IntEnum):
    """What the server wrote last about itself (DBState)."""

    STARTING_UP = 0
    SHUT_DOWN = 1
    SHUT_DOWN_IN_RECOVERY = 2
    SHUTTING_DOWN = 3
    IN_CRASH_RECOVERY = 4
    IN_ARCHIVE_RECOVERY = 5
    IN_PRODUCTION = 6

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, slots=True)
class Control:
    """What pg_control says.

    `checkpoint` and `redo` are LSNs in bytes; `time` is when the file was last written; `checksums` is the version of
    the page checksums, 0 when there are none; block and segment sizes are in bytes.
    """

    system_identifier: int
    major: int
    catalog_version: int
    state: State
    time: dt.datetime
    checkpoint: int
    redo: int
    timeline: int
    next_oid: int
    next_multixact: int
    next_member: int
    wal_level: int
    max_connections: int
    maximum_alignment: int
    block_size: int
    relation_segment_blocks: int
    wal_block_size: int
    wal_segment_size: int
    toast_chunk_size: int
    checksums: int


def read(data: Path) -> Control:
    """Read and check a data directory's pg_control.

    Raises UnreachableError when there is none, UnsafeError when it is damaged or of a version that is not known.
    """
    path = data / "global" / "pg_control"
    major = major_version(data)
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise UnreachableError(
            f"{data} is not a readable PostgreSQL data directory: {exc.strerror or exc} ({path})",
            hint="name the directory that holds PG_VERSION, and run as a user who may read it",
        ) from exc
    if len(raw) < 300:
        raise UnsafeError(f"{path} is cut short ({len(raw)} bytes)", hint="restore it, or take the snapshot again")
    identifier, form, catalog, state, time, checkpoint, redo, timeline = struct.unpack_from("=QIIi4xqQQI", raw)
    if form not in _CRC_OFFSET or _CATALOG.get(major) != catalog:
        supported = f"{min(_CATALOG)} to {max(_CATALOG)}"
        raise UnsafeError(
            f"{data} was written by PostgreSQL {major} (control format {form}, catalog {catalog}), which is not known",
            hint=f"released versions {supported} are supported: update envclone, or upgrade the cluster",
        )
    end = _CRC_OFFSET[form]
    if crc32c(raw[:end]) != struct.unpack_from("=I", raw, end)[0]:
        raise UnsafeError(
            f"{path} is damaged: its checksum does not fit",
            hint="the copy was taken of a running server, or the disk lost data: take the snapshot again",
        )
    next_oid, next_multixact, next_member = struct.unpack_from("=III", raw, 40 + 32)
    (wal_level,) = struct.unpack_from("=i", raw, 172)
    (max_connections,) = struct.unpack_from("=i", raw, 180)
    (alignment,) = struct.unpack_from("=I", raw, 204)
    block, segment_blocks, wal_block, wal_segment, _, _, chunk = struct.unpack_from("=7I", raw, 216)
    (checksums,) = struct.unpack_from("=I", raw, 252)
    return Control(
        system_identifier=identifier,
        major=major,
        catalog_version=catalog,
        state=State(state),
        time=dt.datetime.fromtimestamp(time, dt.UTC),
        checkpoint=checkpoint,
        redo=redo,
        timeline=timeline,
        next_oid=next_oid,
        next_multixact=next_multixact,
        next_member=next_member,
        wal_level=wal_level,
        max_connections=max_connections,
        maximum_alignment=alignment,
        block_size=block,
        relation_segment_blocks=segment_blocks,
        wal_block_size=wal_block,
        wal_segment_size=wal_segment,
        toast_chunk_size=chunk,
        checksums=checksums,
    )


def end_of(data: Path) -> int:
    """Where the control file's checksum ends: what follows is padding."""
    (form,) = struct.unpack_from("=I", (data / "global" / "pg_control").read_bytes(), 8)
    return _CRC_OFFSET[form] + 4


def transactions(data: Path) -> Transactions:
    """How the transactions of a cleanly stopped server ended."""
    from envclone.stores.postgres.format.visibility import (
        Transactions,  # arrays, which a branch's start need not wait for
    )

    found = read(data)
    return Transactions(data, found.block_size, found.next_multixact, found.next_member)


def major_version(data: Path) -> int:
    """The major version in PG_VERSION; raises UnreachableError when that is not there or cannot be read."""
    try:
        return int((data / "PG_VERSION").read_text().strip())
    except OSError as exc:
        raise UnreachableError(
            f"{data} is not a readable PostgreSQL data directory: {exc.strerror or exc} (PG_VERSION)",
            hint="name the directory that holds PG_VERSION, and run as a user who may read it",
        ) from exc
    except ValueError as exc:
        raise UnsafeError(
            f"{data / 'PG_VERSION'} does not hold a major version of PostgreSQL 10 or later",
            hint="upgrade the cluster to a supported version",
        ) from exc


def lsn_text(lsn: int) -> str:
    """An LSN as PostgreSQL prints it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def wal_segment(control: Control, lsn: int) -> str:
    """The name of the file in pg_wal that holds an LSN of the control file's timeline."""
    number, per_id = lsn // control.wal_segment_size, 0x1_0000_0000 // control.wal_segment_size
    return f"{control.timeline:08X}{number // per_id:08X}{number % per_id:08X}"


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli, reflected 0x82F63B78), as PostgreSQL's COMP_CRC32C."""
    table = _crc_table()
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


@functools.cache
def _crc_table() -> tuple[int, ...]:
    def entry(value: int) -> int:
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        return value

    return tuple(entry(value) for value in range(256))
