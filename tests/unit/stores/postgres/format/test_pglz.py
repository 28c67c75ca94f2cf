"""The decompressor on streams written by hand; `tests/integration/postgres/test_pages.py` has the server's own."""

from __future__ import annotations

import pytest

from envclone.errors import UnsafeError
from envclone.stores.postgres.format.pglz import decompress


def test_literals_only() -> None:
    assert decompress(b"\x00abcdefgh\x00ij", 10) == b"abcdefghij"


def test_a_match_copies_from_before() -> None:
    # three literals, then 3 bytes from 3 back
    assert decompress(b"\x08abc\x00\x03", 6) == b"abcabc"


def test_a_match_may_reach_into_what_it_writes() -> None:
    # one literal, then 10 bytes from 1 back
    assert decompress(b"\x02a\x07\x01", 11) == b"a" * 11


def test_a_long_match_has_a_third_byte() -> None:
    # one literal, then 18 + 200 bytes from 1 back
    assert decompress(b"\x02a\x0f\x01\xc8", 219) == b"a" * 219


def test_an_offset_takes_twelve_bits() -> None:
    first = bytes(range(256)) * 2
    stream = b"".join(b"\x00" + first[i : i + 8] for i in range(0, 512, 8)) + b"\x01\x10\x44"
    # offset 0x144 = 324, length 3
    assert decompress(stream, 515) == first + first[512 - 324 : 512 - 321]


def test_a_match_that_overshoots_is_cut_at_the_raw_size() -> None:
    assert decompress(b"\x02a\x07\x01", 5) == b"aaaaa"


@pytest.mark.parametrize(
    ("stream", "size"),
    [
        (b"\x00abc", 10),  # too short
        (b"\x01\x00\x05", 3),  # reaches before the beginning
        (b"\x02a\x00\x00", 4),  # an offset of nothing
        (b"\x02a\x0f\x01", 30),  # the third byte is missing
        (b"\x02a\x07", 5),  # half a match
        (b"", 1),
    ],
)
def test_damage_is_an_error(stream: bytes, size: int) -> None:
    with pytest.raises(UnsafeError, match="pglz"):
        decompress(stream, size)
