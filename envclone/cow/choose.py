"""Which copy-on-write driver a pool gets: the one that is named, or the best that works there."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, cast

from envclone.errors import ConfigError, ResourceError

if TYPE_CHECKING:
    from envclone.protocols import CowDriver

__all__ = ["AUTO", "best_first", "choose", "load"]

GROUP = "envclone.cow"
AUTO = "auto"
"""The name that stands for the best driver that works."""
_BUILTIN = {
    "reflink": "envclone.cow.reflink:ReflinkDriver",
    "btrfs": "envclone.cow.btrfs:BtrfsDriver",
    "copy": "envclone.cow.copy:CopyDriver",
}
"""Found without reading every installed package's metadata, which takes longer than a clone."""
_REMEDY = {
    "reflink": "envclone pool create makes a pool that can (as root), or set pool.driver: auto",
    "btrfs": "put the pool on a btrfs file system, or set pool.driver: auto",
}


def best_first() -> tuple[str, ...]:
    """The builtin drivers in the order that `auto` tries them."""
    return ("btrfs", "reflink", "copy")


def load(name: str) -> CowDriver:
    """The driver of that name, whether it works or not; raises ConfigError naming those there are."""
    if name in _BUILTIN:
        module, _, attribute = _BUILTIN[name].partition(":")
        return cast("CowDriver", getattr(importlib.import_module(module), attribute)())
    from importlib.metadata import entry_points

    found = {point.name: point for point in entry_points(group=GROUP)}
    if name in found:
        return cast("CowDriver", found[name].load()())
    known = ", ".join([AUTO, *sorted({*_BUILTIN, *found})])
    raise ConfigError(f"there is no copy-on-write driver '{name}'; there are: {known}", hint="set pool.driver")


def choose(driver: str, path: Path) -> CowDriver:
    """The driver for trees in the directory `path`; `auto` takes the first that works of `best_first`.

    Raises ConfigError for an unknown name, ResourceError with the reason when the named driver (or none) works there.
    """
    reasons = []
    for name in best_first() if driver == AUTO else (driver,):
        candidate = load(name)
        reason = candidate.supports(path)
        if reason is None:
            return candidate
        reasons.append(reason)
    if driver == AUTO:
        raise ResourceError(f"nothing can be copied in {path}: {'; '.join(dict.fromkeys(reasons))}")
    raise ResourceError(f"the driver '{driver}' does not work in {path}: {reasons[0]}", hint=_REMEDY.get(driver))
