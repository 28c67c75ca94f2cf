"""Identities that are written in one, or apart, where they are not elsewhere: `wquenzelmann`, `JaneDoe`, 536228741.

Names of one person in one word, and numbers of persons however their digits are grouped, are told by hashes of whole
words and of runs of digits; what a hash finds is compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from envclone.compiled import available, frozen
from envclone.verifier.loose import Texts, text_of
from envclone.verifier.originals import Originals
from envclone.verifier.search import Hit
from envclone.verifier.subjects import Part, Subjects

__all__ = ["Compounds", "Joined"]

_NUMBERS = frozenset(("phone", "national_id", "card", "iban"))
_SHORTEST_NAME, _SHORTEST_WORD, _SHORTEST_FAMILY = 3, 8, 7
"""Letters of each of two names in one word, of that word, and of a family name behind an initial."""
_LONGEST_WORD = 64
_FEWEST_DIGITS = 7
_CERTAIN = 12
"""Digits that no other number has by chance."""
_RARE = 1e-5
"""Of so long numbers the share that may be somebody's, for one without its signs to count."""
_PARTS = 6
_ROOM = 1 << 12
_AT_ONCE = 1 << 16
_RUN = re.compile(r"[0-9]+")
_NOT_DIGIT = re.compile(r"[^0-9]+")


class Joined(NamedTuple):
    """A compound in the value with this number of a batch: its place in `text`, whose it is, and of what field."""

    value: int
    hit: Hit
    text: bytes
    source: str
    kind: str
    number: bool


class Compounds:
    """The compounds of everybody: `parts` are the texts of the subjects' weak identities."""

    def __init__(self, subjects: Subjects, parts: Originals, originals: Originals) -> None:
        self._subjects, self._parts, self._originals = subjects, parts, originals
        self._lengths = np.zeros(1, np.bool_)
        self._words = _Table(*self._names())
        self._digits = _Table(*self._numbers())

    def find(self, texts: Texts) -> Iterator[Joined]:
        """Every compound in some values."""
        loops, data = _loops(), np.frombuffer(texts.data, np.uint8)
        if len(self._words):
            for owner, start, end in self._words.find(loops.words, data, _SHORTEST_WORD, _LONGEST_WORD):
                placed = texts.place(Hit(owner, start, end))
                if placed is not None and self._is(owner, texts.data[start:end]):
                    source, kind = self._subjects.source(owner)
                    yield _found(placed, texts, owner, start, end, source, kind, number=False)
        if len(self._digits):
            for owner, start, end in self._digits.find(loops.digits, data, self._lengths):
                placed, value = texts.place(Hit(owner, start, end)), self._originals.value(owner)
                digits = texts.data[start:end]
                if placed is not None and _digits_of(value) == _plain(digits) and digits not in text_of(value):
                    known = self._originals[owner]
                    yield _found(placed, texts, owner, start, end, known.address, known.kind, number=True)

    def places(self, data: bytes) -> Iterator[int]:
        """Where anything that may be one begins in folded bytes."""
        flat = np.frombuffer(data, np.uint8)
        if len(self._words):
            yield from (start for _, start, _ in self._words.find(_loops().words, flat, _SHORTEST_WORD, _LONGEST_WORD))
        if len(self._digits):
            yield from (start for _, start, _ in self._digits.find(_loops().digits, flat, self._lengths))

    def _is(self, owner: int, word: bytes) -> bool:
        """Whether a word is the names of a person with this family name: hashes alone could be of another's."""
        family = self._parts.value(owner).encode()
        return family in word

    def _names(self) -> tuple[Any, Any]:
        """Hashes of names in one word, and the number of the name that tells."""
        names = self._subjects.of(Part.NAME)
        if not len(names):
            return np.zeros(0, np.uint64), np.zeros(0, np.uint32)
        block, bounds = self._parts.held()
        block = frozen(block[:])
        starts, ends = bounds[names].astype(np.int64), bounds[names + 1].astype(np.int64)
        hashed, powers, firsts, unused = np.zeros((4, len(names)), np.uint64)
        _loops().hashes(block, starts, ends, hashed, powers)
        _loops().hashes(block, starts, np.minimum(starts + 1, ends), firsts, unused)
        lengths = ends - starts
        at = np.zeros(len(self._parts), np.uint32)
        at[names] = np.arange(len(names))
        keys, owners = [], []
        for one, other in self._subjects.beside(Part.NAME, _PARTS):
            left, right = at[one], at[other]
            both = (lengths[left] >= _SHORTEST_NAME) & (lengths[right] >= _SHORTEST_NAME)
            both &= lengths[left] + lengths[right] >= _SHORTEST_WORD
            behind = lengths[right] >= _SHORTEST_FAMILY
            whole = hashed[left[both]] * powers[right[both]] + hashed[right[both]]
            short = firsts[left[behind]] * powers[right[behind]] + hashed[right[behind]]
            some, first = np.unique(np.concatenate((whole, short)), return_index=True)
            keys.append(some)
            owners.append(np.concatenate((other[both], other[behind]))[first].astype(np.uint32))
        return np.concatenate([np.zeros(0, np.uint64), *keys]), np.concatenate([np.zeros(0, np.uint32), *owners])

    def _numbers(self) -> tuple[Any, Any]:
        """Hashes of the digits of numbers of persons, and the numbers of the originals."""
        owners, sizes, signs, block = _all_digits(self._originals)
        counts = np.bincount(sizes, minlength=2)
        chance = counts / 10.0 ** np.arange(len(counts))
        taken = (sizes >= _CERTAIN) | (signs & (chance[sizes] < _RARE))
        block = frozen(block[np.repeat(taken, sizes)])
        owners, sizes = owners[taken], sizes[taken]
        self._lengths = np.zeros(max(2, len(counts)), np.bool_)
        self._lengths[sizes] = True
        ends = np.cumsum(sizes)
        hashed = np.zeros(len(sizes), np.uint64)
        _loops().hashes(block, ends - sizes, ends, hashed, np.zeros(len(sizes), np.uint64))
        return hashed, owners


def _all_digits(originals: Originals) -> tuple[Any, Any, Any, Any]:
    """The originals that are numbers of persons and have enough digits: their numbers, how many digits each has,
    whether there are other signs between them, and the digits of all of them one behind the other."""
    block, bounds = originals.held()
    every = originals.strong_of(_NUMBERS)
    found = [(every[:0], every[:0], np.zeros(0, np.bool_), block[:0])]
    for first in range(0, len(every), _AT_ONCE):
        numbers = every[first : first + _AT_ONCE]
        low, high = int(numbers[0]), int(numbers[-1]) + 1
        lengths = np.diff(bounds[low : high + 1].astype(np.int64))
        chosen = np.zeros(high - low, np.bool_)
        chosen[numbers - low] = True
        part = block[int(bounds[low]) : int(bounds[high])][np.repeat(chosen, lengths)]
        lengths = lengths[chosen]
        whose = np.repeat(np.arange(len(numbers), dtype=np.int32), lengths)
        digit = (part >= 48) & (part <= 57)
        sizes = np.bincount(whose[digit], minlength=len(numbers))
        # a letter parts digits that are not one number; what is not ASCII is read by Python
        lower = part | 32
        odd = np.zeros(len(numbers), np.bool_)
        odd[whose[((lower >= 97) & (lower <= 122)) | (part >= 128)]] = True
        long = ~odd & (sizes >= _FEWEST_DIGITS)
        found.append((numbers[long], sizes[long], (sizes != lengths)[long], part[digit & long[whose]]))
        for number in numbers[odd].tolist():
            value = originals.value(number)
            digits = _digits_of(value)
            if len(digits) >= _FEWEST_DIGITS:
                its = np.frombuffer(digits, np.uint8)
                found.append((np.array([number]), np.array([len(its)]), np.array([not value.isdigit()]), its))
    columns = zip(*found, strict=True)
    owners, sizes, signs, digits_of = (np.concatenate(column) for column in columns)
    return owners, sizes.astype(np.int64), signs, digits_of


class _Table:
    """Hashes with their owners, behind a bitmap that says of most that they are none of them."""

    def __init__(self, keys: Any, owners: Any) -> None:
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        new = np.ones(len(keys), np.bool_)
        new[1:] = keys[1:] != keys[:-1]
        self._keys, self._owners = keys[new], owners[order[new]].astype(np.uint32)
        del keys, owners, order
        self._bits = max(10, len(self._keys).bit_length() + 4)
        self._bitmap = np.zeros(1 << (self._bits - 3), np.uint8)
        with np.errstate(over="ignore"):
            bits = (self._keys * _loops().BASE) >> np.uint64(64 - self._bits)
        for first in range(0, len(bits), _AT_ONCE):
            some = bits[first : first + _AT_ONCE]
            np.bitwise_or.at(self._bitmap, some >> np.uint64(3), np.uint8(1) << (some & np.uint64(7)).astype(np.uint8))
        self._out = np.zeros((_ROOM, 3), np.uint64)

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, kernel: Any, data: Any, *how: Any) -> Iterator[tuple[int, int, int]]:
        """Owner, start and end of everything whose hash is one of these."""
        count = kernel(data, *how, self._bitmap, self._bits, self._out)
        if count > len(self._out):
            self._out = np.zeros((count, 3), np.uint64)
            count = kernel(data, *how, self._bitmap, self._bits, self._out)
        found = self._out[:count]
        low = np.searchsorted(self._keys, found[:, 0])
        low[low == len(self._keys)] = 0
        for i in np.flatnonzero(self._keys[low] == found[:, 0]).tolist():
            yield int(self._owners[low[i]]), int(found[i, 1]), int(found[i, 2])


def _loops() -> Any:
    """The loops, loaded when they are needed: compiled where that can be done."""
    return import_module(f"envclone.verifier.compound{'kernels' if available() else 'plain'}")


def _found(
    placed: tuple[int, int, int],
    texts: Texts,
    owner: int,
    start: int,
    end: int,
    source: str,
    kind: str,
    *,
    number: bool,
) -> Joined:
    value, first, last = placed
    return Joined(value, Hit(owner, start - first, end - first), texts.data[first:last], source, kind, number)


def _digits_of(value: str) -> bytes:
    """The longest run of digits that a number has when its groups are joined: of an IBAN what follows its letters."""
    return max(_RUN.findall(re.sub(r"[^0-9A-Za-z]+", "", value)), key=len, default="").encode()


def _plain(text: bytes) -> bytes:
    return bytes(c for c in text if 48 <= c <= 57)
