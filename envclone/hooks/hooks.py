"""The hooks of a stack file: read from their files, and what each of them is about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from envclone.address import items
from envclone.errors import ConfigError

__all__ = ["STAGES", "Hook", "SqlHook", "domain_of", "load_sql"]

STAGES = ("before", "mask", "after", "verify")
_HEADER = re.compile(r"--\s*(stage|store|writes)\s*:\s*(.+?)\s*$")


@dataclass(frozen=True, slots=True)
class Hook:
    """A hook that works on batches of values: `domain` is how a rule calls it (`python:FILE:NAME`)."""

    domain: str
    file: str
    name: str
    stage: str
    store: str
    writes: str
    reads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SqlHook:
    """A file of SQL for one store's clone; `writes` are the columns that it makes, at the stage `after`."""

    file: str
    stage: str
    store: str
    writes: tuple[str, ...]
    text: str

    @property
    def domain(self) -> str:
        """How a rule calls it."""
        return f"sql:{self.file}"


def domain_of(file: str, name: str) -> str:
    """How a rule calls a hook of a file."""
    return f"{'python' if file.endswith('.py') else 'exec'}:{file}:{name}"


def load_sql(directory: Path, file: str, stores: Sequence[str]) -> SqlHook:
    """Read an SQL file, whose first lines say what it is for.

    `-- stage: after`, `-- store: main`, `-- writes: public.tickets.note, public.tickets.title`. Raises ConfigError.
    """
    text = (directory / file).read_text(encoding="utf-8")
    said: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip().startswith("--"):
            break
        if match := _HEADER.match(line.strip()):
            said[match[1]] = match[2]
    stage = said.get("stage", "after")
    if stage not in ("before", "after", "verify"):
        raise ConfigError(f"{file}: an SQL file has the stage before, after or verify, not '{stage}'")
    store = said.get("store") or (stores[0] if len(stores) == 1 else "")
    if store not in stores:
        raise ConfigError(
            f"{file}: {f'there is no store {store!r}' if store else 'it does not say which store it is for'}",
            hint=f"begin the file with `-- store: NAME`; there are: {', '.join(stores)}",
        )
    writes = tuple(items(said.get("writes", "")))
    if writes and stage != "after":
        raise ConfigError(f"{file}: only the stage after can write columns instead of a mask")
    return SqlHook(file, stage, store, writes, text)
