"""Which disk a directory is on, as the kernel's limits want to have it."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["number_of", "path_of"]


def number_of(directory: Path) -> str | None:
    """The whole disk's numbers, `8:0`; None where no single one is known (btrfs, overlay, network)."""
    try:
        device = directory.stat().st_dev
        entry = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve(strict=True)
        disk = entry.parent if (entry / "partition").exists() else entry
        return (disk / "dev").read_text().strip()
    except OSError:
        return None


def path_of(directory: Path) -> Path | None:
    """The whole disk's device file; None where no single one is known."""
    number = number_of(directory)
    if number is None:
        return None
    device = Path("/dev") / Path(f"/sys/dev/block/{number}").resolve().name
    return device if device.is_block_device() else None
