"""Halves of UUIDs in texts, and what is left of a UUID that was cut; addresses of IPv6 in bytes and in digits.

Eight bytes of a UUID are as telling as all of it: no other has them by chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from ipaddress import AddressValueError, IPv6Address
from typing import Any

import numpy as np

from envclone.packed import TextBlock
from envclone.shelf import Sorter
from envclone.verifier.originals import Originals

__all__ = ["Halves"]

_X = "[0-9A-Fa-f]"
_CUT = rf"{_X}{{8}}-{_X}{{4}}-{_X}{{4}}(?:-{_X}{{0,4}}|-{_X}{{4}}-{_X}{{0,11}})?"
_REST = rf"(?:{_X}{{1,7}}-)?(?:{_X}{{4}}-){{1,3}}{_X}{{12}}"
_RUNS = rf"(?:^|[^0-9A-Za-z\-])({_X}{{16}}|{_CUT}|{_REST})(?:[^0-9A-Za-z\-]|$)"
_WIDE = rf"(?:^|[^0-9A-Za-z])([23]{_X}{{31}})(?:[^0-9A-Za-z]|$)"
_HALF, _FEWEST_DIFFERENT = 16, 5
"""Digits of a half, and how many different ones it has: 00000000-0000-0000 is anybody's."""
_SIZE = 16
_DIGITS = np.array([*range(19, 23), *range(24, 36)])
"""Where the last sixteen digits of a UUID stand."""
_OF_DIGIT = np.zeros(256, np.uint64)
for _i, _c in enumerate(b"0123456789abcdef"):
    _OF_DIGIT[_c] = _OF_DIGIT[bytes((_c,)).upper()[0]] = _i
_AT_ONCE = 1 << 14
_GLOBAL = 0x20
"""The first three bits of an address of the internet (2000::/3)."""


class Halves:
    """The last halves of the UUIDs among originals, and the addresses of IPv6."""

    def __init__(self, originals: Originals) -> None:
        taken = Sorter(originals.shelf, np.uint64)
        self._originals = originals
        for _, found in self._each():
            taken.add(found)
            originals.shelf.rest()
        self._lasts, _ = taken.done(once=True)
        self._addresses = {int(IPv6Address(one)): one for one in _addresses(originals)}

    def __len__(self) -> int:
        return len(self._lasts) + len(self._addresses)

    def _each(self) -> Iterator[tuple[Any, Any]]:
        """Some UUIDs at a time: their numbers, and their last eight bytes each."""
        numbers = self._originals.uuids()
        block, bounds = self._originals.held()
        for first in range(0, len(numbers), _AT_ONCE):
            some = numbers[first : first + _AT_ONCE]
            digits = _OF_DIGIT[block[bounds[some].astype(np.int64)[:, None] + _DIGITS]]
            found = np.zeros(len(some), np.uint64)
            for place in range(len(_DIGITS)):
                found = found << np.uint64(4) | digits[:, place]
            yield some, found

    def in_texts(self, values: TextBlock, first_half: Any) -> Iterator[tuple[int, str]]:
        """The UUIDs of which a half stands in a text, and addresses in their 32 digits, with the texts' numbers;
        `first_half` says whose first half a number is."""
        if not len(self):
            return
        zeros, halves, wide = values.zeros, *_patterns()
        for match in halves.finditer(values.block) if len(self._lasts) else ():
            for told in self._of_run(match[1], first_half):
                yield int(np.searchsorted(zeros, match.start(1), "right")) - 1, told
        for match in wide.finditer(values.block) if self._addresses else ():
            if (found := self._addresses.get(int(match[1], 16))) is not None:
                yield int(np.searchsorted(zeros, match.start(1), "right")) - 1, found

    def _of_run(self, run: bytes, first_half: Any) -> Iterator[str]:
        digits = run.replace(b"-", b"").lower()
        whole = b"-" not in run
        if whole or run[8:9] == b"-":
            yield from self._of(digits[:_HALF], first_half)
        if whole or run[-13:-12] == b"-":
            yield from self._of(digits[-_HALF:], self._last_half)

    def _of(self, digits: bytes, half: Any) -> Iterator[str]:
        if len(digits) == _HALF and len(set(digits)) >= _FEWEST_DIFFERENT and not digits.isdigit():
            yield from half(int(digits, 16))

    def _last_half(self, number: int) -> Iterator[str]:
        half = np.uint64(number)
        at = int(np.searchsorted(self._lasts, half))
        if at < len(self._lasts) and self._lasts[at] == half:
            for numbers, lasts in self._each():
                yield from (self._originals.value(int(one)) for one in numbers[lasts == half])

    def those(self, values: Sequence[tuple[int, bytes]]) -> Iterator[tuple[int, str]]:
        """Of values with their numbers the addresses that they are, or hold."""
        if not self._addresses:
            return
        for number, value in values:
            if len(value) == _SIZE:
                begins = [0]
            else:
                data = np.frombuffer(value, np.uint8)
                begins = np.flatnonzero((data[: max(0, len(data) - _SIZE + 1)] & 0xE0) == _GLOBAL).tolist()
            for at in begins:
                found = self._addresses.get(int.from_bytes(value[at : at + _SIZE], "big"))
                if found is not None:
                    yield number, found

    def as_number(self, number: int) -> Iterator[str]:
        """The address that a number is."""
        if (found := self._addresses.get(number)) is not None:
            yield found


def _addresses(originals: Originals) -> Iterator[str]:
    for number in originals.strong_of({"ip"}).tolist():
        value = originals.value(number).partition("/")[0]
        if ":" in value:
            try:
                IPv6Address(value)
            except AddressValueError:
                continue
            yield value


@cache
def _patterns() -> tuple[Any, Any]:
    import re2  # late: it is loaded where something is kept

    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # a byte a character: a text may be no UTF-8
    return re2.compile(_RUNS.encode(), options), re2.compile(_WIDE.encode(), options)
