"""Texts masked within their shape: a letter becomes a letter, a digit a digit, and all else stays where it is.

All letters and digits of a value are permuted together as one number (`fpe`), so that no part of a value tells which
other values share that part. Casing is kept position by position, so values that are equal but for their casing
(citext, an index on `lower(…)`) have pseudonyms that are. Texts with other letters than those of ASCII are masked as
names are (`tokens`), token by token. Both keep what is ASCII apart from what is not: the whole is a bijection, and it
changes every text that has a letter or a digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from envclone.masking.fpe import Permutation, subkey
from envclone.masking.tokens import CHUNK, NameTokens

if TYPE_CHECKING:
    from envclone.masking.domains import Batch

__all__ = ["Shape"]

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_DIGITS = "0123456789"
_HEX = "0123456789abcdef"
_CLASSES = str.maketrans({c: "l" if c.isalpha() else "d" if c.isdecimal() else " " for c in map(chr, range(128))})
_ALPHABETS = {"l": _LETTERS, "d": _DIGITS, "h": _HEX}
_PLACES = {name: {c: i for i, c in enumerate(letters)} for name, letters in _ALPHABETS.items()}


class Shape:
    """The permutation of texts of one shape under a key; `label` separates domains (at most 16 bytes of ASCII)."""

    def __init__(self, key: bytes, label: str) -> None:
        self._key = subkey(key, label)
        self._other = NameTokens(self._key)
        self._made = lru_cache(maxsize=4096)(self._make)

    @property
    def key(self) -> bytes:
        """The key of the shapes' permutations."""
        return self._key

    def texts(self, values: Sequence[str]) -> list[str]:
        """Many values, each as `text` does."""
        return self.batch(values, self.text)

    def hexadecimals(self, values: Sequence[str]) -> list[str]:
        """Many values, each as `hexadecimal` does."""
        return self._hexadecimals(values, self.hexadecimal)

    @cached_property
    def batch(self) -> Batch:
        """Many values at once, each as `text` does."""
        from envclone.masking.code_batches import shapes

        return shapes(self._key)

    @cached_property
    def _hexadecimals(self) -> Batch:
        from envclone.masking.code_batches import hexadecimals

        return hexadecimals(self._key)

    def text(self, value: str) -> str:
        """The value with every letter and digit of ASCII replaced within its class."""
        if not value.isascii():
            return self._other.text(value)
        return self._within(value, value.translate(_CLASSES))

    def hexadecimal(self, value: str) -> str:
        """Hexadecimal digits, a to f in lower case, replaced by as many."""
        return self._within(value, value.translate(_CLASSES).replace("l", "h").replace("d", "h"))

    def _within(self, value: str, classes: str) -> str:
        places = [i for i, name in enumerate(classes) if name != " "]
        lower = value.lower()
        out = list(value)
        for start in range(0, len(places), CHUNK):
            chunk = places[start : start + CHUNK]
            names = "".join([classes[i] for i in chunk])
            image = self._made(names)([_PLACES[classes[i]][lower[i]] for i in chunk])
            for i, digit in zip(chunk, image, strict=True):
                letter = _ALPHABETS[classes[i]][digit]
                out[i] = letter.upper() if value[i].isupper() else letter
        return "".join(out)

    def _make(self, names: str) -> Permutation:
        return Permutation(self._key, names.encode(), [len(_ALPHABETS[name]) for name in names])
