"""Loops that were compiled when an image of containers was built: a pod takes them over instead of compiling its own.

`python -m envclone.preloaded DIRECTORY` compiles them there; $ENVCLONE_LOOPS names that directory to who runs. numba
looks for what it compiled in a directory that it can write to, so they are copied into the user's own cache, once.

What is compiled is pickle, which runs what it holds. So nothing is taken that another account than root or this one
owns, or that a third one can write to, and no link is followed.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from envclone import compiled

__all__ = ["VARIABLE", "make", "take"]

VARIABLE = "ENVCLONE_LOOPS"
_COMPLETE = "complete"


def take() -> int:
    """Copy what is compiled already into this user's cache; returns for how many rooms of loops that was done."""
    given = os.environ.get(VARIABLE)
    if not given or not compiled.available():
        return 0
    source = Path(given)
    if not source.is_absolute() or not source.is_dir() or not all(map(_is_safe, (source, *source.resolve().parents))):
        _warn(
            f"{given} is not a directory, or others than root and this account can write to it: its loops are not taken"
        )
        return 0
    return sum(_taken(source, compiled._place(room)) for room in compiled._rooms())


def _taken(source: Path, place: Path) -> bool:
    """One room; what says that it is whole comes last."""
    there = source / place.name
    if (place / _COMPLETE).exists() or not (there / _COMPLETE).is_file():
        return False
    found = list(_below(there))
    if not all(map(_is_safe, found)):
        _warn(f"{there} has files that others can write to, or links: its loops are not taken")
        return False
    for path in found:
        target = place / path.relative_to(there)
        if path.is_dir():
            target.mkdir(mode=0o700, exist_ok=True)
        elif path.name != _COMPLETE:
            shutil.copyfile(path, target)
    part = place / f".{_COMPLETE}-{os.getpid()}"
    shutil.copyfile(there / _COMPLETE, part)
    part.replace(place / _COMPLETE)
    return True


def _below(place: Path) -> Iterator[Path]:
    """A directory and all in it, each directory before what is in it; no link is followed."""
    yield place
    for path in sorted(place.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)
        else:
            yield path


def _is_safe(path: Path) -> bool:
    """Whether a file or directory is root's or this account's, and nobody else can change it."""
    found = path.lstat()
    shared = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX  # there nobody replaces another's
    kind = stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)
    return bool(kind and found.st_uid in (0, os.geteuid()) and (not found.st_mode & 0o022 or shared))


def _warn(said: str) -> None:
    logging.getLogger(__name__).warning(said)


def make(place: Path, say: Callable[[str], None]) -> None:
    """Compile every loop into a new directory, which everybody may read and its owner alone may write to."""
    place.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="envclone-loops-") as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        compiled.prepare(say)
        shutil.copytree(Path(folder) / "envclone", place, dirs_exist_ok=True)
    for path in _below(place):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    make(Path(sys.argv[1]).absolute(), _say)
