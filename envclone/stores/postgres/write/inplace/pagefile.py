"""New pages at the end of a relation, and what has to follow when pages were written: checksums, visibility map."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from envclone.stores.postgres.format.checksum import page_checksums
from envclone.stores.postgres.format.page import HEADER, NORMAL
from envclone.stores.postgres.format.segments import segment_of, segments
from envclone.stores.postgres.write.inplace.fit import aligned_size
from envclone.stores.postgres.write.inplace.toasting import Chunk, chunk_tuple

__all__ = ["append_chunks", "hide", "seal"]

_PAGE_VERSION = 4
_BLOCKS_AT_ONCE = 1024


def append_chunks(path: Path, chunks: Iterable[Chunk], page_size: int, segment_pages: int, checksums: bool) -> int:
    """Put chunks on new pages at the end of a TOAST table; returns how many pages. Its index must be made again."""
    files = list(segments(path))
    block = (len(files) - 1) * segment_pages + files[-1].stat().st_size // page_size
    first = block
    page = _Page(page_size)
    for value, sequence, data in chunks:
        tuple_ = chunk_tuple(value, sequence, data)
        if not page.fits(tuple_):
            _append(path, page.finished(block, checksums), block, page_size, segment_pages)
            block, page = block + 1, _Page(page_size)
        page.add(tuple_, block)
    if page.count:
        _append(path, page.finished(block, checksums), block, page_size, segment_pages)
        block += 1
    return block - first


def seal(path: Path, blocks: Iterable[int], page_size: int, segment_pages: int) -> None:
    """Compute the checksums of pages that were written."""
    wanted = np.array(sorted(blocks), dtype=np.int64)
    numbers = wanted // segment_pages
    for number in np.unique(numbers).tolist():
        mine = wanted[numbers == number]
        with segment_of(path, number).open("r+b", buffering=0) as file:
            for start in range(0, len(mine), _BLOCKS_AT_ONCE):
                part = mine[start : start + _BLOCKS_AT_ONCE]
                places = (part % segment_pages * page_size).tolist()
                read = b"".join(os.pread(file.fileno(), page_size, place) for place in places)
                pages = np.frombuffer(read, dtype=np.uint8).reshape(-1, page_size)
                for place, total in zip(places, page_checksums(pages, part.astype(np.uint32)).tolist(), strict=True):
                    os.pwrite(file.fileno(), struct.pack("<H", total), place + 8)


def hide(path: Path, blocks: Iterable[int], page_size: int, checksums: bool) -> None:
    """Clear the visibility map's two bits of blocks (`src/backend/access/heap/visibilitymap.c`)."""
    fork = path.with_name(f"{path.name}_vm")
    if not fork.exists():
        return
    per_page = (page_size - HEADER) * 4
    touched: set[int] = set()
    with fork.open("r+b", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        for block in sorted(blocks):
            page, within = divmod(block, per_page)
            at = page * page_size + HEADER + within // 4
            if at >= size:
                continue
            file.seek(at)
            (bits,) = file.read(1)
            file.seek(at)
            file.write(bytes((bits & ~(3 << within % 4 * 2),)))
            touched.add(page)
    if checksums:
        seal(fork, touched, page_size, 1 << 30)


class _Page:
    def __init__(self, size: int) -> None:
        self._bytes = bytearray(size)
        self._upper = size
        self.count = 0

    def fits(self, tuple_: bytes) -> bool:
        return self._upper - aligned_size(len(tuple_)) >= HEADER + 4 * (self.count + 1)

    def add(self, tuple_: bytes, block: int) -> None:
        self._upper -= aligned_size(len(tuple_))
        self._bytes[self._upper : self._upper + len(tuple_)] = tuple_
        # a version that is the last one points at itself
        struct.pack_into("<HHH", self._bytes, self._upper + 12, block >> 16, block & 0xFFFF, self.count + 1)
        pointer = self._upper | NORMAL << 15 | len(tuple_) << 17
        struct.pack_into("<I", self._bytes, HEADER + 4 * self.count, pointer)
        self.count += 1

    def finished(self, block: int, checksums: bool) -> bytes:
        size = len(self._bytes)
        lower = HEADER + 4 * self.count
        struct.pack_into("<HHHHH", self._bytes, 10, 0, lower, self._upper, size, size | _PAGE_VERSION)
        if checksums:
            page = np.frombuffer(bytes(self._bytes), dtype=np.uint8).reshape(1, -1)
            (total,) = page_checksums(page, np.array([block], dtype=np.uint32)).tolist()
            struct.pack_into("<H", self._bytes, 8, total)
        return bytes(self._bytes)


def _append(path: Path, page: bytes, block: int, page_size: int, segment_pages: int) -> None:
    file = segment_of(path, block // segment_pages)
    new = not file.exists()
    with file.open("ab", buffering=0) as opened:
        opened.write(page)
    if new:
        file.chmod(0o600)
        stat = path.stat()
        shutil.chown(file, stat.st_uid, stat.st_gid)
