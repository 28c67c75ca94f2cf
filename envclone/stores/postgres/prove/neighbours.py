"""Bytes that several values of one row make together by lying side by side, told from a value that is there.

`Eva Roth` as a pseudonym and, behind it, the next value's length byte, which looks like an `e`, read `Eva Rothe`; and
in jsonb one string follows another without a mark. Nobody stored that. Only live rows of tables whose rows were
compared with production's under the masks are looked at: what they hold value by value is proven.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from envclone.errors import UnsafeError
from envclone.stores.postgres.catalog import layout
from envclone.stores.postgres.format.page import normal_items
from envclone.stores.postgres.format.tuples import Attribute, Slot, attributes
from envclone.stores.postgres.format.varlena import Form
from envclone.stores.postgres.format.visibility import Transactions, dead
from envclone.stores.postgres.server import control

__all__ = ["Neighbours"]

_SEVERAL = frozenset(("jsonb", "hstore", "_text", "_varchar", "_bpchar", "_citext"))
"""Types that hold several texts one behind another, each of which is searched for itself."""
_TEXTS = frozenset(("text", "varchar", "bpchar", "citext", "json", "xml", *_SEVERAL))
"""Types whose values are searched as texts: compressed, their bytes are no text, and can look like one."""
_DATABASES = "data/base/"


class Neighbours:
    """Looks into the closed clone in `directory`; what it needs to know is read at the first question."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def side_by_side(self, path: Path, start: int, end: int) -> bool:
        """Whether the bytes from `start` to `end` of a file are of more than one value of a live row.

        Or of one value that holds several texts, or is compressed; False also where that cannot be told.
        """
        relation = self._tables.get(_first_segment(path.relative_to(self._directory).as_posix()))
        size = self._layout.page_size
        page = start // size
        if relation is None or (end - 1) // size != page:
            return False
        with path.open("rb") as file:
            file.seek(page * size)
            pages = np.frombuffer(file.read(size), dtype=np.uint8).reshape(1, -1)
        try:
            items = normal_items(pages, relation.path)
            first, last = start - page * size, end - page * size
            holding = items.only((items.offset <= first) & (items.offset + items.length >= last))
            if len(holding) != 1 or dead(pages, holding, self._transactions).any():
                return False
            offset = int(holding.offset[0])
            row = pages[0, offset : offset + int(holding.length[0])].tobytes()
            return _among(
                list(attributes(row, relation.attributes)), relation.attributes, first - offset, last - offset
            )
        except (UnsafeError, IndexError, ValueError):
            return False

    @functools.cached_property
    def _layout(self) -> layout.Layout:
        return layout.load(self._directory)

    @functools.cached_property
    def _transactions(self) -> Transactions:
        return control.transactions(self._directory / "data")

    @functools.cached_property
    def _tables(self) -> dict[str, layout.Relation]:
        """Users' tables, by their first file."""
        return {
            f"data/{relation.path}": relation
            for _, relation in self._layout.heaps()
            if relation.kind in "rm" and relation.oid >= layout.FIRST_NORMAL_OID
        }


def _among(slots: list[Slot], columns: tuple[Attribute, ...], first: int, last: int) -> bool:
    """Whether a stretch of a row is of several values, or of one that holds several or is compressed."""
    for slot in slots:
        body = slot.varlena.start if slot.varlena is not None else slot.start
        if body <= first and last <= slot.end:
            column = columns[slot.index]
            if column.dropped:
                return False
            compressed = slot.varlena is not None and slot.varlena.form is Form.COMPRESSED
            return column.type in _SEVERAL or (compressed and column.type in _TEXTS)
    return any(slot.start < last and first < slot.end for slot in slots)


def _first_segment(path: str) -> str:
    """A relation's first file from any of its segments'; '' for files that are no main fork."""
    head, dot, number = path.rpartition(".")
    first = head if dot and number.isdecimal() else path
    return first if first.startswith((_DATABASES, "data/pg_tblspc/")) and "_" not in first.rpartition("/")[2] else ""
