"""What every byte of a cluster's files is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from envclone.models import Accounted, ByteClass, StorePlan, StoreSnapshot, Values
from envclone.protocols import Ledger
from envclone.stores.postgres.prove.expand import expand

__all__ = ["account"]


def account(directory: Path, snapshot: StoreSnapshot, plan: StorePlan, rows: Mapping[str, int], ledger: Ledger) -> None:
    """Tell the ledger; raises UnsafeError when a page or a value is damaged."""
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.is_symlink():
            size = path.stat().st_size
            name = path.relative_to(directory).as_posix()
            ledger.enter(Accounted(name, {ByteClass.UNDECODED: size}, undecoded=[(0, size)]))
    for place, data in expand(directory, snapshot):
        ledger.enter(Accounted("", {}, [Values(place, [data], tuple(plan.rules))]))
