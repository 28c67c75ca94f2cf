"""Sparse files: the pages and chunks of the engine are made at their full size, and are holes at first."""

from __future__ import annotations

import os
from collections.abc import Iterator

__all__ = ["CHUNK", "filled"]

CHUNK = 2**20


def filled(descriptor: int, size: int, chunk: int = CHUNK) -> Iterator[int]:
    """Offsets, multiples of `chunk`, behind which a file holds data; what else it has is zero and need not be read."""
    offset = 0
    while offset < size:
        try:
            data = os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError:
            return
        offset = max(offset, data // chunk * chunk)
        if offset < size:
            yield offset
        offset += chunk
