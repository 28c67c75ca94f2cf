"""Blocks of a text that are the bytes of another one: base64 (standard and url-safe), hexadecimal, base32.

What a block holds is read where its bytes are a text: from end to end, or in stretches of eight characters and more.
Blocks are found at every place where their digits can begin, for what stands before them can look like a part of them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from envclone.masking.beginnings import codes_of

__all__ = ["SHORTEST", "Block", "blocks"]

SHORTEST = 16
"""Digits of a block."""

_STRETCH = 8
_LAST_ASCII = 127
_BASE64 = re.compile(
    r"(?:[A-Za-z0-9+/]{60,}\r?\n)*[A-Za-z0-9+/]{16,}(?:\r?\n[A-Za-z0-9+/]+)?={0,2}|[\w+/\-]{16,}={0,2}", re.ASCII
)
_WORD = re.compile(r"=\?[\w.\-]{1,30}\?[Bb]\?([A-Za-z0-9+/]{4,}={0,2})\?=")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}){8,}")
_PAIRS = re.compile(r"[0-9A-Fa-f]{2}(?:[:\- ][0-9A-Fa-f]{2}){7,}")
_PAIRS_BETWEEN = 6
"""Pairs with a sign on both sides, in eight."""
_LISTED = re.compile(r"(?:0x[0-9A-Fa-f]{2},? ?){8,}")
_BASE32 = re.compile(r"[A-Z2-7]{16,}={0,6}")
_TEXT = re.compile(
    rb"(?:[\x09\x0a\x0d\x20-\x7e]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}){4,}"
)
_SEPARATOR = "\x00"


class Block:
    """One block, text[start:end] of its source, and the text in it: stretches with `\\x00` between them.

    `digits` are the places of its digits in the source; `first` is how many of them stand before the first byte.
    """

    __slots__ = ("_bits", "_kind", "_places", "_raw", "_stretches", "end", "plain", "start")

    def __init__(
        self, kind: str, bits: int, places: Sequence[int], raw: bytes, stretches: Sequence[tuple[int, str, str]]
    ) -> None:
        self._kind = kind
        self._bits = bits
        self._places = places
        self._raw = raw
        self._stretches = stretches
        self.start, self.end = places[0], places[-1] + 1
        self.plain = _SEPARATOR.join(text for _, text, _ in stretches)

    def where(self, start: int, end: int) -> tuple[int, int]:
        """The part of the source that spells plain[start:end]."""
        begin, stop = self._bytes(start), self._bytes(end)
        last = min(len(self._places), -(-stop * 8 // self._bits))
        return self._places[begin * 8 // self._bits], self._places[last - 1] + 1

    def edits(self, source: str, changes: Sequence[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
        """Changes of `plain` as changes of the source: of single digits when the sizes agree, else of the whole."""
        raw = bytearray(self._raw)
        for start, end, new in reversed(changes):
            begin, stop = self._bytes(start), self._bytes(end)
            raw[begin:stop] = new.encode(self._encoding(start), "replace")
        old = [source[place] for place in self._places]
        digits = self._digits(bytes(raw), "".join(old))
        if len(raw) != len(self._raw) or len(digits) != len(old):
            return [(self.start, self.end, digits)]
        out: list[tuple[int, int, str]] = []
        # groups of 8 bits' and the digits' common multiple change together: an edit spells whole bytes
        group = {4: 2, 5: 8, 6: 4}[self._bits]
        for i in range(0, len(old), group):
            if old[i : i + group] != list(digits[i : i + group]):
                out += [
                    (place, place + 1, digit)
                    for place, digit in zip(self._places[i : i + group], digits[i : i + group], strict=False)
                ]
        return _joined(source, out)

    def _bytes(self, position: int) -> int:
        """The byte at which plain[position] begins."""
        for at, text, encoding in self._stretches:
            if position <= len(text):
                return at + len(text[:position].encode(encoding))
            position -= len(text) + 1
        return len(self._raw)

    def _encoding(self, position: int) -> str:
        for _, text, encoding in self._stretches:
            if position <= len(text):
                return encoding
            position -= len(text) + 1
        return "utf-8"

    def _digits(self, raw: bytes, old: str) -> str:
        if self._kind == "hex":
            digits = raw.hex()
            return digits if old == old.lower() else digits.upper()
        if self._kind == "base32":
            return base64.b32encode(raw).decode().rstrip("=")
        digits = base64.b64encode(raw).decode().rstrip("=")
        return digits.replace("+", "-").replace("/", "_") if "-" in old or "_" in old else digits


def _joined(source: str, edits: Sequence[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Single digits as few edits; what stands between two digits of one group (a line's end) stays."""
    out: list[tuple[int, int, str]] = []
    for start, end, new in edits:
        if out and start - out[-1][1] <= 2:
            out[-1] = (out[-1][0], end, out[-1][2] + source[out[-1][1] : start] + new)
        else:
            out.append((start, end, new))
    return out


def blocks(text: str) -> Iterator[Block]:
    """Every block of a text that holds a text."""
    for begin, stop in _runs(text):
        for match in _BASE64.finditer(text, begin, stop):
            yield from _base64(text, match.start(), match.end())
        for match in _HEX.finditer(text, begin, stop):
            yield from _hex(text, match.start(), match.end())
        for match in _BASE32.finditer(text, begin, stop):
            yield from _decoded("base32", 5, _places(text, match.start(), match.end(), "="), text)
    if "?=" in text and "=?" in text:
        for match in _WORD.finditer(text):
            places = _places(text, match.start(1), match.end(1), "=")
            if len(places) < SHORTEST:
                yield from _decoded("base64", 6, places, text)
    for begin in _pairs(text):
        # the first pair need not have a sign before it
        found = (_PAIRS.match(text, begin - 3) if begin > 2 else None) or _PAIRS.match(text, begin)
        if found is not None:
            yield from _hex(text, found.start(), found.end())
    if "0x" in text:
        for match in _LISTED.finditer(text):
            yield from _hex(text, match.start(), match.end())


def _pairs(text: str) -> list[int]:
    """Where eight pairs of hexadecimal digits and more, with a sign between two each, can begin."""
    others = np.flatnonzero(~_hexadecimal()[np.minimum(codes_of(text), _LAST_ASCII)])
    apart = np.flatnonzero(np.diff(others) == 3)  # two digits between two signs
    if len(apart) < _PAIRS_BETWEEN:
        return []
    rows = np.flatnonzero(apart[_PAIRS_BETWEEN - 1 :] - apart[: 1 - _PAIRS_BETWEEN] == _PAIRS_BETWEEN - 1)
    out: list[int] = []
    last = -2
    for at in apart[rows].tolist():
        if at != last + 1:
            out.append(int(others[at]) + 1)
        last = at
    return out


def _runs(text: str) -> list[tuple[int, int]]:
    """Where so many digits of a block stand in a row, with what may follow; lines of one block are one run."""
    codes = codes_of(text)
    if codes.itemsize > 1:
        codes = np.minimum(codes, _LAST_ASCII)
    if len(codes) < SHORTEST:
        return []
    breaks = np.concatenate(([-1], np.flatnonzero(_others()[codes]), [len(codes)]))
    found = np.flatnonzero(np.diff(breaks) > SHORTEST)
    out: list[tuple[int, int]] = []
    for i in found.tolist():
        begin, stop = int(breaks[i]) + 1, int(breaks[i + 1])
        if out and text[out[-1][1] : begin] in ("\n", "\r\n"):
            out[-1] = (out[-1][0], stop)
        else:
            out.append((begin, stop))
    return [(begin, _end(text, stop)) for begin, stop in out]


def _end(text: str, stop: int) -> int:
    """Where a run ends: the last line of a block can be short."""
    match = _TAIL.match(text, stop)
    return match.end() if match else stop


_TAIL = re.compile(r"(?:\r?\n[A-Za-z0-9+/]{1,76})?={0,2}(?![A-Za-z0-9+/ ])")


@cache
def _others() -> Any:
    table = np.ones(_LAST_ASCII + 1, bool)
    for char in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_":
        table[ord(char)] = False
    return table


@cache
def _hexadecimal() -> Any:
    table = np.zeros(_LAST_ASCII + 1, bool)
    for char in "0123456789abcdefABCDEF":
        table[ord(char)] = True
    return table


def _places(text: str, start: int, end: int, skipped: str) -> list[int]:
    return [i for i in range(start, end) if text[i] not in skipped and text[i] not in "\r\n"]


def _base64(text: str, start: int, end: int) -> Iterator[Block]:
    block = text[start:end]
    if not (any(map(str.isupper, block[1:])) or any(map(str.isdigit, block))):
        return  # words: a text of so many bytes has a capital or a digit in it
    places = _places(text, start, end, "=")
    found = [found for first in range(4) for found in _decoded("base64", 6, places[first:], text)]
    if found:
        longest = max(len(one.plain) for one in found)
        # the other beginnings show what chance makes of the same bytes, and another block behind them
        yield from (one for one in found if len(one.plain) * 4 >= longest)


def _hex(text: str, start: int, end: int) -> Iterator[Block]:
    if text[start:end].replace("0x", "").isdigit() and end - start < 2 * SHORTEST:
        return  # a number
    places = [i for i in range(start, end) if text[i] in "0123456789abcdefABCDEF" and text[i : i + 2] != "0x"]
    for first in (0, 1):
        found = list(_decoded("hex", 4, places[first:], text))
        if found:
            yield from found
            return


def _decoded(kind: str, bits: int, places: Sequence[int], text: str) -> Iterator[Block]:
    whole = {4: 2, 5: 8, 6: 4}[bits]
    digits = "".join([text[i] for i in places])
    if bits == 6 and len(digits) % 4 == 1:
        digits = digits[:-1]
    elif bits != 6:
        digits = digits[: len(digits) // (2 if bits == 4 else 1) * (2 if bits == 4 else 1)]
    raw = _raw(kind, digits, whole)
    if raw is None:
        return
    stretches = list(_stretches(raw))
    if stretches:
        yield Block(kind, bits, places[: len(digits)], raw, stretches)


def _raw(kind: str, digits: str, whole: int) -> bytes | None:
    try:
        if kind == "hex":
            return bytes.fromhex(digits)
        padded = digits + "=" * (-len(digits) % whole)
        if kind == "base32":
            return base64.b32decode(padded)
        return base64.b64decode(padded.replace("-", "+").replace("_", "/"))
    except (ValueError, binascii.Error):
        return None


def _stretches(raw: bytes) -> Iterator[tuple[int, str, str]]:
    """The texts in bytes, with where they begin and their encoding."""
    zeros = raw.count(0)
    if zeros * 3 > len(raw):
        encoding = "utf-16-le" if raw[1::2].count(0) >= raw[::2].count(0) else "utf-16-be"
        try:
            text = raw[: len(raw) // 2 * 2].decode(encoding)
        except UnicodeDecodeError:
            return
        if len(text) >= _STRETCH and _SEPARATOR not in text:
            yield 0, text, encoding
        return
    for match in _TEXT.finditer(raw):
        if len(match[0]) < _STRETCH and len(match[0]) < len(raw):
            continue
        try:
            yield match.start(), match[0].decode("utf-8"), "utf-8"
        except UnicodeDecodeError:
            continue
