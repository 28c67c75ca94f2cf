"""Rows whose page could not hold their new values: compressed harder, moved to the TOAST table, or given up."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from envclone.stores.postgres.format import varlena
from envclone.stores.postgres.format.checksum import page_checksums
from envclone.stores.postgres.format.page import HEADER
from envclone.stores.postgres.format.segments import segment_of
from envclone.stores.postgres.write.inplace import fit
from envclone.stores.postgres.write.inplace.toasting import Toaster
from envclone.stores.postgres.write.inplace.work import LeafWork, Spilled

__all__ = ["settle"]

_POINTER = 18
_FIRST_NORMAL_OID = 16384
_GREATEST_OID = (1 << 32) - 1


def settle(
    data: Path,
    work: LeafWork,
    spilled: Sequence[Spilled],
    toaster: Toaster | None,
    *,
    page_size: int,
    segment_pages: int,
    checksums: bool,
) -> list[Spilled]:
    """Place what can be placed without moving a row; returns the rows that are left, which still hold old values.

    A value that the row holds itself is compressed harder, and then moved to the TOAST table, the largest first: for
    a person who reads the row that makes no difference, and its address stays.
    """
    left: list[Spilled] = []
    ids = _free_ids(toaster) if toaster is not None else iter(())
    path = data / work.relation.path
    for row in spilled:
        segment = segment_of(path, row.block // segment_pages)
        place = row.block % segment_pages * page_size
        with segment.open("r+b", buffering=0) as file:
            page = bytearray(os.pread(file.fileno(), page_size, place))
            if not _placed(page, row, work, toaster, ids):
                left.append(row)
                continue
            if checksums:
                pages = np.frombuffer(bytes(page), dtype=np.uint8).reshape(1, -1)
                total = int(page_checksums(pages, np.array([row.block], dtype=np.uint32))[0])
                struct.pack_into("<H", page, 8, total)
            os.pwrite(file.fileno(), page, place)
    return left


def _placed(page: bytearray, row: Spilled, work: LeafWork, toaster: Toaster | None, ids: Iterator[int]) -> bool:
    (pointer,) = struct.unpack_from("<I", page, HEADER + 4 * (row.number - 1))
    offset, length = pointer & 0x7FFF, pointer >> 17
    old = bytes(page[offset : offset + length])
    if max(row.values) >= struct.unpack_from("<H", old, 18)[0] & 0x07FF:
        return False
    columns = work.relation.attributes
    stored = {index: value.stored for index, value in row.values.items()}
    if fit.put(page, row.number, fit.rebuilt(old, columns, stored)):  # a neighbour may have become shorter
        return True
    plain = {i: v.raw for i, v in row.values.items() if v.raw is not None and columns[i].storage in "xme"}
    for index, raw in plain.items():
        body = varlena.shrink(raw, 0, harder=True) if columns[index].storage != "e" else None
        if body is not None and len(body) + 4 < len(stored[index] or b""):
            stored[index] = varlena.compressed(body)
    if fit.put(page, row.number, fit.rebuilt(old, columns, stored)):
        return True
    if toaster is None or work.toast is None:
        return False
    for index, raw in sorted(plain.items(), key=lambda item: -len(stored[item[0]] or b"")):
        value = stored[index] or b""
        if len(value) <= _POINTER:
            break
        body = value[4:] if not value[0] & 1 and value[0] & 2 else None
        stored[index] = toaster.store(
            next(ids), work.toast.oid, len(raw), raw if body is None else body, body[3] >> 6 if body else 0
        )
        if fit.put(page, row.number, fit.rebuilt(old, columns, stored)):
            return True
    return False


def _free_ids(toaster: Toaster) -> Iterator[int]:
    """Value ids that no chunk has: above the greatest, or in the gaps below it."""
    start = toaster.chunks.greatest + 1
    yield from range(max(start, _FIRST_NORMAL_OID), _GREATEST_OID)
    yield from (i for i in range(_FIRST_NORMAL_OID, start) if not toaster.chunks.places(i))
