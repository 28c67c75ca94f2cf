"""Which of many texts may spell something in a rare form, compiled: one pass over their bytes, NUL between two texts.

It lets through too many rather than too few.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean

__all__ = [
    "ADDED",
    "APART",
    "BLANKS",
    "CAMEL",
    "CELLS",
    "CHARS",
    "GROUPS",
    "INSIDE",
    "LINES",
    "NUMBERS",
    "ODD",
    "PACKED",
    "PUNY",
    "RUNS",
    "SHORT",
    "THOUSANDS",
]
__all__ += ["mark", "warm"]

APART, NUMBERS, GROUPS, ADDED, CHARS, PACKED, PUNY, SHORT, CAMEL, THOUSANDS, BLANKS = (1 << bit for bit in range(11))
"""What may stand in a text: letters with signs between them; short numbers in a row; groups of hexadecimal digits of
one size; literals that are put together; characters by their numbers; base64 of a compressed file; Punycode; base64 of
a few bytes; words in one; digits by three; several blanks beside a number."""
LINES, ODD, INSIDE, CELLS, RUNS = (1 << bit for bit in range(11, 16))
"""A line that ends beside a letter or digit and goes on with one; digits with an odd sign between them; a number in a
word; a number beside a sign that parts cells; a run of digits of base64 that words have not."""

_LETTERS, _NUMBERS, _GROUPS, _HUMPS, _THREES = 5, 8, 4, 1, 2
_MOST_SIGNS, _SHORT, _SMALLEST_GROUP, _HUMP = 12, 3, 4, 3
_LONG_GROUP, _FAMILY, _PREFIX = 16, 7, 3
_FEWEST_DIGITS, _LEAST = 8, 16
_FEWEST_IN_NUMBER, _BETWEEN, _WIDE, _INDENTED, _INNER, _LETTERS_AROUND, _STREET = 7, 4, 2, 22, 4, 6, 3
_CHARS, _DIGITS, _HEXES = 1, 1 << 20, 1 << 40
_MASK, _SECOND, _THIRD = (1 << 20) - 1, 20, 40
_COUNTS = np.zeros(256, np.int64)
"""What a byte of a token adds: a character, a digit, a hexadecimal digit, 20 bits each; 0 for a sign."""
_COUNTS[[*range(65, 91), *range(97, 123), *range(0xC0, 0x100)]] = _CHARS
_COUNTS[48:58] = _CHARS | _DIGITS
_COUNTS[[*b"0123456789abcdefABCDEF"]] |= _HEXES
_IN_TOKEN = _COUNTS > 0
_IN_TOKEN[128:] = True
_QUOTES = np.zeros(256, np.bool_)
_QUOTES[[*b"'\""]] = True
_NOT_ASCII = np.arange(256) > 127
_GREAT = (np.arange(256) <= ord("Z")) | _NOT_ASCII
"""How a name begins: not with a small letter of ASCII."""
_BLANK = np.zeros(256, np.bool_)
_BLANK[[9, 10, 13, 32]] = True
_ODD = np.ones(256, np.bool_)
"""Signs that nobody writes between the groups of a number."""
_ODD[[*b" \t\r\n/'().-_+"]] = False
_JOINS = np.zeros(256, np.bool_)
"""Signs inside of addresses and numbers, with which a line can go on."""
_JOINS[[*b".@_-:"]] = True


@lean
def _packs(data: Any, at: Any) -> Any:
    """Whether base64 of a compressed file can begin here: gzip, zlib, bzip2, xz, Zstandard, LZ4, a ZIP archive."""
    if at + 4 > data.shape[0]:
        return False
    a, b, c = data[at], data[at + 1], data[at + 2]
    if a == ord("H"):
        return b == ord("4") and c == ord("s")
    if a == ord("e"):
        return (b == ord("J") and ord("w") <= c <= ord("z")) or (b == ord("N") and ord("o") <= c <= ord("r"))
    if a == ord("Q"):
        return b == ord("l") and c == ord("p")
    if a == ord("U"):
        return b == ord("E") and c == ord("s")
    if a == ord("K"):
        return b == ord("L") and c == ord("U")
    if a == ord("B"):
        return b == ord("C") and c == ord("J")
    return a == ord("/") and b == ord("T") and c == ord("d")


@lean
def mark(data: Any, found: Any, spots: Any) -> Any:
    """Say for each text what may stand in it; and of each initial beside a long name in which text it is, where the
    first of the two begins and the other one ends (`spots`). Returns how many these are: there may be too little room.
    """
    count: Any = 0
    text = told = signs = blanks = size = i = 0
    letters = numbers = groups = threes = 0
    group: Any = 0
    before: Any = 0  # the characters of the token before; where it starts, whether it has a digit, how it begins
    numbered: Any = False
    n, began = data.shape[0], 0
    earlier = last = sign = np.uint8(0)
    run: Any = 0  # digits in groups with one sign between each two: how many, of the last group, which sign, how often
    prior: Any = 0
    between, many = np.uint8(0), 0
    lines = odd = cells = 0
    street: Any = False
    while i <= n:
        byte = data[i] if i < n else np.uint8(0)
        if i < n and _IN_TOKEN[byte]:
            start, held, humps, capital, capitals = i, np.int64(0), 0, i, False
            if signs > _MOST_SIGNS:
                letters = numbers = groups = threes = 0
            numeric = ord("0") <= byte <= ord("9")
            if blanks > 1 and (numbered or numeric):
                told |= BLANKS
            if lines == 1 and signs <= _INDENTED:
                joined = last == ord("@") or (last == ord("-") and numeric) or (last == sign and _JOINS[sign])
                cut = signs == blanks or (signs == blanks + 1 and joined)
                told |= LINES if cut else 0
            if cells and ((street and numbered) or (cells > 1 and (numbered or numeric))):
                told |= CELLS
            while i < n and _IN_TOKEN[data[i]]:
                held += _COUNTS[data[i]]
                if data[i] - ord("A") <= 25 and data[i] >= ord("A"):
                    humps += i - capital >= _HUMP
                    capitals |= i > start
                    capital = i
                i += 1
            if i - start >= _PREFIX and _packs(data, start):
                told |= PACKED
            chars, digits, hexes = held & _MASK, held >> _SECOND & _MASK, held >> _THIRD
            size += i - start
            if size >= _LEAST and (capitals or digits > 0):
                told |= RUNS
            letters = letters + 1 if chars == 1 else 0
            numbers = numbers + 1 if digits == chars and chars <= _SHORT else 0
            threes = threes + 1 if digits == _SHORT and chars == _SHORT and signs == 1 and sign != 32 else 0
            if hexes == chars and chars >= _SMALLEST_GROUP and chars & 1 == 0:
                groups = groups + 1 if chars == group else 1
                group = chars
                if groups >= _GROUPS or (groups > 1 and group >= _LONG_GROUP):
                    told |= GROUPS
            else:
                groups = group = 0
            if not numeric or digits == 0:
                run = 0
            elif run > 0 and (odd or _WIDE < signs != blanks) and signs <= _BETWEEN:
                run = digits + (run if between == sign and many == signs else prior)
                between, many = sign, signs
                if run >= _FEWEST_IN_NUMBER:
                    told |= ODD
            else:
                run, between = digits, np.uint8(0)
            prior = digits
            if i - start > chars and digits >= _FEWEST_IN_NUMBER:
                told |= ODD  # a sign that is not ASCII stands among them
            if 0 < digits <= _INNER and chars - digits >= _LETTERS_AROUND and not numeric and data[i - 1] > ord("9"):
                told |= INSIDE
            street = numeric and before >= _STREET and sign == 32 and signs <= 2
            if letters >= _LETTERS:
                told |= APART
            if numbers >= _NUMBERS:
                told |= NUMBERS
            if threes >= _THREES:
                told |= THOUSANDS
            if humps >= _HUMPS and digits == 0:
                told |= CAMEL
            if (
                digits == 0
                and signs <= 2
                and ((chars == 1 and before >= _FAMILY) or (before == 1 and chars >= _FAMILY))
            ):
                alike = _GREAT[byte] and _GREAT[earlier] and (sign == 32 or sign == ord("."))
                if alike or (signs == 1 and (sign == ord(".") or sign == ord("_") or sign == ord("-"))):
                    if count < spots.shape[0]:
                        spots[count, 0], spots[count, 1], spots[count, 2] = text, began, i
                    count += 1
            numbered, before, began, earlier = digits > 0, chars if digits == 0 else 0, start, byte
            signs = blanks = lines = odd = cells = 0
            last = data[i - 1]
            continue
        if byte == 0:
            if size == _LEAST - 4:
                told |= SHORT
            if text < found.shape[0]:
                found[text] = told
            text += 1
            told = letters = numbers = groups = group = threes = signs = blanks = size = before = 0
            lines = odd = cells = run = 0
            last = between = np.uint8(0)
            street = False
            numbered = False
            i += 1
            continue
        signs += 1
        sign = byte
        odd |= _ODD[byte]
        if byte == ord("|") or byte == ord(";") or (byte == ord("/") and i > 0 and data[i - 1] == ord(" ")):
            cells = 2
        elif byte == ord(",") and (signs == 1 or (signs == 2 and _QUOTES[data[i - 1]])):
            cells = 1
        elif cells and _BLANK[byte] and (last == ord(",") or last == ord(";")):
            cells -= 1  # with a blank behind it it may be a sentence's
        if _BLANK[byte]:
            blanks += 1
            lines += byte == 10
            size = 0
            i += 1
            continue
        if byte == ord("="):
            if _FEWEST_DIGITS <= size < _LEAST:
                told |= SHORT
        elif byte == ord("("):
            if (
                i > 2
                and data[i - 1] | 32 == ord("r")
                and (data[i - 2] | 32 == ord("h") or data[i - 2] | 32 == ord("a"))
            ):
                told |= CHARS
        elif byte == ord("|") or byte == ord("+") or byte == ord("."):
            if _QUOTES[last]:
                told |= ADDED
        elif byte == ord("-"):
            if (
                i > 1
                and i + 1 < n
                and data[i + 1] == byte
                and data[i - 1] | 32 == ord("n")
                and data[i - 2] | 32 == ord("x")
            ):
                told |= PUNY
        elif byte == ord("/") and _packs(data, i):
            told |= PACKED
        size = size + 1 if byte == ord("+") or byte == ord("/") else 0
        last = byte
        i += 1
    return count


def warm() -> None:
    """Run every kernel of this room once."""
    mark(np.frombuffer(b"a b", np.uint8), np.zeros(1, np.uint16), np.zeros((1, 3), np.int64))
