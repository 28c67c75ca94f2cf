"""Batches of numbers through the compiled loops: telephone numbers, whole numbers, UUIDs, dates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from envclone.masking.domains import Batch, DomainTable
from envclone.masking.fpe import words_of
from envclone.masking.kernels import days, numbers
from envclone.masking.kernels.shapes import DONE, Values, values_of
from envclone.packed import Pairs, TextBlock

__all__ = ["code_table", "integers", "permuted_days", "phones", "shifted_days", "uuids"]

Shape = Callable[[int], tuple[bytes, Sequence[int]]]


def code_table(codes: Iterable[str]) -> Any:
    """The calling codes of one digit, then those of two and of three, as kernels look them up."""
    known = np.zeros(1110, np.bool_)
    for code in codes:
        known[int(code) + (0, 0, 10, 110)[len(code)]] = True
    return known


def phones(key: bytes, shape: Shape, codes: Iterable[str]) -> Batch:
    """The mask of telephone numbers; `shape` is told how many digits a national number has."""
    known = code_table(codes)
    digits, radices = numbers.number_room()
    table = DomainTable(key, shape)

    def loop(batch: Values) -> None:
        numbers.mask_phones(batch, known, digits, radices, table.arrays)

    return Batch(loop, table)


def integers(key: bytes, shape: Shape) -> Batch:
    """The mask of whole numbers; `shape` is told twice the digits, and one more beyond a bound of a type."""
    table = DomainTable(key, shape)

    def loop(batch: Values) -> None:
        numbers.mask_integers(batch, table.arrays)

    return Batch(loop, table)


def uuids(key: bytes, rfc: tuple[bytes, Sequence[int]], other: tuple[bytes, Sequence[int]]) -> Batch:
    """The mask of UUIDs by the shapes of both variants."""
    digits, _ = numbers.number_room()
    table = DomainTable(key, {int(numbers.RFC): rfc, int(numbers.OTHER): other}.__getitem__, wide=True)

    def loop(batch: Values) -> None:
        numbers.mask_uuids(batch, digits, table.arrays)

    return Batch(loop, table)


def permuted_days(key: bytes, shape: Shape) -> Batch:
    """The mask of dates in their years; `shape` is told a year."""
    table = DomainTable(key, shape)

    def loop(batch: Values) -> None:
        days.permute_days(batch, table.arrays)

    return Batch(loop, table)


def shifted_days(pairs: Pairs, key: bytes, one: Callable[[str, int], str]) -> TextBlock:
    """Dates, each moved back by the days that the key gives its subject; `one` moves what the loop leaves."""
    subjects, back = pairs.subjects, np.zeros(len(pairs), np.int64)
    k0, k1 = map(np.uint64, words_of(key))
    days.offsets(np.frombuffer(subjects.block, np.uint8), subjects.zeros, subjects.absent, k0, k1, back)
    batch = values_of(pairs.values.block)
    days.shift_days(batch, back)
    odd = np.flatnonzero((batch.states != DONE) & ~pairs.values.absent).tolist()
    moved = TextBlock(batch.out.tobytes(), pairs.values.absent)
    return moved.replaced(odd, [one(pairs.values.text(i), int(back[i])) for i in odd])
