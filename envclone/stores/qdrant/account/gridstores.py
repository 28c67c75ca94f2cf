"""The files of a Gridstore: its values lie in the blocks that its tracker names, and everywhere else is zero.

Tracker, bit mask and gaps are held against each other: what of them does not follow from the tracker is not decoded.
What a free block holds is searched as it is, and as what it may have been.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from envclone.models import Accounted, ByteClass, Flaw, Values
from envclone.stores.qdrant.account.claims import Claims, Damaged
from envclone.stores.qdrant.gridstore import SLOT, Gridstore
from envclone.stores.qdrant.gridwriter import gaps_of
from envclone.stores.qdrant.lz4block import salvage

__all__ = ["Reader", "Shares", "others", "page", "whole"]

Shares = tuple[int, int, int]
"""Of a value's bytes: structure, masked, kept (or derived)."""
Reader = Callable[[list[int], list[bytes]], tuple[list[Shares], list[Values]]]
"""What reads a batch of points and their values; raises Damaged."""

_AT_ONCE = 1 << 20
"""Slots of a tracker that are looked at together."""
_RUN = 2**20
_REMEDY = "Check production with its own engine, then take a new snapshot."
Array = np.ndarray[Any, Any]


def page(store: Gridstore, number: int, root: Path, read: Reader, third: ByteClass) -> Accounted:
    """A page of an open Gridstore; `third` is the class of the last of each value's shares."""
    name = store.path.relative_to(root).as_posix()
    try:
        claimed, values = _claimed(store, number, read)
    except Damaged:  # then its values are searched as they are
        claimed, values = _claimed(store, number, _unread)
    with Claims(store.path / f"page_{number}.dat") as claims:
        for kind, (starts, lengths) in zip((ByteClass.STRUCTURE, ByteClass.MASKED, third), claimed, strict=True):
            first, last = np.clip(starts, 0, store.config.page), np.clip(starts + lengths, 0, store.config.page)
            claims.claim_many(kind, first, last - first)
        piece = _settled(claims, root)
    return replace(piece, values=(*values, *_stale(store, number, piece.undecoded, name)))


def others(store: Gridstore, root: Path) -> Iterator[Accounted]:
    """The files of an open Gridstore beside its pages; values that share a block are a flaw."""
    name = store.path.relative_to(root).as_posix()
    flaws = [Flaw(name, "two values lie in the same block", _REMEDY)] if _overlap(store) else []
    for file, claim in (
        ("tracker.dat", _tracker),
        ("bitmask.dat", _bitmask),
        ("gaps.dat", _gaps),
    ):
        with Claims(store.path / file) as claims:
            claim(store, claims)
            yield replace(_settled(claims, root), flaws=tuple(flaws))
        flaws = []
    if (journal := store.path / "tracker_journal.dat").exists():
        with Claims(journal) as claims:
            claims.claim(ByteClass.STRUCTURE, 0, store.journal)
            left = [Flaw(name, "a journal of the tracker is left, which the engine would replay", _REMEDY)]
            yield replace(_settled(claims, root), flaws=tuple(left if store.journaled else ()))


def _unread(points: list[int], values: list[bytes]) -> tuple[list[Shares], list[Values]]:
    return [(0, 0, 0) for _ in values], []


def whole(points: list[int], values: list[bytes]) -> tuple[list[Shares], list[Values]]:
    """A reader of values that are structure as a whole."""
    return [(len(value), 0, 0) for value in values], []


def _claimed(store: Gridstore, number: int, read: Reader) -> tuple[list[tuple[Array, Array]], list[Values]]:
    """Per share where in a page it begins (before the page when the value does) and its length; what is to be searched.

    A value that lies in two pages is read with both.
    """
    low, high = number * store.config.page, (number + 1) * store.config.page
    points = store.points()
    slots = store.slots[points]
    begin = store.first_blocks(slots) * store.config.block
    here = points[(begin < high) & (begin + slots["length"] > low)]
    split: list[tuple[list[int], list[int]]] = [([], []), ([], []), ([], [])]
    told: list[Values] = []
    for batch, values in store.batches(points=here):
        shares, found = read(batch, values)
        told += found
        slots = store.slots[batch]
        begin = store.first_blocks(slots) * store.config.block - low
        for start, length, share in zip(begin.tolist(), slots["length"].tolist(), shares, strict=True):
            total = sum(share)
            if not total:
                continue
            sizes = [length * part // total for part in share]
            sizes[0] += length - sum(sizes)
            for (starts, lengths), size in zip(split, sizes, strict=True):
                starts.append(start)
                lengths.append(size)
                start += size
    return [(np.array(starts, np.int64), np.array(lengths, np.int64)) for starts, lengths in split], told


def _overlap(store: Gridstore) -> bool:
    slots = store.slots[store.present()]
    first = store.first_blocks(slots)
    last = first + -(-slots["length"].astype(np.int64) // store.config.block)
    order = np.argsort(first, kind="stable")
    return bool((first[order][1:] < last[order][:-1]).any())


def _settled(claims: Claims, root: Path) -> Accounted:
    name = claims.path.relative_to(root).as_posix()
    try:
        classes, left = claims.settle()
    except Damaged:
        claims.nothing()  # values that overlap are a flaw of the store already
        classes, left = claims.settle()
    return Accounted(name, classes, undecoded=tuple(left))


def _tracker(store: Gridstore, claims: Claims) -> None:
    """The count, and each slot: what a slot says that is not present is zero."""
    claims.claim(ByteClass.STRUCTURE, 0, 4)
    count = min(claims.number(0, 4), (claims.size - 4) // SLOT.itemsize)
    for first in range(0, count, _AT_ONCE):
        slots = claims.array(SLOT, 4 + first * SLOT.itemsize, min(_AT_ONCE, count - first))
        present = np.flatnonzero(slots["present"]) + first
        claims.claim_many(ByteClass.STRUCTURE, 4 + present * SLOT.itemsize, np.full(len(present), SLOT.itemsize))


def _bitmask(store: Gridstore, claims: Claims) -> None:
    _expected(claims, np.packbits(store.live_blocks(), bitorder="little").tobytes())


def _gaps(store: Gridstore, claims: Claims) -> None:
    size = store.config.region
    _expected(claims, b"".join(gaps_of(store.used[start : start + size]) for start in range(0, len(store.used), size)))


def _expected(claims: Claims, expected: bytes) -> None:
    """Bytes that follow from others are structure where they are what follows."""
    size = min(claims.size, len(expected))
    found, wanted = claims.array(np.uint8, 0, size), np.frombuffer(expected, np.uint8, size)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (found == wanted).astype(np.int8), [0]])))
    claims.claim_many(ByteClass.STRUCTURE, edges[::2], edges[1::2] - edges[::2])


def _stale(store: Gridstore, number: int, stretches: Sequence[tuple[int, int]], name: str) -> Iterator[Values]:
    """What may have been a value in a page's stretches that no slot refers to, from the start of a block on."""
    if not store.config.compressed:
        return
    size = store.config.block
    first = number * store.config.blocks_per_page
    live = store.live_blocks()
    blocks = {block for start, length in stretches for block in range(start // size, (start + length - 1) // size + 1)}
    for block in sorted(blocks):
        start = (first + block) * size
        if live[first + block]:
            continue
        value = salvage(store.read(start, min(_RUN, store.pages * store.config.page - start)))
        if value:
            yield Values(f"{name}, free block {first + block}", [value])
