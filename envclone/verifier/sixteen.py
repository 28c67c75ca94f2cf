"""UUIDs as their sixteen bytes: a value of bytea that is one, in either order of its bytes, and its base64.

The first eight bytes tell whether it can be one of the originals; what they let through is searched as a text.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import numpy as np

from envclone.packed import TextBlock
from envclone.shelf import Sorter
from envclone.verifier.originals import Originals

__all__ = ["Sixteen", "in_base64"]

_SIZE = 16
_AT_ONCE = 1 << 14
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
        numbers = originals.uuids()
        block, bounds = originals.held()
        for first in range(0, len(numbers), _AT_ONCE):
            starts = bounds[numbers[first : first + _AT_ONCE]].astype(np.int64)
            digits = _OF_DIGIT[block[starts[:, None] + _DIGITS]]
            found = np.zeros(len(starts), np.uint64)
            for place in range(len(_DIGITS)):
                found = found << np.uint64(4) | digits[:, place]
            taken.add(found)
            originals.shelf.rest()
        self._firsts, _ = taken.done(once=True)

    def __len__(self) -> int:
        return len(self._firsts)

    def those(self, values: Sequence[tuple[int, bytes]]) -> Iterator[tuple[int, str]]:
        """Of values with their numbers those that can be an original, written as a UUID."""
        some = [one for one in values if len(one[1]) == _SIZE] if len(self) else []
        if not some:
            return
        data = np.frombuffer(b"".join([value for _, value in some]), np.uint8).reshape(-1, _SIZE)[:, :8]
        for turned, firsts in ((False, data), (True, data[:, _TURNED])):
            for i in np.flatnonzero(self._has(np.ascontiguousarray(firsts).view(">u8")[:, 0])).tolist():
                number, value = some[i]
                yield number, str(UUID(bytes_le=value) if turned else UUID(bytes=value))

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
