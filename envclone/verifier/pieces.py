"""Large values are searched in pieces that overlap, so that what one value costs in memory has a bound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from envclone.models import Rows

__all__ = ["large", "one_row", "pieces"]

LARGE = 8 * 2**20
"""Characters or bytes of a value from which it is searched in pieces."""
PIECE = 4 * 2**20
"""Characters or bytes of a piece: to fold, decode and search one takes some 25 times its size."""
OVERLAP = 64 * 2**10
"""How much two pieces share: nothing that is searched for is longer, however it is spelled."""
_WORD = 2**10
"""How far from its end a piece is cut between two words."""


def large(values: Sequence[Any]) -> list[int]:
    """The numbers of the values that are searched in pieces."""
    if len(getattr(values, "block", ())) > LARGE or not hasattr(values, "block"):
        return [i for i, value in enumerate(values) if isinstance(value, (str, bytes)) and len(value) > LARGE]
    return []  # packed texts, all of which together are less


def pieces(before: Any, after: Any) -> Iterator[tuple[Any, Any]]:
    """The pieces of a value and of what the masks made of it, side by side; the same object where they are the same.

    A piece begins and ends between two words, so that no part of a word is taken for one. Where the two are not
    equally long, more of the former stands beside a piece than can have been moved.
    """
    moved = abs(len(after) - len(before)) if isinstance(before, (str, bytes)) else 0
    start, size = 0, len(after)
    while True:
        end = min(start + PIECE, size)
        end = end if end == size else _between(after, end, max(end - _WORD, start))
        part = after[start:end]
        if before is after:
            yield part, part
        elif isinstance(before, (str, bytes)):
            yield before[max(0, start - moved) : end + moved], part
        else:
            yield before, part
        if end == size:
            return
        start = _between(after, end - OVERLAP, end - OVERLAP - _WORD)


def one_row(rows: Rows, number: int) -> Rows:
    """One of some rows."""
    return Rows(
        rows.table,
        {address: [values[number]] for address, values in rows.fields.items()},
        {address: [values[number]] for address, values in rows.keys.items()},
        [rows.places[number]] if number < len(rows.places) else [],
    )


def _between(value: Any, place: int, least: int) -> int:
    """The last place between two words from `place` down to `least`; `place` where there is none."""
    for at in range(place, least, -1):
        if not value[at - 1 : at].isalnum():
            return at
    return place
