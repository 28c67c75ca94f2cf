"""The pages of BRIN indexes: what they say of ranges of pages, as the operator class stores it."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from envclone.stores.postgres.catalog.layout import Relation
from envclone.stores.postgres.format import claims
from envclone.stores.postgres.format.tuples import Attribute
from envclone.stores.postgres.prove.decoded import Texts, of_type
from envclone.stores.postgres.prove.indexpages import Keys, bounds_of, claim_headers, disown, items_of, number
from envclone.stores.postgres.prove.keyforms import Form, form_of

__all__ = ["brin", "stored"]

_META, _MAP, _PLAIN = 0xF091, 0xF092, 0xF093
_MAGIC, _META_END = 0xA8109CFA, 24 + 16
_NULLS, _OFFSET = 0x80, 0x1F
_UNITS = {"c": 1, "s": 2, "i": 4, "d": 8}
_BOOL = Attribute("", "bool", 1, "c", base="bool")
_BLOB = Attribute("", "", -1, "i")
_MOST_ITEMS = 2048


def stored(relation: Relation) -> list[list[Form]] | None:
    """Per column what the operator class stores of a range of pages; None when nothing here knows one of them."""
    made = []
    if len(relation.support) < len(relation.attributes):
        return None
    for attribute, function in zip(relation.attributes, relation.support, strict=False):
        own = form_of(attribute)
        if function == "brin_minmax_opcinfo":
            made.append([own, own])
        elif function == "brin_inclusion_opcinfo":
            made.append([own, *[Form(_BOOL, None, claims.STRUCTURE)] * 2])
        elif function == "brin_bloom_opcinfo":
            made.append([Form(_BLOB, None, claims.STRUCTURE)])  # bits of hashes
        elif function == "brin_minmax_multi_opcinfo":
            made.append([Form(_BLOB, _many, claims.DERIVED)])
        else:
            return None
    return made


def _many(body: bytes) -> Texts:
    """Ranges and single values of a type of its own (`SerializedRanges` in `access/brin/brin_minmax_multi.c`)."""
    kind, ranges, values, _ = struct.unpack_from("<Iiii", body)
    return of_type(kind, body[16:], 2 * ranges + values)


@dataclass(frozen=True, slots=True)
class _Value:
    column: int
    form: Form
    start: int
    end: int
    packed: bool
    page: int


def brin(pages: Any, owner: Any, columns: Sequence[Sequence[Form]] | None, first_block: int) -> Iterator[Keys]:
    """Claim BRIN's pages (`access/brin_page.h`, `brin_tuple.h`), and say where the values of its entries are.

    The keys' column is the place of a value among all values of an entry.
    """
    size, flat = pages.shape[1], pages.reshape(-1)
    bounds = bounds_of(pages, 8)
    words = pages[:, size - 8 :].copy().view("<u2")
    kind = words[:, 3]
    clean = bounds.good & ~words[:, :2].any(axis=1) & (words[:, 2] < 2)
    shaped = owner.reshape(pages.shape)
    for page in np.flatnonzero(clean & (kind == _META)).tolist():
        if first_block + page == 0 and int(pages[page, 24:28].copy().view("<u4")[0]) == _MAGIC:
            shaped[page, :_META_END] = shaped[page, size - 8 :] = claims.STRUCTURE
    for page in np.flatnonzero(clean & (kind == _MAP)).tolist():
        _map(pages[page], shaped[page])
    plain = clean & (kind == _PLAIN)
    page, _, start, length, bad = items_of(pages, bounds, plain, 5)
    claim_headers(owner, pages, bounds, plain & ~bad)
    if columns is None:
        for first, count in zip(start.tolist(), length.tolist(), strict=True):
            owner.reshape(-1)[first : first + count] = claims.UNDECODED
        return
    found: list[_Value] = []
    for p, first, count in zip(page.tolist(), start.tolist(), length.tolist(), strict=True):
        made = _entry(flat, owner.reshape(-1), p, first, first + count, columns)
        if made is None:
            disown(owner, pages.shape, p)
            found = [one for one in found if one.page != p]
        else:
            found += made
    forms = [one for column in columns for one in column]
    for place, form in enumerate(forms):
        its = [one for one in found if one.column == place]
        if its and form.owner != claims.STRUCTURE:
            begin, end, packed, on = (np.array(x) for x in zip(*((v.start, v.end, v.packed, v.page) for v in its),
                                                               strict=True))  # fmt: skip
            yield Keys(place, form.attribute, begin, end, packed, on)


def _map(page: Any, owner: Any) -> None:
    """Addresses of entries, one per range of pages, as many as there is room for."""
    size = len(page)
    room = page[24 : size - 8]
    count = len(room) // 6
    at = np.arange(count) * 6
    item = number(room, at + 4, 2)
    block = number(room, at, 2) << 16 | number(room, at + 2, 2)
    none = (item == 0) & ((block == 0xFFFFFFFF) | (block == 0))
    if ((item < _MOST_ITEMS) & ((item > 0) | none)).all():
        owner[: 24 + 6 * count] = owner[size - 8 :] = claims.STRUCTURE


def _entry(
    flat: Any, owner: Any, page: int, start: int, end: int, columns: Sequence[Sequence[Form]]
) -> list[_Value] | None:
    """Claim an entry and give its values; None when it is not of the format."""
    info, count = int(flat[start + 4]), len(columns)
    data = start + (info & _OFFSET)
    bitmap = (2 * count + 7) // 8 if info & _NULLS else 0
    if data > end or start + 5 + bitmap > data:
        return None
    bits = int.from_bytes(flat[start + 5 : start + 5 + bitmap].tobytes(), "little")
    owner[start : start + 5 + bitmap] = claims.STRUCTURE
    found, at, place = [], data, 0
    for number_, forms in enumerate(columns):
        empty = bits >> number_ & 1
        for form in forms:
            if not empty:
                value = _value(flat, at, start, end, form)
                if value is None:
                    return None
                head, body, at, packed = value
                owner[head:body] = claims.STRUCTURE
                owner[body:at] = form.owner
                found.append(_Value(place, form, body, at, packed, page))
            place += 1
    return found


def _value(flat: Any, at: int, start: int, end: int, form: Form) -> tuple[int, int, int, bool] | None:
    """Where a value's header and its bytes begin, where it ends, and whether it is compressed."""
    length, unit = form.attribute.length, _UNITS[form.attribute.align]
    if length == -1 and at < end and flat[at]:
        first = int(flat[at])
        if first & 1:
            last = at + (first >> 1)
            return (at, at + 1, last, False) if at < last <= end else None
    at = start + (at - start + unit - 1) // unit * unit
    if length == -1:
        if at + 4 > end:
            return None
        word = int.from_bytes(flat[at : at + 4].tobytes(), "little")
        last = at + (word >> 2)
        return (at, at + 4, last, bool(word & 2)) if at + 4 <= last <= end and not word & 1 else None
    if length < 0 or at + length > end:
        return None
    return at, at, at + length, False
