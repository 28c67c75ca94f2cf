"""A pool-like place for Qdrant stores, and the path from production to a sanitized clone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from envclone.config.schema import SourceConfig, StoreConfig
from envclone.cow.copy import CopyDriver
from envclone.models import StoreSnapshot
from envclone.stores.qdrant.store import QdrantStore

collect_ignore = [] if os.environ.get("QDRANT_BIN") else ["test_live_server.py", "test_server.py"]
"""What takes a real server is chosen by its program's variable, which CI has not."""


@dataclass
class Pool:
    """Where raw snapshots and clones go."""

    path: Path
    store: QdrantStore

    def snapshot(
        self, source: Path, name: str = "raw", collections: list[str] | None = None
    ) -> tuple[Path, StoreSnapshot]:
        """Take a raw snapshot of a storage directory."""
        config = StoreConfig(
            kind="qdrant", source=SourceConfig(method="directory", path=source), collections=collections
        )
        into = self.path / name
        into.mkdir(mode=0o700)
        return into, self.store.snapshot("kb", config, into, lambda event: None)

    def clone(self, raw: Path, name: str) -> Path:
        """A private copy of it."""
        target = self.path / name
        CopyDriver().clone(raw, target)
        return target

    def sanitize(
        self, raw: Path, snapshot: StoreSnapshot, plan: Any, masks: Any, name: str = "clean"
    ) -> tuple[Path, Any]:
        """Clone, rewrite and scrub, as the lifecycle does it."""
        clean = self.clone(raw, name)
        with self.store.open(clean, snapshot, log=self.path / "log") as session:
            report = session.rewrite(plan, masks, lambda event: None)
            session.defang()
        self.store.scrub(clean, snapshot, plan)
        return clean, report


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    """An empty pool."""
    return Pool(tmp_path, QdrantStore())
