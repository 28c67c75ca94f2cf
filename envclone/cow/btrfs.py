"""Trees as btrfs subvolumes: a clone is one snapshot, whatever the tree's size.

The ioctls, their structures and the unprivileged rules: linux/btrfs.h, btrfs-subvolume(8).
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from envclone.cow import extents
from envclone.cow.placing import discard, placed, reported
from envclone.cow.reflink import probe, share_blocks
from envclone.cow.tree import copy_tree, remove_tree, require_tree, weed

if TYPE_CHECKING:
    from envclone.models import Account

__all__ = ["BtrfsDriver", "is_btrfs", "is_subvolume"]

_SNAP_CREATE_V2 = 0x50009417
_SUBVOL_CREATE = 0x5000940E
_SNAP_DESTROY = 0x5000940F
SUBVOL_GETFLAGS = 0x80089419
_GET_SUBVOL_ROOTREF = 0xD000943D
_ARGS = struct.Struct("=q4088s")
"""struct btrfs_ioctl_vol_args: descriptor, name."""
_ARGS_V2 = struct.Struct("=qQQ32x4040s")
"""struct btrfs_ioctl_vol_args_v2: descriptor, transaction, flags, name."""
_ROOTREF_BYTES = 4096
_ROOTREF_COUNT = 8 + 255 * 16
"""Where struct btrfs_ioctl_get_subvol_rootref_args keeps the number of subvolumes inside."""
_ROOT_INODE = 256
"""The inode number of every subvolume's root (BTRFS_FIRST_FREE_OBJECTID)."""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class BtrfsDriver:
    """Clones subvolumes by snapshot; other trees file by file into a new subvolume, so that the next clone is one."""

    name: ClassVar[str] = "btrfs"

    def supports(self, path: Path) -> str | None:
        """None when `path` is a writable directory on btrfs, else the reason."""
        if not is_btrfs(path):
            from envclone.cow.mounts import mount_of

            found = mount_of(path)
            return f"{path} is on {found.type if found else 'another file system'}, not on btrfs"
        return probe(path)

    def create(self, path: Path) -> None:
        """Make an empty subvolume (mode 0700). Raises BusyError when `path` exists."""
        with reported("cannot make", path), placed(path, remove_subvolumes) as partial:
            _create(partial)

    def clone(self, src: Path, dst: Path, *, given: Mapping[str, Account] | None = None) -> None:
        """Clone the tree `src` to the subvolume `dst`, which must not exist; nothing is left on failure.

        Raises UsageError when there is no `src`, BusyError when there is a `dst`, ResourceError on a full disk or when
        `src` is on another file system.
        """
        require_tree(src)
        with reported("cannot clone to", dst), placed(dst, remove_subvolumes) as partial:
            # A snapshot does not reach into subvolumes inside: they would be empty directories
            if is_subvolume(src) and not _may_hold_subvolumes(src):
                _snapshot(src, partial)
                weed(partial)
            else:
                _create(partial)
                copy_tree(src, partial, share_blocks, given)

    def remove(self, path: Path) -> None:
        """Remove a tree and the subvolumes in it; nothing to do when it is not there.

        The file system frees the space a moment later. Raises ResourceError when it cannot be removed.
        """
        with reported("cannot remove", path):
            discard(path, remove_subvolumes)

    def usage(self, path: Path) -> tuple[int, int]:
        """Bytes that the tree refers to, and bytes that it alone occupies (see `extents.usage`)."""
        with reported("cannot measure", path):
            return extents.usage(path)


def is_btrfs(path: Path) -> bool:
    """Whether the directory `path` is on btrfs."""
    return _subvolume_flags(path) != errno.ENOTTY


def is_subvolume(path: Path) -> bool:
    """Whether the directory `path` is the root of a btrfs subvolume."""
    return _subvolume_flags(path) == 0


def remove_subvolumes(path: Path) -> None:
    """Remove a tree with all subvolumes in it; one that this user may not delete goes file by file."""
    if not is_btrfs(path):  # also when it does not exist, or is a file
        remove_tree(path)
        return
    if not is_subvolume(path) or _may_hold_subvolumes(path):
        for inner in _subvolumes_inside(path):
            _destroy(inner)
    if not is_subvolume(path) or not _destroy(path):
        remove_tree(path)


def _create(path: Path) -> None:
    with_parent(path, _SUBVOL_CREATE, _ARGS.pack(0, _name(path, 4087)))
    path.chmod(0o700)


def _snapshot(src: Path, dst: Path) -> None:
    descriptor = os.open(src, _DIRECTORY)
    try:
        with_parent(dst, _SNAP_CREATE_V2, _ARGS_V2.pack(descriptor, 0, 0, _name(dst, 4039)))
    finally:
        os.close(descriptor)


def _destroy(path: Path) -> bool:
    """Delete one subvolume that holds no other; False when this user may not."""
    try:
        with_parent(path, _SNAP_DESTROY, _ARGS.pack(0, _name(path, 4087)))
    except OSError as exc:
        # without the mount option user_subvol_rm_allowed only root may
        if exc.errno in (errno.EPERM, errno.EACCES, errno.EROFS):
            return False
        if exc.errno == errno.ENOENT:
            return True
        raise
    return True


def with_parent(path: Path, request: int, argument: bytes) -> None:
    """Send a request about the entry `path` to the directory that it is in, or will be."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(descriptor, request, bytearray(argument))
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, str(path)) from exc
    finally:
        os.close(descriptor)


def _name(path: Path, longest: int) -> bytes:
    name = os.fsencode(path.name)
    if len(name) > min(longest, 255):
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(path))
    return name


def _subvolume_flags(path: Path) -> int:
    """0 for a subvolume's root, EINVAL for another file of btrfs, ENOTTY for anything else."""
    try:
        descriptor = os.open(path, _DIRECTORY)
    except OSError:
        return errno.ENOTTY
    try:
        fcntl.ioctl(descriptor, SUBVOL_GETFLAGS, bytes(8))
    except OSError as exc:
        return errno.EINVAL if exc.errno == errno.EINVAL else errno.ENOTTY
    finally:
        os.close(descriptor)
    return 0


def _may_hold_subvolumes(path: Path) -> bool:
    """Whether a subvolume has others inside; true when the kernel (before 4.18) cannot say."""
    descriptor = os.open(path, _DIRECTORY)
    try:
        buffer = bytearray(_ROOTREF_BYTES)
        fcntl.ioctl(descriptor, _GET_SUBVOL_ROOTREF, buffer)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return buffer[_ROOTREF_COUNT] > 0


def _subvolumes_inside(path: Path) -> list[Path]:
    """The subvolumes below `path`, the innermost first."""
    found = []
    for folder, names, _, descriptor in os.fwalk(path):
        for name in list(names):
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            if status.st_ino == _ROOT_INODE and stat.S_ISDIR(status.st_mode):
                inner = Path(folder, name)
                found.append(inner)
                if not _may_hold_subvolumes(inner):
                    names.remove(name)  # nothing to look for in there
    return found[::-1]
