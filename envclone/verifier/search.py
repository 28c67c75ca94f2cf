"""Search for many values in one pass over text or bytes.

A short or common word counts only where it stands as a word. What tells of a person by itself counts wherever its bytes
are: in a binary file the byte before or after a value is a length or a tag, and can look like a letter.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ahocorasick_rs import BytesAhoCorasick, Implementation

from envclone.compiled import available
from envclone.forked import fork_map, processors
from envclone.shelf import Column, Shelf
from envclone.verifier.originals import Originals, spellings
from envclone.verifier.shortsearch import SHORTEST, ShortSearch
from envclone.verifier.strings import Strings, uuid_strings
from envclone.verifier.windows import AS_IT_IS, WIDTH, Patterns, Seen, WindowSearch
from envclone.verifier.wordsearch import WordSearch

__all__ = ["ByteSearch", "Found", "Hit", "shortest"]

CHUNK = 4 * 2**20
"""Bytes of a file looked at at once; chunks overlap by the longest value."""


PIECE = 16 * CHUNK
"""Bytes of a file that one process looks at."""

FEW = 20_000
"""Originals up to which an automaton is small enough; used where loops are not compiled, and in files."""

_AT_ONCE = 1 << 18
"""Originals that are looked at together."""

_FEW_WIDE = 1000
"""Strings that count as words, of the width of a window, up to which they are looked for by what they begin with."""
_UUID = 16
"""Bytes of a UUID as a type has it, the shortest of its spellings."""
_SMALL = 1 << 14
"""Bytes of patterns up to which the automaton is a table."""

TELLING = 9
"""Bytes from which a full name is not an accident inside other words ('coastal lights' holds 'al li')."""
_INFLECTED = 6
"""Bytes from which a name with an s behind it is the name still."""


_LOWER = bytes(range(256)).lower()
_CAPITAL = bytes(one != other for one, other in zip(AS_IT_IS, _LOWER, strict=True))
_ALNUM = np.array([bytes((byte,)).isalnum() for byte in range(256)])
_DIGIT = np.array([bytes((byte,)).isdigit() for byte in range(256)])
_OTHER = bytes(bytearray(~_ALNUM))
"""Per byte whether it is none of a word of ASCII."""
_S = ord("s")
_NUMBERED = frozenset(("address", "company"))
"""Kinds of identities that a number can be the end of."""


class Boundary(Enum):
    """What must not stand right beside a value."""

    NONE = 0
    DIGIT = 1
    WORD = 2
    """nothing that continues a word; behind a name a genitive's s may stand"""
    TELLING = 3
    """as NONE from TELLING bytes on, else as WORD"""


class Hit(NamedTuple):
    """One original value found: its number, the offset in bytes, and where it ends."""

    original: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Found:
    """A piece of a file, from `first`, `size` bytes, and what was found in it."""

    path: Path
    first: int
    size: int
    hits: tuple[Hit, ...] = ()


def shortest(total_bytes: int, values: int) -> int:
    """The length in bytes from which a hit in so many random bytes is not an accident (chance of one below 0.1 %).

    Expected accidental hits of v values of n bytes in b random bytes: b * v / 256**n.
    """
    return max(5, math.ceil(math.log(max(total_bytes, 1) * max(values, 1) * 1000, 256)))


class ByteSearch:
    """A search for every spelling of the originals that is long enough.

    `spell` gives the byte strings of a value; of one that `Originals.plain` names these must be itself and its lower
    case, or with `fold`, a table of 256 bytes as `bytes.translate` takes it, itself translated by that; of a UUID its
    16 bytes too, or with `fold` its digits without dashes. What counts
    as a word of ASCII only is looked up word by word (`wordsearch`), what is short by its first bytes where no word
    goes on (`shortsearch`), the rest by their rarest windows (`windows`). Few patterns in files, what may begin
    anywhere and is short, and all of them where loops are not compiled, are looked for by an Aho-Corasick automaton.
    What is not `within` the data of which that tells need not be found.
    """

    def __init__(
        self,
        originals: Originals,
        *,
        minimum: int,
        spell: Callable[[str], Iterable[bytes]] = spellings,
        fold: bytes | None = None,
        within: Seen | None = None,
    ) -> None:
        compiled = fold is not None and available()
        large = compiled or len(originals) > FEW
        taken = originals.shelf.zeros(np.bool_, len(originals))
        self._originals = originals
        self._sources = originals.sources()
        self._rules = _boundaries(originals, texts=fold is not None)
        self._windows: WindowSearch | None = None
        self._window_owners: list[Any] = []
        self._shorter: list[WordSearch | ShortSearch] = []
        self._longest = 1
        shelf = originals.shelf
        if compiled and len(words := self._words(minimum)):
            assert fold is not None
            patterns = Patterns(*originals.held(), words, fold)
            _mark(taken, words)
            self._longest = patterns.longest()
            self._shorter.append(WordSearch(patterns, _ALNUM, minimum, shelf))
        wanted: list[tuple[Patterns, Any]] = []
        if large:
            plain = originals.plain(max(minimum, WIDTH))
            wanted += [(patterns, None) for patterns in _plain(originals, plain, fold, taken)]
            if minimum <= _UUID:
                uuids = _marked(originals.uuids(), taken, shelf, marked=False)
                wanted += [(patterns, None) for patterns in _plain(originals, uuids, fold, taken)]
                strings = uuid_strings(originals, uuids, fold)
                wanted.append((strings.patterns(), strings.numbers()))
            for patterns, owners in wanted:
                if owners is None:
                    _mark(taken, patterns.which)
        self.skipped, self.searched = 0, int(taken.sum())
        few, short, wide, wide_words = (Strings(shelf) for _ in range(4))
        rules = self._rules[0]
        for number in _unmarked(taken):
            spelled = [spelling for spelling in spell(originals.value(number)) if len(spelling) >= minimum]
            self.skipped += not spelled
            self.searched += bool(spelled)
            for spelling in spelled:
                self._longest = max(self._longest, len(spelling))
                begins = compiled and _begins(int(rules[self._sources[number]]), spelling)
                if large and len(spelling) >= WIDTH:
                    (wide_words if begins else wide).add(spelling, number)
                else:
                    (short if begins else few).add(spelling, number)
        for spelling, number in wide_words:
            (short if len(wide_words) <= _FEW_WIDE else wide).add(spelling, number)
        if len(wide):
            wanted.append((wide.patterns(), wide.numbers()))
        self._look_for(wanted, within)
        if len(short):
            self._shorter.append(ShortSearch(short.texts(), short.numbers(), _ALNUM, _DIGIT))
        self._owners = few.numbers().astype(np.int64)
        texts = few.texts()
        self._automaton = BytesAhoCorasick(texts, implementation=_automaton(texts)) if texts else None

    def _look_for(self, wanted: Sequence[tuple[Patterns, Any]], within: Seen | None) -> None:
        """Search by windows, all in one pass: the filter is that of the first, which has most."""
        if within is not None:
            wanted = [(within.beginning(patterns, self._originals.shelf), owners) for patterns, owners in wanted]
        for patterns, owners in sorted(wanted, key=lambda one: len(one[0]), reverse=True):
            self._longest = max(self._longest, patterns.longest())
            windows = WindowSearch(patterns, self._originals.shelf)
            if self._windows is None:
                self._windows = windows
            else:
                self._windows.also(windows)
            self._window_owners.append(owners)

    def _words(self, least: int) -> Any:
        """The numbers (uint32) of the originals that count as words only, and are letters and digits of ASCII."""
        rules, names, _ = self._rules
        as_words = (rules == Boundary.WORD.value) & ~names
        if_short = (rules == Boundary.TELLING.value) & ~names
        bounds, shelf = self._originals.held()[1], self._originals.shelf
        found = Column(shelf, np.uint32)
        if not (as_words | if_short).any():
            return found.array
        other = self._originals.having(_OTHER)
        for first in range(0, len(other), _AT_ONCE):
            lengths = np.diff(bounds[first : first + _AT_ONCE + 1])
            sources = self._sources[first : first + _AT_ONCE]
            chosen = as_words[sources] | (if_short[sources] & (lengths < TELLING))
            found.extend(np.flatnonzero(chosen & (lengths >= least) & ~other[first : first + _AT_ONCE]) + first)
            shelf.rest()
        return found.array

    def find(self, data: bytes) -> Iterator[Hit]:
        """Every occurrence in `data`; a weak value only where it is not part of a longer word or number."""
        return map(Hit._make, self.hits(data).tolist())

    def hits(self, data: bytes) -> Any:
        """The same as rows of the original's number, start and end (int64)."""
        found = []
        if self._automaton is not None:
            few = self._automaton.find_matches_as_indexes(data, overlapping=True)
            if few:
                rows = np.array(few, np.int64)
                rows[:, 0] = self._owners[rows[:, 0]]
                found.append(rows)
        if self._windows is not None:
            for rows, owners in zip(self._windows.find_all(data), self._window_owners, strict=True):
                if len(rows):
                    if owners is not None:
                        rows[:, 0] = owners[rows[:, 0]]
                    found.append(rows)
        for search in self._shorter:
            rows = search.find(data)
            if len(rows):
                found.append(rows)
        if not found:
            return np.zeros((0, 3), np.int64)
        rows = found[0] if len(found) == 1 else np.concatenate(found)
        kinds, *told = self._rules
        sources = self._originals.shelf.picked(self._sources, rows[:, 0])
        return rows[
            _bounded(
                np.frombuffer(data, np.uint8), rows[:, 1], rows[:, 2], kinds[sources], *(of[sources] for of in told)
            )
        ]

    def find_in_file(self, path: Path) -> Iterator[Hit]:
        """Every occurrence in a file; memory stays flat."""
        for piece in _pieces([path]):
            yield from self._find_in_piece(piece).hits

    def find_in_files(self, paths: Sequence[Path]) -> Iterator[Found]:
        """Every occurrence in many files, by all processors: what each piece of a file held, in no order."""
        yield from fork_map(self._find_in_piece, list(_pieces(paths)), processors())

    def _find_in_piece(self, piece: Found) -> Found:
        """The hits whose last byte lies in the piece."""
        if not piece.size:
            return piece
        hits: list[Hit] = []
        with piece.path.open("rb", buffering=0) as file:
            for offset in _written(file.fileno(), piece.first, piece.first + piece.size):
                end = min(offset + CHUNK, piece.first + piece.size)
                begin = max(0, offset - self._longest - 1)
                # one byte more than the chunk, to see whether the word goes on behind it
                data = os.pread(file.fileno(), end + 1 - begin, begin)
                for hit in self.find(data):
                    if offset < begin + hit.end <= end:
                        hits.append(Hit(hit.original, begin + hit.start, begin + hit.end))
        return replace(piece, hits=tuple(hits))


def _begins(rule: int, text: bytes) -> bool:
    """Whether a string counts only where it begins, as `ShortSearch` looks for it."""
    first = text[0]
    if len(text) < SHORTEST or first & 0xC0 == 0x80:
        return False
    if rule == Boundary.DIGIT.value:
        return bool(_DIGIT[first]) or not _ALNUM[first]
    as_word = rule == Boundary.WORD.value or (rule == Boundary.TELLING.value and len(text) < TELLING)
    return as_word or (rule == Boundary.TELLING.value and not _ALNUM[first])


def _automaton(texts: Sequence[bytes]) -> Implementation:
    """The form of an automaton: the fast one takes a table of some 200 bytes for each byte of the texts."""
    return Implementation.DFA if sum(map(len, texts)) <= _SMALL else Implementation.ContiguousNFA


def _pieces(paths: Sequence[Path]) -> Iterator[Found]:
    for path in paths:
        size = path.stat().st_size
        for first in range(0, size, PIECE):
            yield Found(path, first, min(PIECE, size - first))


def _plain(originals: Originals, numbers: Any, fold: bytes | None, taken: Any) -> Iterator[Patterns]:
    """Originals that are not taken, where they lie: as they are written and in lower case."""
    numbers = _marked(numbers, taken, originals.shelf, marked=False)
    block, bounds = originals.held()
    if not len(numbers):
        return
    yield Patterns(block, bounds, numbers, AS_IT_IS if fold is None else fold)
    other = _marked(numbers, originals.having(_CAPITAL), originals.shelf, marked=True) if fold is None else numbers[:0]
    if len(other):
        yield Patterns(block, bounds, other, _LOWER)


def _marked(numbers: Any, marks: Any, shelf: Shelf, *, marked: bool) -> Any:
    """The numbers (uint32) of which a table of truth values says so."""
    found = Column(shelf, np.uint32)
    for first in range(0, len(numbers), _AT_ONCE):
        some = numbers[first : first + _AT_ONCE]
        found.extend(some[marks[some] == marked])
        shelf.rest()
    return found.array


def _mark(marks: Any, numbers: Any) -> None:
    for first in range(0, len(numbers), _AT_ONCE):
        marks[numbers[first : first + _AT_ONCE]] = True


def _unmarked(marks: Any) -> Iterator[int]:
    """The numbers of which a table of truth values does not say so."""
    for first in range(0, len(marks), _AT_ONCE):
        yield from (np.flatnonzero(~marks[first : first + _AT_ONCE]) + first).tolist()


def _written(descriptor: int, offset: int, size: int) -> Iterable[int]:
    """Offsets of the chunks that hold data; the holes of a sparse file are not read."""
    while offset < size:
        try:
            data = os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError:
            return
        offset = max(offset, data // CHUNK * CHUNK)
        if offset < size:
            yield offset
        offset += CHUNK


def _boundaries(originals: Originals, *, texts: bool) -> tuple[Any, Any, Any]:
    """Per source what may not stand beside a value of it for it to count (`Boundary`), whether it is a name, and
    whether in texts digits that go on make it another value: `Church Street 4` is not in `Church Street 42`.

    Among bytes what looks like a digit can be the length of a value."""
    rules = np.zeros(len(originals.known), np.int8)
    names, numbered = np.zeros((2, len(originals.known)), np.bool_)
    for at, known in enumerate(originals.known):
        names[at], numbered[at] = known.kind == "person", texts and known.kind in _NUMBERED
        if known.kind == "phone":
            rules[at] = Boundary.DIGIT.value
        elif known.strong:
            rules[at] = (Boundary.NONE if known.kind == "email" else Boundary.TELLING).value
        else:
            rules[at] = Boundary.WORD.value
    return rules, names, numbered


def _bounded(data: Any, starts: Any, ends: Any, rules: Any, names: Any, numbered: Any) -> Any:
    """Which places are bounded: no neighbour continues the word or number there, 'Ann' is not found in 'Annual'."""
    size, lengths = len(data), ends - starts
    before = np.where(starts > 0, data[np.maximum(starts, 1) - 1], 0)
    after = np.where(ends < size, data[np.minimum(ends, size - 1)], 0)
    # 'Quenzelmanns Antrag'
    genitive = names & (lengths >= _INFLECTED) & (after == _S)
    behind = np.where(genitive, np.where(ends + 1 < size, data[np.minimum(ends + 1, size - 1)], 0), after)
    apart = ~((_ALNUM[before] & _ALNUM[data[starts]]) | (_ALNUM[behind] & _ALNUM[data[ends - 1]]))  # as words
    free = (rules == Boundary.NONE.value) | ((rules == Boundary.TELLING.value) & (lengths >= TELLING))
    goes_on = (_DIGIT[before] & _DIGIT[data[starts]]) | (_DIGIT[after] & _DIGIT[data[ends - 1]])
    free &= ~(numbered & goes_on)
    return np.where(rules == Boundary.DIGIT.value, ~(_DIGIT[before] | _DIGIT[after]), free | apart)
