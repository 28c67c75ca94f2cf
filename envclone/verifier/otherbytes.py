"""Texts in bytes that are no UTF-8: Latin-1 and Windows-1252, UTF-16 and UTF-32 of letters of any script.

Bytes that are noise have few letters in a row: those alone that have are read, in one pass over classes of bytes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["CASES", "CLASSES", "IN_FOUR", "IN_ROW", "LONG_WORD", "SHORT", "WIDE", "WIDTHS", "is_utf8", "said_in"]

_FEWEST, LONG_WORD = 6, 8
SHORT = 256
"""Bytes of a value that is tried whole as a text of two bytes a character."""
_CLASSES = bytearray(256)
for _byte in range(256):
    _CLASSES[_byte] = ord("a") if chr(_byte).isalpha() and _byte < 128 else ord(".")
for _byte in (*range(0xC0, 0x100), 0x8A, 0x8C, 0x8E, 0x9A, 0x9C, 0x9E, 0x9F):
    _CLASSES[_byte] = ord("H")
for _byte in b" -'.":
    _CLASSES[_byte] = ord("s")
CLASSES = bytes(_CLASSES)
"""Per byte: a letter of ASCII, a high one of Windows-1252, a sign between words, or a dot for anything else."""
_WORDS = re.compile(rb"[aHs]{%d,}" % LONG_WORD)
CASES = bytes(
    ord("z") if byte == 0xDF else ord("s") if chr(kind) == "s" else ord(".") if chr(kind) == "."
    else ord(("lL" if bytes((byte,)).decode("cp1252").islower() or byte == 0xF7 else "uU")[chr(kind) == "H"])
    for byte, kind in enumerate(CLASSES)
)  # fmt: skip
"""Per byte: a small or a great letter of ASCII (`l`, `u`), a small or a great high one (`L`, `U`), the sharp s, which
stands in words of both (`z`), a sign between words, or a dot."""
_CASED = re.compile(
    rb"(?<![luLUz])(?=[lu]*[LUz])"
    rb"(?:[uU]?[lLz]+(?:[uU][lLz]+)*|[luLUz]{0,2}[lLz]+[luLUz]?|[uUz]+)(?![luLUz])"
)
"""A word with a high letter as people write one: small, with a capital, words in one, or all capitals. What stands
before and behind it in bytes may look like a letter, too. Of words in noise one in seven is like that."""
WIDE = 7
"""The first bytes of the characters of Latin, Greek, Cyrillic, Armenian, Hebrew and Arabic in UTF-16 are below it."""
IN_ROW = 0.6
"""Of four bytes a character so many are zero, at least."""
WIDTHS = 6
"""Characters in a row that are a text in UTF-16."""
IN_FOUR = 4
"""The same in UTF-32."""
_AROUND = 64
_MARKS = ((b"\xff\xfe\0\0", "utf-32-le"), (b"\0\0\xfe\xff", "utf-32-be"), (b"\xff\xfe", "utf-16-le"),
          (b"\xfe\xff", "utf-16-be"))  # fmt: skip
_TEXT = re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]{4,}")
_IDEOGRAPHS = ("CJK UNIFIED", "HIRAGANA", "KATAKANA", "HANGUL SYLLABLE")


def said_in(value: bytes) -> Iterator[str]:
    """What bytes say in another encoding than UTF-8."""
    if len(value) < LONG_WORD:
        return
    for mark, encoding in _MARKS:
        if value.startswith(mark):
            yield from _TEXT.findall(value[len(mark) :].decode(encoding, "replace"))
            return
    yield from _wide(value)
    if not value.isascii():
        yield from _narrow(value)


def _narrow(value: bytes) -> Iterator[str]:
    """Words with a letter that is not ASCII, as Windows-1252 has it; nothing where that is UTF-8."""
    classes = value.translate(CLASSES)
    if b"H" not in classes:
        return
    end = 0
    for match in _WORDS.finditer(classes):
        its = match[0]
        high = its.count(b"H")
        if not 0 < 3 * high <= its.count(b"a") or match.start() < end:
            continue
        part = value[match.start() : match.end()]
        if _CASED.search(part.translate(CASES)) is None or is_utf8(part):
            continue
        start = max(0, match.start() - _AROUND)
        for text in _TEXT.finditer(value[start : match.end() + _AROUND].decode("cp1252", "replace")):
            # a character a byte; what stands beyond signs that no text has is looked at where its own words are
            if start + text.start() < match.end() and start + text.end() > match.start():
                yield text[0]
                end = start + text.end()


def is_utf8(part: bytes) -> bool:
    """Whether bytes are a text in UTF-8."""
    try:
        part.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _wide(value: bytes) -> Iterator[str]:
    """Texts of two or four bytes a character."""
    data = np.frombuffer(value, np.uint8)
    if _in_fours(data):
        yield from _TEXT.findall(value.replace(b"\0", b"").decode("cp1252", "replace"))
    low = data < WIDE
    for start, end, encoding in _runs_of_four(data == 0):
        yield from _TEXT.findall(value[start:end].decode(encoding, "replace"))
    for begin, encoding in _runs_of_two(low):
        text = value[begin[0] : begin[1]].decode(encoding, "replace")
        if any(char > "\u00ff" for char in text):  # what Latin-1 has is read elsewhere
            yield from _TEXT.findall(text)
    if len(value) <= SHORT and len(value) % 2 == 0:
        for encoding in ("utf-16-le", "utf-16-be"):
            text = value.decode(encoding, "replace")
            if all(unicodedata.name(char, "").startswith(_IDEOGRAPHS) for char in text if char not in " \u3000"):
                yield text


def _in_fours(data: Any) -> bool:
    """Whether three of four bytes are zero nearly everywhere."""
    some = data[: 4 * SHORT]
    return len(some) >= 4 * _FEWEST and float((some == 0).mean()) > IN_ROW and len(data) % 4 == 0


def _runs_of_four(zero: Any) -> Iterator[tuple[int, int, str]]:
    """Where every second pair of bytes is zero and the other is not, from and to where, as either encoding has it."""
    size = len(zero)
    if size < 4 * IN_FOUR:
        return
    pairs = zero[:-1] & zero[1:]
    pairs[:-2] &= ~pairs[2:]  # what is zero everywhere is no text
    last = size - 1 - 4 * (IN_FOUR - 1)
    row = pairs[:last].copy()
    for k in range(1, IN_FOUR):
        row &= pairs[4 * k : 4 * k + last]
    after = [0] * 4  # of letters with three zeros two pairs are found, and either may be theirs
    for begin in np.flatnonzero(row).tolist():
        if begin < after[begin % 4]:
            continue
        end = begin
        while end + 4 < size - 1 and pairs[end + 4]:
            end += 4
        yield max(0, begin - 2), end + 2, "utf-32-le"
        yield begin, min(size, end + 4), "utf-32-be"
        after[begin % 4] = end + 1


def _runs_of_two(low: Any) -> Iterator[tuple[tuple[int, int], str]]:
    """Where every other byte is a first one of letters, and which of two it is in the encoding."""
    size = len(low)
    if size < 2 * WIDTHS:
        return
    last = size - 2 * (WIDTHS - 1)
    row = low[:last].copy()
    for k in range(1, WIDTHS):
        row &= low[2 * k : 2 * k + last]
    row[:] &= ~low[1 : last + 1]  # what is low everywhere is no text
    at = 0
    while True:
        after = int(row[at:].argmax()) if at < last else 0
        if at >= last or not row[at + after]:
            return
        begin = at + after
        end = begin
        while end + 2 < size and low[end + 2]:
            end += 2
        stop = end + 2
        yield (max(0, begin - 1), end + 1), "utf-16-le"
        yield (begin, min(size, stop)), "utf-16-be"
        at = stop
