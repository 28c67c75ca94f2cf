"""Where the stack file is: ENVCLONE_FILE, or the nearest one in this directory or above it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from envclone.errors import ConfigError

__all__ = ["NAMES", "VARIABLE", "find"]

NAMES = ("envclone.yaml", "envclone.yml")
VARIABLE = "ENVCLONE_FILE"


def find(start: Path, env: Mapping[str, str] | None = None) -> Path:
    """The stack file that ENVCLONE_FILE names, else the nearest in `start` or a directory above it.

    `env` None is the process's environment. Raises ConfigError when there is none.
    """
    named = (os.environ if env is None else env).get(VARIABLE)
    if named:
        path = Path(named)
        if not path.is_file():
            raise ConfigError(
                f"{VARIABLE} names {named}, and there is no such file", hint=f"correct it, or unset {VARIABLE}"
            )
        return path
    start = start.absolute()
    for directory in (start, *start.parents):
        for name in NAMES:
            if (directory / name).is_file():
                return directory / name
    raise ConfigError(
        f"there is no {NAMES[0]} in {start} or above it",
        hint="envclone init writes a commented starter file; -f or ENVCLONE_FILE names one elsewhere",
    )
