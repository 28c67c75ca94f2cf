"""Documents in jsonb's own format: there and back, and what is nested too deep."""

from __future__ import annotations

import struct

import pytest

from envclone.errors import UnsafeError
from envclone.stores.postgres.write.inplace import jsonb

ARRAY, CONTAINER = 0x40000000, 0x50000000


@pytest.mark.parametrize("text", ['{"a": [1, 2.50, null, true], "b": {"c": "d"}}', "[]", '"a"', "[[[[1]]]]"])
def test_there_and_back(text: str) -> None:
    assert jsonb.decode(jsonb.encode(text)) == text


def test_a_document_that_is_nested_too_deep_is_refused() -> None:
    body = struct.pack("<I", ARRAY)
    for _ in range(3000):
        body = struct.pack("<II", ARRAY | 1, CONTAINER | len(body)) + body
    with pytest.raises(UnsafeError, match="nested too deep"):
        jsonb.decode(body)
