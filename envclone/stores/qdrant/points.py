"""How many points a segment holds, from its id tracker's files (format: `lib/segment/src/id_tracker`).

mutable_id_tracker.mappings   a log: 1 insert of a number, 2 of a UUID, each with the uint32 offset; 3 and 4 delete
id_tracker.mappings           uint64 count, then per point 0 + uint64 or 1 + 16 bytes, and the uint32 offset
id_tracker.deleted            one bit per point, lowest first
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["count", "deleted"]

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
