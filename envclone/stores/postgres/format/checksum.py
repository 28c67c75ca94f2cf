"""Checksums of data pages, many pages at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from envclone.compiled import available, frozen

__all__ = ["page_checksums"]

Pages = npt.NDArray[np.uint8]

_SUMS = 32
_PRIME = np.uint32(16777619)
_OFFSETS = np.array(
    [
        0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
        0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
        0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
        0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756,
    ],
    dtype=np.uint32,
)  # fmt: skip
_CHECKSUM_FIELD = slice(8, 10)


def page_checksums(pages: Pages, blocks: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint16]:
    """The checksum that each page ought to carry in bytes 8 and 9.

    `pages` has the shape (pages, page size in bytes); `blocks` holds each page's block number in its relation's fork,
    counted over all segments. The algorithm is PostgreSQL's `src/include/storage/checksum_impl.h`: 32 FNV-1a hashes
    side by side over the page with its checksum field zeroed, two rounds of zeroes, folded, the block number mixed in.
    """
    count, size = pages.shape
    if available():
        from envclone.stores.postgres.format import kernels

        out = np.zeros(count, np.uint16)
        words = np.require(pages, requirements=("C", "A")).view("<u4")
        if kernels.checksums(frozen(words), blocks.astype(np.uint32), _OFFSETS, out) < 0:
            return out
    clean = pages.copy()
    clean[:, _CHECKSUM_FIELD] = 0
    # one contiguous row per round: the hot loop then runs over (32 hashes × pages) at once
    words = np.ascontiguousarray(clean.view("<u4").reshape(count, size // (4 * _SUMS), _SUMS).transpose(1, 2, 0))
    sums = np.repeat(_OFFSETS[:, None], count, axis=1)
    for row in words:
        _mix(sums, row)
    for _ in range(2):
        _mix(sums, None)
    folded = np.bitwise_xor.reduce(sums, axis=0) ^ blocks.astype(np.uint32)
    result: npt.NDArray[np.uint16] = (folded % np.uint32(65535) + np.uint32(1)).astype(np.uint16)
    return result


def _mix(sums: npt.NDArray[np.uint32], row: npt.NDArray[np.uint32] | None) -> None:
    if row is not None:
        np.bitwise_xor(sums, row, out=sums)
    high = sums >> np.uint32(17)
    np.multiply(sums, _PRIME, out=sums)
    np.bitwise_xor(sums, high, out=sums)
