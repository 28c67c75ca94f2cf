"""Giving memory back to the system between two large steps."""

from __future__ import annotations

import ctypes
import gc

__all__ = ["give_back", "keep"]


def give_back() -> None:
    """Return what is free; where the C library is not glibc there is nothing to do.

    glibc keeps freed blocks of up to 32 MB for itself (`mallopt(3)`, M_MMAP_THRESHOLD): after a step that made large
    arrays, the next one would come on top of them.
    """
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        return


def keep() -> None:
    """Take all that is loaded now as what stays: later collections do not look through a million objects of libraries,
    nor copy their pages in a copy of the process.
    """
    gc.freeze()
