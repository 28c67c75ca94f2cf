"""Which pages hold anything outside of what is theirs, compiled: most hold nothing, and are left alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import frozen, lean

__all__ = ["soiled", "warm"]

_u = np.uint8


@lean
def soiled(
    flat: Any, size: Any, lower: Any, special: Any, page: Any, offset: Any, length: Any, owned: Any, dirty: Any
) -> Any:
    """Set `dirty` for each page of `size` bytes with a byte that is not zero and belongs to nobody.

    Line pointers up to `lower` and what is from `special` on are the page's; items (by `page`, ascending, with offset
    and length in it) are somebody's. `owned` has room for a page. Returns -1, or the number of an item that leaves its
    page; -2 when a page's own bounds do.
    """
    at = np.int64(0)
    for number in range(min(lower.shape[0], dirty.shape[0])):
        low, high = lower[number], special[number]
        if low < 0 or high < low or high > size or (number + 1) * size > flat.shape[0] or size > owned.shape[0]:
            return -2
        its, bytes_ = owned[:size], flat[number * size : (number + 1) * size]
        its[:] = _u(1)
        its[:low] = _u(0)
        its[high:] = _u(0)
        while at < page.shape[0] and page[at] == number:
            start, end = offset[at], offset[at] + length[at]
            if start < 0 or end < start or end > size:
                return at
            its[start:end] = _u(0)
            at += 1
        found = _u(0)
        for k in range(its.shape[0]):
            found |= its[k] & _u(bytes_[k] != _u(0))
        dirty[number] = found != 0
    return -1


def warm() -> None:
    """Run the kernel once."""
    one = np.zeros(1, np.int64)
    flat, owned, dirty = frozen(np.zeros(64, np.uint8)), np.zeros(64, np.uint8), np.zeros(1, np.bool_)
    soiled(flat, 64, one + 24, one + 64, one, one + 32, one + 32, owned, dirty)
