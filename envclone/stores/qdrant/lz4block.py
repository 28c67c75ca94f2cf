"""As much of an LZ4 block as can be read from bytes that may go on with something else or break off.

The library's decoder wants exactly the block. The bytes of an overwritten record end nobody knows where, so this one
goes on until the raw size is reached or a step makes no sense (format: LZ4 block format description, sequences of
literals and matches). Slow, and only for what should not be there.
"""

from __future__ import annotations

__all__ = ["salvage"]

_MOST = 64 * 2**20
"""Raw sizes above this are taken for noise."""


def salvage(data: bytes) -> bytes:
    """What a size-prefixed block at the start of `data` decompresses to, or its beginning; empty when it is none."""
    size = int.from_bytes(data[:4], "little")
    if not 0 < size <= _MOST:
        return b""
    out = bytearray()
    position = 4
    while position < len(data) and len(out) < size:
        token = data[position]
        length, position = _length(data, position + 1, token >> 4)
        out += data[position : position + length]
        position += length
        if position + 2 > len(data) or len(out) >= size:
            break
        offset = int.from_bytes(data[position : position + 2], "little")
        length, position = _length(data, position + 2, token & 15)
        length = min(length + 4, size - len(out))
        if not 0 < offset <= len(out):
            break
        start = len(out) - offset
        while length > 0:
            part = out[start : start + length]
            out += part
            length -= len(part)
    return bytes(out[:size])


def _length(data: bytes, position: int, nibble: int) -> tuple[int, int]:
    length = nibble
    while nibble == 15 and position < len(data):
        more = data[position]
        length += more
        position += 1
        if more != 255:
            break
    return length, position
