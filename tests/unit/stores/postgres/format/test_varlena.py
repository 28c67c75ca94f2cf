"""Values of variable length in each of their forms."""

from __future__ import annotations

import struct

import lz4.block
import pytest

from envclone.errors import UnsafeError
from envclone.stores.postgres.format.varlena import Form, expand, parse, pointer


def test_a_short_value() -> None:
    value = parse(b"\0\0" + bytes([(4 << 1) | 1]) + b"abc", 2)
    assert (value.form, value.start, value.length, value.end) == (Form.SHORT, 3, 3, 6)


def test_a_long_value() -> None:
    value = parse(struct.pack("<I", 204 << 2) + b"x" * 200, 0)
    assert (value.form, value.start, value.length, value.end) == (Form.LONG, 4, 200, 204)


def test_a_pointer() -> None:
    data = b"\x01\x12" + struct.pack("<iIII", 10_004, 700 | 1 << 30, 4242, 16400)
    value = parse(data, 0)
    assert (value.form, value.end) == (Form.EXTERNAL, 18)
    found = pointer(data[value.start :])
    assert (found.raw_size, found.stored_size, found.method, found.value, found.table) == (10_000, 700, 1, 4242, 16400)
    assert found.compressed
    assert not pointer(struct.pack("<iIII", 10_004, 10_000, 1, 1)).compressed


@pytest.mark.parametrize("method", [0, 1])
def test_a_compressed_value(method: int) -> None:
    text = b"a" * 219
    stream = [b"\x02a\x0f\x01\xc8", lz4.block.compress(text, store_size=False)][method]
    data = struct.pack("<II", (8 + len(stream)) << 2 | 2, len(text) | method << 30) + stream
    value = parse(data, 0)
    assert value.form is Form.COMPRESSED
    assert expand(data[value.start : value.end]) == text


def test_damage_is_an_error() -> None:
    with pytest.raises(UnsafeError, match="over the end"):
        parse(struct.pack("<I", 204 << 2) + b"x" * 10, 0)
    with pytest.raises(UnsafeError, match="TOAST tag 9"):
        parse(b"\x01\x09" + b"\0" * 16, 0)
    with pytest.raises(UnsafeError, match="method 3"):
        expand(struct.pack("<I", 5 | 3 << 30) + b"abc")
    with pytest.raises(UnsafeError, match="lz4"):
        expand(struct.pack("<I", 5000 | 1 << 30) + b"\xff\xff\xff")
