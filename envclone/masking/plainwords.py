"""The words of a corpus in ASCII, through the compiled loops: most of what a lexicon is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from envclone.distinct import Distinct
from envclone.packed import Packed
from envclone.shelf import Sorter

__all__ = ["plain_numbers", "plain_words"]

_AT_ONCE = 1 << 16
"""Names that are looked at together."""


def plain_words(block: Any, bounds: Any, pairs: Sorter) -> tuple[Distinct, Iterator[str]]:
    """Of names one behind the other: their words, and the names that Python has to read.

    `pairs` is given the numbers of their pairs. Only where loops are compiled.
    """
    from envclone.masking.kernels import lexicon as kernels

    held = Distinct()
    odd = np.zeros(len(bounds) - 1, np.bool_)
    room = np.zeros((2, kernels.MOST), np.int64)
    for first in range(0, len(bounds) - 1, _AT_ONCE):
        last = min(first + _AT_ONCE, len(bounds) - 1)
        size = int(bounds[last]) - int(bounds[first])
        out, places = np.zeros(size, np.uint8), np.zeros((2, size + 1), np.int64)
        # a name of n words has n letters or more, and n + 3 pairs
        fresh, counts = np.zeros(size + 3 * (last - first) + 3, np.int64), np.zeros(2, np.int64)
        its = bounds[first : last + 1].astype(np.int64)
        done = kernels.words(
            block, its, 0, last - first, room, out, places[0], places[1], fresh, odd[first:last], counts
        )
        if done < 0:
            raise ValueError("the room for words is too small")
        count = int(counts[0])
        held.take(Packed(out, places[0, :count], places[1, :count], np.ones(count, np.bool_)))
        pairs.add(fresh[: int(counts[1])])
    return held, _texts(block, bounds, odd)


def plain_numbers(block: Any, bounds: Any, numbers: Sorter) -> Iterator[str]:
    """Of telephone numbers those that Python has to read; `numbers` is given the numbers of national ones."""
    from envclone.masking.kernels import lexicon as kernels

    odd = np.ones(len(bounds) - 1, np.bool_)
    for first in range(0, len(odd), _AT_ONCE):
        its = bounds[first : first + _AT_ONCE + 1].astype(np.int64)
        found = np.zeros(len(its) - 1, np.int64)
        kernels.numbers(block, its, found, odd[first : first + _AT_ONCE])
        numbers.add(found[~odd[first : first + _AT_ONCE]])
    return _texts(block, bounds, odd)


def _texts(block: Any, bounds: Any, chosen: Any) -> Iterator[str]:
    for number in np.flatnonzero(chosen).tolist():
        yield bytes(block[int(bounds[number]) : int(bounds[number + 1])]).decode("utf-8", "surrogatepass")
