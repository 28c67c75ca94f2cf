"""Which words are everyday ones in any of the languages of most texts, and nobody's name."""

from __future__ import annotations

from functools import cache

from envclone.masking.names import is_name
from envclone.masking.nets import WORDS, data

__all__ = ["is_common", "is_everyday", "is_place"]

_EVERYDAY = frozenset(("2", "3", "noun"))
"""The frequencies, and the nouns that are written with a capital, which the tagger's list has them under."""
_SHORTEST = 3
_LONG = 7


def is_common(word: str) -> bool:
    """Whether a word in lower case is an everyday one (`lamp`, `contractor`) that nobody is called."""
    return len(word) >= _SHORTEST and word in _words()[0] and not is_name(word)


def is_everyday(word: str) -> bool:
    """Whether a word in lower case is an everyday one, and if somebody is called so, a long one (`contractor`)."""
    return is_common(word) or (len(word) >= _LONG and word in _words()[2])


def is_place(word: str) -> bool:
    """Whether a word in lower case is a part of a place's name (`berlin`); persons can be called so, too."""
    return word in _words()[1]


@cache
def _words() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Everyday words, those of places, and everyday ones that are no nouns with a capital."""
    lines = [line.split(" ") for line in data(WORDS).splitlines()]
    everyday = frozenset(word for kind, *words in lines if kind in _EVERYDAY for word in words)
    places = frozenset(word for kind, *words in lines if kind == "place" for word in words)
    return everyday, places, frozenset(word for kind, *words in lines if kind in ("2", "3") for word in words)
