"""The rows of one relation in a clone's own files, a range of pages at a time, and their values column by column."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from envclone.errors import UnsafeError
from envclone.packed import ABSENT, Packed, TextBlock, pack
from envclone.stores.postgres.catalog.layout import Relation
from envclone.stores.postgres.format import figures, printed, rows, varlena
from envclone.stores.postgres.format.page import Items, normal_items
from envclone.stores.postgres.format.segments import segment_of, segments
from envclone.stores.postgres.format.toast import Chunks
from envclone.stores.postgres.format.tuples import Attribute
from envclone.stores.postgres.format.visibility import Transactions, dead
from envclone.stores.postgres.write.inplace import jsonb
from envclone.stores.postgres.write.inplace.codecs import codec_for

__all__ = ["LARGE", "Heap", "Reader", "Rows", "Values", "block_of", "reader"]

_UNITS = {"c": 1, "s": 2, "i": 4, "d": 8}
_PRINTED: Mapping[str, Any] = {
    **dict.fromkeys(("int2", "int4", "int8"), printed.numbers),
    **{"bool": printed.booleans, "uuid": printed.uuids, "date": printed.dates},
    **{"timestamp": printed.timestamps, "timestamptz": printed.zoned},
    **{"numeric": figures.numerics, "inet": figures.addresses, "jsonb": figures.documents},
}
"""The kernels that print values."""

_HEADER, _SIZE_BITS = 4, 0x3FFFFFFF

LARGE = 8 * 2**20
"""Bytes of a value from which it is a text of its own, and no part of a block."""

Stored = tuple[Any, Any, Any, Any]
"""Bytes, and where each value begins and ends in them, and its form."""
Values = TextBlock | list[Any]
"""A column's values, as its kind promises them."""


@dataclass(frozen=True, slots=True)
class Reader:
    """How an attribute is read: `decode` reads one body, the kernel `pack` all values into texts, which may fail."""

    decode: Callable[[bytes], Any]
    pack: Any = None


def reader(attribute: Attribute, *, as_bytes: bool = False) -> Reader | None:
    """How values of a column are read from its files; None for a type that is left to the server.

    `as_bytes` gives what a `bytea` holds instead of its digits.
    """
    if as_bytes and attribute.base == "bytea":
        return Reader(bytes)
    codec = codec_for(attribute.base, attribute.typmod, attribute.element)
    if codec is None or attribute.length == -2:
        return None
    return Reader(codec.decode, rows.gather if codec.plain else _PRINTED.get(attribute.base))


@dataclass(frozen=True, slots=True)
class Heap:
    """A relation in a data directory; sizes are in bytes and pages as the server was built.

    Values in its TOAST table are read where `toast` has that open.
    """

    data: Path
    relation: Relation
    page_size: int
    segment_pages: int
    transactions: Transactions
    toast: Chunks | None = None

    def pages(self) -> int:
        """How many pages it has."""
        return sum(path.stat().st_size for path in segments(self.data / self.relation.path)) // self.page_size

    def within(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        """The same pages in ranges each of which is of one segment."""
        while first < end:
            last = min(end, (first // self.segment_pages + 1) * self.segment_pages)
            yield first, last
            first = last

    def read(self, first: int, end: int) -> Rows:
        """The rows that can be seen in pages `first` to `end`, of one segment.

        Raises UnsafeError for a damaged page.
        """
        path = segment_of(self.data / self.relation.path, first // self.segment_pages)
        data = b""
        if path.exists():
            with path.open("rb", buffering=0) as file:
                file.seek(first % self.segment_pages * self.page_size)
                data = file.read((end - first) * self.page_size)
        if len(data) % self.page_size:
            raise UnsafeError(f"{path.name} does not end at the end of a page", hint="take a new snapshot")
        pages = np.frombuffer(data, np.uint8).reshape(-1, self.page_size)
        items = normal_items(pages, self.relation.path)
        items = items.only(~dead(pages, items, self.transactions))
        return Rows(self.relation, pages, items, first, self.toast)


class Rows:
    """Rows that can be seen in some pages, the first of which is the relation's page `first`, in their order."""

    def __init__(self, relation: Relation, pages: Any, items: Items, first: int, toast: Chunks | None = None) -> None:
        self._relation, self._items, self._first, self._toast = relation, items, first, toast
        self._stored: dict[int, Stored] = {}
        self.flat = pages.reshape(-1)
        count = len(items)
        attributes = relation.attributes
        self.starts: Any = np.zeros((len(attributes), count), np.int64)
        self.ends: Any = np.zeros((len(attributes), count), np.int64)
        self.forms: Any = np.zeros((len(attributes), count), np.uint8)
        if count:
            lengths = np.array([one.length for one in attributes], np.int64)
            units = np.array([_UNITS[one.align] for one in attributes], np.int64)
            base = items.page * pages.shape[1] + items.offset
            wrong = rows.places(self.flat, base, items.length, lengths, units, self.starts, self.ends, self.forms)
            if wrong >= 0:
                raise UnsafeError(
                    f"a row of {relation.name} runs over its end",
                    hint="check production with pg_amcheck, and take a new snapshot",
                )

    def __len__(self) -> int:
        return len(self._items)

    @cached_property
    def addresses(self) -> Any:
        """Page and line pointer of each row in one number, ascending."""
        return (self._items.page + self._first) << 16 | self._items.number

    def address(self, row: int) -> str:
        """Where one row lies, as the server writes it."""
        return f"({self._items.page[row] + self._first},{self._items.number[row]})"

    def places(self) -> list[str]:
        """Where all of them lie, as the server writes it."""
        pages, numbers = (self._items.page + self._first).tolist(), self._items.number.tolist()
        return [f"({page},{number})" for page, number in zip(pages, numbers, strict=True)]

    def only(self, chosen: Any) -> Rows:
        """Those at some places, ascending."""
        new = object.__new__(Rows)
        new._relation, new._first, new.flat = self._relation, self._first, self.flat
        new._toast, new._stored = self._toast, {}
        new._items = self._items.only(chosen)
        new.starts, new.ends, new.forms = (a[:, chosen] for a in (self.starts, self.ends, self.forms))
        return new

    def ways(self) -> set[tuple[int, int]]:
        """In which forms the values of each attribute are stored, by its number."""
        held = np.bitwise_or.reduce(np.left_shift(1, self.forms.astype(np.int64)), axis=1) if len(self) else ()
        return {(i, form) for i, bits in enumerate(held) for form in range(rows.ABSENT + 1) if bits >> form & 1}

    def outside(self, index: int) -> bool:
        """Whether a value of the column is in a TOAST table that is not read here."""
        out = self.forms[index] == rows.EXTERNAL
        if not out.any():
            return False
        return self._toast is None or bool((self.pointers(index)[:, 3] != self._relation.toast).any())

    def stored(self, index: int) -> Stored:
        """Where a column's values stand, none of which is `outside`: those of the TOAST table behind the pages."""
        if index not in self._stored:
            self._stored[index] = self._gathered(index)
        return self._stored[index]

    def release(self) -> None:
        """Keep no values of the TOAST table any more; they can be read again."""
        self._stored.clear()

    def _gathered(self, index: int) -> Stored:
        starts, ends, forms = (np.ascontiguousarray(one[index]) for one in (self.starts, self.ends, self.forms))
        out = forms == rows.EXTERNAL
        if not out.any():
            return self.flat, starts, ends, forms
        assert self._toast is not None
        pointers = self.pointers(index)
        raw, sizes = pointers[:, 0] - _HEADER, pointers[:, 1] & _SIZE_BITS
        flat = np.empty(len(self.flat) + int(sizes.sum()), np.uint8)
        flat[: len(self.flat)] = self.flat
        starts, ends, forms = starts.copy(), ends.copy(), forms.copy()
        starts[out], ends[out] = self._toast.gather(pointers[:, 2], sizes, flat, len(self.flat))
        packed = sizes < raw
        forms[out] = np.where(packed, rows.COMPRESSED, rows.LONG)
        for start, size in zip(starts[out][packed].tolist(), raw[packed].tolist(), strict=True):
            if int.from_bytes(flat[start : start + _HEADER].tobytes(), "little") & _SIZE_BITS != size:
                raise UnsafeError(
                    f"a row of {self._relation.name} points at a value of another size",
                    hint="check production with pg_amcheck, and take a new snapshot",
                )
        flat.flags.writeable = False
        return flat, starts, ends, forms

    def pointers(self, index: int) -> Any:
        """Of each value of the column in a TOAST table: size with a header, stored size and method, value, table."""
        starts = self.starts[index][self.forms[index] == rows.EXTERNAL]
        return self.flat[starts[:, None] + np.arange(16)].view("<u4").astype(np.int64)

    def values(self, index: int, how: Reader) -> Values:
        """A column's values, none of which is `outside`."""
        stored = self.stored(index)
        if self.longest(index) > LARGE:  # in as few copies as can be
            self._stored.clear()
            return [self._value(i, stored, how) for i in range(len(self))]
        if how.pack is not None and not (stored[3] == rows.COMPRESSED).any():
            packed = self._packed(stored, how.pack)
            if packed is not None:
                return packed
        return [self._value(i, stored, how) for i in range(len(self))]

    def are(self, index: int, how: Reader, values: Sequence[Any]) -> bool:
        """Whether the texts of a column are these, told by their bytes; False as well where bytes do not tell."""
        if how.pack is not rows.gather or len(values) != len(self) or self.outside(index):
            return False
        flat, starts, ends, forms = self.stored(index)
        self._stored.clear()
        if (forms == rows.COMPRESSED).any():
            return False
        return all(
            value is None if form == rows.ABSENT else value is not None and _same(flat[start:end], value)
            for value, start, end, form in zip(values, starts.tolist(), ends.tolist(), forms.tolist(), strict=True)
        )

    def longest(self, index: int) -> int:
        """The most bytes that a value of the column has: as it is stored, or expanded when it is in a TOAST table."""
        within = int((self.ends[index] - self.starts[index]).max(initial=0))
        return max(within, int(self.pointers(index)[:, 0].max(initial=0)))

    def packed(self, index: int, how: Reader) -> Packed:
        """A column's texts packed, none of which is `outside`."""
        flat, starts, ends, forms = stored = self.stored(index)
        if how.pack is not None and not (forms == rows.COMPRESSED).any():
            block = np.zeros(_room(stored, how.pack) + 1, np.uint8)
            size = int(how.pack(flat, starts, ends, forms, block[1:]))
            if size >= 0:
                return self._split(block[: size + 1], forms == rows.ABSENT)
        return pack([self._value(i, stored, how) for i in range(len(self))])

    def _split(self, block: Any, gone: Any) -> Packed:
        from envclone.masking.kernels import sets  # late: it waits for the compiler

        block.flags.writeable = False
        starts, stops, plain = (
            np.zeros(len(self), np.int64),
            np.zeros(len(self), np.int64),
            np.zeros(len(self), np.bool_),
        )
        if sets.split(block, starts, stops, plain) != len(self):
            raise self._no_text()
        starts[gone] = stops[gone] = ABSENT
        plain[gone] = False
        return Packed(block, starts, stops, plain)

    def value(self, index: int, row: int, how: Reader) -> Any:
        """One value, which is not `outside`."""
        return self._value(row, self.stored(index), how)

    def _value(self, row: int, stored: Stored, how: Reader) -> Any:
        flat, starts, ends, forms = stored
        form = forms[row]
        if form == rows.ABSENT:
            return None
        if how.pack is rows.gather and form != rows.COMPRESSED:
            return str(memoryview(flat[starts[row] : ends[row]]), "utf-8")
        if ends[row] - starts[row] > LARGE and how.decode is jsonb.decode and form != rows.COMPRESSED:
            return jsonb.decode(memoryview(flat[starts[row] : ends[row]]))  # a copy would be as large as the document
        body = flat[starts[row] : ends[row]].tobytes()
        return how.decode(varlena.expand(body) if form == rows.COMPRESSED else body)

    def _packed(self, stored: Stored, kernel: Any) -> TextBlock | None:
        try:
            return block_of(kernel, *stored)
        except ValueError as exc:
            raise self._no_text() from exc

    def _no_text(self) -> UnsafeError:
        return UnsafeError(
            f"a text in {self._relation.name} holds a zero byte",
            hint="check production with pg_amcheck, and take a new snapshot",
        )


def _same(stored: Any, text: str) -> bool:
    """Whether bytes are a text, a part of it at a time."""
    place = 0
    for first in range(0, len(text), LARGE):
        part = np.frombuffer(text[first : first + LARGE].encode("utf-8", "surrogatepass"), np.uint8)
        if not np.array_equal(stored[place : place + len(part)], part):
            return False
        place += len(part)
    return place == len(stored)


def block_of(kernel: Any, flat: Any, starts: Any, ends: Any, forms: Any) -> TextBlock | None:
    """What a `Reader` packs of values that are not compressed; None when it cannot.

    Raises ValueError when one holds a zero.
    """
    stored = flat, starts, ends, forms
    block = np.empty(_room(stored, kernel) + 1, np.uint8)
    size = int(kernel(flat, starts, ends, forms, block))
    return None if size < 0 else TextBlock(block[: max(0, size - 1)].tobytes(), forms == rows.ABSENT)


def _room(stored: Stored, kernel: Any) -> int:
    if kernel is rows.gather:
        return int((stored[2] - stored[1]).sum()) + len(stored[1])
    if kernel is figures.documents:
        return figures.room_of_documents(int((stored[2] - stored[1]).sum()), len(stored[1]))
    return printed.WIDEST * len(stored[1])
