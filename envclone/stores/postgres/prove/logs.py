"""The server's logs of transactions: numbers in pages, of which each has to be one that such a log can have.

A log is kept in segments of 32 pages (`access/slru.h`), named by their number. Numbers go round after 2^32.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from envclone.stores.postgres.server import control

__all__ = ["SEARCHED", "Counters", "counters", "is_log", "log_of", "origins"]

_LOG = re.compile(
    r"(pg_xact|pg_subtrans|pg_commit_ts|pg_serial|pg_notify|pg_multixact/offsets|pg_multixact/members)/([0-9A-F]{4,15})"
)
SEARCHED = "pg_xact"
"""The log whose bytes can be anything: two bits are the end of a transaction."""
_PAGES = 32
_ALL, _HALF = 1 << 32, 1 << 31
_FIRST = 3
"""The first transaction id that is given (`FirstNormalTransactionId`)."""
_LAST_STATUS = 5
"""The greatest status of a member (`MultiXactStatusUpdate`)."""
_DAY = 86_400_000_000
_ORIGINS = 0x1257DADE


@dataclass(frozen=True, slots=True)
class Counters:
    """What the control file says: the page size, the next transaction, multixact and member, whether ids went round.

    `now` is the time of its last writing, in microseconds since 2000.
    """

    page: int
    transaction: int
    multixact: int
    member: int
    again: bool
    now: int


def counters(data: Path) -> Counters:
    """Read them from a data directory; raises as `control.read` does."""
    found = control.read(data)
    (number,) = struct.unpack_from("<Q", (data / "global" / "pg_control").read_bytes(), 64)
    since = int(found.time.timestamp() * 1_000_000) - 946_684_800_000_000
    return Counters(
        found.block_size, number % _ALL, found.next_multixact, found.next_member, number >= _ALL, since + _DAY
    )


def log_of(within: str, content: Any, known: Counters) -> Any | None:
    """Which bytes of a log's file are its numbers, the others being zero; None when it is no log or cannot be one."""
    match = _LOG.fullmatch(within)
    if match is None or len(content) % known.page:
        return None
    reader = _READERS[match[1]]
    return reader(content.reshape(-1, known.page), int(match[2], 16) * _PAGES, known)


def is_log(within: str) -> bool:
    """Whether a path below the data directory is of such a log."""
    return _LOG.fullmatch(within) is not None


def _ids(pages: Any, first: int, width: int, per_page: int) -> tuple[Any, Any]:
    """Entries of so many bytes, and which number in the log each has; what is behind them on a page is cut off."""
    entries = pages[:, : per_page * width].reshape(len(pages) * per_page, width)
    page = np.repeat(np.arange(len(pages), dtype=np.int64) + first, per_page)
    return entries, page * per_page + np.tile(np.arange(per_page, dtype=np.int64), len(pages))


def _clean(pages: Any, used: int) -> bool:
    return not pages[:, used:].any()


def _mask(pages: Any, width: int, per_page: int, there: Any) -> Any:
    mask = np.zeros(pages.shape, np.bool_)
    mask[:, : per_page * width] = np.repeat(there, width).reshape(len(pages), per_page * width)
    return mask.reshape(-1)


def _statuses(pages: Any, first: int, known: Counters) -> Any | None:
    """Two bits per transaction (`access/transam/clog.c`): none behind the next one."""
    _, number = _ids(pages, first, 1, known.page)
    used = number * 4 < known.transaction
    if known.again:
        used |= number * 4 >= known.transaction + 4 * known.page
    return None if pages.reshape(-1)[~used].any() else used


def _parents(pages: Any, first: int, known: Counters) -> Any | None:
    """The parent of each subtransaction, which is older (`access/transam/subtrans.c`)."""
    per_page = known.page // 4
    entries, number = _ids(pages, first, 4, per_page)
    parent = entries.reshape(-1).view("<u4").astype(np.int64)
    there = parent != 0
    older = (number - parent) % _ALL
    if (there & ((parent < _FIRST) | (older == 0) | (older >= _HALF))).any():
        return None
    return _mask(pages, 4, per_page, there)


def _offsets(pages: Any, first: int, known: Counters) -> Any | None:
    """Where the members of each multixact begin (`access/transam/multixact.c`); the next one's may be there too."""
    per_page = known.page // 4
    entries, number = _ids(pages, first, 4, per_page)
    begins = entries.reshape(-1).view("<u4").astype(np.int64)
    there = begins != 0
    if (there & ((begins > known.member) | (number > known.multixact))).any():
        return None
    return _mask(pages, 4, per_page, there)


def _members(pages: Any, first: int, known: Counters) -> Any | None:
    """Groups of four: a byte of status each, then a transaction each."""
    per_page = known.page // 20
    entries, number = _ids(pages, first, 20, per_page)
    statuses = entries[:, :4]
    whose = np.ascontiguousarray(entries[:, 4:]).reshape(-1).view("<u4").astype(np.int64)
    there = entries.any(axis=1)
    if not _clean(pages, per_page * 20) or (statuses > _LAST_STATUS).any():
        return None
    if (there & (number * 4 >= known.member)).any() or (not known.again and (whose >= known.transaction).any()):
        return None
    return _mask(pages, 20, per_page, there)


def _times(pages: Any, first: int, known: Counters) -> Any | None:
    """When each transaction was committed, and the number of its origin (`access/transam/commit_ts.c`)."""
    per_page = known.page // 10
    entries, number = _ids(pages, first, 10, per_page)
    when = np.ascontiguousarray(entries[:, :8]).reshape(-1).view("<i8")
    there = entries.any(axis=1)
    if not _clean(pages, per_page * 10) or (there & ((when <= 0) | (when > known.now))).any():
        return None
    if not known.again and (there & (number >= known.transaction)).any():
        return None
    return _mask(pages, 10, per_page, there)


def _empty(pages: Any, first: int, known: Counters) -> Any | None:
    """Messages and conflicts of sessions, of which a stopped server has none."""
    return None if pages.any() else np.zeros(pages.size, np.bool_)


_READERS: dict[str, Callable[[Any, int, Counters], Any | None]] = {
    "pg_xact": _statuses,
    "pg_subtrans": _parents,
    "pg_commit_ts": _times,
    "pg_serial": _empty,
    "pg_notify": _empty,
    "pg_multixact/offsets": _offsets,
    "pg_multixact/members": _members,
}


def origins(content: bytes) -> bool:
    """Whether this is how far replication has come: ids, positions and a checksum (`replication/logical/origin.c`)."""
    if len(content) < 8 or len(content) % 16 != 8 or struct.unpack_from("<I", content)[0] != _ORIGINS:
        return False
    (stored,) = struct.unpack_from("<I", content, len(content) - 4)
    return int(stored) == control.crc32c(content[:-4])
