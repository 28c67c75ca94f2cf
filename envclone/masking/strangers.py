"""Persons in a text whom no column names: told by a title before them, or by a given name and another name together."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import compress, count
from typing import Any

from envclone.masking.names import given_names, is_name
from envclone.masking.patterns import Span
from envclone.masking.runs import Runs
from envclone.masking.words import WORDS_FIRST

__all__ = ["strangers"]

_NAME = r"\p{Lu}[\p{L}\p{M}]*(?:['’\-]\p{L}[\p{L}\p{M}]*)*"
_TITLED = (
    r"\b(?:Mr|Mrs|Ms|Mx|Miss|Dr|Prof|Herr|Frau|Mme|Mlle|Madame|Monsieur|Señor|Señora|Sr|Sra|Sig|Signora)\b\.?[ \x{a0}]"
    rf"(?:(?:Mr|Mrs|Dr|Prof)\.? )?({_NAME}(?:[ \x{{a0}}](?:van |von |de |der |den |di |da |del |la |le )*{_NAME})*)"
)
_BETWEEN = frozenset((" ", "\u00a0"))
_PARTICLES = frozenset(("van", "von", "de", "der", "den", "di", "da", "del", "la", "le", "bin", "al", "el"))
_MOST = 4


def strangers(text: str, runs: Runs) -> Iterator[Span]:
    """Where persons stand who are known by nothing but the dictionary of names and the form of the sentence."""
    for match in _titled().finditer(text):
        if match[1].split()[0].lower() not in WORDS_FIRST:
            yield match.start(1), -match.end(1), "person"
    firsts = given_names()
    starts = runs.starts
    for i in compress(count(), map(firsts.__contains__, runs.words)):
        at = 2 * i + 1
        if not text[starts[at]].isupper():
            continue
        end = _end(text, runs, at)
        if end > at:
            yield starts[at], -starts[end + 1], "person"


def _end(text: str, runs: Runs, at: int) -> int:
    """The last word of the name that a given name begins; the same word when nothing follows that is a name."""
    pieces, starts = runs.pieces, runs.starts
    end = at
    following = at + 2
    while following < len(pieces) and following <= at + 2 * _MOST and pieces[following - 1] in _BETWEEN:
        word = pieces[following]
        if text[starts[following]].isupper() and len(word) > 1 and is_name(word) and word not in WORDS_FIRST:
            end = following
        elif word not in _PARTICLES:
            break
        following += 2
    return end


@cache
def _titled() -> Any:
    import re2

    return re2.compile(_TITLED)
