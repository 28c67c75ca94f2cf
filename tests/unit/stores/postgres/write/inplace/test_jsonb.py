"""Documents in jsonb's own format: there and back, and what is nested too deep."""

from __future__ import annotations

import struct

import pytest

from envclone.errors import UnsafeError
from envclone.stores.postgres.write.inplace import jsonb

ARRAY, CONTAINER = 0x40000000, 0x50000000


@pytest.mark.parametrize("text", ['{"a": [1, 2.50, null, true], "b": {"é": "d"}}', "[]", '"a"', "[[[[1]]]]"])
def test_there_and_back(text: str) -> None:
    body = jsonb.encode(text)
    assert jsonb.decode(body) == jsonb.decode(memoryview(body)) == text


def test_a_document_that_is_nested_too_deep_is_refused() -> None:
    body = struct.pack("<I", ARRAY)
    for _ in range(3000):
        body = struct.pack("<II", ARRAY | 1, CONTAINER | len(body)) + body
    with pytest.raises(UnsafeError, match="nested too deep"):
        jsonb.decode(body)


def test_a_document_whose_parts_are_the_same_bytes_is_refused() -> None:
    """Each level names the next one twice: read as it says, so short a document would have 2 ** 18 leaves."""
    body = struct.pack("<I", ARRAY)
    for _ in range(18):
        body = struct.pack("<III", ARRAY | 2, CONTAINER, CONTAINER | len(body)) + body
    with pytest.raises(UnsafeError, match="runs over its end"):
        jsonb.decode(body)


@pytest.mark.parametrize(
    "body",
    [
        struct.pack("<I", ARRAY | 5),  # more entries than there are bytes
        struct.pack("<II", ARRAY | 1, 9) + b"abc",  # a string that goes on behind the document
        struct.pack("<III", ARRAY | 2, 0x80000000 | 3, 0x80000000 | 1) + b"abc",  # one that ends before it begins
        struct.pack("<IIII", ARRAY | 1, CONTAINER | 8, ARRAY | 1, 9) + b"abc",  # one that leaves its own list
    ],
)
def test_a_part_that_leaves_its_document_is_refused(body: bytes) -> None:
    with pytest.raises(UnsafeError, match="runs over its end"):
        jsonb.decode(body)
