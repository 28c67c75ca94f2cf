"""Values as they are searched: folded, and many of them one behind the other.

By compiled loops where there are some (`folding`): of a block only the texts with a character that changes with its
neighbours, or with an escape, are made as texts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any
from unicodedata import category, normalize

import numpy as np

from envclone.compiled import available, frozen
from envclone.packed import TextBlock

__all__ = ["FOLD", "SEPARATOR", "codes_of", "folded", "folded_block", "packed", "text_of"]

SEPARATOR = b"\xff"
"""Between two values: no UTF-8 text holds it."""
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_JOINTS = "_.-+\t\n\r\u00a0\u2002\u2003\u2007\u2009\u202f\u2010\u2011\u2013\u3000"
"""What joins the parts of a name or number as a space does; one sign for one, so that places stay."""
FOLD = bytes(range(256)).lower().translate(bytes.maketrans(b"_.-+\t\n\r", b"       "))
"""The same for bytes, with capitals as small letters."""
_APART = bytes.maketrans(b"\0", SEPARATOR)
_PLANE, _ASCII, _SURROGATES = 0x10000, 0x80, range(0xD800, 0xE000)
_JAMO = (range(0x1100, 0x1200), range(0xA960, 0xA980), range(0xD7B0, 0xD800))
"""Parts of Korean letters, which compose."""
_SIGMA = 0x3A3
"""The one letter whose small form depends on where it stands."""


def packed(values: Sequence[Any]) -> tuple[bytes, Any, Any]:
    """Values as `text_of` gives them, one behind the other with SEPARATOR between, and where each begins and ends."""
    if isinstance(values, TextBlock):
        found = folded_block(values.block, len(values))
        if found is not None:
            return found
    texts = ["" if value is None else value for value in values]
    try:
        joined = "\0".join(texts).encode("utf-8", "surrogatepass")
    except TypeError:
        joined = b""
    if joined and (found := folded_block(joined, len(texts))) is not None:
        return found
    parts = [text_of(value) for value in values]
    ends = np.cumsum([len(part) + 1 for part in parts], dtype=np.int64) - 1
    return SEPARATOR.join(parts), np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1))[: len(parts)], ends


def folded_block(block: bytes, count: int, errors: str = "surrogatepass") -> tuple[bytes, Any, Any] | None:
    """So many texts with a zero between two as they are searched, SEPARATOR between, and where each begins and ends;
    None when one of them holds a zero, or says one."""
    zeros = np.count_nonzero(np.frombuffer(block, np.uint8) == 0)
    if zeros != count - 1:
        return None
    data = _folded(block, count, errors)
    if data is None:
        return None
    breaks = np.flatnonzero(np.frombuffer(data, np.uint8) == SEPARATOR[0])
    if len(breaks) != count - 1:
        return None
    return data, np.concatenate((np.zeros(1, np.int64), breaks + 1)), np.append(breaks, len(data))


def _folded(block: bytes, count: int, errors: str) -> bytes | None:
    if not available():
        text = folded(block.decode("utf-8", errors)).encode("utf-8", "surrogatepass")
        return text.translate(_APART) if text.count(b"\0") == count - 1 else None
    from envclone.verifier import folding  # late: it waits for the compiler

    flat = frozen(np.frombuffer(block, np.uint8))
    between = np.uint8(SEPARATOR[0])
    if block.isascii() and b"%" not in block and not (b"\\" in block and b"\\u" in block):
        out = np.empty(len(block), np.uint8)
        folding.folded(flat, between, out)
        return out.tobytes()
    odd, aside = np.zeros(count, np.bool_), b""
    for _ in range(2):
        out = np.empty(len(block) + len(aside), np.uint8)
        used = folding.folds(flat, codes_of(), between, odd, np.frombuffer(aside, np.uint8), out)
        if used >= 0:
            return out[:used].tobytes()
        its = [text for text, told in zip(block.split(b"\0"), odd.tolist(), strict=True) if told]
        aside = folded(b"\0".join(its).decode("utf-8", errors)).encode("utf-8", "surrogatepass")
        if aside.count(b"\0") != len(its) - 1:
            return None
    return None


@cache
def codes_of() -> Any:
    """What `folded` makes of each character of the first plane, as `folding.folds` takes it (uint16).

    Left to Python is what composes with its neighbours, or has another length then.
    """
    from envclone.verifier import folding

    codes = np.full(_PLANE, folding.ODD, np.uint16)
    codes[:_ASCII] = np.frombuffer(FOLD[:_ASCII], np.uint8)
    for part in (range(_ASCII, _SURROGATES.start), range(_SURROGATES.stop, _PLANE)):
        for code, made in zip(part, folded("\0".join(map(chr, part))).split("\0"), strict=True):
            if made == "ss":
                codes[code] = folding.DOUBLE
            elif len(made) == 1 and len(made.encode()) <= len(chr(code).encode()) and category(chr(code))[0] != "M":
                codes[code] = ord(made)
    for jamo in _JAMO:
        codes[jamo.start : jamo.stop] = folding.ODD
    codes[_SIGMA] = folding.ODD
    return frozen(codes)


def folded(text: str) -> str:
    """A text with its escapes resolved, composed, in lower case, and a space for each sign that joins parts."""
    if "\\u" in text:
        text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if "%" in text:
        text = _PERCENT.sub(lambda match: bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "replace"), text)
    if text.isascii():
        return text.encode().translate(FOLD).decode()
    for joint in _JOINTS:  # many times as fast as to translate sign by sign
        text = text.replace(joint, " ")
    text = text.replace("ß", "ss").replace("ẞ", "ss")
    return normalize("NFC", normalize("NFC", text).lower())


def text_of(value: Any) -> bytes:
    """A value as it is searched; the elements of a list are apart, bytes are themselves but for capitals and joints."""
    if value is None:
        return b""
    if isinstance(value, str):
        return folded(value).encode("utf-8", "surrogatepass")
    if isinstance(value, list):
        return SEPARATOR.join(text_of(item) for item in value)
    if isinstance(value, bytes):
        return value.translate(FOLD)
    return str(value).encode()
