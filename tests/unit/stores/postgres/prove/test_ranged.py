"""Bounds of ranges, as the server stores them."""

from __future__ import annotations

import struct

import pytest

from envclone.stores.postgres.prove.ranged import range_reader


def test_bounds_of_a_range_are_read_and_infinite_ones_left_out() -> None:
    read = range_reader("int4range")
    assert read is not None
    assert read(struct.pack("<IiiB", 3904, 7, 12, 2)) == ["7", "12"]
    assert read(struct.pack("<IiB", 3904, 7, 2 | 0x10)) == ["7"]
    assert read(struct.pack("<IB", 3904, 1)) == []


def test_bounds_of_eight_bytes_are_aligned_behind_a_header_of_four() -> None:
    read = range_reader("int8range")
    assert read is not None
    assert read(struct.pack("<IqqB", 3926, 1, 2, 2)) == ["1", "2"]


def test_a_set_of_ranges_and_a_range_that_says_its_type() -> None:
    many, anyone = range_reader("int4multirange"), range_reader("anyrange")
    assert many is not None and anyone is not None
    two = struct.pack("<III", 4451, 2, 0x80000008) + bytes([2, 2]) + b"\0\0" + struct.pack("<iiii", 1, 2, 5, 6)
    assert many(two) == ["1", "2", "5", "6"]
    assert anyone(struct.pack("<IiiB", 3904, 7, 12, 2)) == ["7", "12"]


def test_what_is_no_range_is_refused() -> None:
    read, anyone = range_reader("int4range"), range_reader("anyrange")
    assert read is not None and anyone is not None
    assert range_reader("textrange") is None
    for body in (struct.pack("<IiiiB", 3904, 7, 12, 9, 2), struct.pack("<IiB", 3904, 7, 2)):
        with pytest.raises((ValueError, struct.error)):
            read(body)
    with pytest.raises(ValueError):
        anyone(struct.pack("<IiiB", 99999, 7, 12, 2))
