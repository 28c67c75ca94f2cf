"""Which values of a batch may be in a short list: asked of the batch at once, and of its halves where it says yes.

A sieve lets through too many rather than too few; who asks looks closer at what it lets through.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from envclone.packed import Packed

__all__ = ["Sieve"]

_SEPARATOR = "\x00"
_AROUND = r"[\t-\r\x1c-\x20()\[\]<>{}\"'_.\-]*"
"""Blanks, and what stands around a word that is nobody's."""
_GAP = r"[\t-\r\x1c-\x20_\-]"
_FEWEST = 8
"""Values that are no more halved."""
_NO_DIGIT = r"[^0-9\x00]*"
_HEAD = 8


class Sieve:
    """Looks for values in any casing and with any blanks: `words`, e-mail addresses `wild` with `*`, as numbers
    those with the digits of `words` or with one digit all over, as UUIDs those that begin with one digit."""

    def __init__(
        self, words: Iterable[str], wild: Iterable[str], *, numbers: bool, uuids: bool, open_end: bool
    ) -> None:
        import re2  # late: only who masks batches needs it

        told = sorted(word for word in words if word.isascii())
        end = "" if open_end else f"{_AROUND}\\x00"
        ways = [_spaced(word) + end for word in told]
        ways += ["[^@\\x00]*".join(map(re.escape, word.split("*"))) + end for word in sorted(wild)]
        if numbers:
            alike = {"".join(char for char in word if char.isdecimal()) for word in told} - {""}
            ways += [_NO_DIGIT + "".join(digit + _NO_DIGIT for digit in digits) + "\\x00" for digits in sorted(alike)]
            ways += [f"{_NO_DIGIT}(?:{digit}{_NO_DIGIT})+\\x00" for digit in range(10)]
            ways += [f"{_NO_DIGIT}(?:[0-9]{_NO_DIGIT}){{1,3}}(?:0{_NO_DIGIT}){{6,}}\\x00"]  # +1 000 000 0000
        if uuids:
            ways += [f"[{{}}]*(?:urn:uuid:)?[{{}}]*(?:-*{digit}){{{_HEAD}}}" for digit in "0123456789abcdef"]
        options: Any = re2.Options()
        options.never_capture = True
        self._pattern = re2.compile(f"\\x00{_AROUND}(?:{'|'.join(ways)})", options)

    def through(self, values: Sequence[str]) -> list[int]:
        """The places of those that may be in the list; what is not ASCII always may."""
        folded = _SEPARATOR.join(values).lower()
        if not folded.isascii():
            plain = [i for i, value in enumerate(values) if value.isascii()]
            inside = {plain[i] for i in self.through([values[i] for i in plain])}
            return sorted(inside.union(i for i, value in enumerate(values) if not value.isascii()))
        if self._pattern.search(f"\x00{folded}\x00") is None:
            return []
        if len(values) <= _FEWEST:
            return list(range(len(values)))
        half = len(values) // 2
        return [*self.through(values[:half]), *(half + i for i in self.through(values[half:]))]

    def among(self, values: Packed) -> list[int]:
        """The same of packed values."""
        found = np.flatnonzero(~values.plain & (values.starts >= 0)).tolist()
        block = values.block.tobytes().lower()
        position, end = 0, len(block)
        hits: list[int] = []
        while (match := self._pattern.search(block, position, end)) is not None:
            hits.append(match.start() + 1)
            position = max(match.end() - 1, match.start() + 1)  # the zero behind one value is before the next
        if hits:
            present = np.flatnonzero(values.starts >= 0)
            at = np.searchsorted(values.starts[present], np.array(hits), "right") - 1
            found += present[at[at >= 0]].tolist()
        return sorted(set(found))


def _spaced(word: str) -> str:
    return f"{_GAP}+".join(map(re.escape, word.split(" ")))
