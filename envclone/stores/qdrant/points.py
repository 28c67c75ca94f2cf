"""Which points a segment holds, and how many, from its id tracker's files (format: `lib/segment/src/id_tracker`).

mutable_id_tracker.mappings   a log: 1 insert of a number, 2 of a UUID, each with the uint32 offset; 3 and 4 delete
id_tracker.mappings           uint64 count, then per point 0 + uint64 or 1 + 16 bytes, and the uint32 offset
id_tracker.deleted            one bit per point, lowest first
"""

from __future__ import annotations

import contextlib
import uuid
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["PointNames", "count", "deleted"]

_MOST = 64
"""Offsets per id beyond which a tracker is taken for damaged."""

_NUMBER, _UUID = 8, 16


def count(segment: Path) -> int | None:
    """The points of a segment that are not deleted; None when its tracker has a format that is not read here."""
    if (segment / "id_tracker.i2e").exists():
        return None
    mappings = segment / "id_tracker.mappings"
    if mappings.exists():
        with mappings.open("rb") as file:
            total = int.from_bytes(file.read(8), "little")
        deleted = segment / "id_tracker.deleted"
        gone = sum(byte.bit_count() for byte in deleted.read_bytes()) if deleted.exists() else 0
        return max(total - gone, 0)
    log = segment / "mutable_id_tracker.mappings"
    return _replay(log.read_bytes()) if log.exists() else 0


def deleted(segment: Path) -> int:
    """Points of a segment that are deleted or were written again, and whose vectors are still in its files.

    0 when its tracker has a format that is not read here.
    """
    mappings = segment / "id_tracker.mappings"
    if mappings.exists():
        with mappings.open("rb") as file:
            total = int.from_bytes(file.read(8), "little")
        flags = segment / "id_tracker.deleted"
        return min(total, sum(byte.bit_count() for byte in flags.read_bytes())) if flags.exists() else 0
    log = segment / "mutable_id_tracker.mappings"
    if not log.exists():
        return 0
    data = log.read_bytes()
    return max(_written(data) - _replay(data), 0)


def _written(data: bytes) -> int:
    """How many places a log has given to points."""
    places: set[bytes] = set()
    position = 0
    while position < len(data) and data[position] in (1, 2, 3, 4):
        change = data[position]
        position += 1 + (_NUMBER if change in (1, 3) else _UUID)
        if change in (1, 2):
            places.add(data[position : position + 4])
            position += 4
    return len(places)


def _replay(data: bytes) -> int:
    alive: set[bytes] = set()
    position = 0
    while position < len(data):
        change = data[position]
        width = _NUMBER if change in (1, 3) else _UUID
        ident = data[position : position + 1 + width]
        position += 1 + width + (4 if change in (1, 2) else 0)
        if change not in (1, 2, 3, 4) or position > len(data):
            break  # the rest was never finished
        if change in (1, 2):
            alive.add(ident)
        else:
            alive.discard(bytes([change - 2]) + ident[1:])
    return len(alive)


class PointNames:
    """The ids of a segment's points by their offsets; 17 bytes of memory each."""

    def __init__(self, segment: Path) -> None:
        self._shard = segment.parent.parent.name
        self._ids, self._uuids = _ids_of(segment)

    def place(self, offset: int) -> str:
        """A point in words: its shard unless that is the first, and its id where the tracker tells."""
        shard = "" if self._shard == "0" else f"shard {self._shard} "
        if offset >= len(self._uuids) or self._uuids[offset] > 1:
            return f"{shard}offset {offset}"
        number = int.from_bytes(self._ids[offset].tobytes(), "little")
        return f"{shard}point {uuid.UUID(int=number) if self._uuids[offset] else number}"


def _ids_of(segment: Path) -> tuple[Any, Any]:
    """Per offset 16 bytes, and 0 for a number, 1 for a UUID, 2 where nothing is known."""
    from envclone.stores.qdrant.account import ids
    from envclone.stores.qdrant.account.claims import Claims, Damaged

    found: dict[int, str] = {}
    for name in ("id_tracker.mappings", "mutable_id_tracker.mappings"):
        path = segment / name
        if path.exists() and path.stat().st_size:
            with Claims(path) as claims, contextlib.suppress(Damaged):
                found = ids.mappings(claims) if name == "id_tracker.mappings" else ids.log(claims)[0]
            break
    count = max(found, default=-1) + 1
    count = count if count <= _MOST * (len(found) + 1) else 0
    numbers, kinds = np.zeros(count, "V16"), np.full(count, 2, np.uint8)
    for offset, ident in found.items() if count else ():
        is_uuid = not ident.isdecimal()
        value = uuid.UUID(ident).int if is_uuid else int(ident)
        numbers[offset] = value.to_bytes(16, "little")
        kinds[offset] = is_uuid
    return numbers, kinds
