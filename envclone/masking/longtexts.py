"""Long texts are masked in pieces that overlap: what one text costs in memory has a bound."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence

from envclone.masking.decoders import Edit
from envclone.masking.edits import applied

__all__ = ["LONG", "in_pieces"]

LONG = 2 * 2**20
"""Characters of a text from which it is masked in pieces, and of a piece."""
CONTEXT = 16 * 2**10
"""Characters on both sides of a piece that are read with it: no identity is longer, nor what it is judged by."""
_DIGITS = string.ascii_letters + string.digits + "+/-_="
_GROUP = 8
"""Digits of base64, base32 and hexadecimal after which a block can be read again."""


def in_pieces(text: str, edits_of: Callable[[str], Sequence[Edit]]) -> str:
    """The text with its edits made, as `edits_of` gives them for a part: in order and apart."""
    out: list[str] = []
    done = begin = 0
    while done < len(text):
        end = min(len(text), done + LONG + 2 * CONTEXT)
        part = text[begin:end]
        edits = [edit for edit in edits_of(part) if edit[0] >= done - begin]
        cut = len(part) if end == len(text) else _cut(part, edits, done - begin + LONG)
        shift = done - begin
        its = [(a - shift, b - shift, new) for a, b, new in edits if b <= cut]
        out.append(applied(part[shift:cut], its))
        done, before = begin + cut, begin
        begin = _aligned(text, max(before, done - CONTEXT), before)
    return "".join(out)


def _cut(part: str, edits: Sequence[Edit], place: int) -> int:
    """From `place` on the first white space, or else the first place, that no edit covers."""
    last = place + CONTEXT
    covered = [(a, b) for a, b, _ in edits if b > place and a < last]
    free = place
    for at in range(place, last):
        while covered and covered[0][1] <= at:
            covered.pop(0)
        if covered and covered[0][0] < at:
            continue
        if part[at].isspace():
            return at
        free = free if free > place else at
    return free


def _aligned(text: str, place: int, before: int) -> int:
    """A place where a block of digits can be read from: it is `before` or earlier in it by whole groups."""
    ahead = text[before:place]
    inside = len(ahead) - len(ahead.rstrip(_DIGITS))
    return place - inside % _GROUP
