"""Format-preserving permutations: a keyed bijection without fixed points on vectors of mixed-radix digits.

A vector of digits with radices r1..rn is a number below N = r1·…·rn, and the permutation works on that number:

- N <= 16384: one cycle through all numbers in the order of a keyed Fisher–Yates shuffle (Durstenfeld, CACM 7/7, 1964).
- larger: P = E⁻¹ ∘ (x ↦ x + 1 mod N) ∘ E. A conjugate has the cycles of what it conjugates, so P is one N-cycle and
  maps no number to itself. E is an alternating Feistel network on Z_a × Z_b with a = ⌈√N⌉, b = ⌈N/a⌉ (the shape of FE1
  in Bellare, Ristenpart, Rogaway, Stegers: Format-Preserving Encryption, SAC 2009, and of FF1 in NIST SP 800-38G), its
  round function keyed BLAKE2b (RFC 7693); the few pairs that are not below N are walked past (cycle walking: Black,
  Rogaway: Ciphers with Arbitrary Finite Domains, CT-RSA 2002).

E has the ten rounds of FF1, and P therefore twenty.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from hashlib import blake2b
from math import isqrt

__all__ = ["ROUNDS", "SMALL", "NumberCycle", "Permutation", "number_cycle", "subkey", "tweaked_cycle"]

ROUNDS = 10
SMALL = 1 << 14
"""Domains up to this size are shuffled in memory."""

NumberCycle = Callable[[int], int]
"""A permutation of 0..N-1 that is one cycle."""


def subkey(key: bytes, label: str) -> bytes:
    """32 bytes derived from the key for one purpose; `label` has at most 16 bytes of ASCII."""
    return blake2b(b"envclone", key=key, person=label.encode("ascii"), digest_size=32).digest()


def number_cycle(key: bytes, tweak: bytes, size: int) -> NumberCycle:
    """The keyed cycle on 0..size-1 for this tweak; the identity when `size` is 1."""
    if size < 1:
        raise ValueError("a domain holds at least one value")
    if size == 1:
        return lambda x: x
    return _shuffled(key, tweak, size) if size <= SMALL else _feistel(key, tweak, size)


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


def _shuffled(key: bytes, tweak: bytes, size: int) -> NumberCycle:
    base = blake2b(len(tweak).to_bytes(4, "little") + tweak + b"shuffle", key=key, digest_size=64)
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
    return following.__getitem__


def _feistel(key: bytes, tweak: bytes, size: int) -> NumberCycle:
    a = isqrt(size - 1) + 1
    b = -(-size // a)
    width = (a.bit_length() + 7) // 8
    digest_size = min(64, max(16, width + 8))  # 64 bits more than a half: no visible bias after the modulo
    head = len(tweak).to_bytes(4, "little") + tweak + size.to_bytes((size.bit_length() + 7) // 8, "little")
    states = [blake2b(head + bytes([i]), key=key, digest_size=digest_size) for i in range(ROUNDS)]
    forward = tuple((s.copy, t.copy) for s, t in zip(states[::2], states[1::2], strict=True))
    backward = forward[::-1]
    number = int.from_bytes

    def cycle(x: int) -> int:
        while True:
            left, right = divmod(x, b)
            for even, odd in forward:
                state = even()
                state.update(right.to_bytes(width, "little"))
                left = (left + number(state.digest(), "little")) % a
                state = odd()
                state.update(left.to_bytes(width, "little"))
                right = (right + number(state.digest(), "little")) % b
            x = left * b + right
            if x < size:
                break
        x = x + 1 if x + 1 < size else 0
        while True:
            left, right = divmod(x, b)
            for even, odd in backward:
                state = odd()
                state.update(left.to_bytes(width, "little"))
                right = (right - number(state.digest(), "little")) % b
                state = even()
                state.update(right.to_bytes(width, "little"))
                left = (left - number(state.digest(), "little")) % a
            x = left * b + right
            if x < size:
                return x

    return cycle
