"""What keeps a branch: its use, which extends its time to live, and protection."""

from __future__ import annotations

from dataclasses import replace

from envclone import audit, records
from envclone.lifecycle import branch as station_5
from envclone.models import Branch
from envclone.pool import Pool

__all__ = ["USED", "protect", "touch"]

USED = "used"
"""A file beside the record whose time is that of the last use that was seen."""


def touch(pool: Pool, name: str) -> None:
    """Write down that a branch is used now."""
    with pool.lock(f"branch-{name}", what=f"the branch '{name}'"):
        path = station_5.directory(pool, name) / station_5.RECORD
        if path.exists():
            branch = records.load(Branch, pool.read_json(path), what=f"the record of branch '{name}'")
            station_5.save(pool, station_5.extended(branch))
            (station_5.directory(pool, name) / USED).touch(mode=0o600)


def protect(pool: Pool, name: str, *, on: bool) -> Branch:
    """Keep a branch from `gc` and from `rm` without force, or no longer."""
    with pool.lock(f"branch-{name}", what=f"the branch '{name}'"):
        branch = replace(station_5.load(pool, name), protected=on)
        station_5.save(pool, branch)
    audit.append(pool.path / "audit.jsonl", "protect", {"name": name, "on": on})
    return branch
