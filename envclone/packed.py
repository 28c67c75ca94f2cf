"""Many values of one column as bytes one behind the other, apart by a zero: what compiled loops read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from envclone.models import Rows

__all__ = ["ABSENT", "Columns", "Packed", "TextBlock", "absent", "of_rows", "pack"]

ABSENT = -1
"""Where a value begins that is not there."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Values in UTF-8: where each begins and ends in `block`, which has a zero before and behind each.

    A row without a value has ABSENT for both. `plain` tells which values are ASCII.
    """

    block: Any
    starts: Any
    stops: Any
    plain: Any

    def __post_init__(self) -> None:
        # loops are compiled for what is only read: another kind of array would be compiled for again
        self.block.flags.writeable = False

    def __len__(self) -> int:
        return len(self.starts)

    def text(self, place: int) -> str:
        """One value that is there."""
        return bytes(self.block[self.starts[place] : self.stops[place]]).decode("utf-8", "surrogatepass")

    def texts(self) -> list[str | None]:
        """Every value, None where there is none."""
        return [None if start < 0 else self.text(i) for i, start in enumerate(self.starts.tolist())]

    def without(self, places: Sequence[int]) -> Packed:
        """The same with no value at some places."""
        if not len(places):
            return self
        starts, stops, plain = self.starts.copy(), self.stops.copy(), self.plain.copy()
        starts[places] = stops[places] = ABSENT
        plain[places] = False
        return Packed(self.block, starts, stops, plain)


class TextBlock(Sequence[str | None]):
    """Texts of which each is made only when it is asked for: `block` has them in UTF-8 with a zero between two.

    `absent` says which are None; such a one is empty in the block. No text holds a zero. Raises ValueError when there
    are not as many.
    """

    def __init__(self, block: bytes, absent: Any) -> None:
        self.block, self.absent = block, absent
        self._texts: list[str | None] | None = None
        if block.count(0) + 1 != max(1, len(absent)):
            raise ValueError("a text holds a zero")

    def __len__(self) -> int:
        return len(self.absent)

    def __getitem__(self, place: Any) -> Any:
        return self.texts()[place]

    def __iter__(self) -> Iterator[str | None]:
        return iter(self.texts())

    def texts(self) -> list[str | None]:
        """Every text."""
        if self._texts is None:
            made: list[str | None] = list(self.block.decode("utf-8", "surrogatepass").split("\0"))
            for place in np.flatnonzero(self.absent).tolist():
                made[place] = None
            self._texts = made[: len(self.absent)]
        return self._texts


@dataclass(frozen=True, slots=True)
class Columns:
    """Some rows of one table or collection by column: `packed` texts by address, in `others` lists of what is none.

    `places` says where each row lies, as `models.Rows` does.
    """

    table: str
    places: Packed
    packed: Mapping[str, Packed] = field(default_factory=dict)
    others: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.places)


def absent(values: Sequence[Any]) -> int:
    """How many of some values are None."""
    if isinstance(values, TextBlock):
        return int(values.absent.sum())
    return sum(value is None for value in values)


def pack(values: Sequence[str | None]) -> Packed:
    """Values as they are packed."""
    encoded = [b"" if value is None else value.encode("utf-8", "surrogatepass") for value in values]
    block = np.frombuffer(b"\0".join([b"", *encoded, b""]), np.uint8)
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    stops = np.cumsum(lengths + 1)
    starts = stops - lengths
    plain = np.fromiter((value is not None and value.isascii() for value in values), np.bool_, len(values))
    gone = np.fromiter((value is None for value in values), np.bool_, len(values))
    starts[gone] = stops[gone] = ABSENT
    return Packed(block, starts, stops, plain)


def of_rows(batches: Iterable[Rows]) -> Iterator[Columns]:
    """Batches of rows by column, nothing packed but where they lie."""
    for rows in batches:
        yield Columns(rows.table, pack(list(rows.places)), others=rows.fields)
