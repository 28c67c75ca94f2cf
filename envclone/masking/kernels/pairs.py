"""The pairs of known words that stand side by side in texts, compiled: what `judge` may ask about, all of it before."""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean
from envclone.masking.kernels import texts
from envclone.masking.kernels.texts import BASIS, KNOWN, PRIME, SPACE, folded, mixed

__all__ = ["beside", "warm"]

_1 = np.uint64(1)


@lean
def beside(codes: Any, fold: Any, found: Any, out: Any) -> Any:
    """The numbers of the pairs of known words, each and the one behind it, of texts that `look` has seen; returns how
    many there are, as far as there is room."""
    count = min(np.int64(found.counts[0]), found.starts.shape[0], found.ends.shape[0], found.told.shape[0])
    size = 0
    for i in range(1, count):
        if np.int64(found.told[i - 1]) & KNOWN == 0 or np.int64(found.told[i]) & KNOWN == 0:
            continue
        start, end = np.int64(found.starts[i - 1]), np.int64(found.ends[i - 1])
        begin, stop = np.int64(found.starts[i]), np.int64(found.ends[i])
        if not 0 <= start <= end <= begin <= stop <= codes.shape[0] or size >= out.shape[0]:
            continue
        h = (folded(BASIS, codes, start, end, fold) ^ SPACE) * PRIME
        out[size] = np.int64(mixed(folded(h, codes, begin, stop, fold)) >> _1)
        size += 1
    return size


def warm() -> None:
    """Run every kernel of this room once."""
    for codes in (np.frombuffer(b"ab", np.uint8), np.frombuffer(b"a\0\0\0b\0\0\0", np.uint32)):
        beside(codes, np.zeros(128, np.uint32), texts.room_for(2), np.zeros(4, np.int64))
