"""Visibility maps of a backup that was laid over: bits that production cleared and no incremental backup tells of.

A change of a row clears its page's bits in the map, and the record of that change names the page of the table alone
(`visibilitymap_clear`). So PostgreSQL's summaries do not know that the map's page changed, and where it was not sent
for another reason the map still calls pages visible to all that are not: an index-only scan would count what is gone.
Bits are only ever set by records that name the map's page, so in a page of the map that was not sent every wrong bit is
one of a table's page that was sent, or of one behind the table's end.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from envclone.stores.postgres.format.checksum import page_checksums

__all__ = ["Sent", "clear"]

_FILE = re.compile(r"(?P<relation>(?:.*/)?\d+)(?P<map>_vm)?(?:\.(?P<segment>\d+))?")
_HEADER = 24
_ALL_VISIBLE = 0x0004
"""PD_ALL_VISIBLE of a page's `pd_flags`; it and the map's bit are cleared by the same record."""
_BITS, _FROZEN = 0b11, 0b10
_PER_BYTE = 4


@dataclass
class Sent:
    """What was sent of each relation: by segment, the blocks of the table and of its map; None for a whole file."""

    tables: dict[str, dict[int, list[int] | None]] = field(default_factory=dict)
    maps: dict[str, dict[int, list[int] | None]] = field(default_factory=dict)

    def add(self, name: str, blocks: list[int] | None) -> None:
        """Note a file that was sent, by its path, as a whole or some blocks of it."""
        match = _FILE.fullmatch(name)
        if match is not None:
            kind = self.maps if match["map"] else self.tables
            kind.setdefault(match["relation"], {})[int(match["segment"] or 0)] = blocks


def clear(into: Path, sent: Sent, block: int, segment: int, *, checksums: bool) -> int:
    """Clear what is wrong in the maps of the relations that were sent; returns how many pages of maps changed.

    `block` and `segment` are a page's bytes and a segment's pages. The bit of frozen rows is cleared for every page
    that was sent: no bit of the page itself says the same, and without it a vacuum reads one page more.
    """
    changed = 0
    for relation, segments in sent.tables.items():
        for number, path in _files(into, f"{relation}_vm"):
            known = sent.maps.get(relation, {}).get(number, [])
            if known is not None:
                first = number * segment
                changed += _clear(into, relation, segments, path, first, set(known), block, segment, checksums)
    return changed


def _files(into: Path, name: str) -> Iterator[tuple[int, Path]]:
    number = 0
    while (path := into / (f"{name}.{number}" if number else name)).exists():
        yield number, path
        number += 1


def _clear(
    into: Path, relation: str, segments: Mapping[int, list[int] | None], path: Path, first: int, known: set[int],
    block: int, segment: int, checksums: bool,
) -> int:  # fmt: skip
    """One file of a map, whose first page is `first` of the whole map; pages that were sent are right as they are."""
    covered = (block - _HEADER) * _PER_BYTE
    pages = {number: bytearray() for number in range(path.stat().st_size // block) if number not in known}
    if not pages:
        return 0
    end, tables = 0, dict(_files(into, relation))
    for number, place in tables.items():
        end = number * segment + place.stat().st_size // block
    with path.open("r+b") as file:
        for number in pages:
            file.seek(number * block)
            pages[number] = bytearray(file.read(block))
        before = {number: bytes(page) for number, page in pages.items()}
        for number, blocks in segments.items():
            if number in tables:
                with tables[number].open("rb") as table:
                    there = range(table.seek(0, os.SEEK_END) // block)
                    for one in there if blocks is None else blocks:
                        where, at = divmod(number * segment + one, covered)
                        page = pages.get(where - first)
                        byte, shift = _HEADER + at // _PER_BYTE, at % _PER_BYTE * 2
                        if page and page[byte] >> shift & _BITS:
                            table.seek(one * block + 10)
                            visible = int.from_bytes(table.read(2), "little") & _ALL_VISIBLE
                            page[byte] &= ~((_FROZEN if visible else _BITS) << shift) & 0xFF
        for number, page in pages.items():
            _behind(page, end - (first + number) * covered)
        changed = [number for number, page in pages.items() if bytes(page) != before[number]]
        for number in changed:
            page = pages[number]
            if checksums:
                whole = np.frombuffer(bytes(page), np.uint8).reshape(1, block)
                page[8:10] = int(page_checksums(whole, np.array([first + number], np.uint32))[0]).to_bytes(2, "little")
            file.seek(number * block)
            file.write(page)
    return len(changed)


def _behind(page: bytearray, left: int) -> None:
    """Clear the bits of pages from the `left`th on, which the table has not."""
    if left < 0:
        left = 0
    byte, rest = divmod(left, _PER_BYTE)
    if _HEADER + byte >= len(page):
        return
    page[_HEADER + byte] &= (1 << rest * 2) - 1
    page[_HEADER + byte + 1 :] = bytes(len(page) - _HEADER - byte - 1)
