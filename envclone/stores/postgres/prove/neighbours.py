"""Bytes that several values make together by lying side by side, told from a value that is there.

`Eva Roth` as a pseudonym and, behind it, the next value's length byte, which looks like an `e`, read `Eva Rothe`; in
jsonb one string follows another without a mark, and a compressed stream has control bytes between its letters. Nobody
stored that. Only rows that somebody can see are looked at, and only what is searched value by value besides: rows of
users' tables are compared with production's under the masks, values in chunks and compressed ones are put together
(`expand`), and every other value stands in its row as it is.
"""

from __future__ import annotations

import functools
import struct
from pathlib import Path

import numpy as np

from envclone.errors import UnsafeError
from envclone.stores.postgres.catalog import layout
from envclone.stores.postgres.format.page import HEADER, NORMAL, normal_items
from envclone.stores.postgres.format.tuples import Attribute, Slot, attributes, entry_attributes
from envclone.stores.postgres.format.varlena import Form
from envclone.stores.postgres.format.visibility import Transactions, dead
from envclone.stores.postgres.prove.expand import NOT_EXPANDED, decoded, elements
from envclone.stores.postgres.server import control

__all__ = ["Neighbours"]

_SEVERAL = frozenset(("jsonb", "hstore", "_text", "_varchar", "_bpchar", "_citext"))
"""Types that hold several texts one behind another, each of which is searched for itself."""
_CHUNK = tuple(
    Attribute(name, kind, length, "i")
    for name, kind, length in (("id", "oid", 4), ("seq", "int4", 4), ("data", "bytea", -1))
)
_ALTERNATIVE, _NULLS = 0x2000, 0x8000
"""Flags of an entry (`INDEX_ALT_TID_MASK`, `INDEX_NULL_MASK` in `access/nbtree.h`)."""
_POSTING, _COUNT = 0x2000, 0x0FFF
"""In the line pointer number of such an entry's address (`BT_IS_POSTING`, `BT_OFFSET_MASK`)."""
_DATABASES = "data/base/"


class Neighbours:
    """Looks into the closed clone in `directory`; what it needs to know is read at the first question."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._expanded: dict[str, frozenset[int]] = {}

    def side_by_side(self, path: Path, start: int, end: int) -> bool:
        """Whether the bytes from `start` to `end` of a file are of more than one value of a live row or index entry.

        Or of one value that holds several texts, or is compressed; False also where that cannot be told.
        """
        found = self._relations.get(_first_segment(path.relative_to(self._directory).as_posix()))
        size = self._layout.page_size
        page = start // size
        if found is None or (end - 1) // size != page:
            return False
        with path.open("rb") as file:
            file.seek(page * size)
            data = file.read(size)
        first, last = start - page * size, end - page * size
        database, relation = found
        try:
            if relation.kind == "i":
                return _in_entry(data, relation.attributes, first, last)
            pages = np.frombuffer(data, dtype=np.uint8).reshape(1, -1)
            items = normal_items(pages, relation.path)
            holding = items.only((items.offset <= first) & (items.offset + items.length >= last))
            if len(holding) != 1 or dead(pages, holding, self._transactions).any():
                return False
            offset = int(holding.offset[0])
            row = data[offset : offset + int(holding.length[0])]
            if relation.kind == "t":
                return self._in_chunk(database, relation, row, first - offset, last - offset)
            return _among(
                list(attributes(row, relation.attributes)), relation.attributes, row, first - offset, last - offset
            )
        except (UnsafeError, IndexError, ValueError, struct.error):
            return False

    def _in_chunk(
        self, database: layout.Database, relation: layout.Relation, row: bytes, first: int, last: int
    ) -> bool:
        """Whether a stretch is of a chunk whose value is put together and searched, or beside its data."""
        number, _, data = attributes(row, _CHUNK)
        body = data.varlena.start if data.varlena is not None else data.start
        if not (body <= first and last <= data.end):
            return first < data.end
        (value,) = struct.unpack_from("<I", row, number.start)
        return value in self._put_together(database, relation)

    def _put_together(self, database: layout.Database, relation: layout.Relation) -> frozenset[int]:
        """The values in a TOAST table that `expand` decodes: their bytes in the chunks are no text."""
        if relation.path not in self._expanded:
            self._expanded[relation.path] = frozenset(
                pointer.value
                for table in database.relations
                if table.toast == relation.oid
                for pointer in decoded(self._directory, self._layout, table, self._transactions)
            )
        return self._expanded[relation.path]

    @functools.cached_property
    def _layout(self) -> layout.Layout:
        return layout.load(self._directory)

    @functools.cached_property
    def _transactions(self) -> Transactions:
        return control.transactions(self._directory / "data")

    @functools.cached_property
    def _relations(self) -> dict[str, tuple[layout.Database, layout.Relation]]:
        """Tables, materialized views, their chunks and B-trees, by their first file; shared ones once."""
        found: dict[str, tuple[layout.Database, layout.Relation]] = {}
        for database in self._layout.databases:
            for relation in database.relations:
                if relation.kind in "rmt" or (relation.kind == "i" and relation.access == "btree"):
                    found.setdefault(f"data/{relation.path}", (database, relation))
        return found


def _among(slots: list[Slot], columns: tuple[Attribute, ...], row: bytes, first: int, last: int) -> bool:
    """Whether a stretch of a row is of several values, or of one that holds several or is compressed."""
    for slot in slots:
        body = slot.varlena.start if slot.varlena is not None else slot.start
        if body <= first and last <= slot.end:
            column = columns[slot.index]
            if column.dropped or column.type in NOT_EXPANDED:
                return False
            if slot.varlena is not None and slot.varlena.form is Form.COMPRESSED:
                return True
            if column.type == "anyarray":  # the planner's statistics: no rule compared them
                held = elements(row[body : slot.end])
                return held is not None and not any(s <= first - body and last - body <= e for s, e in held)
            return column.type in _SEVERAL
    return any(slot.start < last and first < slot.end for slot in slots)


def _in_entry(page: bytes, columns: tuple[Attribute, ...], first: int, last: int) -> bool:
    """Whether a stretch is of more than one attribute of an entry of a B-tree (`src/include/access/itup.h`)."""
    (lower,) = struct.unpack_from("<H", page, 12)
    for place in range(HEADER, lower, 4):
        (pointer,) = struct.unpack_from("<I", page, place)
        offset, length = pointer & 0x7FFF, pointer >> 17
        if pointer >> 15 & 3 != NORMAL or not (offset <= first and last <= offset + length):
            continue
        entry = page[offset : offset + length]
        place, info = struct.unpack_from("<HH", entry, 4)
        count = len(columns)
        if info & _ALTERNATIVE and not place & _POSTING:  # a pivot tells how many attributes it has
            count = place & _COUNT
        held = list(entry_attributes(entry, columns[:count], nulls=bool(info & _NULLS)))
        whole = any(slot.start <= first - offset and last - offset <= slot.end for slot in held)
        return not whole and any(slot.start < last - offset and first - offset < slot.end for slot in held)
    return False


def _first_segment(path: str) -> str:
    """A relation's first file from any of its segments'; '' for files that are no main fork."""
    head, dot, number = path.rpartition(".")
    first = head if dot and number.isdecimal() else path
    return first if first.startswith((_DATABASES, "data/pg_tblspc/")) and "_" not in first.rpartition("/")[2] else ""
