"""Heap pages in bulk: their line pointers, and the bytes that belong to none of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from envclone.compiled import available
from envclone.errors import UnsafeError

__all__ = [
    "HEADER",
    "NORMAL",
    "Items",
    "Pages",
    "dead_pointers",
    "headers",
    "live_mask",
    "normal_items",
    "outer",
    "owned_by_pages",
]

Pages = npt.NDArray[np.uint8]
"""Pages as an array of the shape (pages, page size in bytes)."""

HEADER = 24
"""Bytes of a page's header; line pointers of 4 bytes follow it (`src/include/storage/bufpage.h`)."""
NORMAL = 1
"""The line pointer's flag for an item with storage (`src/include/storage/itemid.h`)."""
_DEAD = 3

_TUPLE_HEADER = 23


@dataclass(frozen=True, slots=True)
class Items:
    """Items with storage: page (index into the array), line pointer number (from 1), offset and length in bytes."""

    page: npt.NDArray[np.int64]
    number: npt.NDArray[np.int64]
    offset: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.page)

    def only(self, chosen: npt.NDArray[np.bool_]) -> Items:
        """Those that are chosen."""
        return Items(self.page[chosen], self.number[chosen], self.offset[chosen], self.length[chosen])


@dataclass(frozen=True, slots=True)
class Headers:
    """`pd_lower`, `pd_upper` and `pd_special` of each page; a page never used has zero in all of them."""

    lower: npt.NDArray[np.int64]
    upper: npt.NDArray[np.int64]
    special: npt.NDArray[np.int64]


def headers(pages: Pages, place: str) -> Headers:
    """The pages' boundaries; raises UnsafeError when a page is not a heap page, for then nothing is known of it."""
    words = pages[:, 12:18].copy().view("<u2").astype(np.int64)
    lower, upper, special = words[:, 0], words[:, 1], words[:, 2]
    size = pages.shape[1]
    new = upper == 0
    if new.any() and pages[new].any():
        raise _broken(place, int(np.flatnonzero(new & pages.any(axis=1))[0]))
    good = (lower >= HEADER) & (lower <= upper) & (upper <= special) & (special <= size) | new
    if not good.all():
        raise _broken(place, int(np.flatnonzero(~good)[0]))
    return Headers(lower, upper, special)


def normal_items(pages: Pages, place: str) -> Items:
    """Every item with storage, in the order of pages and line pointers; `place` names the file in an error."""
    head = headers(pages, place)
    count = np.maximum(head.lower - HEADER, 0) // 4
    most = int(count.max(initial=0))
    pointers = pages[:, HEADER : HEADER + 4 * most].copy().view("<u4")
    there = np.arange(most) < count[:, None]
    normal = (pointers >> 15) & 3 == NORMAL
    odd = there & ~normal & (pointers >> 17 != 0)  # in a heap only a normal line pointer has storage
    if odd.any():
        raise _broken(place, int(np.flatnonzero(odd.any(axis=1))[0]))
    page, index = np.nonzero(there & normal)
    found = pointers[page, index].astype(np.int64)
    offset, length = found & 0x7FFF, found >> 17
    wrong = (offset < head.upper[page]) | (offset + length > head.special[page]) | (length < _TUPLE_HEADER)
    if wrong.any():
        raise _broken(place, int(page[wrong][0]))
    return Items(page, index + 1, offset, length)


def outer(
    shape: tuple[int, int], lower: npt.NDArray[np.int64], special: npt.NDArray[np.int64], chosen: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """True for each byte of the chosen pages' headers, line pointers and special spaces."""
    made = np.zeros(shape, np.bool_)
    for page in np.flatnonzero(chosen).tolist():
        made[page, : lower[page]] = True
        made[page, special[page] :] = True
    return made


def dead_pointers(pages: Pages) -> int:
    """How many line pointers are dead: a row version was pruned, and indexes still point at its place."""
    lower = pages[:, 12:14].copy().view("<u2")[:, 0].astype(np.int64)
    count = np.maximum(lower - HEADER, 0) // 4
    most = int(count.max(initial=0))
    pointers = pages[:, HEADER : HEADER + 4 * most].copy().view("<u4")
    there = np.arange(most) < count[:, None]
    return int((there & ((pointers >> 15) & 3 == _DEAD)).sum())


def live_mask(pages: Pages, items: Items, place: str) -> npt.NDArray[np.bool_]:
    """True for each byte that the page's header, line pointers, items or special space hold.

    What is False is the hole between `pd_lower` and `pd_upper`, the gaps and the padding between items,
    and the bodies of items whose line pointer is dead or unused.
    """
    size = pages.shape[1]
    owned = owned_by_pages(pages, place)
    starts = items.page * size + items.offset
    _mark(owned, starts, starts + items.length)
    return owned.view(np.bool_).reshape(-1, size)


def owned_by_pages(pages: Pages, place: str) -> npt.NDArray[np.uint8]:
    """One for each byte of the pages' headers, line pointers and special space, zero for all others; as one row."""
    count, size = pages.shape
    head = headers(pages, place)
    owned = np.zeros(count * size, np.uint8)
    starts = (np.arange(count) * size)[head.upper != 0]
    _mark(owned, starts, starts + head.lower[head.upper != 0])
    _mark(owned, starts + head.special[head.upper != 0], starts + size)
    return owned


def _mark(owned: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> None:
    if not available():
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            owned[start:end] = 1
        return
    from envclone.stores.postgres.format import spans  # late: it waits for the compiler

    wrong = spans.mark(owned, starts, ends)
    assert wrong < 0  # line pointers were checked


def _broken(place: str, page: int) -> UnsafeError:
    return UnsafeError(
        f"page {page} of {place} is not a heap page that envclone can read",
        hint="check production with pg_amcheck or pg_checksums, and take a new snapshot",
    )
