"""PostgreSQL's own compression, decompression only."""

from __future__ import annotations

from envclone.errors import UnsafeError

__all__ = ["decompress"]


def decompress(source: bytes, raw_size: int) -> bytes:
    """The `raw_size` bytes that a pglz stream holds.

    Format (`src/common/pg_lzcompress.c`): a control byte for 8 items, lowest bit first. 0 is a literal byte; 1 a match
    of two bytes: the high nibble of the first and the whole second are the offset back, the low nibble plus 3 the
    length; length 18 is followed by a byte to be added. A match may reach into what it writes itself.
    Raises UnsafeError when the stream is damaged.
    """
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
