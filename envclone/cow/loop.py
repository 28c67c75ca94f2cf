"""A copy-on-write pool on any Linux host where one is root: an XFS with reflink in a sparse file, loop-mounted."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from envclone import process
from envclone.cow.mounts import Mount, mount_at
from envclone.cow.placing import abandoned, image_of, make_directory, partial_of, reported
from envclone.cow.sizes import format_size, parse_size
from envclone.errors import BusyError, CommandError, ResourceError, UsageError

__all__ = [
    "MINIMUM",
    "LoopPool",
    "create",
    "format_size",
    "image_of",
    "mount",
    "parse_size",
    "remove",
    "status",
    "unmount",
]

MINIMUM = 300 * 1024**2
"""Bytes below which mkfs.xfs refuses to make a file system."""
_MOUNT_OPTIONS = "loop,nosuid,nodev"
_MODE = 0o711
_DISPOSABLE = frozenset({"pool.json", "locks", "tmp", "lost+found"})
"""What a pool holds that `remove` need not ask about."""


@dataclass(frozen=True, slots=True)
class LoopPool:
    """A loop-mounted pool; sizes in bytes.

    `size` is the image's nominal size, `allocated` what it takes of the host's disk. `used` and `free` are the file
    system's, 0 while it is not mounted. `warning` is one line for the user, or ''.
    """

    path: Path
    image: Path
    size: int
    allocated: int
    mounted: bool
    device: str = ""
    used: int = 0
    free: int = 0
    warning: str = ""


def create(path: Path, size: int, image: Path | None = None) -> LoopPool:
    """Make an XFS with reflink in a sparse file (default `<path>.img`, mode 0600) and mount it at `path` (mode 0711).

    `size` is in bytes. One that is mounted is returned as it is, one that is made but not mounted is mounted. What a
    failure leaves is cleaned up. Raises UsageError for a size below MINIMUM, BusyError when `path` is not empty,
    ResourceError when not root, when mkfs.xfs is missing, or when this host cannot mount it.
    """
    path = _absolute(path)
    image = _absolute(image) if image else image_of(path)
    if mount_at(path):
        return _require(path)
    if size < MINIMUM:
        raise UsageError(
            f"a pool of {format_size(size)} is too small: XFS needs {format_size(MINIMUM)}", hint="give a larger --size"
        )
    _require_root("make a loop-mounted pool")
    with reported("cannot make the pool", path):
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            raise BusyError(f"{path} is not a directory", hint="choose another path")
        if path.is_dir() and any(path.iterdir()):
            raise BusyError(f"{path} is not empty", hint="choose an empty or a new directory")
        if not image.parent.is_dir():
            make_directory(image.parent, _MODE)
        _sweep(image)
        made = not image.exists()
        warning = _overcommitted(image.parent, size) if made else ""
        if made:
            _format(image, size)
        try:
            pool = _mount(path, image)
        except BaseException:
            if made:
                image.unlink(missing_ok=True)
            raise
    return replace(pool, warning=warning or pool.warning)


def mount(path: Path, image: Path | None = None) -> LoopPool:
    """Mount a pool that was made earlier, after a reboot for example; one that is mounted is returned as it is.

    Raises UsageError when there is no image, ResourceError when not root or when this host cannot mount it.
    """
    path = _absolute(path)
    if mount_at(path):
        return _require(path)
    image = _absolute(image) if image else image_of(path)
    if not image.is_file():
        raise UsageError(f"there is no pool image {image}", hint=f"envclone pool create --path {path} --size 20G")
    _require_root("mount a pool")
    with reported("cannot mount", path):
        return _mount(path, image)


def unmount(path: Path) -> None:
    """Unmount a pool; its loop device goes with the mount, the image stays. Nothing to do when it is not mounted.

    Raises BusyError naming the processes that use it.
    """
    path = _absolute(path)
    found = mount_at(path)
    if found is None:
        return
    if _backing(found) is None:
        raise UsageError(f"{path} is a mount of {found.source}, not a loop-mounted pool")
    _require_root("unmount a pool")
    users = _users(path)  # asked first: what runs in a mount namespace of its own keeps no mount of ours busy
    try:
        if not users:
            process.run(["umount", path])
            return
    except CommandError as exc:
        if "busy" not in exc.stderr:
            raise
    raise BusyError(
        f"the pool {path} is in use" + (f" by process {', '.join(map(str, users[:5]))}" if users else ""),
        hint="envclone ls shows the branches that run; envclone rm stops and removes them",
    )


def remove(path: Path, force: bool = False) -> None:
    """Unmount a pool and delete its image and its directory; nothing to do when there is none.

    Raises BusyError when it is in use, or when it holds anything and `force` is false.
    """
    path = _absolute(path)
    found = mount_at(path)
    image = (_backing(found) if found else None) or image_of(path)
    if found is None and not image.exists():
        return
    _require_root("remove a pool")
    with reported("cannot remove the pool", path):
        if not force:
            if found is None:
                _mount(path, image)
            held = _holds(path)
            if held:
                raise BusyError(
                    f"the pool {path} holds {', '.join(held)}",
                    hint="remove them first, or delete all of it with --force",
                )
        unmount(path)
        image.unlink(missing_ok=True)
        _sweep(image)
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def status(path: Path) -> LoopPool | None:
    """What is known of the loop-mounted pool at `path`; None when there is none."""
    path = _absolute(path)
    found = mount_at(path)
    image = _backing(found) if found else image_of(path)
    if image is None or not image.exists():
        return None
    size, allocated = image.stat().st_size, image.stat().st_blocks * 512
    if found is None:
        return LoopPool(path, image, size, allocated, mounted=False, warning="it is not mounted")
    space = os.statvfs(path)
    free = space.f_bavail * space.f_frsize
    host = os.statvfs(image.parent)
    left = host.f_bavail * host.f_frsize
    short = f"the host's disk has {format_size(left)} left, less than the pool's {format_size(free)}"
    return LoopPool(
        path=path,
        image=image,
        size=size,
        allocated=allocated,
        mounted=True,
        device=found.source,
        used=(space.f_blocks - space.f_bfree) * space.f_frsize,
        free=free,
        warning=short if left < free else "",
    )


def _format(image: Path, size: int) -> None:
    """Make the image under a temporary name, so that one under its own name is always complete."""
    partial = partial_of(image)
    try:
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            os.ftruncate(descriptor, size)
        finally:
            os.close(descriptor)
        try:
            process.run(["mkfs.xfs", "-q", "-m", "reflink=1", partial])
        except ResourceError as exc:
            raise ResourceError("mkfs.xfs is not installed", hint="apt-get install xfsprogs") from exc
        partial.rename(image)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _mount(path: Path, image: Path) -> LoopPool:
    existed = path.is_dir()
    try:
        if not existed:
            make_directory(path, _MODE)
        if any(path.iterdir()):
            raise BusyError(f"{path} is not empty, a mount would hide what it holds", hint="choose an empty directory")
        try:
            process.run(["mount", "-t", "xfs", "-o", _MOUNT_OPTIONS, image, path])
        except CommandError as exc:
            raise ResourceError(
                f"this host cannot mount {image}: {exc.stderr.splitlines()[0] if exc.stderr else exc.message}",
                hint="a loop mount needs CAP_SYS_ADMIN, /dev/loop-control and the kernel modules loop and xfs",
            ) from exc
        path.chmod(_MODE)
        return _require(path)
    except BaseException:
        if mount_at(path):
            process.run(["umount", path], check=False)
        if not existed and path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        raise


def _require(path: Path) -> LoopPool:
    found = status(path)
    if found is None:
        raise BusyError(f"something else is mounted at {path}", hint="choose another path")
    return found


def _backing(found: Mount) -> Path | None:
    """The file behind a loop device; None for any other."""
    name = Path(found.source).name
    try:
        return Path(os.fsdecode(Path(f"/sys/block/{name}/loop/backing_file").read_bytes().rstrip(b"\n")))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _sweep(image: Path) -> None:
    """Remove half-made images of processes that are gone."""
    for entry in image.parent.iterdir():
        if entry.name.startswith(f".{image.name}.partial-") and abandoned(entry):
            entry.unlink(missing_ok=True)


def _holds(path: Path) -> list[str]:
    held = []
    for entry in sorted(path.iterdir()):
        if entry.name in _DISPOSABLE or entry.name.startswith("catalog.db"):
            continue
        count = sum(1 for _ in entry.iterdir()) if entry.is_dir() else 1
        if count:
            held.append(f"{count} in {entry.name}/" if entry.is_dir() else entry.name)
    return held


def _users(path: Path) -> list[int]:
    """The processes whose working directory, program or open files are below `path`."""
    resolved = path.resolve()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            links = [folder / "cwd", folder / "exe", *(folder / "fd").iterdir()]
            inside = any(Path(link.readlink()).is_relative_to(resolved) for link in links)
        except OSError:
            continue
        if inside:
            found.append(int(folder.name))
    return sorted(found)


def _overcommitted(folder: Path, size: int) -> str:
    space = os.statvfs(folder)
    left = space.f_bavail * space.f_frsize
    if size <= left:
        return ""
    return f"the pool may grow to {format_size(size)}, and the disk under it has {format_size(left)} left"


def _require_root(action: str) -> None:
    if os.geteuid() != 0:
        raise ResourceError(
            f"only root can {action}",
            hint="run it with sudo, or put the pool on a file system with reflink (XFS, btrfs)",
        )


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - `resolve` would leave the name of a linked path
