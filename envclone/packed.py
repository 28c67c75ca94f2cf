"""Many values of one column as bytes one behind the other, apart by a zero: what compiled loops read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from re import Pattern
from typing import Any

import numpy as np

from envclone.models import Rows

__all__ = ["ABSENT", "Columns", "Packed", "Pairs", "TextBlock"]
__all__ += ["absent", "alike", "block_of", "having", "having_at", "merged", "of_rows", "pack", "pairs"]

ABSENT = -1
"""Where a value begins that is not there."""
_TOGETHER = 4 * 2**20
"""Bytes of values that are looked at together."""


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
        # counted by numpy: bytes.count is slow on short texts
        if len(block) - np.count_nonzero(np.frombuffer(block, np.uint8)) + 1 != max(1, len(absent)):
            raise ValueError("a text holds a zero")

    def __len__(self) -> int:
        return len(self.absent)

    def __getitem__(self, place: Any) -> Any:
        return self.texts()[place]

    def __iter__(self) -> Iterator[str | None]:
        return iter(self.texts())

    @cached_property
    def zeros(self) -> Any:
        """The places of the zeros, one before the first text and one behind the last among them."""
        data = np.frombuffer(self.block, np.uint8)
        return np.concatenate((np.full(1, -1), np.flatnonzero(data == 0), np.full(1, len(data)))).astype(np.int64)

    def text(self, place: int) -> str:
        """One text; '' where there is none."""
        return self.block[self.zeros[place] + 1 : self.zeros[place + 1]].decode("utf-8", "surrogatepass")

    def replaced(self, places: Sequence[int], texts: Sequence[str]) -> TextBlock:
        """The same with other texts at some places, which ascend. Raises ValueError when one holds a zero."""
        if not len(places):
            return self
        parts: list[bytes] = []
        position = 0
        for place, text in zip(places, texts, strict=True):
            parts += [self.block[position : self.zeros[place] + 1], text.encode("utf-8", "surrogatepass")]
            position = int(self.zeros[place + 1])
        return TextBlock(b"".join([*parts, self.block[position:]]), self.absent)

    def texts(self) -> list[str | None]:
        """Every text."""
        if self._texts is None:
            made: list[str | None] = list(self.block.decode("utf-8", "surrogatepass").split("\0"))
            for place in np.flatnonzero(self.absent).tolist():
                made[place] = None
            self._texts = made[: len(self.absent)]
        return self._texts


class Pairs(Sequence[tuple[str | None, str | None]]):
    """Values, each beside its subject: as many of the one as of the other."""

    def __init__(self, values: TextBlock, subjects: TextBlock) -> None:
        self.values, self.subjects = values, subjects

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, place: Any) -> Any:
        return list(zip(self.values, self.subjects, strict=True))[place]

    def __iter__(self) -> Iterator[tuple[str | None, str | None]]:
        return zip(self.values, self.subjects, strict=True)


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


def having(values: Packed, pattern: Pattern[bytes]) -> list[str]:
    """The plain values in which a pattern of bytes is found, which crosses no zero."""
    return [text for _, text in having_at(values, pattern)]


def having_at(values: Packed, pattern: Pattern[bytes]) -> Iterator[tuple[int, str]]:
    """The same with their places."""
    begins = np.fromiter((match.start() for match in pattern.finditer(values.block)), np.int64)
    if not len(begins):
        return
    there = np.flatnonzero((values.starts >= 0) & values.plain)
    starts = np.unique(values.starts[there])
    if not len(starts):
        return
    told = np.unique(starts[np.maximum(np.searchsorted(starts, begins, "right") - 1, 0)])
    for place in there[np.isin(values.starts[there], told)].tolist():
        if pattern.search(values.block, int(values.starts[place]), int(values.stops[place])):
            yield place, values.text(place)


def absent(values: Sequence[Any]) -> int:
    """How many of some values are None."""
    if isinstance(values, TextBlock):
        return int(values.absent.sum())
    return sum(value is None for value in values)


def block_of(values: Sequence[str | None]) -> TextBlock:
    """Texts as one block. Raises ValueError when one holds a zero."""
    if isinstance(values, TextBlock):
        return values
    gone = np.fromiter((value is None for value in values), np.bool_, len(values))
    return TextBlock("\0".join([value or "" for value in values]).encode("utf-8", "surrogatepass"), gone)


def pairs(values: Sequence[Any], subjects: Sequence[Any]) -> Sequence[tuple[Any, Any]]:
    """Values beside their subjects; of two blocks no text is made."""
    if isinstance(values, TextBlock) and isinstance(subjects, TextBlock):
        return Pairs(values, subjects)
    return list(zip(values, subjects, strict=True))


def alike(some: Sequence[Any], others: Sequence[Any]) -> bool:
    """Whether two columns hold the same values in the same order; blocks are compared as bytes."""
    if isinstance(some, TextBlock) and isinstance(others, TextBlock):
        return some.block == others.block and np.array_equal(some.absent, others.absent)
    return list(some) == list(others)


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


def merged(batches: Iterable[Columns], size: int = _TOGETHER) -> Iterator[Columns]:
    """Batches of columns put together, in their order, up to so many bytes: what is looked up in a large table is
    looked up in the order of its places, and of few values each would bring in another part."""
    held: list[Columns] = []
    used = 0
    for batch in batches:
        told = sum(len(its.block) for its in (batch.places, *batch.packed.values()))
        if held and (used + told > size or not _alike(held[0], batch)):
            yield _merged(held)
            held, used = [], 0
        held.append(batch)
        used += told
    if held:
        yield _merged(held)


def _alike(one: Columns, other: Columns) -> bool:
    """Whether two batches may be put together: those with values that are not packed are not."""
    return one.table == other.table and not (one.others or other.others) and one.packed.keys() == other.packed.keys()


def _merged(batches: Sequence[Columns]) -> Columns:
    first = batches[0]
    if len(batches) == 1:
        return first
    columns = {address: _joined([one.packed[address] for one in batches]) for address in first.packed}
    return Columns(first.table, _joined([one.places for one in batches]), columns)


def _joined(some: Sequence[Packed]) -> Packed:
    begins = np.cumsum([0, *(len(one.block) for one in some[:-1])]).tolist()
    starts = [np.where(one.starts < 0, ABSENT, one.starts + first) for first, one in zip(begins, some, strict=True)]
    stops = [np.where(one.stops < 0, ABSENT, one.stops + first) for first, one in zip(begins, some, strict=True)]
    plain = np.concatenate([one.plain for one in some])
    return Packed(np.concatenate([one.block for one in some]), np.concatenate(starts), np.concatenate(stops), plain)


def of_rows(batches: Iterable[Rows]) -> Iterator[Columns]:
    """Batches of rows by column, nothing packed but where they lie."""
    for rows in batches:
        yield Columns(rows.table, pack(list(rows.places)), others=rows.fields)
