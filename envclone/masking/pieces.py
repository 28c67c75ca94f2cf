"""Pieces of a packed text replaced kind by kind; only where loops are compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from envclone.masking.kernels import pieces as kernels
from envclone.packed import TextBlock

__all__ = ["replaced"]

_FOLLOWS, _MARK = 0xC0, 0x80


def replaced(
    data: bytes,
    starts: Any,
    stops: Any,
    numbers: Any,
    kinds: Sequence[str],
    fresh: Callable[[str, TextBlock], TextBlock],
) -> bytes:
    """UTF-8 with some pieces of it, in order and apart, replaced by what `fresh` makes of those of a kind.

    Places count characters. No piece holds a zero.
    """
    if not len(starts):
        return data
    block = np.frombuffer(data, np.uint8)
    if not data.isascii():
        begins = np.append(np.flatnonzero((block & _FOLLOWS) != _MARK), len(block))
        starts, stops = begins[starts], begins[stops]
    firsts, lasts = np.zeros(len(starts), np.int64), np.zeros(len(starts), np.int64)
    parts: list[bytes] = []
    size = 0
    for number in np.unique(numbers).tolist():
        chosen = np.flatnonzero(numbers == number)
        made = fresh(kinds[number], _taken(block, starts[chosen], stops[chosen]))
        firsts[chosen], lasts[chosen] = made.zeros[:-1] + 1 + size, made.zeros[1:] + size
        parts.append(made.block)
        size += len(made.block)
    out = np.empty(len(block) + size, np.uint8)
    written = int(kernels.splice(block, starts, stops, np.frombuffer(b"".join(parts), np.uint8), firsts, lasts, out))
    if written < 0:
        raise ValueError("pieces overlap")
    return out[:written].tobytes()


def _taken(block: Any, starts: Any, stops: Any) -> TextBlock:
    out = np.empty(int((stops - starts).sum()) + len(starts), np.uint8)
    size = int(kernels.take(block, starts, stops, out))
    return TextBlock(out[: max(0, size)].tobytes(), np.zeros(len(starts), np.bool_))
