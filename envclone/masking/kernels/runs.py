"""Long runs of letters and digits passed over, compiled: whole blocks at a time, without a branch per byte."""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean

__all__ = ["BLOCK", "CAPITAL", "DIGIT", "LETTER", "SIGN", "X", "passed", "warm"]

LETTER, CAPITAL, DIGIT, SIGN, X = 1, 2, 4, 8, 128
"""What bytes are, one bit each: small letters, capitals, digits, the other digits of base64 (`+/-_`), an `x`."""
BLOCK = 128
_u = np.uint8


@lean
def passed(data: Any, at: Any, end: Any, wanted: Any) -> Any:
    """Where, by whole blocks from a place on, the bytes are no more all of a `wanted` kind; and which kinds the bytes
    up to there are. A run may go on behind that, by less than a block."""
    seen = _u(0)
    at, end = max(0, at), min(end, data.shape[0])
    while at + BLOCK <= end:
        part, its, other = data[at : at + BLOCK], _u(0), _u(0)
        for i in range(BLOCK):
            c = _u(part[i])
            kind = _u(LETTER) if _u(c - _u(97)) < _u(26) else _u(0)
            kind = _u(CAPITAL) if _u(c - _u(65)) < _u(26) else kind
            kind = _u(DIGIT) if _u(c - _u(48)) < _u(10) else kind
            kind = _u(SIGN) if (c == _u(43)) | (c == _u(45)) | (c == _u(47)) | (c == _u(95)) else kind
            kind = _u(LETTER | X) if c == _u(120) else kind
            its = _u(its | kind)  # numba makes 64 bits of it, which are eight times as slow
            other = _u(other | _u(1)) if _u(kind & wanted) == _u(0) else other
        if other:
            break
        seen = _u(seen | its)
        at += BLOCK
    return at, seen


def warm() -> None:
    """Run every kernel of this room once."""
    passed(np.frombuffer(b"ab" * BLOCK, np.uint8), 0, 2 * BLOCK, _u(LETTER))
    passed(np.frombuffer(b"a\0\0\0" * BLOCK, np.uint32), 0, BLOCK, _u(LETTER))
