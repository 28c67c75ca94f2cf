"""Texts looked at once by a compiled loop: their words, which are known, and where numbers and forms may stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple, overload

import numpy as np

from envclone.compiled import frozen
from envclone.masking.beginnings import codes_of
from envclone.masking.kernels import texts as kernels
from envclone.masking.kernels.called import call
from envclone.masking.kernels.judged import Spellings, judge
from envclone.masking.kernels.pairs import beside
from envclone.masking.known import hashes_of
from envclone.masking.lexicon import Lexicon
from envclone.masking.names import all_names, given_names
from envclone.masking.parts import ENDINGS
from envclone.masking.patterns import Places, Span
from envclone.masking.runs import JOINTS, UNCAPITALIZED, Runs, chars, letter_table, lower
from envclone.masking.strangers import CUES
from envclone.masking.words import SAID_OF_PERSONS

__all__ = ["Look", "Looker", "cased_codes", "tables"]

_PLANES = 0x110000
_PHONE = 1
_MANY = 16 * 2**20
"""Bytes of pairs that may be in memory as a whole."""
"""The kind of a telephone number."""
_LAST_CASED = 0x20000
_FAR = 0x0E00
_LONE = range(0xD800, 0xE000)
_SIGMA, _SMALL_SIGMA, _LAST_SIGMA = "\u03a3", 0x3C3, 0x3C2
_SMALLER, _LAST = _PLANES, _PLANES + 1
"""Behind all code points: a capital sigma that is a small one in lower case, and one that is the last of its word."""


class Look(NamedTuple):
    """What stands in texts: the spans of names, longer spellings and some telephone numbers, as rows of (begin, minus
    the end, number of the kind); the numbers of words that are cues, and of those that may hold a name; where numbers
    and forms may be; of each word whether its place in the sentence was looked at; whether there is a script without
    spaces."""

    runs: Runs
    marks: Any
    kinds: Sequence[str]
    cues: Sequence[int]
    parted: Sequence[int]
    places: Places
    judged: Any
    far: bool

    def spans(self) -> list[Span]:
        """The spans of names and longer spellings."""
        return [(begin, end, self.kinds[kind]) for begin, end, kind in self.marks.tolist()]


class Looker:
    """Looks at texts for the words of a lexicon; only where loops are compiled."""

    def __init__(self, lexicon: Lexicon) -> None:
        told: dict[str, int] = {word: its_type + 1 for word, its_type in lexicon.words.items()}
        for words, what in (
            (lexicon.spelled, kernels.SPELLED),
            (given_names(), kernels.GIVEN),
            (CUES, kernels.CUE),
            (SAID_OF_PERSONS, kernels.SAID),
            (all_names(), kernels.NAME),
        ):
            for word in words:
                told[word] = told.get(word, 0) | what
        rows = {word: row for row, word in enumerate(lexicon.spelled, 1)}
        size = 1 << max(3, (2 * len(told)).bit_length())
        self._words = kernels.nothing()._replace(
            numbers=np.zeros(size, np.uint64),
            told=np.zeros(size, np.uint16),
            rows=np.zeros(size, np.int32),
            pairs=lexicon.pairs.sorted,
            endings=np.array([(kernels.packed(ending), least) for ending, least in ENDINGS], np.int64),
        )
        whats = np.fromiter(told.values(), np.uint16, len(told))
        which = np.fromiter((rows.get(word, 0) for word in told), np.int32, len(told))
        kernels.enter(hashes_of(list(told)), whats, which, *self._words[:4])
        self._spellings, self._kinds = _spellings(lexicon)
        self._numbers = frozen(np.asarray(lexicon.numbers.sorted, np.int64))
        self._shelf = lexicon.shelf

    def look(self, text: str) -> Look | None:
        """What stands in texts with NUL between them; None when they hold what only Python reads right."""
        codes = cased_codes(text)
        classes, fold, blank = tables()
        found = kernels.room_for(len(codes))
        if not kernels.look(codes, classes, fold, self._words, found):
            return None
        words, count = int(found.counts[0]), int(found.counts[1])
        places = found.places[:count]
        zones = np.ascontiguousarray(places[places[:, 0] == kernels.ZONE, 1:])
        spans = np.empty((2 * words + 2 * len(zones) + 2, 3), np.int32)
        asked, left = np.empty(words, np.int32), np.empty(len(zones), np.bool_)
        among = self._among(codes, fold, found)
        if not judge(codes, classes, fold, blank, among, found, self._spellings, spans, asked):
            return None
        starts, ends, told = found.starts[:words], found.ends[:words], found.told[:words]
        by_kind = {kind: places[places[:, 0] == kind, 1:].tolist() for kind in range(1, kernels.AT + 1)}
        size, cues, parted = found.counts[3:6].tolist()
        size += int(call(codes, zones, classes, _PHONE, self._numbers, spans[size:], left))
        return Look(
            Runs(
                text,
                _Words(text, starts, ends),
                memoryview(starts),
                memoryview(ends),
                told & kernels.SMALL != 0,
                zones.tolist(),
            ),
            spans[:size],
            self._kinds,
            asked[:cues].tolist(),
            asked[words - parted :].tolist()[::-1],
            Places(
                zones[left].tolist(),
                [begin for begin, _ in by_kind[kernels.IBAN]],
                by_kind[kernels.ADDRESS_4],
                by_kind[kernels.ADDRESS_6],
                [begin for begin, _ in by_kind[kernels.SECRET]],
                [begin for begin, _ in by_kind[kernels.UUID]],
                by_kind[kernels.EMAIL],
                [begin for begin, _ in by_kind[kernels.AT]],
            ),
            told & kernels.KNOWN > 1,
            bool(found.counts[2]),
        )

    def _among(self, codes: Any, fold: Any, found: Any) -> Any:
        """The words, with those pairs alone that stand in the texts where all of them are many: these are looked up in
        their order, for each would bring another page into memory."""
        pairs = self._words.pairs
        if pairs.nbytes <= _MANY:
            return self._words
        wanted = np.empty(max(1, int(found.counts[0])), np.int64)
        wanted = np.unique(wanted[: int(beside(codes, fold, found, wanted))])
        return self._words._replace(pairs=wanted[self._shelf.sought(pairs, wanted)[1]])

    def odd(self, texts: Sequence[str]) -> Sequence[int]:
        """The numbers of the texts in which something stands that only Python reads right."""
        classes = tables()[0]
        return [
            i for i, text in enumerate(texts) if not text.isascii() and (classes[cased_codes(text)] & kernels.ODD).any()
        ]


def _spellings(lexicon: Lexicon) -> tuple[Spellings, Sequence[str]]:
    """The spellings of a lexicon as arrays, and the names of their kinds by number."""
    rows = list(lexicon.spelled.values())
    every = [spelling for row in rows for spelling in row]
    kinds = ["person", "phone", "person", *sorted({spelling.kind for spelling in every} - {"person", "phone"})]
    letters = "".join(spelling.text for spelling in every)
    return Spellings(
        np.frombuffer(letters.encode("utf-32-le", "surrogatepass"), np.uint32),
        np.cumsum([0, *map(len, rows)], dtype=np.int32),
        np.cumsum([0, *(len(spelling.text) for spelling in every)], dtype=np.int32),
        np.array([*(spelling.offset for spelling in every), 0], np.int32),
        np.array([*(kinds.index(spelling.kind, 1) for spelling in every), 0], np.int32),
    ), kinds


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


def cased_codes(text: str) -> Any:
    """The code points of a text, in which a capital sigma is told by what it is in lower case.

    That depends on what stands around it (Unicode, Final_Sigma). Where its word alone would say something else, as
    behind an apostrophe, it stays as it is, and is left to what reads the whole text.
    """
    codes = codes_of(text)
    if _SIGMA not in text:
        return codes
    places = np.flatnonzero(codes == ord(_SIGMA))
    letters = np.append(letter_table()[codes], False)
    last = letters[places - 1] & ~letters[places + 1]
    whole = np.frombuffer(lower(text).encode("utf-32-le", "surrogatepass"), np.uint32)[places]
    told = np.where(last, _LAST_SIGMA, _SMALL_SIGMA) == whole
    out = codes.copy()
    out[places[told]] = np.where(last, _LAST, _SMALLER)[told]
    return frozen(out)


@cache
def tables() -> tuple[Any, Any, Any]:
    """The class of every code point, what it is in lower case, and the same with a blank for what joins; of those of
    `cased_codes` too."""
    strings = np.char
    classes = letter_table().astype(np.uint8) * np.uint8(kernels.LETTER)
    fold = np.arange(_PLANES, dtype=np.uint32)
    cased = chars()[:_LAST_CASED]
    upper, title = strings.isupper(cased), strings.istitle(cased)
    title &= ~upper
    decimal = strings.isdecimal(cased)
    classes[:_LAST_CASED][upper] |= kernels.UPPER
    classes[:_LAST_CASED][title] |= kernels.ODD
    classes[:_LAST_CASED][strings.islower(cased) & ~upper & ~title] |= kernels.LOWER
    classes[UNCAPITALIZED.start : UNCAPITALIZED.stop] &= ~np.uint8(kernels.LOWER)
    classes[:_LAST_CASED][decimal] |= kernels.ODD
    classes[ord("0") : ord("9") + 1] ^= kernels.ODD | kernels.DIGIT
    for code in np.flatnonzero(upper | title).tolist():
        low = chr(code).lower()
        if len(low) == 1:
            fold[code] = ord(low)
    classes[strings.isalnum(chars())] |= kernels.ALNUM
    classes[[*map(ord, "0123456789abcdefABCDEF")]] |= kernels.HEX
    classes[_FAR:] |= np.where(classes[_FAR:] & kernels.LETTER, kernels.FAR, 0).astype(np.uint8)
    classes[_LONE.start : _LONE.stop] |= kernels.ODD
    sigma = ord(_SIGMA)
    classes = np.append(classes, classes[[sigma, sigma]])
    classes[sigma] |= kernels.ODD  # what it is in lower case depends on what follows
    fold = np.append(fold, np.array([_SMALL_SIGMA, _LAST_SIGMA], np.uint32))
    blank = fold.copy()
    blank[list(map(ord, JOINTS))] = ord(" ")
    return classes, fold, blank
