"""What bytes say that are no text: compressed files, other encodings; the same in digits of base64 and hexadecimal.

The digits of what is compressed look like noise, so the beginnings of files are looked for in them.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from envclone.packed import TextBlock
from envclone.verifier.charsets import OF_TWO, said_in_ebcdic, said_in_encodings
from envclone.verifier.closed import Shut
from envclone.verifier.digitruns import of_base64
from envclone.verifier.otherbytes import said_in
from envclone.verifier.sixteen import Sixteen
from envclone.verifier.streams import files

__all__ = ["expanded", "in_runs", "said"]

_NESTED = 2
"""Compressed files inside of one another that are read, beside the outermost."""
_IN_BASE64 = (
    r"(?:^|[^A-Za-z0-9+/])((?:H4sI|Qlpo|UEsDB|/Td6W|KLUv|BCJNG|N3q8ry|UmFyIRo|JVBERi0|UEFSM|UEFSR|T2JqA|T1JD|QVJST1cx"
    r"|iUhERg0K|UEdETVAB|0M8R4KGx|TVNDRgAA|/wYAAHNO|TFpJUA|iUxaTw)[A-Za-z0-9+/_\-]{8,}(?:\\?[rn\s]{0,4}[A-Za-z0-9+/_\-]+)*)"
)
_IN_HEXADECIMAL = (
    r"(?i:(?:^|[^0-9a-z]|\\x|0x)((?:1f8b08|425a68|fd377a58|504b0304|28b52ffd|04224d18|789c|7801|78da|785e|377abcaf"
    r"|52617221|25504446|50415231|d0cf11e0)[0-9a-f]{16,}))"
)
_RUN = re.compile(rb"[A-Za-z0-9+/_\-]{16,340}")
_HEXADECIMAL = b"0123456789abcdefABCDEF"
_STANDARD = bytes.maketrans(b"-_", b"+/")
_NO_CONTROLS = bytes((9, 10, 13, *range(32, 127), *range(128, 256)))
_OF_HASHES = frozenset((40, 64, 128))
"""Digits of hashes in hexadecimal, of which columns are full."""
_HIGH = b"a" * 128 + b"h" * 128
_UUID = r"(?:^|[^0-9.])([1-9][0-9]{35,38})(?:[^0-9.]|$)"
_HALF = r"(?:^|[^0-9.])(-?[1-9][0-9]{15,18})(?:[^0-9.]|$)"


@cache
def _beginnings() -> Any:
    import re2  # late: texts with such runs are rare

    return re2.compile("|".join((_IN_BASE64, _IN_HEXADECIMAL, _UUID, _HALF)).encode())


def said(raw: bytes, encodings: Sequence[str]) -> Iterator[str]:
    """What bytes say in another encoding than UTF-8."""
    yield from said_in(raw)
    yield from said_in_encodings(raw, encodings)
    yield from said_in_ebcdic(raw)


def expanded(value: bytes, encodings: Sequence[str], shut: Callable[[str], object], depth: int = 0) -> Iterator[str]:
    """What a compressed file holds, as far as it can be read, and what a compressed file in that does.

    `shut` is called with what cannot be looked into.
    """
    try:
        for raw in files(value):
            yield raw.decode("utf-8", "replace").replace("\0", " ")
            yield from said(raw, encodings)
            if depth < _NESTED:
                yield from expanded(raw, encodings, shut, depth + 1)
    except Shut as exc:
        shut(str(exc))


def in_runs(
    values: TextBlock,
    chosen: Any,
    encodings: Sequence[str],
    sixteen: Sixteen | None,
    shut: Callable[[int, str], object],
) -> Iterator[tuple[int, str]]:
    """What the chosen texts say in long runs of digits, with their numbers: files, and UUIDs as numbers."""
    if not len(chosen):
        return
    zeros = values.zeros
    data = b"\0".join([values.block[zeros[i] + 1 : zeros[i + 1]] for i in chosen.tolist()]) + b"\0"
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 0)
    for match in _RUN.finditer(data) if encodings else ():
        if len(match[0]) in _OF_HASHES:
            continue
        raw = _unpacked(match[0])
        if not raw.isascii() and raw.translate(None, _NO_CONTROLS):
            continue  # noise, nearly all of it
        for told in _of_one_language(raw, encodings):
            yield int(chosen[int(np.searchsorted(ends, match.start()))]), told
    for match in _beginnings().finditer(data):
        number = int(chosen[int(np.searchsorted(ends, match.start(match.lastindex)))])
        its = match[match.lastindex]
        if match.lastindex < 3:
            raw = of_base64(its.decode()) if match.lastindex == 1 else bytes.fromhex(its[: len(its) // 2 * 2].decode())
            yield from ((number, told) for told in expanded(raw, encodings, lambda what: shut(number, what)))  # noqa: B023
        elif sixteen:
            found = sixteen.as_number(int(its)) if match.lastindex == 3 else sixteen.of_half(int(its))
            yield from ((number, told) for told in found)


def _of_one_language(raw: bytes, encodings: Sequence[str]) -> Iterator[str]:
    """What a few bytes say in some encodings; of such that look like noise nothing."""
    if raw.isascii():
        yield from said_in_encodings(raw, encodings) if b"\x1b$" in raw else ()
    else:
        high = raw.translate(_HIGH)
        if 4 * (high.count(b"ah") + high.count(b"ha")) > len(raw):
            encodings = [one for one in encodings if one in OF_TWO]
        yield from said_in_encodings(raw, encodings, noise=True)


def _unpacked(run: bytes) -> bytes:
    """The bytes of a run of digits: hexadecimal ones where all are, else of base64."""
    if len(run) % 2 == 0 and not run.translate(None, _HEXADECIMAL):
        return bytes.fromhex(run.decode())
    try:
        return binascii.a2b_base64(run[: len(run) // 4 * 4].translate(_STANDARD))
    except binascii.Error:
        return b""
