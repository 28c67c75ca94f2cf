"""Files written into a directory: all of them or none, and nothing of anybody's is overwritten."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from envclone.errors import UsageError
from envclone.private import write_public

__all__ = ["Written", "write"]


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the files: written, as they were before, and those of earlier that are made no more."""

    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    stale: tuple[str, ...]


def write(directory: Path, files: Mapping[str, str], *, force: bool) -> Written:
    """Write files by their paths in the directory, which is made.

    Raises UsageError, before anything is written, when a file is there with another content and `force` is not set.
    """
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is no directory")
    same = [name for name, text in files.items() if _content(directory / name) == text.encode()]
    there = [name for name in files if name not in same and os.path.lexists(directory / name)]
    if there and not force:
        raise UsageError(
            f"{directory} has other files of these names: {', '.join(sorted(there))}",
            hint="--force writes over them; git diff then shows what changed",
        )
    for name, text in files.items():
        if name not in same:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            write_public(directory / name, text)
    stale = [
        path.relative_to(directory).as_posix()
        for folder in {(directory / name).parent for name in files}
        for path in folder.glob("[0-9][0-9]-*.yaml")
        if path.relative_to(directory).as_posix() not in files
    ]
    return Written(tuple(name for name in files if name not in same), tuple(same), tuple(sorted(stale)))


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.is_file() and not path.is_symlink() else None
    except OSError:
        return None
