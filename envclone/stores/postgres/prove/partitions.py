"""The pages of SP-GiST indexes: what leaves hold, and the beginnings of texts that the way to them spells."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from envclone.stores.postgres.format import claims
from envclone.stores.postgres.prove.indexpages import (
    Keys,
    bounds_of,
    claim_headers,
    disown,
    items_of,
    keys_of,
    number,
    stretches,
)
from envclone.stores.postgres.prove.keyforms import Form

__all__ = ["Leaves", "Ways", "beginnings", "inner_pages", "spgist"]

_PAGE, _MAGIC = 0xFF82, 0xBA0BABEE
_META, _DELETED, _LEAF, _OF_NULLS = 1, 2, 4, 8
_META_END = 24 + 4 + 8 * 8 + 4
_LIVE = 0
_DEAD_SIZE, _DATA, _BITMAP = 16, 16, 12
_INNER_HEADER, _NODE_HEADER = 8, 8
_ROOTS = (1, 2)
_NEXT, _NULLS = 0x3FFF, 0x8000

Ways = Mapping[tuple[int, int], bytes]
"""By block and item the text that the way to an entry spells."""


@dataclass(frozen=True, slots=True)
class Leaves:
    """Keys of leaves, or beginnings of inner entries; the item's number on its page, and the next one of its chain."""

    keys: Keys
    item: Any
    following: Any


def inner_pages(pages: Any) -> Any:
    """Which pages are of inner entries."""
    words = pages[:, -8:].copy().view("<u2")
    return (words[:, 3] == _PAGE) & (words[:, 0] & (_META | _DELETED | _LEAF) == 0) & bounds_of(pages, 8).good


def spgist(
    pages: Any, owner: Any, leaf: Sequence[Form], prefix: Form | None, first_block: int, *, labels: bool
) -> Iterator[Leaves]:
    """Claim SP-GiST's pages (`access/spgist_private.h`); `labels` says that nodes are labelled with a letter each.

    Yields the keys of leaves first, and then the beginnings that inner entries keep.
    """
    size, flat = pages.shape[1], pages.reshape(-1)
    bounds = bounds_of(pages, 8)
    words = pages[:, size - 8 :].copy().view("<u2")
    flags = words[:, 0]
    mine = bounds.good & (words[:, 3] == _PAGE) & (flags < 16)
    meta = mine & (flags & _META != 0)
    for page in np.flatnonzero(meta).tolist():
        magic = int(pages[page, 24:28].copy().view("<u4")[0])
        mine[page] = first_block + page == 0 and magic == _MAGIC and bounds.lower[page] <= _META_END
    if first_block == 0 and len(pages) and meta[0] and mine[0]:  # before 11 `pd_lower` did not show what is there
        owner.reshape(pages.shape)[0, 24:_META_END] = claims.STRUCTURE
    page, item, start, length, bad = items_of(pages, bounds, mine & ~meta, 8)
    claim_headers(owner, pages, bounds, mine & ~bad)
    word = number(flat, start, 4)
    live = word & 3 == _LIVE
    dead = ~live & (length == _DEAD_SIZE)
    stretches(owner, start[dead], start[dead] + _DEAD_SIZE)
    on_leaf = flags[page] & _LEAF != 0
    chosen = live & on_leaf & (word >> 2 == length) & (length >= _DATA)
    empty = chosen & (flags[page] & _OF_NULLS != 0) & (length == _DATA)
    stretches(owner, start[empty], start[empty] + _DATA)
    chosen &= ~empty
    yield from _leaves(pages, owner, tuple(one[chosen] for one in (page, item, start, length)), leaf)
    chosen = live & ~on_leaf
    found = _inner(pages, owner, tuple(one[chosen] for one in (page, item, start, length)), prefix, labels=labels)
    if found is not None:
        yield found


def _leaves(pages: Any, owner: Any, items: tuple[Any, ...], leaf: Sequence[Form]) -> Iterator[Leaves]:
    flat = pages.reshape(-1)
    _, _, start, _ = items
    if not len(start):
        return
    info = number(flat, start + 4, 2)
    nulls = info & _NULLS != 0
    stretches(owner, start, start + _DATA)
    for many in (False, True):
        chosen = nulls == many
        if not chosen.any():
            continue
        its = start[chosen]
        missing = number(flat, its + _BITMAP, 4) if many else None
        yield from _plain_leaves(pages, owner, tuple(x[chosen] for x in items), leaf, missing, info[chosen])


def _plain_leaves(
    pages: Any, owner: Any, items: tuple[Any, ...], leaf: Sequence[Form], bits: Any, info: Any
) -> Iterator[Leaves]:
    """Leaves that have the same columns; `bits` are set for those that each has, None for all."""
    page, item, start, length = items
    flat = pages.reshape(-1)
    for there in [None] if bits is None else np.unique(bits).tolist():
        chosen = np.ones(len(page), np.bool_) if there is None else bits == there
        columns = [one for i, one in enumerate(leaf) if there is None or there >> i & 1]
        if not columns:
            continue
        first, last = start[chosen], (start + length)[chosen]
        places = np.stack((first, first + _DATA, last, last), axis=1)
        keys = keys_of(
            flat, owner, places, np.full(len(first), len(columns)),
            [one.attribute for one in columns], [one.owner for one in columns],
        )  # fmt: skip
        if keys is None:
            disown(owner, pages.shape, page[chosen])
            continue
        for column, form in enumerate(columns):
            if form.owner == claims.STRUCTURE:
                continue
            its = keys[:, column]
            made = Keys(leaf.index(form), form.attribute, its[:, 0], its[:, 1], its[:, 2] != 0, page[chosen])
            yield Leaves(made, item[chosen], info[chosen] & _NEXT)


def _inner(pages: Any, owner: Any, items: tuple[Any, ...], prefix: Form | None, *, labels: bool) -> Leaves | None:
    found: list[tuple[int, int, int, int]] = []
    for page, item, start, length in zip(*(one.tolist() for one in items), strict=True):
        parsed = _Inner.parse(pages.reshape(-1)[start : start + length].tobytes(), labels=labels)
        if parsed is None:
            disown(owner, pages.shape, page)
            continue
        mine = owner.reshape(-1)
        mine[start : start + _INNER_HEADER] = claims.STRUCTURE
        for begin, end in parsed.nodes_at:
            mine[start + begin : start + end] = claims.STRUCTURE
        if not parsed.prefix:
            continue
        body, end = _INNER_HEADER, _INNER_HEADER + parsed.prefix
        if prefix is not None and prefix.attribute.length == -1:
            body, end = _varlena(parsed.data, _INNER_HEADER)
        elif prefix is not None:
            end = _INNER_HEADER + prefix.attribute.length
        if not body <= end <= _INNER_HEADER + parsed.prefix:
            disown(owner, pages.shape, page)
            continue
        mine[start + _INNER_HEADER : start + body] = claims.STRUCTURE
        mine[start + body : start + end] = claims.UNDECODED if prefix is None else prefix.owner
        found.append((page, item, start + body, start + end))
    if prefix is None or prefix.owner == claims.STRUCTURE or not found:
        return None
    page, item, first, last = np.array(found, np.int64).T
    packed = np.zeros(len(page), np.bool_)
    return Leaves(Keys(0, prefix.attribute, first, last, packed, page), item, np.zeros(len(page), np.int64))


@dataclass(frozen=True, slots=True)
class _Inner:
    """An inner entry: its bytes, the bytes of its prefix, and its nodes: where each stands, its letter, its child."""

    data: bytes
    prefix: int
    nodes_at: tuple[tuple[int, int], ...]
    nodes: tuple[tuple[int, tuple[int, int]], ...]

    @staticmethod
    def parse(data: bytes, *, labels: bool) -> _Inner | None:
        word, size = struct.unpack_from("<IH", data)
        count, prefix = word >> 3 & 0x1FFF, word >> 16
        if size != len(data) or _INNER_HEADER + prefix > size:
            return None
        at, places, nodes = _INNER_HEADER + prefix, [], []
        for _ in range(count):
            if at + _NODE_HEADER > size:
                return None
            high, low, item, info = struct.unpack_from("<HHHH", data, at)
            whole = info & 0x1FFF
            if not _NODE_HEADER <= whole <= size - at or whole > _NODE_HEADER + 8:
                return None
            if whole > _NODE_HEADER and not labels:
                return None
            letter = struct.unpack_from("<q", data, at + _NODE_HEADER)[0] if whole > _NODE_HEADER else -1
            if not -2 <= letter < 256:
                return None
            places.append((at, at + whole))
            nodes.append((letter, (high << 16 | low, item)))
            at += whole
        return _Inner(data, prefix, tuple(places), tuple(nodes))

    def begins(self) -> bytes:
        """The text that it begins with."""
        if not self.prefix:
            return b""
        start, end = _varlena(self.data, _INNER_HEADER)
        return self.data[start:end]


def _varlena(data: bytes, at: int) -> tuple[int, int]:
    """Where a value begins behind its header, and where it ends."""
    if data[at] & 1:
        return at + 1, at + (data[at] >> 1)
    (word,) = struct.unpack_from("<I", data, at)
    return at + 4, at + (word >> 2)


def beginnings(parts: Iterable[tuple[int, Any]]) -> dict[tuple[int, int], bytes]:
    """The text on the way to each entry of an index over texts, by block and item; `parts` are block and inner pages.

    Leaves are found by the first of their chain.
    """
    entries: dict[tuple[int, int], _Inner] = {}
    for first_block, pages in parts:
        chosen = inner_pages(pages)
        page, item, start, length, _ = items_of(pages, bounds_of(pages, 8), chosen, 8)
        flat = pages.reshape(-1)
        live = flat[start] & 3 == _LIVE
        for p, i, s, n in zip(*(one[live].tolist() for one in (page, item, start, length)), strict=True):
            if (parsed := _Inner.parse(flat[s : s + n].tobytes(), labels=True)) is not None:
                entries[first_block + p, i] = parsed
    ways: dict[tuple[int, int], bytes] = {}
    todo = [((block, 1), b"") for block in _ROOTS]
    while todo:
        place, way = todo.pop()
        if place in ways:
            continue  # damaged: an entry has one parent
        ways[place] = way
        entry = entries.get(place)
        if entry is not None:
            begun = way + entry.begins()
            todo += [(child, begun + bytes([letter]) if letter > 0 else begun) for letter, child in entry.nodes]
    return ways
