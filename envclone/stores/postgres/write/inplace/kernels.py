"""Texts taken out of pages and put back, compiled: a value of its old length is overwritten where it stands.

Every offset is checked before it is read or written: pages are whatever production holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean

__all__ = ["LEFT", "SAME", "WRITTEN", "overwrite", "take_out", "warm"]

SAME, WRITTEN, LEFT = 0, 1, 2
"""What became of a value: its pseudonym is itself, it is overwritten, or it has another length."""
_FOLLOWS, _MARK = 0xC0, 0x80


@lean
def take_out(flat: Any, starts: Any, stops: Any, block: Any) -> Any:
    """Copy values into `block` with a zero between two; returns how many bytes that are, -1 when it has no room."""
    at = np.int64(0)
    for i in range(min(starts.shape[0], stops.shape[0])):
        start, stop = np.int64(starts[i]), np.int64(stops[i])
        if start < 0 or stop < start or stop > flat.shape[0] or at + stop - start + 1 > block.shape[0]:
            return np.int64(-1)
        if i:
            block[at] = 0
            at += 1
        for k in range(start, stop):
            block[at] = flat[k]
            at += 1
    return at


@lean
def overwrite(flat: Any, starts: Any, stops: Any, block: Any, limited: Any, found: Any) -> Any:
    """Overwrite values by those in `block`, which have a zero between two, and note in `found` what became of each.

    With `limited` a value is left that has another number of characters, or a form of its own that is not asked for
    here. Returns how many values the block has.
    """
    count = min(starts.shape[0], stops.shape[0], found.shape[0])
    first = np.int64(0)
    number = 0
    while first <= block.shape[0]:
        last = first
        while last < block.shape[0] and block[last] != 0:
            last += 1
        if number >= count:
            return number + 1
        start, stop = np.int64(starts[number]), np.int64(stops[number])
        if start < 0 or stop - start != last - first or stop > flat.shape[0]:
            found[number] = LEFT
        else:
            more, differs = 0, False
            for k in range(stop - start):
                old, new = flat[start + k], block[first + k]
                differs = differs or old != new
                more += (np.int64(new) & _FOLLOWS != _MARK) - 0
                more -= (np.int64(old) & _FOLLOWS != _MARK) - 0
            if not differs:
                found[number] = SAME
            elif limited and more != 0:
                found[number] = LEFT
            else:
                found[number] = WRITTEN
                for k in range(stop - start):
                    flat[start + k] = block[first + k]
        number += 1
        first = last + 1
    return number


def warm() -> None:
    """Run the kernels once."""
    page, starts, stops = np.zeros(8, np.uint8), np.zeros(1, np.int64), np.full(1, 2, np.int64)
    block = np.zeros(4, np.uint8)
    take_out(page, starts, stops, block)
    given = np.full(2, 65, np.uint8)
    given.flags.writeable = False
    overwrite(page, starts, stops, given, True, np.zeros(1, np.uint8))
