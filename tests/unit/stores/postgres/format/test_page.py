"""Line pointers, the bytes they leave free, and checksums, on pages built by hand."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from envclone.errors import UnsafeError
from envclone.stores.postgres.format import checksum
from envclone.stores.postgres.format.checksum import page_checksums
from envclone.stores.postgres.format.page import live_mask, normal_items
from envclone.stores.postgres.format.visibility import Transactions, dead

NORMAL, REDIRECT, DEAD, UNUSED = 1, 2, 3, 0


def _page(pointers: list[tuple[int, int, int]], *, upper: int, infomask: int = 0x0900) -> npt.NDArray[np.uint8]:
    """A page full of 0xEE whose line pointers are (offset, flags, length)."""
    data = bytearray(b"\xee" * 8192)
    lower = 24 + 4 * len(pointers)
    struct.pack_into("<QHHHHHHI", data, 0, 0, 0, 0, lower, upper, 8192, 8192 | 4, 0)
    for number, (offset, flags, length) in enumerate(pointers):
        struct.pack_into("<I", data, 24 + 4 * number, offset | flags << 15 | length << 17)
        if flags == NORMAL:
            struct.pack_into("<HHB", data, offset + 18, 2, infomask, 24)
    return np.frombuffer(bytes(data), dtype=np.uint8).reshape(1, 8192)


def test_items_keep_their_numbers_and_places() -> None:
    page = _page([(8100, NORMAL, 50), (0, DEAD, 0), (1, REDIRECT, 0), (8000, NORMAL, 61), (0, UNUSED, 0)], upper=7900)
    items = normal_items(page, "file")
    assert (items.number.tolist(), items.offset.tolist(), items.length.tolist()) == ([1, 4], [8100, 8000], [50, 61])


def test_all_that_no_item_holds_is_free() -> None:
    page = _page([(8100, NORMAL, 50), (0, DEAD, 0), (8000, NORMAL, 61)], upper=7900)
    mask = live_mask(page, normal_items(page, "file"), "file")[0]
    expected = np.zeros(8192, dtype=bool)
    expected[: 24 + 12] = True
    expected[8100:8150] = True
    expected[8000:8061] = True
    assert (mask == expected).all()


def test_a_full_page_and_a_new_one() -> None:
    page = _page([(36, NORMAL, 8156)], upper=36)
    mask = live_mask(page, normal_items(page, "file"), "file")
    assert mask[0, :28].all() and not mask[0, 28:36].any() and mask[0, 36:].all()
    new = np.zeros((1, 8192), dtype=np.uint8)
    assert len(normal_items(new, "file")) == 0
    assert not (new * live_mask(new, normal_items(new, "file"), "file")).any()


@pytest.mark.parametrize(
    ("infomask", "gone"),
    [
        (0x0900, False),  # inserted, never deleted
        (0x0500, True),  # deleted for good
        (0x0580, False),  # locked only
        (0x0A00, True),  # its insert failed
        (0x0B00, False),  # frozen
    ],
)
def test_rows_that_nobody_sees(infomask: int, gone: bool) -> None:
    page = _page([(8100, NORMAL, 50)], upper=8000, infomask=infomask)
    nothing = Transactions(Path("/nowhere"), 8192)
    assert dead(page, normal_items(page, "file"), nothing).tolist() == [gone]


@pytest.mark.parametrize(
    ("pointers", "upper"),
    [
        ([(8100, NORMAL, 500)], 8000),  # over the end
        ([(7000, NORMAL, 50)], 8000),  # in the hole
        ([(8100, NORMAL, 3)], 8000),  # shorter than a header
        ([(8100, DEAD, 40)], 8000),  # dead, but with storage
        ([(8100, NORMAL, 50)], 20),  # the boundaries cross
    ],
)
def test_a_page_that_is_not_understood_is_refused(pointers: list[tuple[int, int, int]], upper: int) -> None:
    with pytest.raises(UnsafeError, match=r"page 0 of base/1/2"):
        normal_items(_page(pointers, upper=upper), "base/1/2")


def test_a_new_page_with_something_in_it_is_refused() -> None:
    page = np.zeros((2, 8192), dtype=np.uint8)
    page[1, 5000] = 1
    with pytest.raises(UnsafeError, match="page 1"):
        normal_items(page, "file")


def _reference(page: bytes, block: int) -> int:
    """The algorithm of checksum_impl.h, word by word."""
    from envclone.stores.postgres.format.checksum import _OFFSETS

    sums = [int(value) for value in _OFFSETS]
    words = struct.unpack("<2048I", page[:8] + b"\0\0" + page[10:])

    def mix(j: int, value: int) -> None:
        t = sums[j] ^ value
        sums[j] = (t * 16777619 & 0xFFFFFFFF) ^ (t >> 17)

    for i, word in enumerate(words):
        mix(i % 32, word)
    for _ in range(2):
        for j in range(32):
            mix(j, 0)
    folded = block
    for value in sums:
        folded ^= value
    return folded % 65535 + 1


@pytest.mark.parametrize("compiled", [True, False])
def test_checksums_are_those_of_the_plain_algorithm(compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not compiled:
        monkeypatch.setattr(checksum, "available", lambda: False)
    rng = np.random.default_rng(5)
    pages = rng.integers(0, 256, (7, 8192), dtype=np.uint8)
    blocks = np.array([0, 1, 2, 131071, 131072, 4_000_000_000, 77], dtype=np.uint32)
    expected = [_reference(page.tobytes(), int(block)) for page, block in zip(pages, blocks, strict=True)]
    assert page_checksums(pages, blocks).tolist() == expected
    pages[:, 8:10] = 0  # the field itself does not count
    assert page_checksums(pages, blocks).tolist() == expected
