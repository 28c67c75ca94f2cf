"""UUIDs as their sixteen bytes, in either order of these, also inside of others; in base64; as one number or as two.
Addresses of IPv6 are read as their sixteen bytes, too (`halves`).

The first eight bytes tell whether it can be one of the originals; what they let through is searched as a text.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

import numpy as np

from envclone.packed import TextBlock
from envclone.shelf import Sorter
from envclone.verifier.halves import Halves
from envclone.verifier.originals import Originals

__all__ = ["Sixteen", "in_base64"]

_SIZE = 16
_AT_ONCE, _TOGETHER = 1 << 14, 1 << 10
_BEGINNING = 20
"""Bits of the beginnings that a table has."""
_LEAST_HALF, _FEWEST_OF_HALF, _DIGITS_OF_HALF = 1 << 50, 16, 20
"""The least number that is the first half of a UUID, and the characters of one."""
_STANDARD = bytes.maketrans(b"-_", b"+/")
_DIGITS = np.array([*range(8), *range(9, 13), *range(14, 18)])
"""Where the first sixteen digits of a UUID stand."""
_OF_DIGIT = np.zeros(256, np.uint64)
for _i, _c in enumerate(b"0123456789abcdef"):
    _OF_DIGIT[_c] = _OF_DIGIT[bytes((_c,)).upper()[0]] = _i
_TURNED = [3, 2, 1, 0, 5, 4, 7, 6]
"""The order of the first bytes where Windows writes them."""
_TOKEN = 22
"""Characters of sixteen bytes in base64, without what fills up to a multiple of four."""
_ALPHABET = np.zeros(256, np.bool_)
_ALPHABET[[*b"+-_0123456789", *range(65, 91), *range(97, 123)]] = True
_WITH_SLASH = _ALPHABET.copy()
_WITH_SLASH[47] = True
_LAST = np.zeros(256, np.bool_)
_LAST[[*b"AQgw"]] = True
"""The last character holds two bits, and four that are zero."""


class Sixteen:
    """The UUIDs among originals, by their first eight bytes."""

    def __init__(self, originals: Originals) -> None:
        taken = Sorter(originals.shelf, np.uint64)
        self._originals = originals
        self._beginnings = np.zeros(1 << _BEGINNING, np.bool_)
        for _, found in self._each():
            taken.add(found)
            self._beginnings[(found >> np.uint64(64 - _BEGINNING)).astype(np.int64)] = True
            originals.shelf.rest()
        self._firsts, _ = taken.done(once=True)
        self._halves = Halves(originals)

    def _each(self) -> Iterator[tuple[Any, Any]]:
        """Some UUIDs at a time: their numbers, and their first eight bytes each."""
        numbers = self._originals.uuids()
        block, bounds = self._originals.held()
        for first in range(0, len(numbers), _AT_ONCE):
            some = numbers[first : first + _AT_ONCE]
            digits = _OF_DIGIT[block[bounds[some].astype(np.int64)[:, None] + _DIGITS]]
            found = np.zeros(len(some), np.uint64)
            for place in range(len(_DIGITS)):
                found = found << np.uint64(4) | digits[:, place]
            yield some, found

    def __len__(self) -> int:
        return len(self._firsts) + len(self._halves)

    def halves(self, values: TextBlock) -> Iterator[tuple[int, str]]:
        """Those of which a half stands in a text, with the texts' numbers."""
        yield from self._halves.in_texts(values, self.of_half)

    def those(self, values: Sequence[tuple[int, bytes]]) -> Iterator[tuple[int, str]]:
        """Of values with their numbers those that can be an original, written as a UUID."""
        yield from self._halves.those(values)
        if not len(self._firsts):
            return
        yield from self._inside([one for one in values if len(one[1]) > _SIZE])
        some = [one for one in values if len(one[1]) == _SIZE]
        if not some:
            return
        data = np.frombuffer(b"".join([value for _, value in some]), np.uint8).reshape(-1, _SIZE)[:, :8]
        for turned, firsts in ((False, data), (True, data[:, _TURNED])):
            for i in np.flatnonzero(self._has(np.ascontiguousarray(firsts).view(">u8")[:, 0])).tolist():
                number, value = some[i]
                yield number, str(UUID(bytes_le=value) if turned else UUID(bytes=value))

    def _inside(self, values: Sequence[tuple[int, bytes]]) -> Iterator[tuple[int, str]]:
        """The same of longer ones, in which a UUID stands anywhere; only such as the standard has are looked for."""
        for first in range(0, len(values), _TOGETHER):
            some = values[first : first + _TOGETHER]
            data = np.frombuffer(b"".join([value for _, value in some]), np.uint8)
            ends = np.cumsum([len(value) for _, value in some])
            at = np.flatnonzero((data[8 : len(data) - 7] & 0xC0) == 0x80)  # its variant
            for turned in (False, True):
                head = np.array(_TURNED[:3] if turned else [0, 1, 2])
                low = data[at[:, None] + head].astype(np.int64)
                begun = at[self._beginnings[(low[:, 0] << 16 | low[:, 1] << 8 | low[:, 2]) >> 24 - _BEGINNING]]
                eight = np.ascontiguousarray(data[begun[:, None] + np.array(_TURNED if turned else range(8))])
                for start in begun[self._has(eight.view(">u8")[:, 0])].tolist():
                    one = int(np.searchsorted(ends, start, "right"))
                    if start + _SIZE <= ends[one]:
                        raw = data[start : start + _SIZE].tobytes()
                        yield some[one][0], str(UUID(bytes_le=raw) if turned else UUID(bytes=raw))

    def in_column(self, values: Sequence[Any]) -> Iterator[tuple[int, str]]:
        """Those that numbers of a column are, or of which they are the first half, with the values' numbers."""
        if not len(self):
            return
        some: Iterable[tuple[int, Any]]
        if isinstance(values, TextBlock):
            wide = np.flatnonzero(values.zeros[1:] - values.zeros[:-1] > _FEWEST_OF_HALF).tolist()
            some = ((number, values.text(number)) for number in wide)
        else:
            some = enumerate(values)
        for number, value in some:
            text = str(value)
            if _FEWEST_OF_HALF <= len(text) <= _DIGITS_OF_HALF:
                yield from ((number, told) for told in self.of_half(text))
            elif len(text) > _DIGITS_OF_HALF and text.isdecimal():
                yield from ((number, told) for told in self.as_number(int(text)))

    def as_number(self, number: int) -> Iterator[str]:
        """A number that can be one of them, written as a UUID."""
        yield from self._halves.as_number(number)
        if len(self._firsts) and 0 < number < 1 << 128 and self._has(np.array([number >> 64], np.uint64))[0]:
            yield str(UUID(int=number))

    def of_half(self, number: Any) -> Iterator[str]:
        """Those of which a number is the first half, as a signed integer too; small numbers are nobody's."""
        if isinstance(number, str) and number.removeprefix("-").isdecimal() and len(number) <= _DIGITS_OF_HALF:
            number = int(number)
        if not isinstance(number, int) or not _LEAST_HALF <= abs(number) < 1 << 64 or not len(self._firsts):
            return
        half = np.uint64(number % (1 << 64))
        if self._has(np.array([half]))[0]:
            for numbers, firsts in self._each():
                yield from (self._originals.value(int(one)) for one in numbers[firsts == half])

    def _has(self, firsts: Any) -> Any:
        wanted = firsts.astype(np.uint64)
        at = np.minimum(np.searchsorted(self._firsts, wanted), len(self._firsts) - 1)
        return self._firsts[at] == wanted


def in_base64(values: TextBlock, chosen: Any) -> Iterator[tuple[int, bytes]]:
    """The bytes of each word of the chosen texts that is as long as sixteen of them are in base64, with its number.

    A slash belongs to the word, or parts it from others, as in the path of an address.
    """
    zeros = values.zeros
    parts = [values.block[zeros[i] + 1 : zeros[i + 1]] for i in chosen.tolist()]
    data = np.frombuffer(b"\0" + b"\0".join(parts) + b"\0", np.uint8)
    bounds = np.flatnonzero(data == 0)
    told = np.unique(np.concatenate([_words(data, of) for of in (_ALPHABET, _WITH_SLASH)]))
    for i, start in zip(np.searchsorted(bounds, told, "right").tolist(), told.tolist(), strict=True):
        word = data[start : start + _TOKEN].tobytes().translate(_STANDARD)
        yield int(chosen[i - 1]), base64.b64decode(word + b"==")


def _words(data: Any, alphabet: Any) -> Any:
    """Where words of an alphabet begin that are as long as that."""
    edges = np.flatnonzero(np.diff(alphabet[data]))
    starts, ends = edges[::2] + 1, edges[1::2] + 1
    told: Any = starts[ends - starts == _TOKEN]
    return told[_LAST[data[told + _TOKEN - 1]]]
