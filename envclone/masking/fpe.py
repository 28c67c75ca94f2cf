"""Format-preserving permutations: a keyed bijection without fixed points on vectors of mixed-radix digits.

A vector of digits with radices r1..rn is a number below N = r1·…·rn, and the permutation works on that number:

- N <= 16384: one cycle through all numbers in the order of a keyed Fisher–Yates shuffle (Durstenfeld, CACM 7/7, 1964).
- larger: P = E⁻¹ ∘ (x ↦ x + 1 mod N) ∘ E. A conjugate has the cycles of what it conjugates, so P is one N-cycle and
  maps no number to itself. E is an alternating Feistel network on Z_a × Z_b with a = ⌈√N⌉, b = ⌈N/a⌉ (the shape of FE1
  in Bellare, Ristenpart, Rogaway, Stegers: Format-Preserving Encryption, SAC 2009, and of FF1 in NIST SP 800-38G), its
  round function SipHash-2-4; the few pairs that are not below N are walked past (cycle walking:
  Black, Rogaway: Ciphers with Arbitrary Finite Domains, CT-RSA 2002).

E has the ten rounds of FF1, and P therefore twenty. Each domain and tweak has a key of 128 bits of its own, by keyed
BLAKE2b (RFC 7693). A round with halves up to 2^32 hashes the other half in six bytes and the round in one into 64 bits:
the seven bytes are one block of SipHash. Of a wider domain it hashes the other half (64-bit words, lowest first), the
round and the number of the block, a byte each, into as many blocks of 128 bits as give 64 bits more than the modulus m.
It takes ⌊bits·m / 2^length⌋: no number is more likely than another by more than 2^-32.

What is written here is the definition. `kernels.feistel` computes the same numbers a hundred times faster, and takes
over when enough of them have been asked for to pay for its loading.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Sequence
from hashlib import blake2b
from importlib import import_module
from math import isqrt
from typing import Any

from envclone.compiled import available
from envclone.masking.siphash import siphash64, siphash128

__all__ = [
    "NARROW",
    "ROUNDS",
    "SMALL",
    "NumberCycle",
    "Permutation",
    "number_cycle",
    "parameters",
    "shuffled",
    "subkey",
    "tweaked_cycle",
]

ROUNDS = 10
NARROW = 1 << 61
"""Halves that the compiled cycle holds in one word each."""
_SHORT = 1 << 32
"""Halves that are hashed with the round as one block."""
_WORTH_LOADING = 200
_LOOPS = "envclone.masking.kernels.feistel"
_WORTH_SHUFFLING = 1 << 13
"""Numbers shuffled before the compiled loop is worth its loading."""
_DRAWS = 16
"""32-bit draws of one digest."""
SMALL = 1 << 14
"""Domains up to this size are shuffled in memory."""

NumberCycle = Callable[[int], int]
"""A permutation of 0..N-1 that is one cycle."""


def subkey(key: bytes, label: str) -> bytes:
    """32 bytes derived from the key for one purpose; `label` has at most 16 bytes of ASCII."""
    return blake2b(b"envclone", key=key, person=label.encode("ascii"), digest_size=32).digest()


def words_of(key: bytes) -> tuple[int, int]:
    """The first 16 bytes of a key as the two words of SipHash."""
    return int.from_bytes(key[:8], "little"), int.from_bytes(key[8:16], "little")


def number_cycle(key: bytes, tweak: bytes, size: int) -> NumberCycle:
    """The keyed cycle on 0..size-1 for this tweak; the identity when `size` is 1."""
    if size < 1:
        raise ValueError("a domain holds at least one value")
    if size == 1:
        return lambda x: x
    return shuffled(key, tweak, size).__getitem__ if size <= SMALL else _feistel(key, tweak, size)


def tweaked_cycle(key: bytes, tweak: bytes, size: int) -> NumberCycle:
    """The same for a tweak that is used once: nothing is shuffled, so small domains cost no more than large ones."""
    return (lambda x: x) if size == 1 else _feistel(key, tweak, size)


class Permutation:
    """The permutation of digit vectors of one shape; `radices` are the sizes of each digit's alphabet.

    `tweak` separates permutations of equal radices; `once` says that this one is for one vector. Thread-safe, and holds
    no values it has seen.
    """

    __slots__ = ("_cycle", "_radices", "size")

    def __init__(self, key: bytes, tweak: bytes, radices: Sequence[int], *, once: bool = False) -> None:
        self._radices = tuple(radices)
        self.size = 1
        for radix in self._radices:
            self.size *= radix
        self._cycle = (tweaked_cycle if once else number_cycle)(key, tweak, self.size)

    def __call__(self, digits: Sequence[int]) -> list[int]:
        """The image of a vector of digits, most significant first; each digit below its radix."""
        x = 0
        for digit, radix in zip(digits, self._radices, strict=True):
            x = x * radix + digit
        x = self._cycle(x)
        out = []
        for radix in reversed(self._radices):
            x, digit = divmod(x, radix)
            out.append(digit)
        out.reverse()
        return out


def shuffled(key: bytes, tweak: bytes, size: int) -> array[int]:
    """What follows each number on the keyed cycle through 0..size-1, for 2 to SMALL numbers."""
    base = blake2b(len(tweak).to_bytes(4, "little") + tweak + b"shuffle", key=key, digest_size=64)
    if (found := _KERNELS.shuffled(base, size)) is not None:
        return found
    order = list(range(size))
    pool: list[int] = []
    block = 0
    for i in range(size - 1, 0, -1):
        limit = (1 << 32) - (1 << 32) % (i + 1)
        while True:  # rejection keeps the shuffle unbiased
            if not pool:
                state = base.copy()
                state.update(block.to_bytes(4, "little"))
                block += 1
                digest = state.digest()
                pool = [int.from_bytes(digest[j : j + 4], "little") for j in range(0, 64, 4)]
            draw = pool.pop()
            if draw < limit:
                break
        j = draw % (i + 1)
        order[i], order[j] = order[j], order[i]
    following = array("H", bytes(2 * size))
    for here, there in zip(order, order[1:] + order[:1], strict=True):
        following[here] = there
    return following


def parameters(key: bytes, tweak: bytes, size: int) -> tuple[int, int, int, int, int, int]:
    """What the network on 0..size-1 needs: a, b, size as ⌊size/b⌋ and size mod b, and the two words of its key."""
    a = isqrt(size - 1) + 1
    b = -(-size // a)
    head = len(tweak).to_bytes(4, "little") + tweak + size.to_bytes((size.bit_length() + 7) // 8, "little")
    secret = blake2b(head, key=key, digest_size=16, person=b"envclone feistel").digest()
    return a, b, *divmod(size, b), int.from_bytes(secret[:8], "little"), int.from_bytes(secret[8:], "little")


def _feistel(key: bytes, tweak: bytes, size: int) -> NumberCycle:
    a, b, _, _, k0, k1 = words = parameters(key, tweak, size)
    width = -(-a.bit_length() // 64) * 8
    blocks = -(-(a.bit_length() + 64) // 128)
    row: Any = None

    def draw(number: int, step: int, modulus: int) -> int:
        if a <= _SHORT:
            return siphash64(k0, k1, number.to_bytes(6, "little") + bytes([step])) * modulus >> 64
        drawn = _KERNELS.draws(k0, k1, number, step, width, blocks) if width > 8 else None
        if drawn is None:
            head = number.to_bytes(width, "little") + bytes([step])
            drawn = sum(siphash128(k0, k1, head + bytes([i])) << 128 * i for i in range(blocks))
        return drawn * modulus >> 128 * blocks

    def cycle(x: int) -> int:
        nonlocal row
        if a <= NARROW and _KERNELS.ready():
            row = _KERNELS.row(words) if row is None else row
            left, right = _KERNELS.cycle(*divmod(x, b), row)
            return left * b + right
        while True:
            left, right = divmod(x, b)
            for i in range(0, ROUNDS, 2):
                left = (left + draw(right, i, a)) % a
                right = (right + draw(left, i + 1, b)) % b
            x = left * b + right
            if x < size:
                break
        x = x + 1 if x + 1 < size else 0
        while True:
            left, right = divmod(x, b)
            for i in range(ROUNDS - 2, -2, -2):
                right = (right - draw(left, i + 1, b)) % b
                left = (left - draw(right, i, a)) % a
            x = left * b + right
            if x < size:
                return x

    return cycle


def _loaded() -> bool:
    return _LOOPS in sys.modules


class _Kernels:
    """The compiled cycle, loaded when it has been asked for often enough."""

    def __init__(self) -> None:
        self._asked = 0
        self._shuffled = 0
        self._module: Any = None

    def shuffled(self, base: Any, size: int) -> array[int] | None:
        """The cycle of `shuffled`, by a compiled loop; None while it is not worth loading one."""
        self._shuffled += size
        if self._shuffled < _WORTH_SHUFFLING or not available():
            return None
        import numpy as np

        from envclone.masking.kernels.feistel import shuffle

        order, following = np.empty(size, np.int64), np.empty(size, np.uint16)
        blocks = size // _DRAWS + 8
        while True:
            digests = bytearray()
            for block in range(blocks):
                state = base.copy()
                state.update(block.to_bytes(4, "little"))
                digests += state.digest()
            words: Any = np.frombuffer(digests, "<u4").astype(np.uint32)
            if shuffle(words.reshape(-1, _DRAWS)[:, ::-1].reshape(-1), order, following):  # the last one first
                return array("H", following.tobytes())
            blocks *= 2

    def ready(self) -> bool:
        if self._module is None:
            self._asked += 1
            if (self._asked < _WORTH_LOADING and not _loaded()) or not available():
                return False
            self._module = import_module(_LOOPS)
        return True

    def row(self, words: Sequence[int]) -> Any:
        return self._module.np.array(words, "u8")

    def cycle(self, left: int, right: int, row: Any) -> tuple[int, int]:
        word = self._module.np.uint64
        image: tuple[int, int] = self._module.cycle(word(left), word(right), row)
        return image

    def draws(self, k0: int, k1: int, number: int, step: int, width: int, blocks: int) -> int | None:
        """The blocks of a wide number in one; None while nothing is loaded."""
        if not self.ready():
            return None
        np = self._module.np
        out = np.empty(2 * blocks, "u8")
        self._module.draws(
            np.array([k0, k1], "u8"),
            np.frombuffer(number.to_bytes(width, "little") + bytes([step, *bytes(7)]), "u8"),
            out,
        )
        return int.from_bytes(out.tobytes(), "little")


_KERNELS = _Kernels()
