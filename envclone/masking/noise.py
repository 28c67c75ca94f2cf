"""The mask of measures and amounts: noise that keeps the distribution, the number of digits and the scale."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b

from envclone.errors import UnsafeError
from envclone.masking.fpe import subkey
from envclone.masking.memo import Memo

__all__ = ["NumberMask"]

_NUMBER = re.compile(r"([+-]?)([0-9]*)(?:(\.)([0-9]*))?([eE][+-]?[0-9]+)?")
_WORDS = frozenset(("nan", "infinity", "-infinity", "inf", "-inf"))
_BOUNDS = (2**15 - 1, 2**31 - 1, 2**63 - 1)
_PARTS = 10
"""A number moves by at most one tenth of itself."""


class NumberMask:
    """Every number moves by up to a tenth of itself, up or down, as the number itself and the key decide.

    Equal numbers stay equal; different ones may become equal. 0 stays 0, so that a sum over nothing does.
    """

    def __init__(self, key: bytes) -> None:
        self._key = subkey(key, "number")
        self.mask_numbers = Memo(self._one)

    def mask(self, values: Sequence[str]) -> list[str]:
        """The pseudonyms of `values`, in order. Raises UnsafeError for a text that is not a number."""
        return self.mask_numbers(values)

    def _one(self, value: str) -> str:
        text = value.strip()
        match = _NUMBER.fullmatch(text)
        if not text or text.lower() in _WORDS:
            return value
        if match is None or not (match[2] or match[4]):
            raise UnsafeError(
                "a value under the domain 'number' is not a number", hint="declare texts as `key` or `text`"
            )
        sign, whole, dot, fraction, exponent = (part or "" for part in match.groups())
        digits = whole + fraction
        if not digits.strip("0"):
            return value
        fresh = str(self._moved(int(digits), bounded=not fraction)).zfill(len(digits))
        return value.replace(text, sign + fresh[: len(whole)] + dot + fresh[len(whole) :] + exponent)

    def _moved(self, number: int, *, bounded: bool) -> int:
        digits = len(str(number))
        low, high = 10 ** (digits - 1), 10**digits - 1
        if bounded:
            high = next((bound for bound in _BOUNDS if number <= bound < high), high)
        reach = max(1, number // _PARTS)
        draw = int.from_bytes(blake2b(b"%d" % number, key=self._key, digest_size=16).digest(), "little")
        offset = draw % (2 * reach) - reach
        moved = number + offset + (offset >= 0)  # never by nothing
        if moved > high:
            moved = 2 * high - moved
        if moved < low:
            moved = 2 * low - moved
        return moved if moved != number and low <= moved <= high else number + 1 if number < high else number - 1
