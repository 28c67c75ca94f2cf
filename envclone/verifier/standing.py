"""Whether what stands in a masked text was left there, or is a pseudonym that stands elsewhere in the raw text too.

A mask rewrites places and leaves what is between them, in order: the words that it left are a common subsequence of
both texts. One of them counts as left when a longest common subsequence runs through it and through the same word in
the raw text; one that is shorter by one word does too, for pseudonyms can be equal to words by chance.

Lengths of subsequences: Hyyrö, "Bit-parallel LCS-length computation revisited" (2004), the rows as Python's integers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from envclone.verifier.loose import text_of
from envclone.verifier.search import Hit

__all__ = ["Standing", "Standings"]

_SLACK = 1
_WORD = re.compile(rb"[0-9A-Za-z\x80-\xff]+|[^0-9A-Za-z\x80-\xff\s]")
_MOST_WORDS, _MOST_ASKED = 20_000, 100
"""Words of a text that is compared, and how often it is asked; beyond that what is in both texts counts as left."""


class Standing:
    """A text before and after it was masked, both folded."""

    def __init__(self, before: bytes, after: bytes) -> None:
        self._before, self._after, self._asked = before, after, 0
        self._old, self._new = ([word.span() for word in _WORD.finditer(text)] for text in (before, after))
        self._words = [after[start:end] for start, end in self._new]

    def left(self, start: int, end: int) -> bool:
        """Whether what stands at these bytes after masking was left there."""
        self._asked += 1
        word = self._after[start:end]
        if len(self._before) == len(self._after) and self._before[start:end] == word:
            return True
        if max(len(self._old), len(self._new)) > _MOST_WORDS or self._asked > _MOST_ASKED:
            return word in self._before
        first, behind = _span(self._new, start, end)
        ahead = _row(self._words[:first], self._places, len(self._old))
        rest = _row(reversed(self._words[behind:]), self._turned, len(self._old))
        place = self._before.find(word)
        while place >= 0:
            one, over = _span(self._old, place, place + len(word))
            through = _length(ahead, one) + over - one + _length(rest, len(self._old) - over)
            if through + _SLACK >= self._longest:
                return True
            place = self._before.find(word, place + 1)
        return False

    @cached_property
    def _places(self) -> Mapping[bytes, int]:
        """For each word of the text before, the bits of its places."""
        found: dict[bytes, int] = {}
        for place, (start, end) in enumerate(self._old):
            word = self._before[start:end]
            found[word] = found.get(word, 0) | 1 << place
        return found

    @cached_property
    def _turned(self) -> Mapping[bytes, int]:
        """The same, counted from the end."""
        count = len(self._old)
        return {word: int(f"{bits:0{count}b}"[::-1], 2) for word, bits in self._places.items()}

    @cached_property
    def _longest(self) -> int:
        return _length(_row(self._words, self._places, len(self._old)), len(self._old))


class Standings:
    """The same of the values of a batch: `before` is None where nothing was masked."""

    def __init__(self, before: Sequence[Any] | None) -> None:
        self._before = before
        self._known: dict[int, Standing] = {}

    def left(self, value: int, text: bytes, hit: Hit) -> bool:
        """Whether a hit in the value with this number, whose folded text it is, was left there."""
        if self._before is None:
            return True
        if value not in self._known:
            self._known[value] = Standing(text_of(self._before[value]), text)
        return self._known[value].left(hit.start, hit.end)


def _span(words: Sequence[tuple[int, int]], start: int, end: int) -> tuple[int, int]:
    """The first word that reaches into these bytes, and the first that begins behind them."""
    first = next((i for i, (_, its_end) in enumerate(words) if its_end > start), len(words))
    return first, next((i for i in range(first, len(words)) if words[i][0] >= end), len(words))


def _row(words: Iterable[bytes], places: Mapping[bytes, int], count: int) -> int:
    """The last row of the table of lengths: a bit that is 0 where the length grows by one."""
    every = (1 << count) - 1
    row = every
    for word in words:
        if taken := row & places.get(word, 0):
            row = (row + taken | row - taken) & every
    return row


def _length(row: int, count: int) -> int:
    """The length of the longest common subsequence with the first `count` words."""
    return count - (row & (1 << count) - 1).bit_count()
