"""SipHash-2-4 by the vectors of its authors."""

from __future__ import annotations

import pytest

from envclone.masking.siphash import siphash64, siphash128

K0, K1 = (int.from_bytes(bytes(range(16))[i : i + 8], "little") for i in (0, 8))


@pytest.mark.parametrize(
    ("length", "digest"),
    [
        (0, "a3817f04ba25a8e66df67214c7550293"),
        (1, "da87c1d86b99af44347659119b22fc45"),
        (15, "5493e99933b0a8117e08ec0f97cfc3d9"),
    ],
)
def test_vectors_of_128_bits(length: int, digest: str) -> None:
    assert siphash128(K0, K1, bytes(range(length))).to_bytes(16, "little").hex() == digest


@pytest.mark.parametrize(
    ("length", "digest"),
    [(0, "310e0edd47db6f72"), (1, "fd67dc93c539f874"), (7, "37d1018bf50002ab"), (15, "e545be4961ca29a1")],
)
def test_vectors_of_64_bits(length: int, digest: str) -> None:
    assert siphash64(K0, K1, bytes(range(length))).to_bytes(8, "little").hex() == digest
