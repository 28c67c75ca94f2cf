"""Batches of numbers through the compiled loops: telephone numbers, whole numbers, UUIDs, dates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from envclone.masking.domains import DomainTable, run, through
from envclone.masking.kernels import days, numbers
from envclone.masking.kernels.shapes import Values

__all__ = ["code_table", "integers", "permuted_days", "phones", "shifted_days", "uuids"]

Batch = Callable[[Sequence[str], Callable[[str], str]], list[str]]
"""The pseudonyms of a batch; the function given is the mask in Python, for what the loop leaves."""
Shape = Callable[[int], tuple[bytes, Sequence[int]]]
_AT_ONCE = 1 << 13


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

    return lambda values, one: run(values, loop, table, one)


def integers(key: bytes, shape: Shape) -> Batch:
    """The mask of whole numbers; `shape` is told twice the digits, and one more beyond a bound of a type."""
    table = DomainTable(key, shape)

    def loop(batch: Values) -> None:
        numbers.mask_integers(batch, table.arrays)

    return lambda values, one: run(values, loop, table, one)


def uuids(key: bytes, rfc: tuple[bytes, Sequence[int]], other: tuple[bytes, Sequence[int]]) -> Batch:
    """The mask of UUIDs by the shapes of both variants."""
    digits, _ = numbers.number_room()
    table = DomainTable(key, {int(numbers.RFC): rfc, int(numbers.OTHER): other}.__getitem__, wide=True)

    def loop(batch: Values) -> None:
        numbers.mask_uuids(batch, digits, table.arrays)

    return lambda values, one: run(values, loop, table, one)


def permuted_days(key: bytes, shape: Shape) -> Batch:
    """The mask of dates in their years; `shape` is told a year."""
    table = DomainTable(key, shape)

    def loop(batch: Values) -> None:
        days.permute_days(batch, table.arrays)

    return lambda values, one: run(values, loop, table, one)


def shifted_days(values: Sequence[str], back: Sequence[int], one: Callable[[str, int], str]) -> list[str]:
    """Dates, each moved back by its number of days."""
    out: list[str] = []
    for start in range(0, len(values), _AT_ONCE):
        some, by = values[start : start + _AT_ONCE], back[start : start + _AT_ONCE]
        numbers_of_days = np.array(by, np.int64)
        moved, odd = through(some, lambda batch, by=numbers_of_days: days.shift_days(batch, by), None)  # type: ignore[misc]
        for i in odd:
            moved[i] = one(some[i], by[i])
        out += moved
    return out
