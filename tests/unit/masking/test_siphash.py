"""SipHash-2-4 with 128 bits of output, by the vectors of its authors."""

from __future__ import annotations

import pytest

from envclone.masking.siphash import siphash128

KEY = range(16)


@pytest.mark.parametrize(
    ("length", "digest"),
    [
        (0, "a3817f04ba25a8e66df67214c7550293"),
        (1, "da87c1d86b99af44347659119b22fc45"),
        (15, "5493e99933b0a8117e08ec0f97cfc3d9"),
    ],
)
def test_vectors(length: int, digest: str) -> None:
    k0, k1 = (int.from_bytes(bytes(KEY)[i : i + 8], "little") for i in (0, 8))
    assert siphash128(k0, k1, bytes(range(length))).to_bytes(16, "little").hex() == digest
