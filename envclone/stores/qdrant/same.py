"""Whether a raw snapshot of a Qdrant is in the state of an earlier one: every file must be the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envclone.models import StoreSnapshot
from envclone.protocols import Same, Since
from envclone.stores.equal import Equal

__all__ = ["same"]

_OF_THE_COPY = frozenset({"ran", "refresh", "downloaded", "spread_ms", "frozen"})
"""What a snapshot's record says of the copying, not of production."""


def same(snapshot: StoreSnapshot, place: Path, since: Since) -> Same:
    """Whether the snapshot in `place` is in the state of the earlier one, or the first thing that is not."""
    before = since.snapshot
    if (snapshot.method, snapshot.engine_version) != (before.method, before.engine_version):
        return Same("it was copied in another way, or for another version")
    if _described(snapshot) != _described(before):
        return Same("production's collections are others")
    equal = Equal()
    for name, why in equal.of_trees(since.place, place, lambda name: False):
        return Same(f"{name} {why}")
    return Same("", equal.files, equal.bytes, equal.read)


def _described(snapshot: StoreSnapshot) -> Mapping[str, Any]:
    return {key: value for key, value in snapshot.details.items() if key not in _OF_THE_COPY}
