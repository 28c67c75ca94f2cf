"""New values into the chunks of old ones: chunks keep their places while they fit, others are handed on."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from envclone.stores.postgres.format import varlena
from envclone.stores.postgres.format.page import HEADER
from envclone.stores.postgres.format.toast import Chunks, Place
from envclone.stores.postgres.write.inplace import fit

__all__ = ["Chunk", "Toaster", "chunk_tuple"]

Chunk = tuple[int, int, bytes]
"""Value id, number in the value, bytes."""

_TUPLE_HEADER = 24
_AT_ONCE = 4096
"""Chunks that are written before their pages are put down."""


@dataclass(slots=True)
class Toaster:
    """Writes values into one TOAST table; `loose` are chunks that need a place, `dirty` the blocks that were written.

    `hidden` are blocks that were all visible and lost an item.
    """

    chunks: Chunks
    page_size: int
    chunk_size: int
    dirty: set[int] = field(default_factory=set)
    hidden: set[int] = field(default_factory=set)
    loose: list[Chunk] = field(default_factory=list)
    killed: int = 0

    def read(self, pointer: varlena.Pointer) -> bytes:
        """A value whole and decompressed."""
        return self.chunks.value(pointer)

    def replace(self, old: varlena.Pointer, raw: bytes | None, *, packable: bool = True) -> bytes | None:
        """Store `raw` in the place of a value and return what stands in the tuple then; None removes it.

        A value that was compressed is compressed again; one that fits the pointer's 18 bytes moves into the tuple.
        """
        if raw is None:
            self._write(old.value, b"")
            return None
        if packable and len(raw) < 18:
            self._write(old.value, b"")
            return varlena.short_or_long(raw)
        body = varlena.shrink(raw, old.method) if old.compressed else None
        return self.replace_stored(old, len(raw), raw if body is None else body, old.method if body else 0)

    def replace_stored(self, old: varlena.Pointer, raw_size: int, stored: bytes, method: int) -> bytes:
        """The same for bytes that are compressed already, or are not to be."""
        self._write(old.value, stored)
        return varlena.Pointer(raw_size, len(stored), method, old.value, old.table).datum()

    def store(self, value: int, table: int, raw_size: int, stored: bytes, method: int) -> bytes:
        """A value that had no chunks, under a new id."""
        self.loose += [(value, i, piece) for i, piece in enumerate(self._pieces(stored))]
        return varlena.Pointer(raw_size, len(stored), method, value, table).datum()

    def _pieces(self, stored: bytes, first: int = 0) -> Iterator[bytes]:
        """A value in chunks from the `first` on, one at a time: all of them would be the value once more."""
        size = self.chunk_size
        return (stored[i : i + size] for i in range(first * size, len(stored), size))

    def _write(self, value: int, stored: bytes) -> None:
        places = self.chunks.places(value)
        pieces = self._pieces(stored)
        for i, place in enumerate(places):
            if i % _AT_ONCE == _AT_ONCE - 1:
                self.chunks.put_down()
            piece = next(pieces, None)
            if piece is not None:
                if len(piece) == place.length:
                    opened = self.chunks.maps[place.file]
                    assert opened is not None
                    opened[place.offset : place.offset + place.length] = piece
                    self.dirty.add(place.block)
                    continue
                if self._resized(place, piece):
                    continue
                self.loose.append((value, i, piece))
            self._kill(place)
        self.loose += [(value, i, piece) for i, piece in enumerate(self._pieces(stored, len(places)), len(places))]

    def _resized(self, place: Place, data: bytes) -> bool:
        """Whether the chunk's item can hold other bytes; only within its own place, for other workers write around."""
        with self._page(place) as page:
            at = HEADER + 4 * (place.number - 1)
            (pointer,) = struct.unpack_from("<I", page, at)
            offset, length = pointer & 0x7FFF, pointer >> 17
            old = bytes(page[offset : offset + length])
            value, sequence = struct.unpack_from("<II", old, old[22])
            tuple_ = chunk_tuple(value, sequence, data, head=old[: old[22]])
            if len(tuple_) > fit.aligned_size(length):
                return False
            fit.put(page, place.number, tuple_)
            self.dirty.add(place.block)
            return True

    def _kill(self, place: Place) -> None:
        with self._page(place) as page:
            if fit.remove(page, place.number):
                self.hidden.add(place.block)
        self.dirty.add(place.block)
        self.killed += 1

    def _page(self, place: Place) -> memoryview:
        opened = self.chunks.maps[place.file]
        assert opened is not None
        start = place.offset // self.page_size * self.page_size
        return memoryview(opened)[start : start + self.page_size]


def chunk_tuple(value: int, sequence: int, data: bytes, *, head: bytes | None = None) -> bytes:
    """A chunk as a tuple: under an old one's header, or frozen (no transaction is named, everybody sees it)."""
    if head is None:
        # xmin frozen, no xmax, ctid is set by who places it, 3 attributes, committed and invalid both set is frozen
        head = struct.pack("<IIIHHHHHB", 2, 0, 0, 0, 0, 0, 3, 0x0002 | 0x0300 | 0x0800, _TUPLE_HEADER) + b"\0"
    return head + struct.pack("<II", value, sequence) + varlena.short_or_long(data)
