"""TOAST tables: values kept in chunks, put together again."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from envclone.errors import UnsafeError
from envclone.stores.postgres.pages import varlena
from envclone.stores.postgres.pages.page import normal_items
from envclone.stores.postgres.pages.segments import ranges, segments

__all__ = ["Chunks"]


@dataclass(frozen=True, slots=True)
class _Index:
    value: npt.NDArray[np.int64]
    file: npt.NDArray[np.int64]
    offset: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]


class Chunks:
    """The chunks of one TOAST table, found by value id; about 32 bytes of memory per chunk.

    A chunk is an ordinary tuple of `(chunk_id oid, chunk_seq int4, chunk_data bytea)` without nulls.
    """

    def __init__(self, path: Path, page_size: int, segment_pages: int) -> None:
        self._files: list[Path] = list(segments(path))
        self._maps: list[mmap.mmap | None] = []
        self._index = self._read(path, page_size, segment_pages)

    def __enter__(self) -> Chunks:
        for file in self._files:
            with file.open("rb") as handle:
                empty = file.stat().st_size == 0
                self._maps.append(None if empty else mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for opened in self._maps:
            if opened is not None:
                opened.close()
        self._maps.clear()

    def places(self, value: int) -> list[tuple[Path, int, int]]:
        """Where the data of a value's chunks stand, in order: file, offset and length in bytes."""
        index = self._index
        low, high = np.searchsorted(index.value, [value, value + 1])
        return [(self._files[int(index.file[i])], int(index.offset[i]), int(index.length[i])) for i in range(low, high)]

    def stored(self, pointer: varlena.Pointer) -> bytes:
        """The bytes that a value's chunks hold; raises UnsafeError when they are not as many as the pointer says."""
        index = self._index
        low, high = np.searchsorted(index.value, [pointer.value, pointer.value + 1])
        parts: list[bytes] = []
        for i in range(low, high):
            opened = self._maps[int(index.file[i])]
            assert opened is not None  # a chunk was found in it
            start = int(index.offset[i])
            parts.append(opened[start : start + int(index.length[i])])
        data = b"".join(parts)
        if len(data) != pointer.stored_size:
            raise UnsafeError(
                f"TOAST value {pointer.value} has {len(data)} bytes where {pointer.stored_size} belong",
                hint="check production with pg_amcheck, and take a new snapshot",
            )
        return data

    def value(self, pointer: varlena.Pointer) -> bytes:
        """A value whole and decompressed."""
        data = self.stored(pointer)
        return varlena.expand(data) if pointer.compressed else data

    def _read(self, path: Path, page_size: int, segment_pages: int) -> _Index:
        found: list[npt.NDArray[np.int64]] = []
        numbers = {file: number for number, file in enumerate(self._files)}
        for part in ranges(path, page_size, segment_pages=segment_pages):
            items = normal_items(part.pages, path.name)
            if not len(items):
                continue
            data = items.offset + part.pages[items.page, items.offset + 22]
            chunk_id = _uint32(part.pages, items.page, data)
            sequence = _uint32(part.pages, items.page, data + 4)
            first = part.pages[items.page, data + 8]
            short = first & 1 == 1
            length = np.where(short, (first >> 1).astype(np.int64) - 1, 0)
            length[~short] = (_uint32(part.pages, items.page[~short], data[~short] + 8) >> 2) - 4
            start = data + np.where(short, 9, 12) + part.offset + items.page * page_size
            file = np.full(len(items), numbers[part.path], dtype=np.int64)
            found.append(np.stack([chunk_id, sequence, file, start, length]))
        table = np.concatenate(found, axis=1) if found else np.zeros((5, 0), dtype=np.int64)
        table = table[:, np.lexsort((table[1], table[0]))]
        return _Index(table[0], table[2], table[3], table[4])


def _uint32(
    pages: npt.NDArray[np.uint8], page: Sequence[int] | npt.NDArray[np.int64], at: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    result = np.zeros(len(at), dtype=np.int64)
    for shift in range(4):
        result |= pages[page, at + shift].astype(np.int64) << (8 * shift)
    return result
