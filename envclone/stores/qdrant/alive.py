"""The points of a segment that a search can find: those that its id tracker has not deleted, with their ids.

A deleted point's payload stays in its segment until the engine writes that anew. Who asks what refers to what means
the points that are there.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from envclone.errors import UnsafeError
from envclone.stores.qdrant.account import ids
from envclone.stores.qdrant.account.claims import Claims, Damaged

__all__ = ["alive"]


def alive(segment: Path) -> dict[int, str]:
    """Ids by offset. Raises UnsafeError when the tracker is damaged."""
    path = segment
    try:
        if (path := segment / "id_tracker.mappings").exists():
            with Claims(path) as claims:
                return _without(ids.mappings(claims), segment / "id_tracker.deleted")
        if (path := segment / "id_tracker.e2i").exists():
            with Claims(path) as claims:
                return _without(ids.offsets(claims), segment / "id_tracker.deleted")
        if (path := segment / "mutable_id_tracker.mappings").exists():
            return _replayed(path.read_bytes())
    except (Damaged, OSError) as exc:
        raise UnsafeError(f"{path} is damaged: {exc}", hint=ids.HINT) from None
    return {}


def _without(found: dict[int, str], deleted: Path) -> dict[int, str]:
    if not deleted.exists():
        return found
    gone = np.unpackbits(np.frombuffer(deleted.read_bytes(), np.uint8), bitorder="little")
    return {offset: ident for offset, ident in found.items() if offset >= len(gone) or not gone[offset]}


def _replayed(data: bytes) -> dict[int, str]:
    """What a log leaves; an id that is given another offset is no more at the one before."""
    places: dict[str, int] = {}
    for ident, offset in ids.changes(data):
        if offset is None:
            places.pop(ident, None)
        else:
            places[ident] = offset
    return {offset: ident for ident, offset in places.items()}
