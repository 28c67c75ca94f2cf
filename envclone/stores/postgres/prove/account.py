"""What every byte of a cluster's files is: heaps, then indexes, then everything else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from envclone.models import StorePlan, StoreSnapshot
from envclone.protocols import Ledger
from envclone.stores.postgres.catalog import layout
from envclone.stores.postgres.prove.heaps import Heaps
from envclone.stores.postgres.prove.indexes import Indexes
from envclone.stores.postgres.prove.otherfiles import other_files
from envclone.stores.postgres.prove.sources import Sources
from envclone.stores.postgres.server import control

__all__ = ["account"]


def account(directory: Path, snapshot: StoreSnapshot, plan: StorePlan, rows: Mapping[str, int], ledger: Ledger) -> None:
    """Tell the ledger; raises UnsafeError when a page or a value is damaged."""
    known = layout.load(directory)
    sources = Sources(known, str(snapshot.details["database"]), plan)
    Heaps(directory, known, control.transactions(directory / "data"), sources, ledger).account(rows)
    Indexes(directory, known, sources, ledger).account()
    for one in other_files(directory, known):
        ledger.enter(one)
