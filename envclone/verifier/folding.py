"""Texts as they are searched, compiled: in lower case, composed, and a space for each sign that joins parts.

A character that changes with what stands beside it, and an escape, is left to `loose.folded`, which says what is right.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import frozen, lean

__all__ = ["DOUBLE", "ODD", "folded", "folds", "warm"]

ODD, DOUBLE = 0, 1
"""Instead of what a character folds to: it is left to Python; it is two times `s`."""
_ASCII, _PERCENT, _BACK, _U = 0x80, ord("%"), ord("\\"), ord("u")
_S = ord("s")
_PLANE = 0x10000


@lean
def folded(block: Any, between: Any, out: Any) -> Any:
    """Write bytes as they are searched into `out`, which is as long: capitals as small letters, a space for each sign
    that joins parts, and `between` for a zero."""
    made = out[: block.shape[0]]
    for i in range(made.shape[0]):
        byte = block[i]
        folds = byte | np.uint8(32) if np.uint8(byte - np.uint8(65)) < np.uint8(26) else byte
        joint = (byte == np.uint8(95)) | (byte == np.uint8(46)) | (byte == np.uint8(45)) | (byte == np.uint8(43))
        joint |= (np.uint8(byte - np.uint8(9)) < np.uint8(2)) | (byte == np.uint8(13))
        folds = np.uint8(32) if joint else folds
        made[i] = between if byte == np.uint8(0) else folds


@lean
def _is_hex(byte: Any) -> Any:
    return 48 <= byte <= 57 or 97 <= byte | 32 <= 102


@lean
def _are_hex(block: Any, at: Any, count: Any) -> Any:
    """Whether so many hexadecimal digits stand at a place."""
    found = 0
    while found < count and at + found < block.shape[0] and _is_hex(block[at + found]):
        found += 1
    return found == count


@lean
def _character(block: Any, at: Any) -> Any:
    """The code point of a character of more bytes than one, and its bytes; -1 where there is none."""
    c = np.int64(block[at])
    width = 2 if c < 0xE0 else 3 if c < 0xF0 else 4
    if c < 0xC2 or c > 0xF4 or at + width > block.shape[0]:
        return np.int64(-1), 1
    c &= 0x7F >> width
    for k in range(1, width):
        if block[at + k] & 0xC0 != _ASCII:
            return np.int64(-1), 1
        c = c << 6 | (np.int64(block[at + k]) & 0x3F)
    if (width == 3 and c < 0x800) or (width == 4 and c < _PLANE):
        return np.int64(-1), 1
    return c, width


@lean
def _is_itself(c: Any) -> Any:
    """Beyond the first plane: signs and pictures, and Chinese characters."""
    return 0x1F000 <= c <= 0x1FAFF or 0x20000 <= c <= 0x2F7FF or 0x30000 <= c <= 0x3FFFD


@lean
def folds(block: Any, codes: Any, between: Any, odd: Any, aside: Any, out: Any) -> Any:
    """Write texts with a zero between two, as they are searched, into `out`, with `between` for a zero.

    `codes` are 65,536: what the characters of the first plane fold to. Of a text that `odd` marks the next one of
    `aside`, which are folded already, is written. Returns the bytes written; -1 when a text has to be marked, which is
    done then, or there is no room: `out` needs as much as `block` and `aside` have.
    """
    if codes.shape[0] < _PLANE or out.shape[0] < block.shape[0] + aside.shape[0]:
        return -1
    size, i, used, text, first, taken, good = block.shape[0], 0, 0, 0, 0, 0, True
    while text < odd.shape[0]:
        if odd[text]:
            while taken < aside.shape[0] and aside[taken] != 0:
                out[used] = aside[taken]
                used += 1
                taken += 1
            taken += 1
            while i < size and block[i] != 0:
                i += 1
        while i < size and block[i] != 0:
            byte = block[i]
            if byte < _ASCII:
                if byte == _PERCENT and _are_hex(block, i + 1, 2):
                    break
                if byte == _BACK and i + 1 < size and block[i + 1] == _U and _are_hex(block, i + 2, 4):
                    break
                out[used] = codes[byte]
                used += 1
                i += 1
                continue
            c, width = _character(block, i)
            if c >= _PLANE and _is_itself(c):
                for k in range(width):
                    out[used + k] = block[i + k]
                used += width
                i += width
                continue
            code = np.int64(codes[c]) if 0 <= c < _PLANE else np.int64(ODD)
            if code == ODD:
                break
            i += width
            if code == DOUBLE:
                out[used] = out[used + 1] = _S
                used += 2
            elif code < _ASCII:
                out[used] = code
                used += 1
            elif code < 0x800:
                out[used], out[used + 1] = 0xC0 | code >> 6, _ASCII | code & 0x3F
                used += 2
            else:
                out[used], out[used + 1], out[used + 2] = (
                    0xE0 | code >> 12,
                    _ASCII | code >> 6 & 0x3F,
                    _ASCII | code & 0x3F,
                )
                used += 3
        if i < size and block[i] != 0:
            odd[text], good, used = True, False, first
            while i < size and block[i] != 0:
                i += 1
        text += 1
        if i < size:
            out[used] = between
            used += 1
            i += 1
        first = used
    return used if good and i >= size else -1


def warm() -> None:
    """Run every kernel of this room once."""
    block = frozen(np.zeros(8, np.uint8))
    folded(block, np.uint8(255), np.zeros(8, np.uint8))
    codes = frozen(np.zeros(_PLANE, np.uint16))
    folds(block, codes, np.uint8(255), np.zeros(9, np.bool_), block, np.zeros(16, np.uint8))
