"""UUIDs as their sixteen bytes: a value of bytea that is one, in either order of its bytes, and its base64.

The first eight bytes tell whether it can be one of the originals; what they let through is searched as a text.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import numpy as np

from envclone.shelf import Sorter
from envclone.verifier.originals import Originals

__all__ = ["Sixteen", "in_base64"]

_SIZE = 16
_AT_ONCE = 1 << 14
_DIGITS = np.array([*range(8), *range(9, 13), *range(14, 18)])
"""Where the first sixteen digits of a UUID stand."""
_OF_DIGIT = np.zeros(256, np.uint64)
for _i, _c in enumerate(b"0123456789abcdef"):
    _OF_DIGIT[_c] = _OF_DIGIT[bytes((_c,)).upper()[0]] = _i
_TURNED = [3, 2, 1, 0, 5, 4, 7, 6]
"""The order of the first bytes where Windows writes them."""
_TOKEN = re.compile(r"(?<![A-Za-z0-9+_\-=])[A-Za-z0-9+/_\-]{21}[AQgw](?:==)?(?![A-Za-z0-9+/_\-=])")


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


def in_base64(text: str) -> Iterator[bytes]:
    """The bytes of each word that is as long as sixteen of them are in base64."""
    for match in _TOKEN.finditer(text):
        yield base64.b64decode(match[0][:22].replace("-", "+").replace("_", "/") + "==")
