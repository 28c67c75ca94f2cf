"""Texts looked at once by a compiled loop: their words, which are known, and where numbers and forms may stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple, overload

import numpy as np

from envclone.masking.escapes import codes_of
from envclone.masking.kernels import texts as kernels
from envclone.masking.known import hashes_of
from envclone.masking.lexicon import Lexicon
from envclone.masking.names import given_names
from envclone.masking.parts import ENDINGS
from envclone.masking.patterns import Places
from envclone.masking.runs import Runs, letter_table, lower
from envclone.masking.strangers import CUES

__all__ = ["Look", "Looker"]

_PLANES = 0x110000
_LAST_CASED = 0x20000
_FAR = 0x0E00
_LONE = range(0xD800, 0xE000)
_SIGMA = 0x3A3


class Look(NamedTuple):
    """What stands in texts: `told` of each word as `kernels.texts` says; where numbers and forms may be; the texts
    without capitals; whether there is a script without spaces."""

    runs: Runs
    told: Any
    places: Places
    small: Sequence[tuple[int, int]]
    far: bool


class Looker:
    """Looks at texts for the words of a lexicon; only where loops are compiled."""

    def __init__(self, lexicon: Lexicon) -> None:
        told: dict[str, int] = {word: its_type + 1 for word, its_type in lexicon.words.items()}
        for words, what in (
            (lexicon.spelled, kernels.SPELLED),
            (given_names(), kernels.GIVEN),
            (CUES, kernels.CUE),
        ):
            for word in words:
                told[word] = told.get(word, 0) | what
        size = 1 << max(3, (2 * len(told)).bit_length())
        self._words = kernels.Words(
            np.zeros(size, np.uint64),
            np.zeros(size, np.uint8),
            np.zeros((2, kernels.BITS), np.uint8),
            lexicon.pairs.sorted,
            np.array([(kernels.packed(ending), least) for ending, least in ENDINGS], np.int64),
        )
        whats = np.fromiter(told.values(), np.uint8, len(told))
        kernels.enter(hashes_of(list(told)), whats, *self._words[:3])

    def look(self, text: str) -> Look | None:
        """What stands in texts with NUL between them; None when they hold what only Python reads right."""
        codes = codes_of(text)
        found = kernels.room_for(len(codes))
        if not kernels.look(codes, *_tables(), self._words, found):
            return None
        words, count = int(found.counts[0]), int(found.counts[1])
        starts, ends, told = found.starts[:words], found.ends[:words], found.told[:words]
        places = found.places[:count]
        by_kind = {kind: places[places[:, 0] == kind, 1:].tolist() for kind in range(1, kernels.TEXT + 1)}
        runs = Runs(
            text,
            _Words(text, starts, ends),
            memoryview(starts),
            memoryview(ends),
            told & kernels.SMALL != 0,
            by_kind[kernels.ZONE],
        )
        return Look(
            runs,
            told,
            Places(
                [begin for begin, _ in by_kind[kernels.IBAN]],
                by_kind[kernels.ADDRESS_4],
                by_kind[kernels.ADDRESS_6],
                [begin for begin, _ in by_kind[kernels.SECRET]],
                [begin for begin, _ in by_kind[kernels.UUID]],
            ),
            by_kind[kernels.TEXT],
            bool(found.counts[2]),
        )


class _Words(Sequence[str]):
    """The words of a text in lower case, cut when they are asked for."""

    def __init__(self, text: str, starts: Any, ends: Any) -> None:
        self._text = text
        self._starts, self._ends = memoryview(starts), memoryview(ends)

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...
    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        return lower(self._text[self._starts[at] : self._ends[at]])

    def __iter__(self) -> Iterator[str]:
        return (self[i] for i in range(len(self)))


@cache
def _tables() -> tuple[Any, Any]:
    """The class of every code point, and what it is in lower case."""
    classes = letter_table().astype(np.uint8) * np.uint8(kernels.LETTER)
    fold = np.arange(_PLANES, dtype=np.uint32)
    for code in range(_LAST_CASED):
        char = chr(code)
        if char.isupper() or char.istitle():
            classes[code] |= kernels.UPPER
        low = char.lower()
        if len(low) == 1:
            fold[code] = ord(low)
        if char.isdecimal():
            classes[code] |= kernels.DIGIT if char.isascii() else kernels.ODD
    classes[_FAR:] |= np.where(classes[_FAR:] & kernels.LETTER, kernels.FAR, 0).astype(np.uint8)
    classes[_LONE.start : _LONE.stop] |= kernels.ODD
    classes[_SIGMA] |= kernels.ODD  # what it is in lower case depends on what follows
    return classes, fold
