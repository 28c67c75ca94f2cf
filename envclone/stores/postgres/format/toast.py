"""TOAST tables: values kept in chunks, put together again."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from envclone.compiled import available
from envclone.errors import UnsafeError
from envclone.stores.postgres.format import varlena
from envclone.stores.postgres.format.page import normal_items
from envclone.stores.postgres.format.segments import Extent, extents, read, segments
from envclone.stores.postgres.format.visibility import Transactions, dead

__all__ = ["Chunks", "Place"]

_LARGE = 8 * 2**20
"""Bytes of a value whose pages are put down when it was read."""


@dataclass(frozen=True, slots=True)
class _Index:
    value: npt.NDArray[np.uint32]
    sequence: npt.NDArray[np.uint32]
    place: npt.NDArray[np.int64]
    length: npt.NDArray[np.uint16]
    number: npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a chunk's data stand: block and line pointer number, file, offset in it and length in bytes."""

    block: int
    number: int
    file: int
    offset: int
    length: int


class Chunks:
    """The chunks of one TOAST table, found by value id; 20 bytes of memory per chunk.

    A chunk is an ordinary tuple of `(chunk_id oid, chunk_seq int4, chunk_data bytea)` without nulls. Chunks of versions
    that nobody sees are left out when `transactions` are given. A `writable` one can be written through `maps`.
    """

    def __init__(
        self,
        path: Path,
        page_size: int,
        segment_pages: int,
        *,
        transactions: Transactions | None = None,
        writable: bool = False,
    ) -> None:
        self.files: list[Path] = list(segments(path))
        self.maps: list[mmap.mmap | None] = []
        self._page_size = page_size
        self._segment_bytes = page_size * segment_pages
        self._transactions = transactions
        self._writable = writable
        self._known, self._committed = np.zeros(0, np.int64), np.zeros(0, np.bool_)
        self._index = self._read(path, page_size, segment_pages)

    @property
    def greatest(self) -> int:
        """The greatest value id; 0 when there is none."""
        return int(self._index.value[-1]) if len(self._index.value) else 0

    def __enter__(self) -> Chunks:
        mode, access = ("r+b", mmap.ACCESS_WRITE) if self._writable else ("rb", mmap.ACCESS_READ)
        for file in self.files:
            with file.open(mode) as handle:
                empty = file.stat().st_size == 0
                self.maps.append(None if empty else mmap.mmap(handle.fileno(), 0, access=access))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for opened in self.maps:
            if opened is not None:
                opened.close()
        self.maps.clear()

    def alike(self, other: Chunks) -> bool:
        """Whether both see the same chunks in the same file."""
        mine, its = self._index, other._index
        return self.files == other.files and all(
            np.array_equal(getattr(mine, name), getattr(its, name)) for name in _Index.__slots__
        )

    def places(self, value: int) -> list[Place]:
        """Where the data of a value's chunks stand, in order."""
        index = self._index
        low = int(np.searchsorted(index.value, np.uint32(value), "left"))
        high = int(np.searchsorted(index.value, np.uint32(value), "right"))
        found = []
        for i in range(low, high):
            place = int(index.place[i])
            file, offset = divmod(place, self._segment_bytes)
            found.append(Place(place // self._page_size, int(index.number[i]), file, offset, int(index.length[i])))
        return found

    def put_down(self) -> None:
        """Let what was read or written stay in its files, and not in this process."""
        for opened in self.maps:
            if opened is not None:
                opened.madvise(mmap.MADV_DONTNEED)

    def stored(self, pointer: varlena.Pointer) -> bytes:
        """The bytes that a value's chunks hold; raises UnsafeError when they are not as many as the pointer says."""
        parts: list[memoryview] = []  # what they show is copied once, by the join
        for place in self.places(pointer.value):
            opened = self.maps[place.file]
            assert opened is not None  # a chunk was found in it
            parts.append(memoryview(opened)[place.offset : place.offset + place.length])
        data = b"".join(parts)
        del parts
        if len(data) > _LARGE:
            self.put_down()
        if len(data) != pointer.stored_size:
            raise UnsafeError(
                f"TOAST value {pointer.value} has {len(data)} bytes where {pointer.stored_size} belong",
                hint="check production with pg_amcheck, and take a new snapshot",
            )
        return data

    def gather(self, values: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], out: Any, first: int) -> Any:
        """Write what the chunks of many values hold into `out`, from `first` on, one value behind the other.

        Returns where each begins and ends there. `sizes` are those that the pointers say; raises UnsafeError when the
        chunks of one are others. `out` has room for all of them.
        """
        from envclone.stores.postgres.format import outside  # late: it waits for the compiler

        index = self._index
        low = np.searchsorted(index.value, values.astype(np.uint32), "left")
        counts = np.searchsorted(index.value, values.astype(np.uint32), "right") - low
        before = np.cumsum(counts) - counts
        within = np.arange(int(counts.sum())) - np.repeat(before, counts)
        chunks = np.repeat(low, counts) + within
        lengths = index.length[chunks].astype(np.int64)
        bounds = np.concatenate(([0], np.cumsum(lengths)))
        wrong = bounds[before + counts] - bounds[before] != sizes
        out_of_turn = np.flatnonzero(index.sequence[chunks] != within)
        wrong[np.searchsorted(before, out_of_turn, "right") - 1] = True
        if wrong.any():
            raise UnsafeError(
                f"the chunks of TOAST value {int(values[wrong][0])} are not those that its row asks for",
                hint="check production with pg_amcheck, and take a new snapshot",
            )
        files, starts = np.divmod(index.place[chunks], self._segment_bytes)
        at = bounds[:-1] + first
        for some in _stretches(files, bounds):
            opened = self.maps[int(files[some.start])]
            assert opened is not None  # a chunk was found in it
            source = np.frombuffer(opened, np.uint8)
            source.flags.writeable = False
            bad = outside.copy(source, starts[some], lengths[some], out, at[some])
            del source
            opened.madvise(mmap.MADV_DONTNEED)  # what was copied need not stay mapped
            if bad >= 0:
                raise UnsafeError(
                    f"a chunk of {self.files[0].name} runs over the end of its file",
                    hint="check production with pg_amcheck, and take a new snapshot",
                )
        return bounds[before] + first, bounds[before + counts] + first

    def sizes(self, chunk_size: int) -> dict[str, npt.NDArray[np.int64]]:
        """Each value's `id`, in order, and its `size` in bytes: -1 where chunks are missing, doubled or cut short."""
        index = self._index
        if not len(index.value):
            return {"id": np.zeros(0, dtype=np.int64), "size": np.zeros(0, dtype=np.int64)}
        first = np.flatnonzero(np.concatenate(([True], index.value[1:] != index.value[:-1])))
        last = np.concatenate((first[1:], [len(index.value)])) - 1
        size = np.add.reduceat(index.length.astype(np.int64), first)
        in_value = np.arange(len(index.value)) - np.repeat(first, last - first + 1)
        full = np.ones(len(index.value), dtype=np.bool_)
        full[last] = False
        wrong = (index.sequence != in_value) | (full & (index.length != chunk_size)) | (index.length > chunk_size)
        size[np.add.reduceat(wrong.astype(np.int64), first) > 0] = -1
        return {"id": index.value[first].astype(np.int64), "size": size}

    def value(self, pointer: varlena.Pointer) -> bytes:
        """A value whole and decompressed."""
        data = self.stored(pointer)
        return varlena.expand(data) if pointer.compressed else data

    def _read(self, path: Path, page_size: int, segment_pages: int) -> _Index:
        found: list[list[npt.NDArray[Any]]] = [[np.zeros(0, kind)] for kind in _KINDS]
        numbers = {file: number for number, file in enumerate(self.files)}
        for extent in extents(path, page_size, segment_pages=segment_pages):
            its = self._ordinary(extent, page_size) if available() else None
            first = extent.offset + numbers[extent.path] * self._segment_bytes
            for column, values in zip(found, its or self._others(extent, page_size), strict=True):
                column.append(values)
            found[_PLACE][-1] += first
        table = [np.concatenate(column) for column in found]
        del found
        key = table[0].astype(np.uint64) << np.uint64(32) | table[1]
        if not (key[1:] >= key[:-1]).all():
            order = np.argsort(key, kind="stable")
            table = [np.ascontiguousarray(column[order]) for column in table]
        return _Index(*table)

    def _ordinary(self, extent: Extent, page_size: int) -> list[npt.NDArray[Any]] | None:
        """The columns of the index for pages in which nothing is out of the ordinary; None for others."""
        from envclone.stores.postgres.format import chunked  # late: it waits for the compiler

        with extent.path.open("rb") as file:
            ahead = extent.offset % mmap.ALLOCATIONGRANULARITY
            size = extent.pages * page_size
            opened = mmap.mmap(file.fileno(), size + ahead, access=mmap.ACCESS_READ, offset=extent.offset - ahead)
        # closed when nothing shows it any more: an error of the loop would else be hidden by one of closing
        flat = np.frombuffer(opened, np.uint8, size, ahead)
        lower = flat.reshape(-1, page_size)[:, 12:14].copy().view("<u2").astype(np.int64)
        columns = [np.zeros(int(np.maximum(lower // 4 - 6, 0).sum()), kind) for kind in _KINDS]
        count = -2
        while count < -1 and len(self._known) <= _MOST_KNOWN:
            every, known, committed = self._transactions is None, self._known, self._committed
            count = chunked.chunks(flat, page_size, every, known, committed, *columns)
            if count < -1 and not self._learn(-2 - count):
                count = -1
        return None if count < 0 else [column[:count] for column in columns]

    def _learn(self, transaction: int) -> bool:
        """Note how a transaction ended that rows do not tell of; False when the log does not know it either."""
        assert self._transactions is not None
        one = np.array([transaction], np.int64)
        try:
            committed = self._transactions.committed(one)
        except UnsafeError:
            return False  # who reads the page as any page says so
        self._known, self._committed = np.append(self._known, one), np.append(self._committed, committed)
        return True

    def _others(self, extent: Extent, page_size: int) -> list[npt.NDArray[Any]]:
        """The same of any pages. Raises UnsafeError for a damaged one."""
        part = read(extent, page_size)
        items = normal_items(part.pages, extent.path.name)
        if self._transactions is not None:
            items = items.only(~dead(part.pages, items, self._transactions))
        if not len(items):
            return [np.zeros(0, kind) for kind in _KINDS]
        data = items.offset + part.pages[items.page, items.offset + 22]
        first = part.pages[items.page, data + 8]
        short = first & 1 == 1
        length = np.where(short, (first >> 1).astype(np.int64) - 1, 0)
        length[~short] = (_uint32(part.pages, items.page[~short], data[~short] + 8) >> 2) - 4
        value, sequence = _uint32(part.pages, items.page, data), _uint32(part.pages, items.page, data + 4)
        place = data + np.where(short, 9, 12) + items.page * page_size
        columns = value, sequence, place, length, items.number
        return [column.astype(kind) for column, kind in zip(columns, _KINDS, strict=True)]


def _stretches(files: npt.NDArray[np.int64], bounds: npt.NDArray[np.int64]) -> Iterator[slice]:
    """Successive chunks of one file, as many at a time as are mapped together."""
    first, count = 0, len(files)
    while first < count:
        last = int(np.searchsorted(bounds, bounds[first] + _MAPPED, "right")) - 1
        other = np.flatnonzero(files[first : max(last, first + 1)] != files[first])
        end = first + int(other[0]) if len(other) else max(last, first + 1)
        yield slice(first, end)
        first = end


_MAPPED = 16 * 2**20
"""Bytes of chunks that are mapped together."""
_MOST_KNOWN = 64
"""Transactions that are kept in mind; of rows of more than these each is looked up."""
_KINDS = (np.uint32, np.uint32, np.int64, np.uint16, np.uint16)
"""Of the columns of the index."""
_PLACE = 2


def _uint32(
    pages: npt.NDArray[np.uint8], page: Sequence[int] | npt.NDArray[np.int64], at: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    result = np.zeros(len(at), dtype=np.int64)
    for shift in range(4):
        result |= pages[page, at + shift].astype(np.int64) << (8 * shift)
    return result
