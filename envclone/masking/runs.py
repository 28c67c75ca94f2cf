"""A text cut into runs: words and numbers at odd places, what stands between them at even ones."""

from __future__ import annotations

import re
import sys
from functools import cache
from itertools import accumulate
from unicodedata import category

__all__ = ["Runs", "cut"]

_PLAIN = re.compile(r"([^\W\d_]+|\d+)")


class Runs:
    """The pieces of a folded text and where each starts; `words` are the runs, `starts[2 * i + 1]` their places.

    A word holds the combining marks behind its letters.
    """

    __slots__ = ("pieces", "starts", "words")

    def __init__(self, pieces: list[str]) -> None:
        self.pieces = pieces
        self.words = pieces[1::2]
        self.starts = list(accumulate(map(len, pieces), initial=0))


def cut(folded: str) -> Runs:
    """Cut a text in lower case."""
    plain = folded.isascii() or not _marks().search(folded)
    return Runs((_PLAIN if plain else _with_marks()).split(folded))


@cache
def _marks() -> re.Pattern[str]:
    return re.compile(f"[{_class()}]")


@cache
def _with_marks() -> re.Pattern[str]:
    return re.compile(rf"([^\W\d_](?:[^\W\d_]|[{_class()}])*|\d+)")


@cache
def _class() -> str:
    """All combining marks as ranges for a character class."""
    ranges: list[list[int]] = []
    for code in range(0x300, min(sys.maxunicode, 0x20000) + 1):
        if category(chr(code))[0] == "M":
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"{chr(a)}-{chr(b)}" if b > a else chr(a) for a, b in ranges)
