"""Values that the server made, read from the files of the table they wait in, in the order of the rows they are for."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from envclone.stores.postgres.format import varlena
from envclone.stores.postgres.format.page import normal_items
from envclone.stores.postgres.format.segments import Extent, extents, read
from envclone.stores.postgres.format.toast import Chunks
from envclone.stores.postgres.format.tuples import attributes
from envclone.stores.postgres.write.inplace.work import Staging

__all__ = ["StagedValues"]

_PAGES_AT_ONCE = 512


class StagedValues:
    """The rows of a staging table, which were written in the order of the addresses in their first column.

    A value is its bytes as a tuple of the target holds them, None for null, or a `varlena.Pointer` into the staging
    table's own TOAST table.
    """

    def __init__(self, data: Path, staging: Staging, page_size: int, segment_pages: int) -> None:
        self._path = data / staging.table.path
        self._columns = staging.table.attributes
        self._size = page_size
        self._parts = list(extents(self._path, page_size, segment_pages=segment_pages, at_once=_PAGES_AT_ONCE))
        self._first = np.array([self._beginning(part) for part in self._parts], dtype=np.int64)
        self._chunks = Chunks(data / staging.toast.path, page_size, segment_pages) if staging.toast else None
        if self._chunks is not None:
            self._chunks.__enter__()

    def between(self, first: int, last: int) -> Iterator[tuple[int, int, tuple[Any, ...]]]:
        """Block, line pointer number and values of the rows for blocks from `first` to before `last`."""
        if not len(self._first):
            return
        start = max(int(np.searchsorted(self._first, first, "left")) - 1, 0)
        for i in range(start, len(self._parts)):
            if self._first[i] >= last:
                return
            for block, number, values in self._rows(self._parts[i]):
                if first <= block < last:
                    yield block, number, values

    def stored(self, pointer: varlena.Pointer) -> bytes:
        """The bytes of a value in the staging table's TOAST table."""
        assert self._chunks is not None
        return self._chunks.stored(pointer)

    def _beginning(self, part: Extent) -> int:
        return next((block for block, _, _ in self._rows(part)), 1 << 40)

    def _rows(self, part: Extent) -> Iterator[tuple[int, int, tuple[Any, ...]]]:
        pages = read(part, self._size).pages
        items = normal_items(pages, self._path.name)
        for page, offset, length in zip(items.page.tolist(), items.offset.tolist(), items.length.tolist(), strict=True):
            data = pages[page, offset : offset + length].tobytes()
            values: list[Any] = [None] * len(self._columns)
            for slot in attributes(data, self._columns):
                value: Any = data[slot.start : slot.end]
                if slot.varlena is not None and slot.varlena.form is varlena.Form.EXTERNAL:
                    value = varlena.pointer(value[2:])
                values[slot.index] = value
            high, low, number = struct.unpack("<HHH", values[0])
            yield high << 16 | low, number, tuple(values[1:])
