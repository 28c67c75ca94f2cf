"""IP addresses through the compiled loops: whole batches of IPv4, one address at a time of IPv6."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from envclone.masking.domains import Batch, DomainTable
from envclone.masking.fpe import words_of
from envclone.masking.kernels import networks as kernels
from envclone.packed import TextBlock, block_of

__all__ = ["AddressBatch"]

_64 = (1 << 64) - 1
_WORD = 64
_UNUSED = 96
"""Bits behind an IPv4 address in two words."""


class AddressBatch(Batch):
    """The mask of addresses; `four` and `six` are the networks of either version that keep to themselves: address and
    length."""

    def __init__(self, key: bytes, four: Sequence[tuple[int, int]], six: Sequence[tuple[int, int]]) -> None:
        super().__init__(lambda _: None, DomainTable(key, lambda _: (b"", ())))
        secret = words_of(key)
        highest = [(number << _UNUSED, length) for number, length in four]
        self._apart = {4: kernels.networks(highest, secret), 6: kernels.networks(six, secret)}

    def __call__(self, values: Sequence[str], one: Callable[[str], str]) -> list[str]:
        """The pseudonyms of values, in order."""
        try:
            return [text for text in self.packed(block_of(values), one) if text is not None]
        except ValueError:  # a zero in a value
            return [one(value) for value in values]

    def packed(self, block: TextBlock, one: Callable[[str], str]) -> TextBlock:
        """The pseudonyms of a block of texts, as a block."""
        out = np.empty(len(block.block) + kernels.LONGEST * len(block), np.uint8)
        odd = np.zeros(len(block), np.bool_)
        size = int(kernels.mask_v4(np.frombuffer(block.block, np.uint8), block.zeros, self._apart[4], out, odd))
        masked = TextBlock(out[: max(size - 1, 0)].tobytes(), block.absent)
        others: list[int] = np.flatnonzero(odd & ~block.absent).tolist()
        return masked.replaced(others, [one(block.text(i)) for i in others])

    def permuted(self, version: int, number: int) -> int:
        """The prefix-preserving permutation of one address."""
        unused, bits = (_UNUSED, 32) if version == 4 else (0, 128)
        number <<= unused
        word: Any = np.uint64
        first, second = kernels.permuted(word(number >> _WORD), word(number & _64), bits, self._apart[version])
        return (int(first) << _WORD | int(second)) >> unused
