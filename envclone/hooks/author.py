"""The side of a hook's author: the decorator, and what a hook is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["REGISTERED", "Batch", "Context", "Function", "Registered", "hook"]

Batch = Mapping[str, Sequence[str | None]]
"""Columns by name, each with the values of the same rows; a value is the engine's text of it, or None."""


class Context(Protocol):
    """What a hook can ask of envclone."""

    def mask(self, domain: str, values: Sequence[str | None]) -> list[str | None]:
        """The pseudonyms of values under a domain, the same that every column of that domain has; None stays None."""
        ...


Function = Callable[[Context, Batch], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class Registered:
    """A function that `hook` has marked."""

    name: str
    function: Function
    stage: str
    writes: str
    reads: tuple[str, ...]


REGISTERED: list[Registered] = []
"""The hooks of the file that this process has loaded: one file per process."""


def hook(
    *, writes: str = "", reads: Sequence[str] | str = (), stage: str = "mask", name: str | None = None
) -> Callable[[Function], Function]:
    """Mark a function as a hook.

    `stage="mask"`: it returns the new values of the column `writes` (`store.schema.table.column`), one per row; `reads`
    names other columns of the same row that the batch is to hold too. Without `writes` it acts where a rule names it,
    and the batch has the one column `value`. `stage="verify"`: it looks at the sanitized
    values of the column `reads` and returns one truth value per row, true where something is wrong. `stage="judge"`: it
    reads and writes no column, and says of each `answer` of a pinned incident whether it is right.
    Raises ValueError for anything else.
    """
    others = (reads,) if isinstance(reads, str) and reads else tuple(reads)
    if stage not in ("mask", "verify", "judge"):
        raise ValueError(
            f"a Python hook has the stage mask, verify or judge, not {stage!r}: before and after are for SQL files"
        )
    if stage == "judge" and (writes or others):
        raise ValueError("a hook of the stage judge reads and writes no column")
    if stage == "mask" and others and not writes:
        raise ValueError("a hook that reads other columns says which column it writes")
    if stage == "verify" and (writes or len(others) != 1):
        raise ValueError("a hook of the stage verify reads one column and writes none")

    def mark(function: Function) -> Function:
        REGISTERED.append(Registered(name or function.__name__, function, stage, writes, others))
        return function

    return mark
