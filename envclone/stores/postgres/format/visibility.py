"""Which row versions nobody will ever see again, told from the files of a cleanly stopped server."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from envclone.errors import UnsafeError
from envclone.stores.postgres.format.page import Items, Pages

__all__ = ["Transactions", "dead"]

Flags = npt.NDArray[np.bool_]

_XMIN_COMMITTED, _XMIN_INVALID = 0x0100, 0x0200
_XMAX_COMMITTED, _XMAX_INVALID, _XMAX_IS_MULTI = 0x0400, 0x0800, 0x1000
_KEY_SHARE_LOCK, _EXCLUSIVE_LOCK, _LOCK_ONLY = 0x0010, 0x0040, 0x0080
_MOVED = 0xC000
_PAGES_PER_SEGMENT = 32
_COMMITTED = 1
_FIRST_UPDATE = 4
_FIRST_NORMAL = 3


class Transactions:
    """How the transactions of a cleanly stopped server ended; without a server nothing is in progress any more.

    Reads `pg_xact` (two bits per transaction, `src/backend/access/transam/clog.c`) and `pg_multixact` (`multixact.c`:
    an offset of 4 bytes per multixact, members in groups of four with a byte of flags each). `next_multi` and
    `next_offset` are the control file's next multixact and next member.
    """

    def __init__(self, data: Path, page_size: int, next_multi: int = 0, next_offset: int = 0) -> None:
        self._data = data
        self._page = page_size
        self._next = (next_multi, next_offset)
        self._segments: dict[tuple[str, int], npt.NDArray[np.uint8]] = {}

    def committed(self, xids: npt.NDArray[np.int64]) -> Flags:
        """Which of these transactions committed; raises UnsafeError when the log no longer knows one."""
        result = np.zeros(len(xids), dtype=np.bool_)
        normal = xids >= _FIRST_NORMAL
        result[~normal & (xids > 0)] = True  # bootstrap and frozen
        per_segment = _PAGES_PER_SEGMENT * self._page * 4
        for number in np.unique(xids[normal] // per_segment).tolist():
            its = normal & (xids // per_segment == number)
            within = xids[its] % per_segment
            status = self._segment("pg_xact", number)[within // 4] >> (within % 4 * 2).astype(np.uint8) & 3
            result[its] = status == _COMMITTED
        return result

    def updater(self, multi: int) -> int:
        """The transaction that updated or deleted a row, of the members of its multixact; 0 when all only locked."""
        first = self._offset(multi)
        following = multi + 1
        last = self._next[1] if following == self._next[0] else self._offset(following)
        for member in range(first, last):
            group, within = divmod(member, 4)
            per_page = self._page // 20
            place = group // per_page * self._page + group % per_page * 20
            if self._byte("pg_multixact/members", place + within) >= _FIRST_UPDATE:
                return self._word("pg_multixact/members", place + 4 + within * 4)
        return 0

    def _offset(self, multi: int) -> int:
        return self._word("pg_multixact/offsets", multi * 4)

    def _word(self, folder: str, place: int) -> int:
        size = _PAGES_PER_SEGMENT * self._page
        segment, within = self._segment(folder, place // size), place % size
        return int(segment[within : within + 4].view("<u4")[0])

    def _byte(self, folder: str, place: int) -> int:
        size = _PAGES_PER_SEGMENT * self._page
        return int(self._segment(folder, place // size)[place % size])

    def _segment(self, folder: str, number: int) -> npt.NDArray[np.uint8]:
        key = (folder, number)
        if key not in self._segments:
            path = self._data / folder / f"{number:04X}"
            try:
                stored = np.fromfile(path, dtype=np.uint8)
            except FileNotFoundError as exc:
                raise UnsafeError(
                    f"{folder}/{path.name} is not there, though rows need it to be judged",
                    hint="check production with pg_amcheck, and take a new snapshot",
                ) from exc
            # a segment grows page by page: what is not written yet is zero
            full = np.zeros(_PAGES_PER_SEGMENT * self._page, dtype=np.uint8)
            full[: len(stored)] = stored[: len(full)]
            self._segments[key] = full
        return self._segments[key]


def dead(pages: Pages, items: Items, transactions: Transactions) -> Flags:
    """Which items are versions that nobody sees: never committed, or deleted or replaced by a committed transaction.

    The rules are those of `HeapTupleSatisfiesVacuum` (`src/backend/access/heap/heapam_visibility.c`) without running
    transactions. Raises UnsafeError for rows moved by a VACUUM FULL before PostgreSQL 9.0.
    """
    if not len(items):
        return np.zeros(0, dtype=np.bool_)
    mask = _number(pages, items, 20, 2)
    if (mask & _MOVED != 0).any():
        raise UnsafeError(
            "a row was moved by VACUUM FULL before PostgreSQL 9.0, and is not known to be alive",
            hint="run VACUUM FULL on the table in production",
        )
    hinted = mask & (_XMIN_COMMITTED | _XMIN_INVALID)
    never = hinted == _XMIN_INVALID
    unsure = np.flatnonzero(hinted == 0)
    if len(unsure):
        never[unsure] = ~transactions.committed(_number(pages, items, 0, 4)[unsure])
    locked = (mask & _LOCK_ONLY != 0) | (mask & (_XMAX_IS_MULTI | _KEY_SHARE_LOCK | _EXCLUSIVE_LOCK) == _EXCLUSIVE_LOCK)
    xmax = _number(pages, items, 4, 4)
    ended = (mask & _XMAX_INVALID == 0) & ~locked & (xmax != 0) & ~never
    for i in np.flatnonzero(ended & (mask & _XMAX_IS_MULTI != 0)).tolist():
        xmax[i] = transactions.updater(int(xmax[i]))
    known = (mask & _XMAX_COMMITTED != 0) & (mask & _XMAX_IS_MULTI == 0)
    open_ = np.flatnonzero(ended & ~known)
    gone = ended & known
    if len(open_):
        gone[open_] = transactions.committed(xmax[open_])
    result: Flags = never | gone
    return result


def _number(pages: Pages, items: Items, at: int, size: int) -> npt.NDArray[np.int64]:
    flat = np.ascontiguousarray(pages).reshape(-1)
    base = items.page * pages.shape[1] + items.offset + at
    if not (base & (size - 1)).any():  # items are aligned: each number is read at once
        words: npt.NDArray[np.int64] = flat.view(f"<u{size}")[base >> (size >> 1)].astype(np.int64)
        return words
    result = np.zeros(len(items), dtype=np.int64)
    for byte in range(size):
        result |= flat[base + byte].astype(np.int64) << (8 * byte)
    return result
