"""Long runs are passed over by blocks: to where reading byte by byte stops, or less than a block before."""

from __future__ import annotations

import random

import numpy as np
import pytest

from envclone.compiled import available

pytestmark = pytest.mark.skipif(not available(), reason="numba is not installed")


def _kind(byte: int) -> int:
    from envclone.masking.kernels import runs

    char = chr(byte)
    if char.isascii() and char.isalpha():
        return runs.CAPITAL if char.isupper() else runs.LETTER | (runs.X if char == "x" else 0)
    return runs.DIGIT if char.isascii() and char.isdigit() else runs.SIGN if char in "+-/_" else 0


def test_what_is_passed_over_is_of_the_wanted_kinds() -> None:
    from envclone.masking.kernels import runs

    for byte in range(256):
        one = np.frombuffer(bytes([byte]) * runs.BLOCK, np.uint8)
        for wanted in (runs.LETTER, runs.CAPITAL, runs.DIGIT, runs.SIGN):
            kind = _kind(byte)
            expected = (runs.BLOCK, kind) if kind & wanted else (0, 0)
            assert runs.passed(one, 0, len(one), np.uint8(wanted)) == expected


def test_a_run_is_passed_over_by_whole_blocks() -> None:
    from envclone.masking.kernels import runs

    draw = random.Random(5)
    for _ in range(200):
        size, first = draw.randrange(600), draw.randrange(4)
        run = bytes(draw.choices(b"0123456789abcdefxX+", k=size))
        data = b"?" * first + run + draw.choice([b"", b" ", b"\xff", b"%"]) + b"abc" * draw.randrange(99)
        at, seen = runs.passed(np.frombuffer(data, np.uint8), first, first + size, np.uint8(15))
        assert at == first + size // runs.BLOCK * runs.BLOCK
        told = 0
        for byte in data[first:at]:
            told |= _kind(byte)
        assert seen == told
