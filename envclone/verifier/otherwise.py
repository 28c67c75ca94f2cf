"""Values that say somebody's identity in an order or a form of their own: letters apart, bits, backwards, money.

A list of single letters is read as one word, digits of bits as the bytes that they are. A short text is read backwards
as a whole, for that is how suffixes are indexed (`reverse(email)`). An amount of money is read as its digits, bounds
of ranges and coordinates of points one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from envclone.packed import TextBlock

__all__ = ["BITS", "backwards", "numbers_in_disguise", "numbers_within", "put_together", "without_cents"]

_FEWEST, _LONGEST = 6, 64
"""Characters of a text that is read backwards."""
_MOST_TEXTS = 4
"""One in so many texts that are short enough: from there on all of a block's are made at once."""
_LETTERS = 4
"""Single letters in a row from which on they are a word."""
_BITS = re.compile(r"(?<![^\x00])[01]{32,}(?![^\x00])")
_QUOTED = re.compile(r'"[^"\\]"(?:, ?"[^"\\]"){3,}')
_OF_BITS = 32
_PERHAPS = re.compile(rb'"[^"\\]{1,4}", ?"')
"""What letters apart in JSON cannot be without."""
_NUMBER = re.compile(r"\d[\d.]*(?:e[+-]?\d+)?")
_LONG = re.compile(rb"[0-9]{7}|[0-9]e\+")
"""What a number of seven digits cannot be without."""
BITS = frozenset(("bit", "varbit"))
"""Types of bits."""
_FEWEST_BITS, _MOST_BITS = 20, 64
"""Bits of a number of seven digits, and of one of 64."""
_INTERVAL = re.compile(r"(?:(\d+) days? ?)?(?:(\d+):(\d\d):(\d\d))?")
_MONEY = re.compile(r"[^\d]*(\d{1,3}(?:[,. '\u00a0\u202f]\d{3})*|\d+)[.,](\d\d)[^\d]*")


def put_together(values: Sequence[Any]) -> Iterator[tuple[int, str]]:
    """Per value that has any: its number, and its letters in one word or the text in its bits."""
    if isinstance(values, TextBlock):
        for number in _of_bits(values):
            yield from ((number, _read(found[0])) for found in _BITS.finditer(values.text(number)))
        if b'"' in values.block and _PERHAPS.search(values.block):
            text = values.block.decode("utf-8", "surrogatepass")
            for found in _QUOTED.finditer(text):
                yield text.count("\0", 0, found.start()), _read(found[0])
        return
    for number, value in enumerate(values):
        if isinstance(value, list):
            yield from ((number, word) for word in _words(value))
        elif isinstance(value, str):
            yield from ((number, _read(found[0])) for found in (*_BITS.finditer(value), *_QUOTED.finditer(value)))


def _of_bits(values: TextBlock) -> list[int]:
    """The numbers of the texts that can be bits: those that have as many as are asked for first hold nothing else.

    Of what begins with a bit most has another character soon: a text is made only of what is left.
    """
    starts = values.zeros[:-1] + 1
    chosen = np.flatnonzero(values.zeros[1:] - starts >= _OF_BITS)
    data = np.frombuffer(values.block, np.uint8)
    for place in range(_OF_BITS):
        if not len(chosen):
            break
        chosen = chosen[data[starts[chosen] + place] & 0xFE == ord("0")]
    found: list[int] = chosen.tolist()
    return found


def _long_enough(values: TextBlock, least: int, most: int) -> list[int]:
    """The numbers of the texts of so many bytes."""
    sizes = values.zeros[1:] - values.zeros[:-1] - 1
    found: list[int] = np.flatnonzero((sizes >= least) & (sizes <= most)).tolist()
    return found


def _read(found: str) -> str:
    if found[0] == '"':
        return "".join(found.split('"')[1::2])
    whole = len(found) // 8
    return int(found[: 8 * whole], 2).to_bytes(whole, "big").decode("utf-8", "replace")


def _words(value: list[Any]) -> Iterator[str]:
    """The words that a list's elements of one letter each make, in lists of lists too."""
    letters: list[str] = []
    for item in value:
        if isinstance(item, list):
            yield from _words(item)
        elif item is None or len(str(item)) < 2:
            letters.append(str(item or " "))
    if len(letters) >= _LETTERS and len(letters) == len(value):
        yield "".join(letters)


def backwards(values: Sequence[Any]) -> dict[str, int]:
    """Every different short text backwards, with the number of a value that is it; numbers are left out."""
    some = _long_enough(values, _FEWEST, 4 * _LONGEST) if isinstance(values, TextBlock) else []
    texts: Iterable[tuple[int, Any]]
    if isinstance(values, TextBlock) and len(some) * _MOST_TEXTS < len(values):
        texts = ((number, values.text(number)) for number in some)
    else:
        texts = enumerate(values)
    first = {text: number for number, text in texts if isinstance(text, str)}
    return {
        text[::-1]: number
        for text, number in first.items()
        if _FEWEST <= len(text) <= _LONGEST and not text.isdecimal()
    }


def without_cents(value: str) -> str:
    """The whole number in an amount of money as the server prints it; any other value as it is."""
    found = _MONEY.fullmatch(value)
    if found is None or found[2] != "00":
        return value
    return "".join(char for char in found[1] if char.isdigit())


def numbers_in_disguise(base: str, values: Sequence[Any]) -> tuple[list[str], list[int]]:
    """Intervals as their seconds, positions in a log and bits as numbers, also in arrays, and of each the number of its
    value."""
    numbers: list[str] = []
    places: list[int] = []
    for place, value in enumerate(values):
        for text in _strings(value):
            if (its := _whole(base.removesuffix("[]"), text)) is not None:
                numbers.append(its)
                places.append(place)
    return numbers, places


def _whole(base: str, value: str) -> str | None:
    if base == "pg_lsn":
        high, _, low = value.partition("/")
        return str(int(high, 16) << 32 | int(low, 16))
    if base in BITS:
        return str(int(value, 2)) if _FEWEST_BITS <= len(value) <= _MOST_BITS and not value.strip("01") else None
    found = _INTERVAL.fullmatch(value)
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return str(86_400 * days + 3600 * hours + 60 * minutes + seconds)


def numbers_within(values: Sequence[Any], *, whole: bool = False) -> tuple[list[str], list[int]]:
    """The numbers in ranges and points as the server prints them, and of each the number of its value.

    Ranges of `whole` numbers are printed with an upper bound that they do not hold; the last one they hold is given.
    """
    if isinstance(values, TextBlock) and not _LONG.search(values.block):
        return [], []
    numbers: list[str] = []
    places: list[int] = []
    for place, value in enumerate(values):
        for text in _strings(value):
            its = _NUMBER.findall(text)
            if whole and its and text.endswith(")") and not text.endswith(",)"):
                its[-1] = str(int(its[-1]) - 1)
            numbers += its
            places += [place] * len(its)
    return numbers, places


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
