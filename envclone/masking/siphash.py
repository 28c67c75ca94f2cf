"""SipHash-2-4 with 64 and with 128 bits of output: the round function of the Feistel network, in Python.

Aumasson, Bernstein: SipHash: a fast short-input PRF, INDOCRYPT 2012; the longer output is that of its reference code.
`kernels.feistel` has the same function compiled.
"""

from __future__ import annotations

__all__ = ["siphash64", "siphash128"]

_64 = (1 << 64) - 1


def siphash64(k0: int, k1: int, message: bytes) -> int:
    """64 bits of a message under a key of two 64-bit words."""
    return _folded(_rounds(_absorbed(k0, k1, message, 0, 0xFF), 4))


def siphash128(k0: int, k1: int, message: bytes) -> int:
    """128 bits of a message under a key of two 64-bit words, the first output word lowest."""
    v = _rounds(_absorbed(k0, k1, message, 0xEE, 0xEE), 4)
    low = _folded(v)
    v[1] ^= 0xDD
    return low | _folded(_rounds(v, 4)) << 64


def _absorbed(k0: int, k1: int, message: bytes, first: int, last: int) -> list[int]:
    """The state behind a message; `first` and `last` are what its length of output adds before and behind."""
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D ^ first, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    whole = len(message) & ~7
    end = int.from_bytes(message[whole:], "little") | (len(message) & 0xFF) << 56
    for word in (*(int.from_bytes(message[i : i + 8], "little") for i in range(0, whole, 8)), end):
        v[3] ^= word
        v = _rounds(v, 2)
        v[0] ^= word
    v[2] ^= last
    return v


def _folded(v: list[int]) -> int:
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _rounds(v: list[int], count: int) -> list[int]:
    a, b, c, d = v
    for _ in range(count):
        a = (a + b) & _64
        b = ((b << 13) & _64 | b >> 51) ^ a
        a = (a << 32) & _64 | a >> 32
        c = (c + d) & _64
        d = ((d << 16) & _64 | d >> 48) ^ c
        a = (a + d) & _64
        d = ((d << 21) & _64 | d >> 43) ^ a
        c = (c + b) & _64
        b = ((b << 17) & _64 | b >> 47) ^ c
        c = (c << 32) & _64 | c >> 32
    return [a, b, c, d]
