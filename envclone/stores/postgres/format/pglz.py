"""PostgreSQL's own compression.

Format (`src/common/pg_lzcompress.c`): a control byte for 8 items, lowest bit first. 0 is a literal byte; 1 a match of
two bytes: the high nibble of the first and the whole second are the offset back, the low nibble plus 3 the length;
length 18 is followed by a byte to be added. A match may reach into what it writes itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import Loop, available
from envclone.errors import UnsafeError

__all__ = ["compress", "decompress"]

_SLOTS = 1 << 13
_WINDOW = 4095
_LONGEST = 273
_CHAIN, _LONG_CHAIN = 16, 512


def decompress(source: bytes, raw_size: int) -> bytes:
    """The `raw_size` bytes that a pglz stream holds; raises UnsafeError when the stream is damaged."""
    if not available():
        return _decompress_plain(source, raw_size)
    out = np.empty(raw_size, dtype=np.uint8)
    if _DECOMPRESS(np.frombuffer(source, dtype=np.uint8), out) != raw_size:
        raise _damaged()
    return out.tobytes()


def compress(source: bytes, limit: int, *, harder: bool = False) -> bytes | None:
    """A stream for `source` of at most `limit` bytes, or None when it does not get that small.

    `harder` looks longer for long matches.
    """
    if len(source) < 4 or limit < 4:
        return None
    chain = _LONG_CHAIN if harder else _CHAIN
    if available():
        out: Any = np.empty(limit, dtype=np.uint8)
        heads: Any = np.full(_SLOTS, -1, dtype=np.int32)
        before: Any = np.empty(len(source), dtype=np.int32)
        given: Any = np.frombuffer(source, dtype=np.uint8)
    else:
        out, heads, before, given = bytearray(limit), [-1] * _SLOTS, [0] * len(source), source
    size = _COMPRESS(given, out, heads, before, chain)
    return None if size < 0 else bytes(out[:size])


def _decompress_loop(source: Any, out: Any) -> int:
    """Fill `out`; returns how many bytes were written, -1 when the stream is damaged."""
    position, end, written, wanted = 0, len(source), 0, len(out)
    while position < end and written < wanted:
        control = source[position]
        position += 1
        for bit in range(8):
            if position >= end or written >= wanted:
                break
            if not (control >> bit) & 1:
                out[written] = source[position]
                position += 1
                written += 1
                continue
            if position + 1 >= end:
                return -1
            length = (source[position] & 0x0F) + 3
            offset = ((int(source[position]) & 0xF0) << 4) | int(source[position + 1])
            position += 2
            if length == 18:
                if position >= end:
                    return -1
                length += source[position]
                position += 1
            if offset == 0 or offset > written:
                return -1
            length = min(length, wanted - written)
            for _ in range(length):
                out[written] = out[written - offset]
                written += 1
    return written


def _compress_loop(source: Any, out: Any, heads: Any, before: Any, chain: int) -> int:
    """Write a stream to `out`; returns its length, -1 when `out` is too short. `heads` comes filled with -1."""
    size, limit = len(source), len(out)
    position, written = 0, 0
    control_at, bit = 0, 8
    while position < size:
        if bit == 8:
            if written >= limit:
                return -1
            control_at, bit = written, 0
            out[written] = 0
            written += 1
        best, best_offset = 0, 0
        if position + 3 <= size:
            slot = (
                (int(source[position]) << 8) ^ (int(source[position + 1]) << 4) ^ int(source[position + 2])
            ) & 0x1FFF
            candidate = heads[slot]
            most = min(273, size - position)
            tries = chain
            while candidate >= 0 and position - candidate <= 4095 and tries > 0:
                if best == 0 or source[candidate + best] == source[position + best]:
                    length = 0
                    while length < most and source[candidate + length] == source[position + length]:
                        length += 1
                    if length > best:
                        best, best_offset = length, position - candidate
                        if best == most:
                            break
                candidate = before[candidate]
                tries -= 1
        if best < 3:
            if written >= limit:
                return -1
            out[written] = source[position]
            written += 1
            step = 1
        else:
            if written + 3 > limit:
                return -1
            out[control_at] |= 1 << bit
            if best < 18:
                out[written] = ((best_offset >> 4) & 0xF0) | (best - 3)
                out[written + 1] = best_offset & 0xFF
                written += 2
            else:
                out[written] = ((best_offset >> 4) & 0xF0) | 0x0F
                out[written + 1] = best_offset & 0xFF
                out[written + 2] = best - 18
                written += 3
            step = best
        bit += 1
        for _ in range(step):
            if position + 3 <= size:
                slot = (
                    (int(source[position]) << 8) ^ (int(source[position + 1]) << 4) ^ int(source[position + 2])
                ) & 0x1FFF
                before[position] = heads[slot]
                heads[slot] = position
            position += 1
    return written


_DECOMPRESS = Loop(_decompress_loop)
_COMPRESS = Loop(_compress_loop)


def _decompress_plain(source: bytes, raw_size: int) -> bytes:
    """The same in Python, whole stretches at a time."""
    out = bytearray()
    position, end = 0, len(source)
    while position < end and len(out) < raw_size:
        control = source[position]
        position += 1
        if control == 0:  # eight literals in one step: the common case in text that hardly repeats
            literals = source[position : position + min(8, raw_size - len(out))]
            out += literals
            position += len(literals)
            continue
        for bit in range(8):
            if position >= end or len(out) >= raw_size:
                break
            if not control >> bit & 1:
                out.append(source[position])
                position += 1
                continue
            if position + 1 >= end:
                raise _damaged()
            first, second = source[position], source[position + 1]
            position += 2
            length = (first & 0x0F) + 3
            offset = (first & 0xF0) << 4 | second
            if length == 18:
                if position >= end:
                    raise _damaged()
                length += source[position]
                position += 1
            _copy_back(out, offset, min(length, raw_size - len(out)))
    if len(out) != raw_size:
        raise _damaged()
    return bytes(out)


def _copy_back(out: bytearray, offset: int, length: int) -> None:
    start = len(out) - offset
    if offset == 0 or start < 0:
        raise _damaged()
    if offset >= length:
        out += out[start : start + length]
    else:  # the match overlaps what it writes: the stretch repeats
        stretch = bytes(out[start:])
        out += (stretch * (length // offset + 1))[:length]


def _damaged() -> UnsafeError:
    return UnsafeError(
        "a value compressed with pglz is damaged",
        hint="check production with pg_amcheck, and take a new snapshot",
    )


def warm() -> None:
    """Run the loops once."""
    source = b"envclone" * 8
    decompress(compress(source, 64) or b"", len(source))
