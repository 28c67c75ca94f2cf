"""Whether directories lie on one file system that nobody writes to: a snapshot of it is of one moment everywhere."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

from envclone.cow.btrfs import SUBVOL_GETFLAGS
from envclone.cow.mounts import mount_of

__all__ = ["frozen"]

_SUBVOL_RDONLY = 2
"""BTRFS_SUBVOL_RDONLY of linux/btrfs.h."""


def frozen(places: Iterable[Path]) -> str | None:
    """The number of the device that all these directories are on, when nothing can write to it; else None.

    A mount that is read-only on a file system that is not is no such thing: somebody else's mount may be writable.
    """
    devices = set()
    for place in places:
        mount = mount_of(place)
        if mount is None or not ("ro" in mount.everywhere or _read_only_subvolume(place, mount.point)):
            return None
        devices.add(place.stat().st_dev)
    return f"{os.major(device)}:{os.minor(device)}" if len(devices) == 1 and (device := devices.pop()) else None


def _read_only_subvolume(place: Path, until: Path) -> bool:
    """Whether the subvolume of btrfs that `place` lies in is read-only; its root answers, and nothing else does."""
    for folder in (place.resolve(), *place.resolve().parents):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            flags = int.from_bytes(fcntl.ioctl(descriptor, SUBVOL_GETFLAGS, bytes(8)), "little")
        except OSError:
            if folder == until.resolve():
                return False
            continue
        finally:
            os.close(descriptor)
        return bool(flags & _SUBVOL_RDONLY)
    return False
