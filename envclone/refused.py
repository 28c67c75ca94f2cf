"""What is said when a mask refuses a value: the column and the row that it stands in, and never the value."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from envclone.errors import EnvcloneError

__all__ = ["KEY", "named", "refused", "said_of"]

KEY = re.compile(r"-?\d{1,18}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Keys that may be shown where a rule keeps them: numbers and uuids."""
_SECONDS = 10.0
"""How long the value is looked for."""


def named(keys: Iterable[tuple[str, object]], place: str) -> str:
    """A row in words: its key, as far as that may be shown, and its address."""
    shown = [f"{name}={value}" for name, value in keys if KEY.fullmatch(str(value))]
    return ", ".join([*shown, place] if place else shown)


def refused(
    exc: EnvcloneError,
    address: str,
    mask: Callable[[Sequence[Any]], Sequence[Any]],
    values: Sequence[Any],
    place: Callable[[int], str],
) -> EnvcloneError:
    """The error of a mask over `values` with the column and the row of the first value that it refuses alone.

    Halves are tried, so that a batch of thousands takes a dozen calls. What none of them repeats is said of the rows
    from the first to the last, and so is what a hook did that has ended with it.
    """
    values = list(values)
    first, last = 0, len(values)
    began = time.monotonic()
    while not exc.context.get("ended") and last - first > 1 and time.monotonic() - began < _SECONDS:
        middle = (first + last) // 2
        if _refuses(mask, values[first:middle]):
            last = middle
        elif _refuses(mask, values[middle:last]):
            first = middle
        else:
            break
    where = place(first) if last - first <= 1 else f"{place(first)} to {place(last - 1)}"
    return said_of(exc, address, where)


def said_of(exc: EnvcloneError, address: str, where: str, hint: str | None = None) -> EnvcloneError:
    """The same error, said of a column and a row."""
    message = exc.message.removeprefix(f"{address}: ")
    return type(exc)(f"{address}, {where}: {message}", hint=exc.hint or hint)


def _refuses(mask: Callable[[Sequence[Any]], Sequence[Any]], values: Sequence[Any]) -> bool:
    try:
        mask(values)
    except EnvcloneError:
        return True
    return False
