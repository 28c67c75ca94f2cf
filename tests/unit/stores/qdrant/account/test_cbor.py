"""Texts out of CBOR, and refusals of anything that such an index does not write."""

from __future__ import annotations

import random

import pytest

from envclone.stores.qdrant.account.cbor import texts
from envclone.stores.qdrant.account.claims import Damaged


def text(value: str) -> bytes:
    data = value.encode()
    head = bytes([0x60 + len(data)]) if len(data) < 24 else b"\x79" + len(data).to_bytes(2, "big")
    return head + data


def test_lists_of_texts_and_a_map_of_words() -> None:
    assert texts(b"\x82" + text("a") + text("Grüße" * 20)) == ["a", "Grüße" * 20]
    assert texts(b"\xa1" + text("tokens") + b"\x82" + text("quick") + text("fox")) == ["tokens", "quick", "fox"]
    assert texts(b"\x80") == []
    assert texts(b"\x83\x01\x39\x01\x00" + text("x")) == ["x"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x82" + text("a"),
        text("a") + b"rest",
        b"\x7f\x61a\xff",
        b"\x62a",
        b"\x62\xff\xff",
        b"\x9b" + b"\xff" * 8,
        b"\x81" * 40 + text("a"),
        b"\xc1\x01",
        b"\xf6",
        b"\x5b" + b"\xff" * 8,
    ],
)
def test_anything_else_is_damage(data: bytes) -> None:
    with pytest.raises(Damaged):
        texts(data)


@pytest.mark.parametrize("seed", range(200))
def test_noise_ends_in_texts_or_damage(seed: int) -> None:
    rng = random.Random(seed)
    data = bytearray(b"\xa1" + text("tokens") + b"\x83" + text("quick") + text("brown") + text("fox"))
    for _ in range(rng.randrange(1, 4)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    try:
        found = texts(bytes(data[: rng.randrange(1, len(data) + 1)]))
    except Damaged:
        return
    assert all(isinstance(one, str) for one in found)
