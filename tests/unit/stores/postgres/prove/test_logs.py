"""Numbers in logs of transactions: what such a log can have is structure, and a text is not."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from envclone.stores.postgres.prove import logs
from envclone.stores.postgres.server.control import crc32c

KNOWN = logs.Counters(page=8192, transaction=3000, multixact=20, member=50, again=False, now=10**15)


def _page(at: int, content: bytes) -> np.ndarray:
    page = np.zeros(8192, np.uint8)
    page[at : at + len(content)] = np.frombuffer(content, np.uint8)
    return page


@pytest.mark.parametrize(
    ("path", "at", "content"),
    [
        ("pg_xact/0000", 0, b"\x55" * 750),
        ("pg_subtrans/0000", 4 * 900, struct.pack("<I", 899)),
        ("pg_multixact/offsets/0000", 4, struct.pack("<III", 1, 3, 50)),
        ("pg_multixact/members/0000", 0, bytes([0, 5, 1, 0]) + struct.pack("<IIII", 0, 700, 800, 0)),
        ("pg_commit_ts/0000", 10 * 700, struct.pack("<qH", 8 * 10**14, 1)),
        ("pg_notify/0000", 0, b""),
    ],
)
def test_what_a_log_can_have_is_its_own(path: str, at: int, content: bytes) -> None:
    page = _page(at, content)
    claimed = logs.log_of(path, page, KNOWN)
    assert claimed is not None and not page[~claimed].any()
    assert claimed.sum() <= 1000


@pytest.mark.parametrize(
    ("path", "at"),
    [
        ("pg_xact/0000", 751),
        ("pg_subtrans/0000", 3600),
        ("pg_multixact/offsets/0000", 8),
        ("pg_multixact/members/0000", 0),
        ("pg_multixact/members/0000", 8185),
        ("pg_commit_ts/0000", 7000),
        ("pg_notify/0000", 100),
        ("pg_serial/0000", 100),
    ],
)
def test_a_text_is_not(path: str, at: int) -> None:
    assert logs.log_of(path, _page(at, b"Wolfhard Quenzelmann"[: 8192 - at]), KNOWN) is None


def test_ids_that_went_round_and_half_a_page() -> None:
    assert logs.log_of("pg_xact/0000", _page(8000, b"\x55"), KNOWN) is None
    again = logs.Counters(8192, 3000, 20, 50, True, 10**15)
    assert logs.log_of("pg_xact/0400", _page(8000, b"\x55"), again) is not None
    assert logs.log_of("pg_xact/0000", np.zeros(100, np.uint8), KNOWN) is None
    assert logs.log_of("base/1/1259", np.zeros(8192, np.uint8), KNOWN) is None


def test_how_far_replication_has_come() -> None:
    content = struct.pack("<I", 0x1257DADE) + struct.pack("<HxxxxxxQ", 1, 99)
    assert logs.origins(content + struct.pack("<I", crc32c(content)))
    assert not logs.origins(content + b"\0\0\0\0")
    assert not logs.origins(b"Wolfhard")
