"""The checksum of data pages, compiled; `checksum` says what it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import frozen, kernel

__all__ = ["checksums", "warm"]

_U = np.uint32
_PRIME, _17, _LOW, _MOST, _ONE = _U(16777619), _U(17), _U(0xFFFF0000), _U(65535), _U(1)
_SUMS = 32


@kernel
def checksums(words: Any, blocks: Any, offsets: Any, out: Any) -> Any:
    """The checksums of pages as rows of 32-bit words; -1 when all went well, else a shape does not fit.

    `offsets` has 32 words; `out` and `blocks` have one for each page. The checksum's own field counts as zero.
    """
    count, size = words.shape
    if size % _SUMS or offsets.shape[0] != _SUMS or blocks.shape[0] != count or out.shape[0] != count:
        return 0
    sums = np.empty(_SUMS, np.uint32)
    for page in range(count):
        sums[:] = offsets
        for row in range(size // _SUMS):
            for j in range(_SUMS):
                word = words[page, row * _SUMS + j]
                if row == 0 and j == 2:
                    word &= _LOW
                mixed = sums[j] ^ word
                sums[j] = _U(mixed * _PRIME) ^ (mixed >> _17)
        for _ in range(2):
            for j in range(_SUMS):
                mixed = sums[j]
                sums[j] = _U(mixed * _PRIME) ^ (mixed >> _17)
        folded = _U(0)
        for j in range(_SUMS):
            folded ^= sums[j]
        folded ^= blocks[page]
        out[page] = np.uint16(folded % _MOST + _ONE)
    return -1


def warm() -> None:
    """Run the kernel once."""
    checksums(
        frozen(np.zeros((1, 64), np.uint32)), np.zeros(1, np.uint32), np.zeros(32, np.uint32), np.zeros(1, np.uint16)
    )
