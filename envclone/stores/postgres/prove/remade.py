"""Whether a cluster that was made a second time is the same: file by file, page by page.

The server notes in each page that it writes where its log was then (`pd_lsn`), and a checksum over that
(`src/include/storage/bufpage.h`). Both follow from how much was logged before, and differ between two runs that write
the same. Whether a VACUUM finds a page of a catalog visible to all depends on who else is connected just then.
Statistics are drawn from a sample of the rows. All else is equal to the byte, or it is another image.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from envclone.protocols import Alike
from envclone.stores.postgres.catalog import layout
from envclone.stores.postgres.catalog.layout import Layout, Relation
from envclone.stores.postgres.format.page import Pages, normal_items
from envclone.stores.postgres.prove.owners import named
from envclone.stores.remade import compared, shown

__all__ = ["alike"]

_OWN = re.compile(r"data/(global/pg_control|pg_wal/[0-9A-F]{24}|(base/\d+|global)/pg_internal\.init)")
"""What the server writes for itself: where its log ends, the log, what it remembers of catalogs."""
_SAMPLED = ("pg_catalog.pg_statistic", "pg_catalog.pg_statistic_ext_data")
_SEGMENT = re.compile(r"\.\d+$")
_MAP = re.compile(r"_vm(\.\d+)?$")
_FORK = re.compile(r"(?P<main>.*?)(_(fsm|vm|init))?(\.\d+)?")
_MARKS = (slice(0, 10), slice(20, 24))
"""`pd_lsn`, `pd_checksum`, and `pd_prune_xid`, which is a guess of the server's."""
_GUESSED = 0x0F
"""Of the second byte of `t_infomask` the bits that a reader sets when it knows how a transaction ended
(`src/include/access/htup_details.h`, HEAP_XMIN_COMMITTED to HEAP_XMAX_INVALID)."""
_INFOMASK = 21
_PAGE_FLAGS, _FLAG_HINTS, _ALL_VISIBLE = 10, 0x03, 0x04
"""`pd_flags`: PD_HAS_FREE_LINES and PD_PAGE_FULL are hints."""
_HEADER_LENGTH = 22
_VISIBLE = 104
"""Where in a row of `pg_class` relallvisible is, and behind it relallfrozen where there is one."""
_STEP = 2048
"""Pages that are compared at once."""


def alike(one: Path, other: Path) -> Alike:
    """Compare two stores' directories. Raises UnsafeError when a layout is missing."""
    its = layout.load(one)
    known = _relations(one, its)
    files = compared(one, other)
    marked = sampled = 0
    own = [name for name in files.lacking if _OWN.fullmatch(name)]
    different = [line for name, line in files.lacking.items() if not _OWN.fullmatch(name)]
    for name in files.unlike:
        mine, theirs = one / name, other / name
        size, main = mine.stat().st_size, _main(name)
        relation, table = known.get(main, (None, ""))
        if _OWN.fullmatch(name) or (_MAP.search(name) and _of_a_catalog(table)):
            own.append(name)
        elif relation is None:
            different.append(f"{name}: other bytes")
        elif table in _SAMPLED:
            sampled += size
        elif size != theirs.stat().st_size:
            different.append(f"{relation.name} ({name}): {size:,} and {theirs.stat().st_size:,} bytes")
        elif pages := _unlike(mine, theirs, its.page_size, relation if main == _SEGMENT.sub("", name) else None):
            different.append(f"{relation.name} ({name}): {_numbers(pages)}")
        else:
            marked += size
    return Alike(files.same, marked, sampled, own=tuple(sorted(own)), different=shown(different))


def _relations(directory: Path, known: Layout) -> Mapping[str, tuple[Relation, str]]:
    """The relation of each main fork, and the table that it belongs to: an index's, that of a TOAST table."""
    found: dict[str, tuple[Relation, str]] = {}
    for database in known.databases:
        by_oid = {relation.oid: relation for relation in database.relations}
        toasted = {relation.toast: relation for relation in database.relations if relation.toast}
        for relation in database.relations:
            table = by_oid.get(relation.table, relation)
            table = toasted.get(table.oid, table)
            found[named(directory, directory / "data" / relation.path)] = relation, table.name
    return found


def _main(name: str) -> str:
    found = _FORK.fullmatch(name)
    return found["main"] if found else name


def _unlike(one: Path, other: Path, size: int, main: Relation | None) -> list[int]:
    """The numbers of pages that differ in more than marks; `main` is the relation whose main fork it is."""
    found: list[int] = []
    with one.open("rb") as left, other.open("rb") as right:
        number = 0
        while read := left.read(_STEP * size):
            sides = [np.frombuffer(part, np.uint8).copy() for part in (read, right.read(_STEP * size))]
            if len(read) % size:
                return [number]
            pages = [side.reshape(-1, size) for side in sides]
            unequal = np.flatnonzero((pages[0] != pages[1]).any(axis=1))
            chosen = [_plain(side[unequal], main) for side in pages]
            found += (number + unequal[(chosen[0] != chosen[1]).any(axis=1)]).tolist()
            number += len(pages[0])
    return found


def _plain(pages: Pages, main: Relation | None) -> Pages:
    """Pages without the marks that say nothing about what they hold."""
    heap = main is not None and main.heap
    for mark in _MARKS if heap else _MARKS[:1]:
        pages[:, mark] = 0
    if main is None or not heap or not len(pages):
        return pages
    catalog = _of_a_catalog(main.name)
    pages[:, _PAGE_FLAGS] &= 0xFF ^ (_FLAG_HINTS | (_ALL_VISIBLE if catalog else 0))
    items = normal_items(pages, main.name)
    pages[items.page, items.offset + _INFOMASK] &= 0xFF ^ _GUESSED
    if main.name == "pg_catalog.pg_class":
        values = items.offset + pages[items.page, items.offset + _HEADER_LENGTH]
        counts = 2 if any(one.name == "relallfrozen" for one in main.attributes) else 1
        for byte in range(4 * counts):
            pages[items.page, values + _VISIBLE + byte] = 0
    return pages


def _of_a_catalog(name: str) -> bool:
    return name.partition(".")[0] == "pg_catalog"


def _numbers(pages: list[int]) -> str:
    shown = ", ".join(map(str, pages[:5]))
    return f"page {shown}" if len(pages) == 1 else f"{len(pages):,} pages, such as {shown}"
