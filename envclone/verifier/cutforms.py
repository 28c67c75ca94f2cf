"""Words and numbers that are cut where nobody cuts them: by a line break, odd signs, a digit, the cells of a table.

Each reads a text that may hold such a form (`rarekernels`) as what it says without the cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address

from envclone.packed import TextBlock

__all__ = [
    "cells_joined", "digits_joined", "humped", "lines_joined", "of_arpa", "one_blank", "parted_by_digits",
    "parted_by_joints", "plain_blanks",
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
_BESIDE = 80
"""Characters on either side of a sign between cells, or of several blanks, that are read with it."""
_NUMBER = re.compile(
    r"(?<![\w.,])(?:\+|\(\+?|[A-Z]{2})?\d{1,9}\)?(?P<s>[^\w\n]{1,4}|_{1,4})\d{1,9}(?:(?P=s)\d{1,9}){0,22}(?![\w])"
)
_PLAIN = re.compile(r"[ /'().\-_+\t\r\n]+")
_LIST_SIGNS = re.compile(r"[,;:\s]+")
"""Signs of lists, times and fractions: of numbers that they part, few are one."""
_FEWEST, _FEWEST_IN_LIST, _GROUPS_IN_LIST = 7, 9, 3
_MOST, _WIDE_SIGN = 34, 2
_DIGITS = re.compile(r"\d+")
_INNER_DIGIT = re.compile(r"\d(?<=[^\W\d_]\d)")
_INSIDE = re.compile(r"[^\W\d_]{2,}(?:\d{1,4}[^\W\d_]{2,})+")
_INNER_CAPITAL = re.compile(r"[A-Z](?<=[^\W\d_][A-Z])")
_JOINED = re.compile(
    r"([^\W\d_]{3,})(?:(?<=[^\WA-Z\d_])(?:and|und|et|og|och|en|van|von|de|del|di|da|to|x|y|e)|[A-Z])"
    r"(?=[A-Z])([^\W\d_]{3,})"
)
_ARPA = re.compile(r"(?i)(?<![\w.])((?:[0-9]{1,3}\.){4})in-addr\.arpa|(?<![\w.])((?:[0-9a-f]\.){32})ip6\.arpa")
_CELL = re.compile(r"""[|;]|,(?<=[\w"'],)(?=["']?\w)|/(?<=\s/)/?(?=\s)""")
"""Signs that part cells. It begins with the sign, so that few places of a text are looked at."""
_QUOTES = "\"'"
_SEVERAL = re.compile(r"\s{2,}")
_NUMBERED = re.compile(r"\d[^\W_]{0,20}[^\w\s]{0,2}\Z")
_LONGEST_NUMBERED = 23
_BLANK = re.compile(r"\s+")


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
    for word in _words_at(text, (match.start() for match in _INNER_DIGIT.finditer(text))):
        if _INSIDE.fullmatch(word):
            yield _DIGITS.sub(" ", word)


def humped(text: str) -> Iterator[str]:
    """The words of a text that are two names and more and have a capital of ASCII behind a letter."""
    its = _words_at(text, (match.start() for match in _INNER_CAPITAL.finditer(text)))
    return (word for word in its if len(word) >= _FEWEST)


def _words_at(text: str, places: Iterable[int]) -> Iterator[str]:
    """The words in which some places are, in their order, each once."""
    end = 0
    for at in places:
        if at < end:
            continue
        start = end = at
        while start and text[start - 1].isalnum():
            start -= 1
        while end < len(text) and text[end].isalnum():
            end += 1
        yield text[start:end]


def parted_by_joints(word: str) -> Iterator[str]:
    """Two names with a capital or a word that joins between them, with a blank for it: `JaneandDoe`, `JaneXDoe`."""
    if (match := _JOINED.fullmatch(word)) is not None:
        yield f"{match[1]} {match[2]}"


def one_blank(text: str) -> Iterator[str]:
    """What stands around several blanks beside a number, with one for them."""
    found: list[tuple[int, int]] = []
    for match in _SEVERAL.finditer(text):
        start, end = match.span()
        numbered = _NUMBERED.search(text, max(0, start - _LONGEST_NUMBERED), start)
        if numbered or text[end : end + 1].isdecimal():
            found.append((numbered.start() if numbered else start, end))
    for start, end in _around(found):
        yield _BLANK.sub(" ", text[start:end])


def cells_joined(text: str) -> Iterator[str]:
    """What stands around signs that part cells, with a blank for each."""
    signs = [match.span() for match in _CELL.finditer(text)]
    number = 0
    for start, stop in _around(signs):
        first, last = max(0, start - _LONGEST_WORD), stop + _LONGEST_WORD  # words at its ends are read whole
        start = max(first, text.rfind(" ", first, start) + 1)
        end = text.find(" ", stop, last)
        stop = end if end >= 0 else last
        parts = []
        while number < len(signs) and signs[number][0] < stop:
            begin, behind = signs[number]
            parts.append(_without_quote(text[start:begin]))
            start = behind + (text[behind : behind + 1] in _QUOTES and behind < len(text))
            number += 1
        parts.append(text[start:stop].lstrip(" \t") if parts else text[start:stop])
        yield " ".join(parts)


def _without_quote(cell: str) -> str:
    """The text before a sign, without the quote that ends it and blanks."""
    return cell[: len(cell) - (cell[-1:] in _QUOTES and cell != "")].strip(" \t")


def _around(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Parts of a text with what stands beside them; those that touch are one."""
    out: list[tuple[int, int]] = []
    for start, end in spans:
        first = max(0, start - _BESIDE)
        if out and first <= out[-1][1]:
            first = out.pop()[0]
        out.append((first, end + _BESIDE))
    return out


def of_arpa(text: str) -> Iterator[str]:
    """The addresses whose names for a reverse look-up stand in a text: `7.2.0.192.in-addr.arpa`."""
    for match in _ARPA.finditer(text):
        if match[1]:
            yield ".".join(reversed(match[1][:-1].split(".")))
        else:
            yield str(IPv6Address(int("".join(reversed(match[2][:-1].split("."))), 16)))
