"""The masks of keys: whole numbers, and texts that are none of a person's words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from envclone.errors import UnsafeError
from envclone.masking.fpe import NumberCycle, number_cycle, subkey
from envclone.masking.memo import Memo
from envclone.masking.shape import Shape
from envclone.packed import TextBlock

if TYPE_CHECKING:
    from envclone.masking.domains import Batch

__all__ = ["IntegerKeyMask", "TextKeyMask"]

_INTEGER = re.compile(r"([+-]?)(0*)([1-9][0-9]*|)(\.0+)?")
_BOUNDS = (2**15 - 1, 2**31 - 1, 2**63 - 1)
"""The largest smallint, integer and bigint: a key never leaves the smallest type that holds it."""


class IntegerKeyMask:
    """Whole numbers among those with as many digits, on the same side of what smallint, integer and bigint hold.

    A bijection without fixed points, but for 0, which means nobody. The sign and leading zeros are kept. A key has one
    pseudonym in columns of every width, in arrays, JSON and texts.
    """

    def __init__(self, key: bytes) -> None:
        self._key = subkey(key, "integer")
        self._cycle = lru_cache(maxsize=256)(self._make)
        self.mask_numbers = Memo(self._one, batch=lambda: self._batch)

    def mask(self, values: Sequence[str]) -> list[str]:
        """The pseudonyms of `values`, in order. Raises UnsafeError for a text that is not a whole number."""
        return self.mask_numbers(values)

    def packed(self, block: TextBlock) -> TextBlock:
        """The same of a block of texts."""
        return self.mask_numbers.packed(block)

    @cached_property
    def _batch(self) -> Batch:
        from envclone.masking.number_batches import integers

        return integers(self._key, _shape)

    def _one(self, value: str) -> str:
        text = value.strip()
        match = _INTEGER.fullmatch(text)
        if match is None:
            if not text:
                return value
            raise UnsafeError(
                "a value under the domain 'integer' is not a whole number",
                hint="declare texts as `key`, and numbers with a fraction as `number`",
            )
        sign, zeros, digits, fraction = match.groups()
        if not digits:
            return value
        number = int(digits)
        low, high = _class(number, len(digits))
        image = low + self._cycle(low, high)(number - low)
        return value.replace(text, f"{sign}{zeros}{image}{fraction or ''}")

    def _make(self, low: int, high: int) -> NumberCycle:
        return number_cycle(self._key, str(low).encode(), high - low + 1)


def _shape(key: int) -> tuple[bytes, Sequence[int]]:
    """The tweak and the radices for twice the digits, and one more for those beyond a bound."""
    digits = key // 2
    low, high = _class(10**digits - 1 if key % 2 else 10 ** (digits - 1), digits)
    return str(low).encode(), [high - low + 1]


def _class(number: int, digits: int) -> tuple[int, int]:
    """The smallest and the largest number that this one may become."""
    low, high = 10 ** (digits - 1), 10**digits - 1
    for bound in _BOUNDS:
        if low <= bound < high:
            return (low, bound) if number <= bound else (bound + 1, high)
    return low, high


class TextKeyMask:
    """Order numbers, codes, slugs: every letter and digit within its class, the whole value in one permutation."""

    def __init__(self, key: bytes) -> None:
        shape = Shape(key, "key")
        self.mask = Memo(shape.text, batch=lambda: shape.batch)
        self.packed = self.mask.packed
