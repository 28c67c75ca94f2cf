"""Numbers of known persons in free text, however their digits are grouped, and with letters right beside them:
`SSN536228741`, `Tel.03050017634`, `493050017634`, `IMG4929391245009108.jpg`.

Digits are never cut: a number begins and ends where digits do, but behind the code of a country.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from envclone.masking.known import Numbers
from envclone.masking.patterns import Span
from envclone.masking.phone import national_starts

__all__ = ["Codes", "held", "outline"]

_PIECE = re.compile(r"[0-9]+|[A-Za-z]+")
_USUAL = re.compile(r"[ .,()+\-/_\u00a0\u2007\u2009\u202f\u2010-\u2015\u2212]{1,3}")
"""What stands between the groups of numbers, in any mixture."""
_ODD = re.compile(r"[^\w\0]{1,3}")
"""What can stand there too, when it is the same between all."""
_DATE = re.compile(r"(?:[0-9]{4}[-./][0-9]{1,2}[-./][0-9]{1,2}|[0-9]{1,2}[-./][0-9]{1,2}[-./][0-9]{4})(?![0-9])")
_AROUND, _FEWEST, _MOST_DIGITS = 20, 7, 18
_FEWEST_BEHIND_CODE, _FEWEST_OF_CODES = 6, 5
_SHAPES = str.maketrans(
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "0" * 10 + "A" * 26 + "A" * 26
)
_MOST_SHAPES = 4096


def outline(code: str) -> str:
    """Where a code has digits and where letters."""
    return code.translate(_SHAPES)


class Codes:
    """The codes of known persons, as the numbers of 'kind code'.

    `shapes` are their outlines; of too many nothing is told by how a code can begin.
    """

    def __init__(self, shapes: set[str], numbers: Numbers, kinds: Sequence[str]) -> None:
        self.shapes, self.numbers, self._kinds = shapes, numbers, kinds
        self.longest = max(map(len, shapes), default=0)
        fewest = min((shape.count("0") for shape in shapes), default=_FEWEST)
        self.fewest = min(max(fewest, _FEWEST_OF_CODES), _FEWEST)
        """How many digits such a code has at least."""
        self._many = len(shapes) > _MOST_SHAPES
        self._begins = {shape[:i] for shape in shapes for i in range(1, len(shape) + 1)} if not self._many else set()
        heads = {len(shape) - len(shape.lstrip("A")) for shape in shapes} - {0}
        tails = {len(shape) - len(shape.rstrip("A")) for shape in shapes} - {0}
        self.heads, self.tails = sorted(heads, reverse=True), sorted(tails, reverse=True)
        """How many letters such codes begin and end with."""

    def __bool__(self) -> bool:
        return bool(self.shapes)

    def begins(self, shape: str) -> bool:
        """Whether a code of somebody can begin with this outline."""
        return self._many or shape in self._begins

    def kind(self, code: str, shape: str) -> str:
        """The kind of a code with its outline, when it is somebody's; '' for any other text."""
        if shape not in self.shapes:
            return ""
        return next((kind for kind in self._kinds if f"{kind} {code.upper()}" in self.numbers), "")


class _Number(NamedTuple):
    """A number from one piece of a text on: where it begins and ends, and its kind."""

    start: int
    end: int
    kind: str


def held(text: str, zones: Sequence[Sequence[int]], codes: Codes, numbers: Numbers) -> Iterator[Span]:
    """The numbers of somebody where many digits stand; `numbers` are national telephone numbers."""
    done = 0
    for begin, end in zones if codes.fewest == _FEWEST else _zones(text, codes.fewest):
        first = max(done, begin - _AROUND, 0)
        pieces = [match.span() for match in _PIECE.finditer(text, first, min(len(text), end + _AROUND))]
        for i, (start, _) in enumerate(pieces):
            if start < done or not (codes.heads or text[start] <= "9"):
                continue
            found = _longest(text, pieces, i, codes, numbers)
            if found is not None:
                yield found.start, -found.end, found.kind
                done = found.end


def _longest(text: str, pieces: Sequence[tuple[int, int]], i: int, codes: Codes, numbers: Numbers) -> _Number | None:
    """The longest number that begins in a piece."""
    start, stop = pieces[i]
    if text[start].isdigit():
        return _from(text, pieces, i, start, codes, numbers)
    # a code's first letters can be the last ones of a word, or be in several groups
    begins = {max(start, stop - letters) for letters in codes.heads} if i + 1 < len(pieces) else ()
    every = (_from(text, pieces, i, begin, codes, None) for begin in sorted(begins))
    return next((found for found in every if found is not None), None)


def _zones(text: str, fewest: int) -> Iterator[tuple[int, int]]:
    """Where so many digits stand together, with up to three signs between two."""
    last = -1
    for match in _together(fewest).finditer(text):
        if match.start() > last:
            yield match.span()
            last = match.end()


@cache
def _together(fewest: int) -> re.Pattern[str]:
    return re.compile(rf"[0-9](?:[^0-9\0]{{0,3}}[0-9]){{{fewest - 1},}}")


def _from(
    text: str,
    pieces: Sequence[tuple[int, int]],
    i: int,
    start: int,
    codes: Codes,
    numbers: Numbers | None,
) -> _Number | None:
    """The longest number that begins at a place in a piece."""
    phones, coded = bool(numbers), bool(codes)
    whole, shape, digits, joint, found = "", "", 0, "", None
    for k in range(i, len(pieces)):
        begin, end = pieces[k]
        if k == i:
            begin = start
        elif (last := pieces[k - 1][1]) < begin:
            now = _joint(text[last:begin])
            if not now or (joint := joint or now) != now:
                break
        size = end - begin
        if text[begin] <= "9":
            digits += size
            kind = "0"
        else:
            phones, kind = False, "A"
            if coded and digits >= codes.fewest:
                for letters in codes.tails:
                    if letters < size and (
                        its := codes.kind(whole + text[begin : begin + letters], shape + "A" * letters)
                    ):
                        found = _Number(start, begin + letters, its)
                        break
        whole += text[begin:end]
        shape += kind * size
        coded = coded and len(shape) <= codes.longest and codes.begins(shape)
        phones = phones and digits <= _MOST_DIGITS
        if not (phones or coded):
            break
        if coded and digits >= codes.fewest and (its := codes.kind(whole, shape)):
            found = _Number(start, end, its)
        elif phones and digits >= _FEWEST and not (k > i and _DATE.match(text, start)):
            for at in national_starts(whole):
                fewest = _FEWEST_BEHIND_CODE if at else _FEWEST
                if numbers and digits - at >= fewest and whole[at:] in numbers:
                    found = _Number(_place(text, start, at), end, "phone")
                    break
    return found


def _joint(between: str) -> str:
    """What joins two groups of a number: a blank for all that is usual, '' for what joins none."""
    if _USUAL.fullmatch(between):
        return " "
    return between if _ODD.fullmatch(between) else ""


def _place(text: str, start: int, digits: int) -> int:
    """Where the digit behind some others stands."""
    at = start
    while True:
        if "0" <= text[at] <= "9":
            if not digits:
                return at
            digits -= 1
        at += 1
