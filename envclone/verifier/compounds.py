"""Identities that are written in one, or apart, where they are not elsewhere: `wquenzelmann`, `JaneDoe`, 536228741.

Names of one person in one word, and numbers of persons however their digits are grouped, are told by hashes of whole
words and of runs of digits; what a hash finds is compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from envclone.compiled import available, frozen
from envclone.masking.names import is_name
from envclone.masking.nets import WORDS, data
from envclone.masking.phone import national_number, national_starts
from envclone.shelf import Column, Shelf, Sorter
from envclone.verifier.loose import Texts, text_of
from envclone.verifier.numbers import every_number
from envclone.verifier.originals import Originals
from envclone.verifier.search import Hit
from envclone.verifier.subjects import Part, Subjects

__all__ = ["Compounds", "Joined"]

_NUMBERS = frozenset(("phone", "national_id", "card", "iban"))
_SHORTEST_NAME, _SHORTEST_WORD, _SHORTEST_FAMILY = 3, 8, 7
"""Letters of each of two names in one word, of that word, and of a family name behind an initial."""
_LONGEST_WORD = 64
_INITIAL = 2
"""Bytes of an initial at most: what stands beside a name in one word is longer, for it has three letters."""
_FEWEST_DIGITS = 7
_FEWEST_GROUPED = 9
"""Digits of a number that is stored without signs, for it to count in groups."""
_CERTAIN = 12
"""Digits that no other number has by chance."""
_RARE = 1e-5
"""Of so long numbers the share that may be somebody's, for one without its signs to count."""
_NOT_ASCII = bytes(byte >= 128 for byte in range(256))
_JOINTS = re.compile(
    r"[^\W\d_]|al|and|bin|ben|da|das|de|del|den|der|di|do|dos|du|een|el|en|et|ibn|la|le|love|mac|mc|och|of|og|ou|plus|san"
    r"|st|ten|ter|the|to|und|van|vom|von|vs|with|zu|zum|zur"
)
"""What stands between two names in one word: a letter, or a word that joins."""
_PARTS = 8
_ROOM = 1 << 12
_MOST_BITS = 27
"""Bits of a filter at most (2**27, 16 MB), for it is in memory all the time."""
_ZERO = np.zeros(1, np.int64)
_AT_ONCE = 1 << 16
_TEN, _ELEVEN = 10**10, 10**11
"""Above all numbers of ten digits, and of eleven."""
_BEFORE_DIGITS = 3
"""Bytes of a number in which its first digit stands: a bracket and a blank may be before it."""
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
        self._words = _Table(self._names(), parts.shelf)
        self._digits = _Table(self._numbers(), originals.shelf)

    def find(self, texts: Texts) -> Iterator[Joined]:
        """Every compound in some values."""
        loops, data = _loops(), np.frombuffer(texts.data, np.uint8)
        if len(self._words):
            for owner, start, end in self._words.find(loops.words, data, _SHORTEST_WORD, _LONGEST_WORD):
                end, second, joint = _places(end)
                placed = texts.place(Hit(owner, start, end))
                if placed is not None and self._is(owner, texts.data[start:end], second, joint):
                    source, kind = self._subjects.source(owner)
                    yield _found(placed, texts, owner, start, end, source, kind, number=False)
        if len(self._digits):
            for owner, start, end in dict.fromkeys(self._digits.find(loops.digits, data, self._lengths)):
                placed, value = texts.place(Hit(owner, start, end)), self._originals.value(owner)
                known = self._originals[owner]
                if placed is not None and _is_number(known.kind, value, texts.data[start:end]):
                    yield _found(placed, texts, owner, start, end, known.address, known.kind, number=True)

    def places(self, data: bytes) -> Iterator[int]:
        """Where anything that may be one begins in folded bytes."""
        flat = np.frombuffer(data, np.uint8)
        if len(self._words):
            yield from (start for _, start, _ in self._words.find(_loops().words, flat, _SHORTEST_WORD, _LONGEST_WORD))
        if len(self._digits):
            yield from (start for _, start, _ in self._digits.find(_loops().digits, flat, self._lengths))

    def _is(self, owner: int, word: bytes, second: int, joint: int) -> bool:
        """Whether a word is the names of a person with this family name: hashes alone could be of another's.

        A name and an initial are no name of the dictionary (`martinas`), and no ordinary word. Where something stands
        between two names, that is a letter or a word that joins, and the whole is no ordinary word.
        """
        name = text_of(self._parts.value(owner))
        if not joint:
            return name in word and not (len(word) - len(name) <= _INITIAL and (_is_name(word) or _is_ordinary(word)))
        between = word[second - joint : second].decode("utf-8", "replace")
        return word[second:] == name and _JOINTS.fullmatch(between) is not None and not _is_ordinary(word)

    def _names(self) -> Sorter:
        """Hashes of names in one word, and the number of the name that tells."""
        made = Sorter(self._parts.shelf, np.uint64, np.uint32)
        shelf, block, bounds = self._parts.shelf, *self._parts.held()
        block, count = frozen(block[:]), len(self._parts)
        lengths = shelf.zeros(np.int32, count)
        hashed, powers, firsts, widths = (shelf.zeros(np.uint64, count) for _ in range(4))
        widths[:] = _loops().BASE
        odd = self._parts.having(_NOT_ASCII)
        for first in range(0, count, _AT_ONCE):
            its = slice(first, first + _AT_ONCE)
            some = bounds[first : first + _AT_ONCE + 1].astype(np.int64)
            starts, ends = np.ascontiguousarray(some[:-1]), np.ascontiguousarray(some[1:])
            lengths[its] = ends - starts
            _loops().hashes(block, starts, ends, hashed[its], powers[its])
            _loops().hashes(block, starts, np.minimum(starts + 1, ends), firsts[its], np.zeros(len(starts), np.uint64))
            for odd_one in (np.flatnonzero(odd[its]) + first).tolist():  # values are folded where they are searched
                folded = np.frombuffer(text_of(self._parts.value(odd_one)), np.uint8)
                lengths[odd_one] = len(folded)
                _loops().hashes(
                    folded, _ZERO, np.array([len(folded)]), hashed[odd_one : odd_one + 1], powers[odd_one : odd_one + 1]
                )
                width = _ZERO + _width(folded)
                _loops().hashes(folded, _ZERO, width, firsts[odd_one : odd_one + 1], widths[odd_one : odd_one + 1])
            shelf.rest()
        for one, other in self._subjects.beside(Part.NAME, _PARTS):
            left, right = shelf.picked(lengths, one), shelf.picked(lengths, other)
            both = (left >= _SHORTEST_NAME) & (right >= _SHORTEST_NAME) & (left + right >= _SHORTEST_WORD)
            behind = right >= _SHORTEST_FAMILY
            ends, times = shelf.picked(hashed, other), shelf.picked(powers, other)
            whole = shelf.picked(hashed, one[both]) * times[both] + ends[both]
            initials, wide = shelf.picked(firsts, one[behind]), shelf.picked(widths, one[behind])
            short, turned = initials * times[behind] + ends[behind], ends[behind] * wide + initials
            some, at = np.unique(np.concatenate((whole, short, turned)), return_index=True)
            made.add(some, np.concatenate((other[both], other[behind], other[behind]))[at])
            shelf.rest()
        return made

    def _numbers(self) -> Sorter:
        """Hashes of the digits of numbers of persons, and the numbers of the originals."""
        shelf = self._originals.shelf
        owners, sizes = Column(shelf, np.uint32), Column(shelf, np.int32)
        signs, keys = Column(shelf, np.bool_), Column(shelf, np.uint64)
        counts = np.zeros(2, np.int64)
        for numbers, digits, others, hashed in _all_digits(self._originals):
            counts = np.pad(counts, (0, max(0, int(digits.max(initial=0)) + 1 - len(counts))))
            counts += np.bincount(digits, minlength=len(counts))
            for column, its in ((owners, numbers), (sizes, digits), (signs, others), (keys, hashed)):
                column.extend(its)
            shelf.rest()
        for numbers, digits, hashed in _dialled(self._originals):
            counts = np.pad(counts, (0, max(0, int(digits.max(initial=0)) + 1 - len(counts))))
            counts += np.bincount(digits, minlength=len(counts))
            for column, its in ((owners, numbers), (sizes, digits), (keys, hashed)):
                column.extend(its)
            signs.extend(np.ones(len(numbers), np.bool_))
            shelf.rest()
        chance = counts / 10.0 ** np.arange(len(counts))
        self._lengths = np.zeros(max(2, len(counts)), np.bool_)
        made = Sorter(shelf, np.uint64, np.uint32)
        for first in range(0, len(keys), _AT_ONCE):
            its = sizes.array[first : first + _AT_ONCE]
            telling = signs.array[first : first + _AT_ONCE] | (its >= _FEWEST_GROUPED)
            taken = (its >= _CERTAIN) | (telling & (chance[its] < _RARE))
            self._lengths[its[taken]] = True
            made.add(keys.array[first : first + _AT_ONCE][taken], owners.array[first : first + _AT_ONCE][taken])
            shelf.rest()
        return made


def _all_digits(originals: Originals) -> Iterator[tuple[Any, Any, Any, Any]]:
    """The originals that are numbers of persons and have enough digits, some at a time: their numbers, how many digits
    each has, whether there are other signs between them, and the hash of its digits.

    A letter parts digits that are not one number; that, and what is not ASCII, is read in Python.
    """
    block, bounds = originals.held()
    block, every = frozen(block), originals.strong_of(_NUMBERS)
    for first in range(0, len(every), _AT_ONCE):
        numbers = every[first : first + _AT_ONCE]
        sizes, signs = np.zeros(len(numbers), np.int64), np.zeros(len(numbers), np.bool_)
        hashed = np.zeros(len(numbers), np.uint64)
        _loops().numbers(block, bounds, numbers, sizes, signs, hashed)
        for at in np.flatnonzero(sizes < 0).tolist():
            value = originals.value(int(numbers[at]))
            digits = _digits_of(value)
            sizes[at], signs[at] = len(digits), not value.isdigit()
            its = np.frombuffer(digits, np.uint8)
            _loops().hashes(its, _ZERO, np.array([len(its)]), hashed[at : at + 1], np.zeros(1, np.uint64))
        long = sizes >= _FEWEST_DIGITS
        yield numbers[long], sizes[long], signs[long], hashed[long]


def _dialled(originals: Originals) -> Iterator[tuple[Any, Any, Any]]:
    """The originals that are telephone numbers, some at a time: their numbers, and of what is dialled for each in its
    country, where that is not all its digits, how many digits it has and the hash of them."""
    for owners, found in every_number(originals):
        whole, national, behind = found[:, 0], found[:, 1], found[:, 2]
        trunk = _begins_with_zero(originals, owners)
        for its in (national, *_with_trunk(whole, national), behind):
            which = np.flatnonzero((its >= 10 ** (_FEWEST_DIGITS - 1)) & ((its != whole) | trunk))
            texts = [b"%d" % number for number in its[which].tolist()]
            sizes = np.array([len(text) for text in texts], np.int64)
            ends = np.cumsum(sizes, dtype=np.int64)
            hashed, powers = np.zeros((2, len(texts)), np.uint64)
            _loops().hashes(frozen(np.frombuffer(b"".join(texts), np.uint8)), ends - sizes, ends, hashed, powers)
            yield owners[which], sizes, hashed


def _begins_with_zero(originals: Originals, owners: Any) -> Any:
    """Whether the first digit of each is the zero that is dialled before a number within a country."""
    block, bounds = originals.held()
    found, open_ = np.zeros(len(owners), np.bool_), np.ones(len(owners), np.bool_)
    starts, ends = bounds[owners].astype(np.int64), bounds[owners + 1].astype(np.int64)
    for place in range(_BEFORE_DIGITS):
        at = starts + place
        char = block[np.minimum(at, len(block) - 1)] if len(block) else np.zeros(len(owners), np.uint8)
        found |= open_ & (at < ends) & (char == ord("0"))
        open_ &= (char < ord("0")) | (char > ord("9"))
    return found


def _with_trunk(whole: Any, national: Any) -> tuple[Any, Any]:
    """National numbers with a digit before them, -1 for none: the 1 or 8 that is part of one behind the code of a
    country, for who wrote it read that as a prefix (+86 138 …, +55 11 9…); and the 8 that Russia dials."""
    longer, of_ten = whole % _ELEVEN, (national >= _TEN // 10) & (national < _TEN)
    part = of_ten & (whole >= _ELEVEN) & (longer % _TEN == national) & np.isin(longer // _TEN, (1, 8))
    russian = of_ten & (whole == 7 * _TEN + national)
    return np.where(part, longer, -1), np.where(russian, 8 * _TEN + national, -1)


class _Table:
    """Hashes with their owners, behind a bitmap that says of most that they are none of them."""

    def __init__(self, taken: Sorter, shelf: Shelf) -> None:
        self._keys, self._owners = taken.done(once=True)
        self._shelf = shelf
        self._bits = min(_MOST_BITS, max(10, len(self._keys).bit_length() + 4))
        self._bitmap = shelf.zeros(np.uint64, 1 << (self._bits - 6), everywhere=True)
        for first in range(0, len(self._keys), _AT_ONCE):
            _loops().enter(self._keys[first : first + _AT_ONCE], self._bitmap, self._bits)
            shelf.rest()
        self._out = np.zeros((_ROOM, 3), np.uint64)

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, kernel: Any, data: Any, *how: Any) -> Iterator[tuple[int, int, int]]:
        """Owner, start and end of everything whose hash is one of these."""
        if len(data) > _AT_ONCE:
            self._shelf.rest()
        count = kernel(data, *how, self._bitmap, self._bits, self._out)
        if count > len(self._out):
            self._out = np.zeros((count, 3), np.uint64)
            count = kernel(data, *how, self._bitmap, self._bits, self._out)
        found = self._out[:count]
        low, same = self._shelf.sought(self._keys, found[:, 0])
        for i in np.flatnonzero(same).tolist():
            yield int(self._owners[low[i]]), int(found[i, 1]), int(found[i, 2])


def _places(end: int) -> tuple[int, int, int]:
    """Where a word ends, where in it a second name begins, and the bytes between two names; 0 where there are none."""
    places = _loops().PLACES
    return end & (1 << places) - 1, end >> places & 0xFF, end >> places + 8


def _width(folded: Any) -> int:
    """The bytes of the first letter."""
    return next((i for i in range(1, len(folded)) if folded[i] & 0xC0 != 0x80), len(folded))


def _is_name(word: bytes) -> bool:
    return is_name(word.decode("utf-8", "replace"))


def _is_ordinary(word: bytes) -> bool:
    return word.decode("utf-8", "replace") in _ordinary()


@cache
def _ordinary() -> frozenset[str]:
    """Long words of texts: `marketing` is no Mark E. Ting."""
    lines = data(WORDS).splitlines()
    return frozenset(word for line in lines for word in line.split()[1:] if len(word) >= _SHORTEST_WORD)


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


def _is_number(kind: str, value: str, text: bytes) -> bool:
    """Whether some digits are a value in other groups; a telephone number can be written with other codes before it.

    What is written as the value is found without this.
    """
    digits, own = _plain(text), _digits_of(value)
    if text == text_of(value):
        return False
    if kind != "phone":
        return digits == own
    digits, national = digits.lstrip(b"0"), national_number(value).encode()
    if digits in (own, national):
        return True
    if not _nationals(digits).isdisjoint(_nationals(own)):
        return True  # one of them with the code of a country and no sign before it
    return digits[1:] == national and (own[-len(digits) :] == digits or (digits[:1], own[:1]) == (b"8", b"7"))


def _nationals(digits: bytes) -> set[str]:
    """What may be the national number in some digits."""
    text = digits.decode()
    return {text[at:] for at in national_starts(text)}


def _plain(text: bytes) -> bytes:
    return bytes(c for c in text if 48 <= c <= 57)
