"""Rewrites the values of a Gridstore where they lie: same point, same first block, whatever else it can keep.

A new value that takes as many blocks as the old one, or fewer, replaces it: the length in the tracker follows, the
rest of the old blocks is zeroed and what is no longer needed is free. A longer one is compressed harder; when it is
still too long it moves to free blocks (or to a new page), and the old ones are zeroed and free.
"""

from __future__ import annotations

import mmap
import os
from bisect import bisect_left, insort
from pathlib import Path

import lz4.block
import numpy as np

from envclone.errors import UnsafeError
from envclone.stores.qdrant.gridstore import Array, Gridstore
from envclone.stores.qdrant.holes import CHUNK, filled

__all__ = ["GridWriter", "gaps_of", "wipe"]

_HARDEST = 12
"""The highest level of LZ4 HC; read by every LZ4 decoder."""


class GridWriter:
    """Writes into one open, writable Gridstore. Nothing but the pages is changed before `finish`."""

    def __init__(self, store: Gridstore) -> None:
        self._store = store
        self._slots = store.slots
        self._used = store.used
        self._dirty: set[int] = set()
        self._free: dict[int, list[int]] | None = None
        self._sizes: list[int] = []
        self.moved = 0
        """Values that needed other blocks."""

    def replace(self, point: int, value: bytes) -> None:
        """Give a point that has a value another one."""
        store, config = self._store, self._store.config
        slot = self._slots[point]
        length = int(slot["length"])
        held = -(-length // config.block)
        data = lz4.block.compress(value) if config.compressed else value
        if -(-len(data) // config.block) > held and config.compressed:
            harder = lz4.block.compress(value, mode="high_compression", compression=_HARDEST)
            data = min(data, harder, key=len)
        needed = -(-len(data) // config.block)
        first = int(slot["page"]) * config.blocks_per_page + int(slot["block"])
        if needed > held:
            self._write(first, bytes(held * config.block))
            target = self._allocate(needed)
            self._mark(first, held, used=False)
            self._release(first, held)
            self.moved += 1
            slot["page"], slot["block"] = divmod(target, config.blocks_per_page)
            self._write(target, data)
        else:
            self._write(first, data + bytes(held * config.block - len(data)))
            if needed < held:
                self._mark(first + needed, held - needed, used=False)
                self._release(first + needed, held - needed)
        slot["length"] = len(data)
        self._slots[point] = slot
        store.slots = self._slots

    def finish(self) -> None:
        """Write tracker, bitmask and gaps, and flush everything to disk. The journal is in the tracker by then."""
        store = self._store
        for page in store._pages:
            page.flush()
        self._save_tracker()
        if self._dirty:
            _overwrite(store.path / "bitmask.dat", 0, np.packbits(self._used, bitorder="little").tobytes())
            for region in sorted(self._dirty):
                size = store.config.region
                gaps = gaps_of(self._used[region * size : (region + 1) * size])
                _overwrite(store.path / "gaps.dat", region * 6, gaps)
            self._dirty.clear()
        (store.path / "tracker_journal.dat").unlink(missing_ok=True)

    def _save_tracker(self) -> None:
        path = self._store.path / "tracker.dat"
        count, held = len(self._slots).to_bytes(4, "little"), self._slots.view(np.uint8)
        changed = False
        with path.open("r+b") as file:
            for begin in range(0, len(count) + len(held), CHUNK):
                data = held[max(0, begin - len(count)) : begin - len(count) + CHUNK].tobytes()
                data = count + data if not begin else data
                old = os.pread(file.fileno(), len(data), begin)
                # 4 KB at a time, so that what did not change stays shared with the raw snapshot
                for start in range(0, len(data), 4096) if old != data else ():
                    if old[start : start + 4096] != data[start : start + 4096]:
                        os.pwrite(file.fileno(), data[start : start + 4096], begin + start)
                        changed = True
            if changed:
                os.fsync(file.fileno())

    def _write(self, block: int, data: bytes) -> None:
        """Write bytes from the start of a block, on into the next pages."""
        page, local = divmod(block, self._store.config.blocks_per_page)
        offset = local * self._store.config.block
        done = 0
        while done < len(data):
            part = min(len(data) - done, self._store.config.page - offset)
            self._store._pages[page][offset : offset + part] = data[done : done + part]
            done += part
            page, offset = page + 1, 0

    def _mark(self, first: int, count: int, *, used: bool) -> None:
        self._used[first : first + count] = used
        size = self._store.config.region
        self._dirty.update(range(first // size, (first + count - 1) // size + 1))

    def _allocate(self, count: int) -> int:
        """The first of `count` free blocks in a row, from the shortest run that holds them."""
        if self._free is None:
            self._free = {}
            # a block is free when the bitmask says so and nothing refers to it
            free = ~(self._used | self._store.live_blocks())
            edges = np.flatnonzero(np.diff(np.concatenate([[0], free.astype(np.int8), [0]])))
            for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
                self._release(start, end - start)
        place = bisect_left(self._sizes, count)
        if place == len(self._sizes):
            self._add_pages(-(-count // self._store.config.blocks_per_page))
            place = bisect_left(self._sizes, count)
        size = self._sizes[place]
        runs = self._free[size]
        start = runs.pop()
        if not runs:
            del self._free[size]
            self._sizes.pop(place)
        if size > count:
            self._release(start + count, size - count)
        self._mark(start, count, used=True)
        return start

    def _release(self, first: int, count: int) -> None:
        if self._free is None:
            return
        if count not in self._free:
            insort(self._sizes, count)
        self._free.setdefault(count, []).append(first)

    def _add_pages(self, count: int) -> None:
        """Append empty pages, and the bits and gaps that cover them."""
        store, config = self._store, self._store.config
        first = len(self._used)
        for _ in range(count):
            path = store.path / f"page_{store.pages}.dat"
            with path.open("x+b") as file:
                file.truncate(config.page)
                store._pages.append(mmap.mmap(file.fileno(), 0))
        blocks = count * config.blocks_per_page
        self._used = store.used = np.concatenate([self._used, np.zeros(blocks, bool)])
        self._dirty.update(range(first // config.region, len(self._used) // config.region))
        self._release(first, blocks)


def wipe(store: Gridstore) -> int:
    """Zero every byte of the pages that no slot refers to; returns how many bytes were not zero.

    That is: what updated and deleted values left in free blocks, and the rest of each value's last block. Only blocks
    with such bytes are written. `store` must be writable.
    """
    config = store.config
    slots = store.slots[store.present()]
    start = store.first_blocks(slots) * config.block
    end = start + slots["length"]
    erased = 0
    for number in range(store.pages):
        store._pages[number].flush()
        with (store.path / f"page_{number}.dat").open("rb") as file:
            chunks = list(filled(file.fileno(), config.page))
        page = store.page_bytes(number)
        for offset in chunks:
            size = min(CHUNK, config.page - offset)
            low = number * config.page + offset
            here = (start < low + size) & (end > low)
            change = np.zeros(size + 1, np.int8)
            # values do not overlap, so that one byte holds the sum (an end and a start may meet)
            np.add.at(change, np.clip(start[here] - low, 0, size), 1)
            np.add.at(change, np.clip(end[here] - low, 0, size), -1)
            live = np.cumsum(change[:-1], dtype=np.int8) > 0
            stale: Array = np.flatnonzero((page[offset : offset + size] != 0) & ~live)
            if stale.size:
                page[offset + stale] = 0
                erased += int(stale.size)
        del page
        store._pages[number].flush()
    return erased


def gaps_of(used: Array) -> bytes:
    """The longest, leading and trailing run of free blocks of a region, as `gaps.dat` keeps them."""
    edges = np.flatnonzero(np.diff(np.concatenate([[1], used.astype(np.int8), [1]])))
    if not edges.size:
        return bytes(6)
    starts, ends = edges[::2], edges[1::2]
    longest = int((ends - starts).max())
    leading = int(ends[0]) if starts[0] == 0 else 0
    trailing = int(len(used) - starts[-1]) if ends[-1] == len(used) else 0
    return b"".join(number.to_bytes(2, "little") for number in (longest, leading, trailing))


def _overwrite(path: Path, offset: int, data: bytes) -> None:
    try:
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as exc:
        raise UnsafeError(f"{path} cannot be written: {exc.strerror}") from exc
