"""CRC-32C (Castagnoli), as Qdrant's journals and logs carry it: reflected polynomial 0x82F63B78, RFC 3720 B.4."""

from __future__ import annotations

__all__ = ["crc32c"]


def _table() -> tuple[int, ...]:
    rows = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        rows.append(value)
    return tuple(rows)


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """The checksum of `data`; about 10 MB/s, enough for what a crash left behind."""
    value = 0xFFFFFFFF
    table = _TABLE
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF
