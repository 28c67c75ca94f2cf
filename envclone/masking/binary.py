"""The mask of bytes that nobody reads: photographs, files, keys; as many other bytes.

A conjugate E⁻¹ ∘ (+1) ∘ E, which maps nothing to itself (see `fpe`). Up to 32 bytes E is the Feistel network of `fpe`;
longer values take the wide block cipher BEAR of Anderson and Biham (Two Practical and Provably Secure Block Ciphers:
BEAR and LION, FSE 1996): two keyed hashes of the right part around one stream from the left, here keyed BLAKE2b
(RFC 7693) and SHAKE128 (FIPS 202).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b, shake_128

from envclone.errors import UnsafeError
from envclone.masking.fpe import Permutation, subkey
from envclone.masking.memo import Memo

__all__ = ["BytesMask"]

_LEFT = 32
_REMEMBERED = 256


class BytesMask:
    r"""Values as PostgreSQL writes them, `\x` and hexadecimal digits; a bijection on values of one length."""

    def __init__(self, key: bytes) -> None:
        self._key = subkey(key, "bytes")
        self._first, self._second = subkey(self._key, "first"), subkey(self._key, "second")
        self._small = lru_cache(maxsize=_LEFT)(self._make)
        self._short = Memo(self._one)

    def mask(self, values: Sequence[str]) -> list[str]:
        r"""The pseudonyms of `values`, in order. Raises UnsafeError for what is not written as `\x…`."""
        return [self._short.one(v) if len(v) <= _REMEMBERED else self._one(v) for v in values]

    def data(self, value: bytes) -> bytes:
        """The pseudonym of bytes."""
        if len(value) <= _LEFT:
            return bytes(self._small(len(value))(value)) if value else value
        left, right = self._forward(value[:_LEFT], value[_LEFT:])
        following = (int.from_bytes(left, "big") + 1) % (1 << 8 * _LEFT)
        return b"".join(self._backward(following.to_bytes(_LEFT, "big"), right))

    def _one(self, value: str) -> str:
        if not value.startswith("\\x"):
            raise UnsafeError("a value under the domain 'bytes' is none", hint="declare texts as `secret` or `key`")
        return "\\x" + self.data(bytes.fromhex(value[2:])).hex()

    def _forward(self, left: bytes, right: bytes) -> tuple[bytes, bytes]:
        left = _xor(left, _hash(self._first, right))
        right = _xor(right, _stream(self._key, left, len(right)))
        return _xor(left, _hash(self._second, right)), right

    def _backward(self, left: bytes, right: bytes) -> tuple[bytes, bytes]:
        left = _xor(left, _hash(self._second, right))
        right = _xor(right, _stream(self._key, left, len(right)))
        return _xor(left, _hash(self._first, right)), right

    def _make(self, length: int) -> Permutation:
        return Permutation(self._key, b"short", [256] * length)


def _hash(key: bytes, data: bytes) -> bytes:
    return blake2b(data, key=key, digest_size=_LEFT).digest()


def _stream(key: bytes, seed: bytes, length: int) -> bytes:
    return shake_128(key + seed).digest(length)


def _xor(a: bytes, b: bytes) -> bytes:
    return (int.from_bytes(a, "little") ^ int.from_bytes(b, "little")).to_bytes(len(a), "little")
