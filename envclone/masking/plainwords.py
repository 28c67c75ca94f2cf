"""The words of a corpus in ASCII, through the compiled loops: most of what a lexicon is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from envclone.distinct import Distinct
from envclone.packed import Packed

__all__ = ["plain_numbers", "plain_words"]

_AT_ONCE = 1 << 16
"""Names that are looked at together."""


def plain_words(block: Any, bounds: Any) -> tuple[Distinct, Any, Iterator[str]]:
    """Of names one behind the other: their words, the numbers of their pairs, and the names that Python has to read.

    Only where loops are compiled.
    """
    from envclone.masking.kernels import lexicon as kernels

    held = Distinct()
    pairs = [np.zeros(0, np.int64)]
    odd = np.zeros(len(bounds) - 1, np.bool_)
    room = np.zeros((2, kernels.MOST), np.int64)
    for first in range(0, len(bounds) - 1, _AT_ONCE):
        last = min(first + _AT_ONCE, len(bounds) - 1)
        size = int(bounds[last] - bounds[first])
        out, places = np.zeros(size, np.uint8), np.zeros((2, size + 1), np.int64)
        # a name of n words has n letters or more, and n + 3 pairs
        fresh, counts = np.zeros(size + 3 * (last - first) + 3, np.int64), np.zeros(2, np.int64)
        done = kernels.words(
            block, bounds, first, last, room, out, places[0], places[1], fresh, odd[first:last], counts
        )
        if done < 0:
            raise ValueError("the room for words is too small")
        count = int(counts[0])
        held.take(Packed(out, places[0, :count], places[1, :count], np.ones(count, np.bool_)))
        pairs.append(fresh[: int(counts[1])].copy())
    return held, np.concatenate(pairs), _texts(block, bounds, odd)


def plain_numbers(block: Any, bounds: Any) -> tuple[Any, Iterator[str]]:
    """Of telephone numbers: the numbers of national ones, and those that Python has to read."""
    from envclone.masking.kernels import lexicon as kernels

    found, odd = np.zeros(len(bounds) - 1, np.int64), np.ones(len(bounds) - 1, np.bool_)
    kernels.numbers(block, bounds, found, odd)
    return found[~odd], _texts(block, bounds, odd)


def _texts(block: Any, bounds: Any, chosen: Any) -> Iterator[str]:
    for number in np.flatnonzero(chosen).tolist():
        yield bytes(block[bounds[number] : bounds[number + 1]]).decode("utf-8", "surrogatepass")
