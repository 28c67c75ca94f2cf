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

__all__ = ["Reader", "Shares", "pieces", "whole"]

Shares = tuple[int, int, int]
"""Of a value's bytes: structure, masked, kept (or derived)."""
Reader = Callable[[list[int], list[bytes]], tuple[list[Shares], list[Values]]]
"""What reads a batch of points and their values; raises Damaged."""

_RUN = 2**20
_REMEDY = "Check production with its own engine, then take a new snapshot."
Array = np.ndarray[Any, Any]


def pieces(store: Gridstore, root: Path, read: Reader, third: ByteClass) -> Iterator[Accounted]:
    """Every file of an open Gridstore; `third` is the class of the last of each value's shares."""
    name = store.path.relative_to(root).as_posix()
    try:
        starts, lengths, kinds, values = _claimed(store, read, third)
    except Damaged:  # then its values are searched as they are
        starts, lengths, kinds, values = _claimed(store, _unread, third)
    flaws = [Flaw(name, "two values lie in the same block", _REMEDY)] if _overlap(store) else []
    for number in range(store.pages):
        low, high = number * store.config.page, (number + 1) * store.config.page
        with Claims(store.path / f"page_{number}.dat") as claims:
            for kind in {ByteClass.STRUCTURE, ByteClass.MASKED, third}:
                first = np.clip(starts[kinds == kind.value], low, high)
                last = np.clip(starts[kinds == kind.value] + lengths[kinds == kind.value], low, high)
                claims.claim_many(kind, first - low, last - first)
            piece = _settled(claims, root)
        stale = _stale(store, number, piece.undecoded, name)
        yield replace(piece, values=(*values, *stale), flaws=tuple(flaws))
        values, flaws = [], []
    for file, claim in (
        ("tracker.dat", _tracker),
        ("bitmask.dat", _bitmask),
        ("gaps.dat", _gaps),
    ):
        with Claims(store.path / file) as claims:
            claim(store, claims)
            yield _settled(claims, root)
    if (journal := store.path / "tracker_journal.dat").exists():
        with Claims(journal) as claims:
            claims.claim(ByteClass.STRUCTURE, 0, store.journal)
            yield _settled(claims, root)


def _unread(points: list[int], values: list[bytes]) -> tuple[list[Shares], list[Values]]:
    return [(0, 0, 0) for _ in values], []


def whole(points: list[int], values: list[bytes]) -> tuple[list[Shares], list[Values]]:
    """A reader of values that are structure as a whole."""
    return [(len(value), 0, 0) for value in values], []


def _claimed(store: Gridstore, read: Reader, third: ByteClass) -> tuple[Array, Array, Array, list[Values]]:
    """Where values begin, how long each is, its class, and what is to be searched in them."""
    order = ByteClass.STRUCTURE.value, ByteClass.MASKED.value, third.value
    starts: list[int] = []
    lengths: list[int] = []
    kinds: list[str] = []
    told: list[Values] = []
    for points, values in store.batches():
        shares, found = read(points, values)
        told += found
        slots = store.slots[points]
        begin = (store.first_blocks(slots) * store.config.block).tolist()
        for start, length, share in zip(begin, slots["length"].tolist(), shares, strict=True):
            total = sum(share)
            if not total and length:
                continue
            split = [length * part // max(1, total) for part in share]
            split[0] += length - sum(split)
            for kind, part in zip(order, split, strict=True):
                if part:
                    starts.append(start)
                    lengths.append(part)
                    kinds.append(kind)
                    start += part
    return np.array(starts, np.int64), np.array(lengths, np.int64), np.array(kinds, "U16"), told


def _overlap(store: Gridstore) -> bool:
    slots = store.slots[store.slots["present"] != 0]
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
    present = np.flatnonzero(claims.array(SLOT, 4, count)["present"])
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
