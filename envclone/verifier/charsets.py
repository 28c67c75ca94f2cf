"""Texts in bytes of one language's encoding: Latin-2, KOI8-R, Windows-1251, Shift-JIS, GBK, EBCDIC and their kind.

Nothing in such bytes tells which encoding they are in. So the letters of the originals do: only encodings that can
write some of them are tried, and only on bytes that are no UTF-8. Among noise only stretches of letters are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from unicodedata import category

import numpy as np

from envclone.verifier.originals import Originals
from envclone.verifier.otherbytes import is_utf8

__all__ = ["OF_TWO", "encodings_of", "said_in_ebcdic", "said_in_encodings"]

OF_TWO = ("cp932", "euc_jp", "gb18030", "big5hkscs", "cp949")
"""Encodings with letters of two bytes."""
_DOS = ("cp850", "mac_roman")
_BY_LEAD = (
    ((0xC3,), _DOS),
    ((0xC4, 0xC5, 0xC8), ("iso8859-2", "cp1250", "cp852", "mac_latin2", "cp1254", "cp1257", "iso8859-16")),
    ((0xCE, 0xCF), ("cp1253", "cp737", "mac_greek")),
    ((0xD0, 0xD1, 0xD2), ("cp1251", "koi8_u", "iso8859-5", "cp866", "mac_cyrillic")),
    ((0xD7,), ("cp1255", "cp862")),
    ((0xD8, 0xD9, 0xDA, 0xDB), ("cp1256", "iso8859-6")),
    ((0xE0,), ("cp874",)),
    ((0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9), ("cp932", "euc_jp", "gb18030", "big5hkscs")),
    ((0xEA, 0xEB, 0xEC, 0xED), ("cp949",)),
)
"""By the first bytes of letters in UTF-8 the encodings that have such letters."""
_AT_ONCE = 1 << 22
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]+")
_CONTROLS = bytes((*range(9), *range(0x0E, 0x1B), *range(0x1C, 0x20), 0x7F))
_HEAD, _SMALL = 4096, 256
_PIECE = 1 << 20
_NOISY = 32
"""One control byte in so many, and bytes are no text."""
_FEWEST = 4
"""Bytes in a row that are read in what is a text."""
_LETTERS, _PAIRS = 6, 3
"""Letters in a row that are read in what is no text, of one byte and of two; more of them where it is long."""
_TEXT = re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]{3,}")
_SHIFTED = re.compile(rb"\x1b\$[@AB()]|~\{")
_SHIFTS = (("iso2022_jp_2", b"\x1b$"), ("iso2022_kr", b"\x1b$)C"), ("hz", b"~{"))
_EBCDIC = "cp500"
_OF_EBCDIC = bytes(
    byte
    for byte in range(256)
    if (char := bytes((byte,)).decode(_EBCDIC)) in " .,-'@_/" or (char.isascii() and char.isalnum())
)


def encodings_of(originals: Originals) -> tuple[str, ...]:
    """The encodings of one language each that can write a letter of some original which is not ASCII."""
    block, _ = originals.held()
    there = np.zeros(256, np.bool_)
    for first in range(0, len(block), _AT_ONCE):
        there |= np.bincount(np.asarray(block[first : first + _AT_ONCE]), minlength=256) > 0
    return tuple(dict.fromkeys(one for leads, some in _BY_LEAD if there[list(leads)].any() for one in some))


def said_in_encodings(value: bytes, encodings: Sequence[str], *, noise: bool = False) -> Iterator[str]:
    """What bytes say in any of some encodings; nothing where they are UTF-8, but for a few that can be both.

    Of what may be `noise` only letters in a row are read, as among control bytes.
    """
    if not encodings:
        return
    if _SHIFTED.search(value) is not None:
        yield from _shifted(value)
    if value.isascii():
        return
    if len(value) > _PIECE + _SMALL:  # a long one as texts of every encoding at once would be held many times
        for first in range(0, len(value), _PIECE):
            yield from said_in_encodings(_without_halves(value[first : first + _PIECE + _SMALL]), encodings)
        return
    if is_utf8(value):
        if len(value) > _SMALL:
            return
        encodings = [one for one in encodings if one in OF_TWO]
    head = value[:_HEAD]
    if noise or (len(head) - len(head.translate(None, _CONTROLS))) * _NOISY > len(head):
        large = len(value) > _SMALL
        for encoding in encodings:
            found = b"\n".join(part for part in _words(encoding, large).findall(value) if not part.isascii())
            if found:
                yield found.decode(encoding, "replace")
        return
    parts = [part for part in _CONTROL.split(value) if len(part) >= _FEWEST and not part.isascii()]
    if parts:
        joined = b"\n".join(parts)
        for encoding in encodings:
            yield from (text for text in _TEXT.findall(joined.decode(encoding, "replace")) if not text.isascii())


@cache
def _words(encoding: str, large: bool) -> re.Pattern[bytes]:
    """The stretches of bytes that can be words of an encoding; longer ones among many bytes, as chance gives more."""
    if encoding in OF_TWO:
        return re.compile(rb"(?:[\x81-\xfe][\x40-\x7e\x80-\xfe]){%d,}" % (_PAIRS + large))
    chars = {byte: bytes((byte,)).decode(encoding, "replace") for byte in range(256)}
    letters = bytes(byte for byte, char in chars.items() if char in " .'-" or category(char)[0] in "LM")
    return re.compile(b"[%s]{%d,}" % (re.escape(letters), _LETTERS + 2 * large))


def _shifted(value: bytes) -> Iterator[str]:
    """Texts of seven bits that escapes shift into another alphabet."""
    for encoding, sign in _SHIFTS:
        if sign in value:
            yield from (text for text in _TEXT.findall(value.decode(encoding, "replace")) if not text.isascii())


def said_in_ebcdic(value: bytes) -> Iterator[str]:
    """What bytes say in EBCDIC, where each of them is a letter, a digit or a sign between words there."""
    if len(value) >= 6 and not value[:32].translate(None, _OF_EBCDIC) and not value.translate(None, _OF_EBCDIC):
        yield value.decode(_EBCDIC)


def _without_halves(piece: bytes) -> bytes:
    """A piece of UTF-8 without what cutting left of letters; of other bytes up to four are missing on either side."""
    first = next((i for i in range(min(3, len(piece))) if piece[i] & 0xC0 != 0x80), 0)
    for back in range(1, min(4, len(piece)) + 1):
        if piece[-back] >= 0xC0:
            return piece[first:-back]
        if piece[-back] < 0x80:
            break
    return piece[first:]
