"""Reads a Gridstore: Qdrant's files of values by point, in blocks (format: `lib/blobstore` of Qdrant 1.13 to 1.19).

    config.json         page_size_bytes, block_size_bytes, region_size_blocks, compression LZ4 or None, mode
    tracker.dat         uint32 number of slots, then four uint32 per point: present, page, block in it, length in bytes
    tracker_journal.dat slots that a crash may have torn, replayed at the next start: entries of uint32 length,
                        uint32 CRC-32C, records of uint32 point and its 16-byte slot (from 1.19)
    page_<n>.dat        the values, each from the start of a block; a value may go on in the next page
    bitmask.dat         one bit per block, lowest first: used
    gaps.dat            per region of blocks three uint16: longest, leading and trailing run of free blocks

An LZ4 value is its uint32 raw size and one LZ4 block. All integers are little-endian.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lz4.block
import numpy as np

from envclone.errors import UnsafeError
from envclone.stores.qdrant.crc32c import crc32c
from envclone.stores.qdrant.holes import CHUNK, filled
from envclone.stores.qdrant.layout import read_json

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["SLOT", "Config", "Gridstore", "entries"]

SLOT = np.dtype([("present", "<u4"), ("page", "<u4"), ("block", "<u4"), ("length", "<u4")])
_RECORD = np.dtype([("point", "<u4"), ("slot", SLOT)])
_FARTHEST = 1 << 22
"""Points without a value before one that only the journal knows: a number in a journal is not to take 64 GB."""
_HEADER = 4
_AT_ONCE = 1 << 20
"""Slots that are looked at together."""
_NEWER = "a newer envclone may know this format"
_DAMAGED = "check production with its own engine, then take a new snapshot"

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Config:
    """The sizes of a Gridstore, in bytes and blocks."""

    page: int
    block: int
    region: int
    compressed: bool

    @property
    def blocks_per_page(self) -> int:
        """Blocks in a page."""
        return self.page // self.block

    @classmethod
    def load(cls, path: Path) -> Config:
        """Read and check a Gridstore's `config.json`. Raises UnsafeError naming what is not known."""
        return cls.of(read_json(path), path)

    @classmethod
    def of(cls, found: Mapping[str, Any], path: Path) -> Config:
        """Check what a Gridstore's `config.json` at `path` holds. Raises UnsafeError naming what is not known."""
        mode = found.get("mode", "mutable")
        if mode != "mutable":
            raise UnsafeError(f"{path.parent} is in the mode {mode!r}, which is not known", hint=_NEWER)
        compression = found.get("compression", "LZ4")
        if compression not in ("LZ4", "None"):
            raise UnsafeError(f"{path.parent} is compressed with {compression!r}, which is not known", hint=_NEWER)
        try:
            page, block, region = (
                int(found[key]) for key in ("page_size_bytes", "block_size_bytes", "region_size_blocks")
            )
        except (KeyError, TypeError, ValueError) as exc:
            raise UnsafeError(f"{path} lacks a size: {exc}", hint=_DAMAGED) from exc
        if min(page, block, region) <= 0 or page % (block * region) or region % 8:
            raise UnsafeError(f"{path} has sizes that do not fit together", hint=_DAMAGED)
        return cls(page, block, region, compression == "LZ4")


def entries(journal: bytes) -> Iterator[Array]:
    """The points and slots of each whole entry of a tracker's journal."""
    at = 0
    while len(journal) - at > 8:
        length = int.from_bytes(journal[at : at + 4], "little")
        payload = journal[at + 8 : at + 8 + length]
        torn = not length or length % _RECORD.itemsize or len(payload) < length
        if torn or crc32c(payload) != int.from_bytes(journal[at + 4 : at + 8], "little"):
            return  # what follows was never finished: the engine stops here too
        yield np.frombuffer(payload, _RECORD)
        at += 8 + length


class Gridstore:
    """One open Gridstore; `slots` is its tracker with the journal applied, one SLOT per point.

    `journal` is how many bytes of the journal are whole entries.

    `writable` maps the pages for writing; the tracker is kept in memory (16 bytes per point, but for its holes).
    Raises UnsafeError when
    files are missing or do not fit together.
    """

    def __init__(self, path: Path, *, writable: bool = False) -> None:
        self.path = path
        self.config = Config.load(path / "config.json")
        self._writable = writable
        self._pages: list[mmap.mmap] = []
        bits = self._read("bitmask.dat")
        blocks = len(bits) * 8
        if not blocks or blocks % self.config.blocks_per_page:
            raise UnsafeError(f"{path}/bitmask.dat does not cover whole pages", hint=_DAMAGED)
        self.used: Array = np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little").astype(bool)
        self.slots, self.journal = self._tracker()
        try:
            for number in range(blocks // self.config.blocks_per_page):
                self._map(number)
            self._check()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Unmap the pages."""
        while self._pages:
            self._pages.pop().close()

    @property
    def journaled(self) -> bool:
        """Whether a journal holds changes of the tracker."""
        return self.journal > 0

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return len(self._pages)

    def present(self) -> Array:
        """The points that have a value, ascending."""
        told = (
            np.flatnonzero(self.slots["present"][first : first + _AT_ONCE]) + first
            for first in range(0, len(self.slots), _AT_ONCE)
        )
        found: Array = np.concatenate([np.zeros(0, np.int64), *told])
        return found

    def points(self) -> Array:
        """The points that have a value, in the order in which the values lie in the pages."""
        present = self.present()
        slots = self.slots[present]
        order: Array = present[np.lexsort((slots["block"], slots["page"]))]
        return order

    def first_blocks(self, slots: Array) -> Array:
        """The number of each slot's first block, counted over all pages."""
        first: Array = slots["page"].astype(np.int64) * self.config.blocks_per_page + slots["block"]
        return first

    def stored(self, point: int) -> bytes:
        """A value's bytes as they are stored."""
        slot = self.slots[point]
        start = int(slot["page"]) * self.config.page + int(slot["block"]) * self.config.block
        return self.read(start, int(slot["length"]))

    def read(self, start: int, length: int) -> bytes:
        """Bytes counted over all pages as if they were one file."""
        page, offset = divmod(start, self.config.page)
        parts = []
        while length:
            part = self._pages[page][offset : min(offset + length, self.config.page)]
            parts.append(part)
            length -= len(part)
            page, offset = page + 1, 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def value(self, point: int) -> bytes:
        """A value, decompressed. Raises UnsafeError when it cannot be."""
        data = self.stored(point)
        if not self.config.compressed:
            return data
        try:
            value: bytes = lz4.block.decompress(data)
        except (lz4.block.LZ4BlockError, ValueError) as exc:
            raise UnsafeError(f"{self.path}: the record of point {point} is damaged: {exc}", hint=_DAMAGED) from exc
        return value

    def batches(
        self, size: int = 4096, most: int = 8 * 2**20, points: Array | None = None
    ) -> Iterator[tuple[list[int], list[bytes]]]:
        """Points and their decompressed values: `size` at a time, or about `most` bytes.

        Every point, in the order of the pages, or those named.
        """
        batch: list[int] = []
        values: list[bytes] = []
        held = 0
        for point in (self.points() if points is None else points).tolist():
            value = self.value(point)
            batch.append(point)
            values.append(value)
            held += len(value)
            if len(batch) >= size or held >= most:
                yield batch, values
                batch, values, held = [], [], 0
        if batch:
            yield batch, values

    def live_blocks(self) -> Array:
        """Per block whether a slot refers to it."""
        slots = self.slots[self.present()]
        first = self.first_blocks(slots)
        count = -(-slots["length"].astype(np.int64) // self.config.block)
        change = np.zeros(len(self.used) + 1, np.int32)
        np.add.at(change, first, 1)
        np.add.at(change, first + count, -1)
        live: Array = np.cumsum(change[:-1]) > 0
        return live

    def page_bytes(self, number: int) -> Array:
        """A page as an array of bytes, shared with the file; release it before `close`."""
        return np.frombuffer(self._pages[number], np.uint8)

    def _read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as exc:
            raise UnsafeError(f"{self.path / name} cannot be read: {exc.strerror}", hint=_DAMAGED) from exc

    def _map(self, number: int) -> None:
        name = self.path / f"page_{number}.dat"
        try:
            with name.open("r+b" if self._writable else "rb") as file:
                access = mmap.ACCESS_WRITE if self._writable else mmap.ACCESS_READ
                page = mmap.mmap(file.fileno(), 0, access=access)
        except (OSError, ValueError) as exc:
            raise UnsafeError(f"{name} cannot be mapped: {exc}", hint=_DAMAGED) from exc
        self._pages.append(page)
        if len(page) != self.config.page:
            raise UnsafeError(f"{name} has {len(page)} bytes, not {self.config.page}", hint=_DAMAGED)

    def _tracker(self) -> tuple[Array, int]:
        slots = self._stored_slots()
        journal = self.path / "tracker_journal.dat"
        if not journal.exists():
            return slots, 0
        found = list(entries(journal.read_bytes()))
        if not found:
            return slots, 0
        records = np.concatenate(found)
        room = int(records["point"].max()) + 1
        if room > len(slots) + len(records) + _FARTHEST:
            raise UnsafeError(f"{journal} has a point far behind all others", hint=_DAMAGED)
        slots = np.concatenate([slots, np.zeros(max(0, room - len(slots)), SLOT)])
        slots[records["point"]] = records["slot"]  # of two of one point the later one
        return slots, 8 * len(found) + records.nbytes

    def _stored_slots(self) -> Array:
        """The slots of the tracker's file, whose holes are not read: they take no memory here either."""
        path = self.path / "tracker.dat"
        try:
            with path.open("rb", buffering=0) as file:
                header, size = file.read(_HEADER), os.fstat(file.fileno()).st_size
                if len(header) < _HEADER:
                    raise UnsafeError(f"{path} has no header", hint=_DAMAGED)
                count = int.from_bytes(header, "little")
                if count > (size - _HEADER) // SLOT.itemsize:
                    raise UnsafeError(f"{path} is shorter than its header says", hint=_DAMAGED)
                slots: Array = np.zeros(count, SLOT)
                held = slots.view(np.uint8)
                for offset in filled(file.fileno(), _HEADER + len(held)):
                    first = max(offset, _HEADER)
                    data = os.pread(file.fileno(), min(offset + CHUNK, _HEADER + len(held)) - first, first)
                    held[first - _HEADER : first - _HEADER + len(data)] = np.frombuffer(data, np.uint8)
        except OSError as exc:
            raise UnsafeError(f"{path} cannot be read: {exc.strerror}", hint=_DAMAGED) from exc
        except MemoryError as exc:
            raise UnsafeError(f"{path} has room for more points than this host can hold", hint=_DAMAGED) from exc
        return slots

    def _check(self) -> None:
        """Every slot must lie inside the pages."""
        present = self.slots[self.present()]
        start = self.first_blocks(present) * self.config.block
        end = start + present["length"]
        total = self.pages * self.config.page
        outside = (present["block"] >= self.config.blocks_per_page) | (end > total) | (present["present"] != 1)
        if outside.any():
            raise UnsafeError(f"{self.path}/tracker.dat points outside the pages", hint=_DAMAGED)
