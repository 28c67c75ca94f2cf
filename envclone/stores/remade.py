"""The files of two directories of a store, one of which was made a second time."""

from __future__ import annotations

import filecmp
from dataclasses import dataclass
from pathlib import Path

__all__ = ["SHOWN", "Files", "compared", "shown"]

SHOWN = 20
"""Differences that are told one by one."""


@dataclass(frozen=True, slots=True)
class Files:
    """The bytes of files that are the `same`, the names of those that are `unlike`, and of those that one side lacks,
    each with what to say of it."""

    same: int
    unlike: tuple[str, ...]
    lacking: dict[str, str]


def compared(one: Path, other: Path) -> Files:
    """Compare all files byte by byte; links are not followed."""
    names = {side: set(_files(side)) for side in (one, other)}
    lacking = {
        name: f"{name}: only {'the image' if name in names[one] else 'the second making'} has it"
        for name in sorted(names[one] ^ names[other])
    }
    same, unlike = 0, []
    for name in sorted(names[one] & names[other]):
        if filecmp.cmp(one / name, other / name, shallow=False):
            same += (one / name).stat().st_size
        else:
            unlike.append(name)
    return Files(same, tuple(unlike), lacking)


def shown(lines: list[str]) -> tuple[str, ...]:
    """As many as a person reads, and how many more there are."""
    more = len(lines) - SHOWN
    return (*lines[:SHOWN], *([f"… and {more} more"] if more > 0 else []))


def _files(directory: Path) -> set[str]:
    return {
        path.relative_to(directory).as_posix()
        for path in directory.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
