"""Loops that take many bytes at once: what they say is what reading byte by byte says."""

from __future__ import annotations

import base64
import random

import numpy as np
import pytest

from envclone.verifier import noise


def _bytes(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


def _text(data: bytes) -> bool:
    try:
        return all(char in "\t\n\r" or not ("\0" <= char < " " or char == "\x7f") for char in data.decode())
    except UnicodeDecodeError:
        return False


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 31, 64, 1000])
def test_digits_are_decoded(size: int) -> None:
    data, out = random.Random(size).randbytes(size), np.zeros(2 * size + 8, np.uint8)
    digits, values = data.hex().encode(), np.zeros(4 * size + 8, np.uint8)
    noise.fours(_bytes(digits.upper()), values)
    assert out[: noise.twos(values[: len(digits)], 0, out)].tobytes() == data
    for encoded in (base64.b64encode(data), base64.urlsafe_b64encode(data), base64.encodebytes(data)):
        digits = encoded.replace(b"=", b"").rstrip(b"\n")
        count = noise.sixes(_bytes(digits), values)
        assert out[: noise.joined(values[:count], 0, out)].tobytes() == data
        assert out[: noise.joined(values[:count], 4, out)].tobytes() == data[3:]


def test_where_a_text_can_be_is_flagged() -> None:
    rng, seen = random.Random(3), [0, 0]
    for _ in range(300):
        data = bytearray(rng.randbytes(60))
        data[20:40] = "Zoë 日本 Doe, 😀x".encode()[:20]
        flags = np.zeros(64, np.uint8)
        noise.eights(_bytes(bytes(data)), flags)
        for at in range(53):
            seen[int(flags[at])] += 1
            assert flags[at] or not _text(bytes(data[at : at + 8]))
    assert seen[0] > seen[1] > 0
    first = noise.following(flags[:53], 0)
    assert flags[first] and not flags[:first].any()
    assert noise.following(np.zeros(100, np.uint8), 3) == 100


def test_zeros_at_every_other_place_are_told() -> None:
    assert noise.eights(_bytes(b"\x01\x02" * 9 + b"\x00\x05\x00\x06\x07"), np.zeros(64, np.uint8)) & 2
    assert not noise.eights(_bytes(b"\x01\x00" + b"\x01\x02" * 9), np.zeros(64, np.uint8)) & 2


@pytest.mark.parametrize("size", [15, 16, 17, 40])
def test_sixteen_digits_in_a_row(size: int) -> None:
    for which, digits, other in ((noise.HEXADECIMAL, b"09afAF", b"g/"), (noise.BASE32, b"AZ27", b"18a")):
        rng = random.Random(size)
        for before in range(3):
            data = bytes(rng.choices(other, k=before)) + bytes(rng.choices(digits, k=size)) + other
            flags = np.zeros(len(data), np.uint8)
            noise.alphabet(_bytes(data), which, flags)
            assert noise.sixteens(flags) == (size >= 16)


def test_what_digits_tell() -> None:
    found = [noise.telling(_bytes(text)) for text in (b"internationalization", b"beef", b"beef1", b"Aeroplane")]
    assert found == [2, 0, 1, 3]
