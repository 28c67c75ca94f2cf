"""Runs of digits that are base32 in other letters, or a UUID in the 22 digits of base64 that addresses can hold.

Hexadecimal digits are of both alphabets and columns are full of them: such a run is passed over with one look.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from uuid import UUID

import numpy as np

from envclone.packed import TextBlock

__all__ = ["in_coded_runs", "uuid_of"]

_RUN = re.compile(rb"[A-Za-z0-9]{16,}")
_ALPHABETS = (
    b"abcdefghijklmnopqrstuvwxyz234567",
    b"0123456789ABCDEFGHIJKLMNOPQRSTUV",
    b"0123456789abcdefghijklmnopqrstuv",
)
_LONGEST = 4000
_TOKEN = re.compile(rb"(?<![A-Za-z0-9_\-])[A-Za-z0-9_\-]{21}[AQgw](?![A-Za-z0-9_\-])")
_HEXADECIMAL = b"0123456789abcdefABCDEF"
_SIXTEEN, _VARIANT = 16, 0x80
_MOST_PRINTABLE = 0.9


@cache
def _tokens() -> Any:
    """Where a token may end: found in all texts at once, for its signs part the runs that are chosen."""
    import re2  # late: it is loaded where something is kept

    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # a byte a character: a text may be no UTF-8
    return re2.compile(rb"[A-Za-z0-9_\-]{21}[AQgw](?:[^A-Za-z0-9_\-]|$)", options)


def in_coded_runs(values: TextBlock, chosen: Any) -> Iterator[tuple[int, str]]:
    """What texts say in such runs, with their numbers; base32 is looked for in the chosen ones, which have runs."""
    zeros, last = values.zeros, -1
    for match in _tokens().finditer(values.block):
        number = int(np.searchsorted(zeros, match.start(), "right")) - 1
        if number > last:
            for token in _TOKEN.finditer(values.block[zeros[number] + 1 : zeros[number + 1]]):
                yield from ((number, one) for one in uuid_of(base64.urlsafe_b64decode(token[0] + b"==")))
        last = number
    for number in chosen.tolist():
        text = values.block[zeros[number] + 1 : zeros[number + 1]]
        for run in _RUN.findall(text) if text.translate(None, _HEXADECIMAL) else ():
            if len(run) <= _LONGEST and run.translate(None, _HEXADECIMAL) and _in_one(run):
                yield from ((number, said) for said in _thirty_two(run))


def uuid_of(raw: bytes) -> Iterator[str]:
    """Sixteen bytes as a UUID, in either order of them, where they can be one of the standard."""
    if len(raw) == _SIXTEEN and raw[8] & 0xC0 == _VARIANT:
        yield str(UUID(bytes=raw))
        yield str(UUID(bytes_le=raw))


def _in_one(run: bytes) -> bool:
    """Whether all digits are of one alphabet."""
    return any(not run.translate(None, alphabet) for alphabet in _ALPHABETS)


def _thirty_two(run: bytes) -> Iterator[str]:
    """Base32 in small letters, and in the alphabet that goes on behind the digits (RFC 4648)."""
    if run.isalpha() or run.isdigit():
        return
    digits = run.upper()
    digits += b"=" * (-len(digits) % 8)
    for decode in (base64.b32decode, base64.b32hexdecode):
        try:
            raw = decode(digits)
        except ValueError:
            continue
        said = raw.decode("utf-8", "replace")
        if sum(char.isprintable() and char != "\ufffd" for char in said) >= _MOST_PRINTABLE * len(said):
            yield said
