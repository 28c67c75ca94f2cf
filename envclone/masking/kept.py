"""Names with words among them that are nobody's: street types, legal forms. Those words stay as they are."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from functools import cached_property
from typing import TYPE_CHECKING

from envclone.masking.letters import is_mark
from envclone.masking.tokens import NameTokens
from envclone.masking.walk import walk

if TYPE_CHECKING:
    from envclone.masking.domains import Batch

__all__ = ["KeptWords"]

_ASCII_WORD = re.compile(r"[A-Za-z]+|[0-9]+")


class KeptWords:
    """Masks every word as a name but those in `words` (lower case); no other word becomes one of them: a bijection."""

    def __init__(self, names: NameTokens, words: Set[str]) -> None:
        self._names = names
        self._words = words

    def texts(self, values: Sequence[str]) -> list[str]:
        """Many values, each as `text` does."""
        return self.batch(values, self.text)

    @cached_property
    def batch(self) -> Batch:
        """Many values at once, each as `text` does."""
        return self._names.batches.without(self._words)

    def text(self, value: str) -> str:
        """The value with every other word and every number replaced."""
        if value.isascii():
            return _ASCII_WORD.sub(lambda m: self._word(m[0]), value)
        return "".join(map(self._word, _pieces(value)))

    def _word(self, word: str) -> str:
        if word.lower() in self._words:
            return word
        if word[:1] in "123456789" and word.isascii() and word.isdecimal():
            return walk(word, self._names.digits, lambda d: d[0] != "0")
        return walk(word, self._names.text, lambda w: w.lower() not in self._words)


def _pieces(text: str) -> list[str]:
    """The text cut into words, numbers, and what is neither."""
    out: list[str] = []
    last = ""
    for char in text:
        kind = "l" if char.isalpha() or (last == "l" and is_mark(char)) else "d" if char.isdecimal() else "-"
        if kind == last:
            out[-1] += char
        else:
            out.append(char)
        last = kind
    return out
