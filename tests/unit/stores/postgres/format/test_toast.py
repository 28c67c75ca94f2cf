"""Many values of a TOAST table at once, from a file that is written here."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from envclone.errors import UnsafeError
from envclone.stores.postgres.format.segments import Extent
from envclone.stores.postgres.format.toast import Chunks
from envclone.stores.postgres.format.visibility import Transactions

_PAGE = 8192
_FROZEN = 0x0B00


def _page(chunks: list[tuple[int, int, bytes]]) -> bytes:
    page = bytearray(_PAGE)
    upper = _PAGE
    for number, (value, sequence, data) in enumerate(chunks):
        row = struct.pack("<IIIHHHHHBx", 2, 0, 0, 0, 0, number + 1, 3, _FROZEN, 24)
        row += struct.pack("<IiI", value, sequence, (len(data) + 4) << 2) + data
        upper -= len(row) + -len(row) % 8
        page[upper : upper + len(row)] = row
        struct.pack_into("<I", page, 24 + 4 * number, upper | 1 << 15 | len(row) << 17)
    struct.pack_into("<HHHH", page, 12, 24 + 4 * len(chunks), upper, _PAGE, _PAGE | 4)
    return bytes(page)


@pytest.fixture
def chunks(tmp_path: Path) -> Iterator[Chunks]:
    pages = [[(7, 1, b"b" * 500), (9, 0, b"nine")], [(7, 0, b"a" * 1996), (5, 1, b"after a gap")]]
    (tmp_path / "100").write_bytes(_page(pages[0]))
    (tmp_path / "100.1").write_bytes(_page(pages[1]))
    with Chunks(tmp_path / "100", _PAGE, 1) as opened:
        yield opened


def test_values_stand_one_behind_the_other(chunks: Chunks) -> None:
    out = np.zeros(2510, np.uint8)
    starts, ends = chunks.gather(np.array([9, 7, 9]), np.array([4, 2496, 4]), out, 3)
    assert [out[a:b].tobytes() for a, b in zip(starts, ends, strict=True)] == [
        b"nine",
        b"a" * 1996 + b"b" * 500,
        b"nine",
    ]
    assert out[:3].tobytes() == bytes(3)


@pytest.mark.parametrize(("value", "size"), [(7, 2495), (9, 5), (8, 1), (5, 11), (10, 1)])
def test_another_size_a_gap_or_no_chunk_is_refused(chunks: Chunks, value: int, size: int) -> None:
    with pytest.raises(UnsafeError, match=f"TOAST value {value}"):
        chunks.gather(np.array([9, value, 9]), np.array([4, size, 4]), np.zeros(5000, np.uint8), 0)


def test_pages_out_of_the_ordinary_are_read_as_any_page(tmp_path: Path) -> None:
    """The compiled reader and the other one say the same of damaged and ordinary pages, or the first one nothing."""
    rng, read = random.Random(6), [0, 0]
    nobody = Transactions(tmp_path, _PAGE)
    for round_ in range(300):
        page = bytearray(_page([(rng.randrange(9), n, rng.randbytes(rng.randrange(1900))) for n in range(4)]))
        if round_ % 3:
            at = rng.choice([rng.randrange(40), 6000 + rng.randrange(2000), rng.randrange(_PAGE)])
            page[at] ^= 1 << rng.randrange(8)
        (tmp_path / "100").write_bytes(bytes(page) + bytes(_PAGE))
        extent = Extent(tmp_path / "100", 0, 2, 0)
        for transactions in (None, nobody):
            one = Chunks(tmp_path / "none", _PAGE, 1, transactions=transactions)
            fast = one._ordinary(extent, _PAGE)
            read[fast is not None] += 1
            if fast is not None:
                slow = one._others(extent, _PAGE)
                assert [a.tolist() for a in fast] == [b.tolist() for b in slow]
    assert min(read) > 20


def test_chunks_that_nobody_sees_are_left_out(tmp_path: Path) -> None:
    page = bytearray(_page([(7, 0, b"gone"), (8, 0, b"there")]))
    gone = struct.unpack_from("<I", page, 24)[0] & 0x7FFF
    struct.pack_into("<H", page, gone + 20, 0x0A00)
    (tmp_path / "100").write_bytes(bytes(page))
    for transactions, values in ((None, [7, 8]), (Transactions(tmp_path, _PAGE), [8])):
        sizes = Chunks(tmp_path / "100", _PAGE, 1, transactions=transactions).sizes(1996)
        assert sizes["id"].tolist() == values


@pytest.mark.parametrize("many", [3, 100])
def test_rows_that_do_not_say_how_their_transaction_ended_are_told_by_the_log(tmp_path: Path, many: int) -> None:
    """The compiled reader asks for each transaction once, up to some; both readers leave out what never committed."""
    log = np.zeros(64, np.uint8)
    page = bytearray(_page([(value, 0, b"x") for value in range(many)]))
    for number in range(many):
        row = struct.unpack_from("<I", page, 24 + 4 * number)[0] & 0x7FFF
        began = number % 3 if many == 3 else 3 + number  # 0 has never been one
        struct.pack_into("<I", page, row, began if began != 1 else 10)
        struct.pack_into("<H", page, row + 20, 0x0800)
    log[10 // 4] |= 1 << 10 % 4 * 2
    (tmp_path / "pg_xact").mkdir()
    log.tofile(tmp_path / "pg_xact" / "0000")
    (tmp_path / "100").write_bytes(bytes(page))
    extent = Extent(tmp_path / "100", 0, 1, 0)
    one = Chunks(tmp_path / "none", _PAGE, 1, transactions=Transactions(tmp_path, _PAGE))
    fast, slow = one._ordinary(extent, _PAGE), one._others(extent, _PAGE)
    assert [a.tolist() for a in fast or slow] == [b.tolist() for b in slow]
    assert (fast is not None) == (many == 3)
    assert slow[0].tolist() == ([1, 2] if many == 3 else [7])
