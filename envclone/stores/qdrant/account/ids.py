"""The files of an id tracker: which point lies at which offset, in which version, and which are deleted.

    id_tracker.mappings           uint64 count, then per point 0 and uint64 or 1 and 16 bytes, then its uint32 offset
    id_tracker.versions           one uint64 per offset; mutable_id_tracker.versions the same
    id_tracker.deleted            one bit per offset
    mutable_id_tracker.mappings   a log: 1 insert of a number, 2 of a UUID, each with the offset; 3 and 4 delete
    id_tracker.i2e                magic, uint32 version 2, uint32 0, uint64 count, uint64 0, then 16 bytes per offset
    id_tracker.e2i                magic, uint32 version 2, uint32 0, uint64 numbers, uint64 UUIDs, twice uint32 per
                                  block, uint64 0; the first number of each block, the first UUID of each block, then
                                  numbers with offsets and UUIDs with offsets, each part aligned to 16 bytes
    id_tracker.is_uuid            a stored bit mask

Ids are kept under a written rule and are searched as values. (`lib/segment/src/id_tracker`, Qdrant 1.13 to 1.19.)
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from envclone.errors import UnsafeError
from envclone.models import ByteClass
from envclone.stores.qdrant.account.claims import Claims, Damaged

__all__ = ["HINT", "changes", "e2i", "i2e", "log", "mappings", "offsets", "points_of", "versions"]

_WIDTHS = {0: 8, 1: 16}
_I2E, _E2I = 0x5144_5F49_3245_0001, 0x5144_5F45_3249_0001
_VERSION = 2
HINT = "check production with its own engine, then take a new snapshot"


def mappings(claims: Claims) -> dict[int, str]:
    """The ids of an immutable tracker by offset."""
    count = claims.number(0)
    claims.claim(ByteClass.STRUCTURE, 0, 8)
    rest = claims.read(8, claims.size - 8)
    if count > len(rest):
        raise Damaged("it counts more points than it has bytes")
    found: dict[int, str] = {}
    starts: list[int] = []
    widths: list[int] = []
    position = 0
    for _ in range(count):
        width = _WIDTHS.get(rest[position]) if position < len(rest) else None
        if width is None or position + 5 + width > len(rest):
            raise Damaged("a point's id breaks off")
        at = position + 1
        position = at + width + 4
        found[int.from_bytes(rest[position - 4 : position], "little")] = _id(rest[at : at + width])
        starts.append(8 + at)
        widths.append(width)
    _ids(claims, starts, widths, before=1, behind=4)
    return found


def log(claims: Claims) -> tuple[dict[int, str], list[str]]:
    """The ids of a mutable tracker's log by offset, and all that it names; a torn end is left to the search."""
    data = claims.read(0, claims.size)
    found: dict[int, str] = {}
    named: list[str] = []
    starts: list[int] = []
    widths: list[int] = []
    inserts: list[bool] = []
    position = 0
    while position < len(data):
        change = data[position]
        width = 8 if change in (1, 3) else 16
        end = position + 1 + width + (4 if change in (1, 2) else 0)
        if change not in (1, 2, 3, 4) or end > len(data):
            break
        ident = _id(data[position + 1 : position + 1 + width])
        named.append(ident)
        if change in (1, 2):
            found[int.from_bytes(data[end - 4 : end], "little")] = ident
        starts.append(position + 1)
        widths.append(width)
        inserts.append(change in (1, 2))
        position = end
    first = np.array(starts, np.int64)
    behind = np.where(np.array(inserts, np.bool_), 4, 0)
    _ids(claims, starts, widths, before=1, behind=0)
    claims.claim_many(ByteClass.STRUCTURE, first + np.array(widths, np.int64), behind)
    return found, named


def changes(data: bytes) -> Iterator[tuple[str, int | None]]:
    """What a mutable tracker's log says, in order: an id and the offset that it got, None where it was deleted."""
    position = 0
    while position < len(data):
        change = data[position]
        width = 8 if change in (1, 3) else 16
        end = position + 1 + width + (4 if change in (1, 2) else 0)
        if change not in (1, 2, 3, 4) or end > len(data):
            return
        given = int.from_bytes(data[end - 4 : end], "little") if change in (1, 2) else None
        yield _id(data[position + 1 : position + 1 + width]), given
        position = end


def versions(claims: Claims) -> None:
    """One number of an operation per offset; a torn one at the end is left to the search."""
    claims.claim(ByteClass.STRUCTURE, 0, claims.size // 8 * 8)


def i2e(claims: Claims) -> int:
    """The ids of a tracker on disk by offset; returns how many there are."""
    if claims.number(0) != _I2E or claims.number(8, 4) != _VERSION:
        raise Damaged("it is not a list of ids that is known")
    count = claims.number(16)
    claims.array("V16", 32, count)
    claims.claim(ByteClass.STRUCTURE, 0, 32)
    claims.claim(ByteClass.KEPT, 32, 16 * count)
    return count


def e2i(claims: Claims) -> list[str]:
    """The ids of a tracker on disk, sorted; returns them."""
    return [ident for ident, _ in _sorted(claims)]


def offsets(claims: Claims) -> dict[int, str]:
    """The ids of a tracker on disk by offset."""
    return {offset: ident for ident, offset in _sorted(claims)}


def _sorted(claims: Claims) -> list[tuple[str, int]]:
    if claims.number(0) != _E2I or claims.number(8, 4) != _VERSION:
        raise Damaged("it is not a list of ids that is known")
    numbers, uuids = claims.number(16), claims.number(24)
    per = claims.number(32, 4), claims.number(36, 4)
    if not all(per) or max(numbers, uuids) > claims.size:
        raise Damaged("it counts more ids than it has bytes")
    claims.claim(ByteClass.STRUCTURE, 0, 48)
    sparse = 8 * -(-numbers // per[0])
    claims.claim(ByteClass.KEPT, 48, sparse)
    position = _aligned(48 + sparse)
    sparse = 16 * -(-uuids // per[1])
    claims.claim(ByteClass.KEPT, position, sparse)
    position += sparse
    found: list[tuple[str, int]] = []
    for count, width in ((numbers, 8), (uuids, 16)):
        rows = claims.read(position, count * (width + 4))
        starts = position + np.arange(count, dtype=np.int64) * (width + 4)
        claims.claim_many(ByteClass.KEPT, starts, np.full(count, width))
        claims.claim_many(ByteClass.STRUCTURE, starts + width, np.full(count, 4))
        found += [
            (_number(rows[at : at + width]), int.from_bytes(rows[at + width : at + width + 4], "little"))
            for at in range(0, len(rows), width + 4)
        ]
        position = _aligned(position + len(rows))
    return found


def points_of(segment: Path) -> int:
    """How many offsets a segment has given to points. Raises UnsafeError when its tracker is damaged."""
    try:
        if (path := segment / "id_tracker.mappings").exists():
            with Claims(path) as claims:
                return max(mappings(claims), default=-1) + 1
        if (path := segment / "id_tracker.i2e").exists():
            with Claims(path) as claims:
                return i2e(claims)
        if (path := segment / "mutable_id_tracker.mappings").exists():
            with Claims(path) as claims:
                return max(log(claims)[0], default=-1) + 1
    except Damaged as exc:
        raise UnsafeError(f"{path} is damaged: {exc}", hint=HINT) from None
    return 0


def _ids(claims: Claims, starts: list[int], widths: list[int], *, before: int, behind: int) -> None:
    first, width = np.array(starts, np.int64), np.array(widths, np.int64)
    claims.claim_many(ByteClass.KEPT, first, width)
    claims.claim_many(ByteClass.STRUCTURE, first - before, np.full(len(first), before))
    claims.claim_many(ByteClass.STRUCTURE, first + width, np.full(len(first), behind))


def _id(data: bytes) -> str:
    """An id as a mapping holds it: a UUID in the order in which it is written."""
    return str(int.from_bytes(data, "little")) if len(data) == 8 else str(uuid.UUID(bytes=data))


def _number(data: bytes) -> str:
    """An id as a list on disk holds it: a UUID as a number."""
    number = int.from_bytes(data, "little")
    return str(number) if len(data) == 8 else str(uuid.UUID(int=number))


def _aligned(position: int) -> int:
    return -(-position // 16) * 16
