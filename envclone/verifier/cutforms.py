"""Words and numbers that are cut where nobody cuts them: by a line break, odd signs, a digit, the cells of a table.

Each reads a text that may hold such a form (`rarekernels`) as what it says without the cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv6Address

from envclone.packed import TextBlock

__all__ = [
    "cells_joined", "digits_joined", "lines_joined", "of_arpa", "parted_by_digits", "parted_by_joints", "plain_blanks",
]  # fmt: skip

_WIDE = re.compile(rb"\xc2\xa0|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80")
"""Blanks beside the one of ASCII: no-break, thin, of half a letter, of Chinese."""
_BULLET = re.compile(rb"\xc2\xb7|\xe2(?:\x80[\x90-\x95\xa2]|\x88\x99|\x8b\x85|\x97\x8f|\x96\xaa)|\xef\xbd\x9c")
"""Dots, dashes and bars that part the lines of an address or the groups of a number."""
_LEADS = (b"\xc2\xa0", b"\xc2\xb7", b"\xe1\x9a\x80", b"\xe2", b"\xe3\x80\x80", b"\xef\xbd\x9c")
_BLANKS, _INNER = " \t\r", ".@_-:"
"""Blanks around a line break, and signs inside of addresses and numbers, with which a line can go on."""
_NEAR = 40
"""Characters on either side of a line break that are read with it."""
_LONGEST_WORD = 64
_NUMBER = re.compile(
    r"(?<![\w.,])(?:\+|\(\+?|[A-Z]{2})?\d{1,9}\)?(?P<s>[^\w\n]{1,4}|_{1,4})\d{1,9}(?:(?P=s)\d{1,9}){0,22}(?![\w])"
)
_PLAIN = re.compile(r"[ /'().\-_+\t\r\n]+")
_LIST_SIGNS = re.compile(r"[,;:\s]+")
"""Signs of lists, times and fractions: of numbers that they part, few are one."""
_FEWEST, _FEWEST_IN_LIST, _GROUPS_IN_LIST = 7, 9, 3
_MOST, _WIDE_SIGN = 34, 2
_DIGITS = re.compile(r"\d+")
_INSIDE = re.compile(r"(?<![^\W_])[^\W\d_]{2,}(?:\d{1,4}[^\W\d_]{2,})+(?![^\W_])")
_JOINED = re.compile(
    r"(?<![^\W_])([^\W\d_]{3,})(?:(?<=[^\WA-Z\d_])(?:and|und|et|og|och|en|van|von|de|del|di|da|to|x|y|e)|[A-Z])"
    r"(?=[A-Z])([^\W\d_]{3,})(?![^\W_])"
)
_ARPA = re.compile(r"(?i)(?<![\w.])((?:[0-9]{1,3}\.){4})in-addr\.arpa|(?<![\w.])((?:[0-9a-f]\.){32})ip6\.arpa")
_CELL = re.compile(r"""[ \t]*["']?(?:[|;]|(?<=[\w"']),(?=["']?\w)|(?<=\s)/{1,2}(?=\s))["']?[ \t]*""")


def plain_blanks(values: TextBlock) -> TextBlock:
    """The same texts with a blank of ASCII for every other one, and a bar for every bullet."""
    block = values.block
    if block.isascii() or not any(lead in block for lead in _LEADS):
        return values
    return TextBlock(_BULLET.sub(b"|", _WIDE.sub(b" ", block)), values.absent)


def lines_joined(text: str) -> Iterator[str]:
    """For each line that ends in a word and goes on with one what both say in one, and what stands beside them."""
    before = ""
    for line in text.split("\n"):
        behind = line.lstrip(_BLANKS)
        if before and behind and _goes_on(before, behind):
            end = before[-_NEAR:]
            if len(before) > _NEAR:  # a word that begins before is read whole
                end = end.partition(" ")[2] or before[-_LONGEST_WORD:]
            begin = behind[:_NEAR]
            if len(behind) > _NEAR:
                begin = begin.rpartition(" ")[0] or behind[:_LONGEST_WORD]
            yield end + begin
        before = line.rstrip(_BLANKS)


def _goes_on(before: str, behind: str) -> bool:
    """Whether a word or number can go on in the next line."""
    last, first = before[-1], behind[0]
    if last.isalnum():
        return first.isalnum() or (first in _INNER and behind[1:2].isalnum())
    return first.isalnum() and (last == "@" or (last == "-" and before[-2:-1].isdigit()))


def digits_joined(text: str) -> Iterator[str]:
    """Digits between which one odd sign stands, as the groups of one number."""
    for match in _NUMBER.finditer(text):
        groups = _DIGITS.findall(match[0])
        count = sum(map(len, groups))
        if not _FEWEST <= count <= _MOST or (len(match["s"]) <= _WIDE_SIGN and _PLAIN.fullmatch(match["s"])):
            continue
        if _LIST_SIGNS.fullmatch(match["s"]) and (count < _FEWEST_IN_LIST or len(groups) < _GROUPS_IN_LIST):
            continue
        yield ("+" if "+" in match[0][:2] else "") + " ".join(groups)


def parted_by_digits(text: str) -> Iterator[str]:
    """Words that digits part, with a blank for these: `jane2doe`."""
    for match in _INSIDE.finditer(text):
        yield _DIGITS.sub(" ", match[0])


def parted_by_joints(text: str) -> Iterator[str]:
    """Two names with a capital or a word that joins between them, with a blank for it: `JaneandDoe`, `JaneXDoe`."""
    for match in _JOINED.finditer(text):
        yield f"{match[1]} {match[2]}"


def cells_joined(text: str) -> Iterator[str]:
    """A text with a blank for every sign that parts cells, where it has any."""
    if (joined := _CELL.sub(" ", text)) != text:
        yield joined


def of_arpa(text: str) -> Iterator[str]:
    """The addresses whose names for a reverse look-up stand in a text: `7.2.0.192.in-addr.arpa`."""
    for match in _ARPA.finditer(text):
        if match[1]:
            yield ".".join(reversed(match[1][:-1].split(".")))
        else:
            yield str(IPv6Address(int("".join(reversed(match[2][:-1].split("."))), 16)))
